"""Labels of synthetic patients: Brixia scores, age, sex and an outcome with known odds.

Nothing is rendered here, so the best performance that a model can reach on phantoms
can be computed from many thousand draws in a second.

Source of the score: Borghesi & Maroldi 2020, six zones (A, B, C the patient's right
lung from top to bottom, D, E, F the left lung), 0 to 3 each, global score 0 to 18.
"""

import dataclasses
import functools
import math

import numpy as np

ZONES = ("A", "B", "C", "D", "E", "F")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreModel:
    """The model of the six grades of one radiograph, given the extent of the disease.

    Every zone has a latent z = loading disease + sqrt(1 - loading^2) noise + offset,
    with disease and noise standard normal. Its grade is the number of `thresholds`
    that z exceeds. The offsets are there because COVID-19 pneumonia prefers the bases.
    """

    loading: float = 0.82
    offsets: tuple[float, ...] = (-0.40, 0.12, 0.38, -0.50, 0.08, 0.32)
    thresholds: tuple[float, ...] = (-0.45, 0.30, 1.00)

    def draw(self, rng, disease):
        """Draw grades for an array of disease extents.

        Args:
            rng: numpy Generator.
            disease: float array (n,), standard normal over the population.
        Returns: int64 array (n, 6), 0 to 3, columns in the order of `ZONES`.
        """
        disease = np.asarray(disease, dtype=np.float64)
        noise = rng.standard_normal((disease.size, len(ZONES)))
        own = np.sqrt(1.0 - self.loading**2)
        latent = self.loading * disease[:, None] + own * noise + np.array(self.offsets)
        return (latent[..., None] > np.array(self.thresholds)).sum(axis=-1)

    def moments(self):
        """Mean and std of the global score over the population, by quadrature.

        Given the disease, the zones are independent, so the variance is that of the
        conditional mean plus the mean of the conditional variance.
        """
        return _moments(self)


@functools.cache
def _moments(scores):
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    own = math.sqrt(1.0 - scores.loading**2)
    offsets, thresholds = np.array(scores.offsets), np.array(scores.thresholds)
    latent = scores.loading * nodes[:, None, None] + offsets[:, None] - thresholds
    # P(grade > k | disease), by node, zone and threshold.
    above = 0.5 * np.vectorize(math.erfc)(-latent / (own * math.sqrt(2)))
    mean = above.sum(axis=-1)
    square = (above * (2 * np.arange(thresholds.size) + 1)).sum(axis=-1)
    expected = weights @ mean.sum(axis=-1)
    between = weights @ (mean.sum(axis=-1) - expected) ** 2
    within = weights @ (square - mean**2).sum(axis=-1)
    return float(expected), float(math.sqrt(between + within))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutcomeModel:
    """P(severe) = logistic(intercept + score s + age (years - 62) / 15).

    s = (G - 8) / 4 is the finding that the image shows, with G the global Brixia score.
    With a `correlation` rho below 1, a second finding H, the size of the heart
    (standard normal, independent of G), carries the rest:

        s = (m - 8) / 4 + rho (G - m) / 4 + sqrt(1 - rho^2) (d / 4) H

    where m and d are the mean and the std of G. Mean and variance of s are the same for
    every rho, and rho is the correlation of s with G.

    The image shows s but not the age. The best prediction from the image alone is
    `image_probability`, the mean of P over the ages of the population. The best
    prediction from image and age is `probability`. Both are exact; their AUC is about
    0.86 and 0.89 (see the tests).
    """

    correlation: float = 1.0
    scores: ScoreModel = ScoreModel()
    intercept: float = 0.05
    score: float = 1.7
    age: float = 0.8
    mean_age: float = 64.0
    sd_age: float = 15.0
    min_age: int = 18
    max_age: int = 97

    def draw_ages(self, rng, n):
        """Ages in whole years, int64 array (n,): normal, clipped to the range."""
        years = np.rint(self.mean_age + self.sd_age * rng.standard_normal(n))
        return np.clip(years, self.min_age, self.max_age).astype(np.int64)

    def signal(self, brixia_global, heart=0.0):
        """4 s + 8: the score that would have the same odds at rho = 1, float64."""
        score = np.asarray(brixia_global, dtype=np.float64)
        if self.correlation == 1.0:
            return score
        mean, std = self.scores.moments()
        rest = math.sqrt(1.0 - self.correlation**2)
        heart = np.asarray(heart, dtype=np.float64)
        return mean + self.correlation * (score - mean) + rest * std * heart

    def probability(self, brixia_global, years, heart=0.0):
        """P(severe | findings and age), float64, for arrays that broadcast together."""
        logit = (
            self.intercept
            + self.score * (self.signal(brixia_global, heart) - 8.0) / 4.0
            + self.age * (np.asarray(years, dtype=np.float64) - 62.0) / 15.0
        )
        return 1.0 / (1.0 + np.exp(-logit))

    def image_probability(self, brixia_global, heart=0.0):
        """P(severe | findings): the mean of `probability` over the ages."""
        years, fraction = _age_distribution(self)
        score, heart = (
            np.asarray(brixia_global)[..., None],
            np.asarray(heart)[..., None],
        )
        return (self.probability(score, years, heart) * fraction).sum(axis=-1)


@functools.cache
def _age_distribution(outcome):
    """All ages, and their fractions of the population: a rounded, clipped normal."""
    years = np.arange(outcome.min_age, outcome.max_age + 1)
    unit = outcome.sd_age * math.sqrt(2)
    below = [0.5 + 0.5 * math.erf((k + 0.5 - outcome.mean_age) / unit) for k in years]
    below[-1] = 1.0  # ages above the maximum are clipped to it
    return years, np.diff(np.array([0.0, *below]))


@dataclasses.dataclass(frozen=True)
class ChestLabels:
    """Labels of n synthetic patients, arrays of length n.

    zones: (n, 6), 0 to 3.
    disease: the latent from which later studies of the same patient start.
    heart: size of the heart in std from the mean; 0 where no outcome depends on it.
    severe: the outcome, drawn with `probability`.
    """

    age: np.ndarray
    male: np.ndarray
    disease: np.ndarray
    heart: np.ndarray
    zones: np.ndarray
    probability: np.ndarray
    image_probability: np.ndarray
    severe: np.ndarray

    @property
    def brixia_global(self):
        """Sum of the six grades, 0 to 18, int64 array (n,)."""
        return self.zones.sum(axis=1)


DEFAULT_SCORES = ScoreModel()
DEFAULT_OUTCOME = OutcomeModel()


def draw_labels(rng, n, scores=DEFAULT_SCORES, outcome=DEFAULT_OUTCOME):
    """Draw the labels of n independent patients.

    `studies` calls this function with n = 1 and one generator per patient. A study of
    the attainable accuracy calls it with n = 100000.

    Args:
        rng: numpy Generator.
        n: number of patients.
        scores, outcome: the two models.
    Returns: `ChestLabels`.
    """
    age = outcome.draw_ages(rng, n)
    male = rng.random(n) < 0.6
    disease = rng.standard_normal(n)
    zones = scores.draw(rng, disease)
    total = zones.sum(axis=1)
    heart = np.zeros(n)
    if outcome.correlation != 1.0:
        # A generator of its own: all other draws are the same at any correlation.
        heart = rng.spawn(1)[0].standard_normal(n)
    probability = outcome.probability(total, age, heart)
    return ChestLabels(
        age=age,
        male=male,
        disease=disease,
        heart=heart,
        zones=zones,
        probability=probability,
        image_probability=outcome.image_probability(total, heart),
        severe=rng.random(n) < probability,
    )
