"""Simulated features of synthetic patients, with their outcomes and scores.

The findings are those of the synthetic radiographs: grades of six zones, size of the
heart, projection and dose, and a body. A fixed random network stands for the image and
its detector:

    features = tanh(findings A + b) C + noise

A and C are the same for all datasets of a study, as anatomy and physics are.
"""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.chest.labels import OutcomeModel, draw_labels

# Cut points of the global score into categories: eq. 4 of Ruffini et al. 2024.
CUT_POINTS = (5, 9, 14)
CATEGORIES = len(CUT_POINTS) + 1
HEART = 2.0  # its weight among the findings: it covers as much as two zones
_UNITS = 64  # of the random network
_BODY = 12  # sizes of the body that no label depends on
_FINDINGS = 6 + 3 + 1 + _BODY


@dataclasses.dataclass(frozen=True)
class Patients:
    """Features and labels of n patients, one image each.

    features: float32 (n, size).
    severe: bool (n,), the true outcome.
    recorded: bool (n,), the outcome that the dataset has.
    category: int64 (n,), of the severity score.
    chance: float64 (n,), P(severe | score and size of the heart).
    """

    features: np.ndarray
    severe: np.ndarray
    recorded: np.ndarray
    category: np.ndarray
    chance: np.ndarray


class Imaging:
    """The map from findings to features, of two detectors.

    Args:
        seed: of the random network.
        size: number of features.
        noise: std of the noise; the std of a feature without noise is 1.
        detector: fraction of the variance that the other detector maps differently.

    Example:
        >>> imaging = Imaging(seed=0, size=8, noise=0.0, detector=0.5)
        >>> findings = np.zeros((3, 22))
        >>> imaging.features(np.random.default_rng(0), findings).shape
        (3, 8)
    """

    def __init__(self, seed, size, noise, detector):
        rng = np.random.default_rng(np.random.SeedSequence([seed, 8]))
        self._first = rng.normal(0.0, 1.5 / _FINDINGS**0.5, (_FINDINGS, _UNITS))
        self._offsets = rng.normal(0.0, 0.5, _UNITS)
        own, other = rng.normal(0.0, 1.0, (2, _UNITS, size))
        turned = np.sqrt(1.0 - detector) * own + np.sqrt(detector) * other
        # 0 leaves the detector unchanged; half of the variance makes a strong change.
        strength = 2.0 * detector
        gains = np.exp(0.2 * strength * rng.normal(0.0, 1.0, size))
        shifts = 0.3 * strength * rng.normal(0.0, 1.0, size)
        self._noise = noise
        # Mean and std over the population make the features of the first detector
        # standard, as the normalisation of images does.
        hidden = self._hidden(draw_findings(rng, 20_000)[0])
        mean, std = (hidden @ own).mean(axis=0), (hidden @ own).std(axis=0)
        self._maps = (
            (own / std, -mean / std),
            (turned / std * gains, shifts - mean / std * gains),
        )

    def _hidden(self, findings):
        return np.tanh(findings @ self._first + self._offsets)

    def features(self, rng, findings, *, other=False):
        """Features of patients, float32 (n, size).

        Args:
            rng: numpy Generator of the noise.
            findings: float (n, 22) of `draw_findings`.
            other: whether the other detector took the images.
        """
        weights, offset = self._maps[int(other)]
        clean = self._hidden(findings) @ weights + offset
        noise = self._noise * rng.standard_normal(clean.shape)
        return (clean + noise).astype(np.float32)


def draw_findings(rng, n, *, correlation=1.0, shortcut=0.0):
    """Draw what the images of n patients show, and their labels.

    Args:
        rng: numpy Generator.
        n: number of patients.
        correlation: see `phantoms.chest.labels.OutcomeModel`.
        shortcut: fraction of patients whose projection is that of their outcome.
    Returns:
        findings: float64 (n, 22): six zones, heart, projection, dose, sex, body; about
            standard each.
        labels: `ChestLabels`.
        heart: float64 (n,), its size in std; it is drawn at every correlation.
    """
    outcome = OutcomeModel(correlation=correlation)
    labels = draw_labels(rng, n, outcome=outcome)
    heart = labels.heart if correlation != 1.0 else rng.standard_normal(n)
    ap = np.where(rng.random(n) < shortcut, labels.severe, rng.random(n) < 0.5)
    # The picture of a grade varies, and bedside images widen the heart.
    zones = (labels.zones + rng.normal(0.0, 0.3, labels.zones.shape) - 1.4) / 1.1
    width = (1.0 + 0.12 * heart) * np.where(ap, 1.13, 1.0)
    signs = 2.0 * np.stack([ap, labels.male], axis=1) - 1.0
    findings = np.concatenate(
        [
            zones,
            HEART * (width[:, None] - 1.065) / 0.145,
            signs,
            rng.normal(size=(n, 1)),
        ]
        + [rng.normal(size=(n, _BODY))],
        axis=1,
    )
    return findings, labels, heart


def draw_patients(
    rng,
    n,
    imaging,
    *,
    correlation,
    shortcut=0.0,
    label_noise=0.0,
    other=False,
):
    """Draw n patients with features and labels.

    Args:
        rng: numpy Generator.
        n: number of patients.
        imaging: `Imaging`.
        correlation, shortcut: see `draw_findings`.
        label_noise: fraction of the recorded outcomes that are wrong.
        other: whether the other detector took the images.
    Returns: `Patients`.
    """
    findings, labels, heart = draw_findings(
        rng, n, correlation=correlation, shortcut=shortcut
    )
    outcome = OutcomeModel(correlation=correlation)
    return Patients(
        features=imaging.features(rng, findings, other=other),
        severe=labels.severe,
        recorded=labels.severe != (rng.random(n) < label_noise),
        category=np.digitize(labels.brixia_global, CUT_POINTS),
        chance=outcome.image_probability(labels.brixia_global, heart),
    )
