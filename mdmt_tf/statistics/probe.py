"""How well features tell the datasets apart: a linear probe.

A network that is trained on several datasets sees which one an image is from, by its
detector, its processing or its patients. The probe measures how much of that is left in
the features, which all tasks share. It is no fault by itself: datasets with other
patients differ in what the tasks measure, too. It is a warning where one dataset has
more of a class than another, because the features then offer a short cut.

Source: linear probes, Alain and Bengio 2016 (https://arxiv.org/abs/1610.01644).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.stats

# Patients that a dataset needs, one for each fold of the cross-validation.
FOLDS = 5
# Strengths of the penalty to choose from, for standardised features.
_PENALTIES = np.logspace(-1, 5, 7)
_NAN = float("nan")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probe:
    """How well a linear classifier tells the datasets of images from their features.

    Attributes:
        balanced_accuracy: mean over the datasets of the fraction of their images that
            are recognised; NaN if it cannot be estimated.
        low, high: its 95 % interval over patients.
        chance: 1 / number of datasets.
        n: number of images.
        patients: number of patients.
        datasets: names of the datasets that are told apart.
        reason: why there is no value; "" if there is one.
    """

    balanced_accuracy: float
    low: float
    high: float
    chance: float
    n: int
    patients: int
    datasets: tuple[str, ...]
    reason: str = ""

    def to_plain(self) -> dict:
        """For JSON."""
        return dataclasses.asdict(self) | {"datasets": list(self.datasets)}


def subsample(dataset: np.ndarray, most: int = 500, seed: int = 0) -> np.ndarray:
    """Numbers of at most `most` rows of each dataset, in order.

    Args:
        dataset: int (n,), the dataset of each row.
        most: largest number of rows of a dataset.
        seed: seed of the choice.

    Example:
        >>> subsample(np.array([0, 0, 1, 0, 1]), most=2, seed=0).size
        4
    """
    generator = np.random.default_rng(seed)
    chosen = []
    for number in np.unique(dataset):
        rows = np.flatnonzero(dataset == number)
        chosen.append(generator.permutation(rows)[:most])
    return np.sort(np.concatenate(chosen))


def probe_features(
    features: np.ndarray,
    dataset: np.ndarray,
    patient: np.ndarray,
    names: Sequence[str],
    *,
    seed: int = 0,
) -> Probe:
    """Cross-validated balanced accuracy of a ridge classifier of the datasets.

    In each of five folds, which do not divide patients, the features are standardised,
    and a ridge regression on the class of each row, weighted to balance the datasets,
    is fitted to the other folds. Its penalty is chosen by their own leave-one-out
    errors. Datasets with fewer than five patients are left out.

    Args:
        features: float (n, f), of images that the network was not trained with.
        dataset: int (n,), the number of the dataset of each row.
        patient: int (n,), the number of the patient of each row; those of two datasets
            differ.
        names: names of the datasets by number.
        seed: seed of the folds.

    Example:
        >>> dataset = np.repeat([0, 1], 20)
        >>> found = probe_features(
        ...     dataset[:, None] * 1.0, dataset, np.arange(40), ["a", "b"]
        ... )
        >>> found.balanced_accuracy, round(found.low, 3), found.high
        (1.0, 0.873, 1.0)
    """
    patients = {d: len(np.unique(patient[dataset == d])) for d in range(len(names))}
    used = [d for d, count in patients.items() if count >= FOLDS]
    kept = np.isin(dataset, used)
    features, dataset, patient = features[kept], dataset[kept], patient[kept]
    facts = {
        "chance": 1 / len(used) if used else _NAN,
        "n": int(kept.sum()),
        "patients": sum(patients[d] for d in used),
        "datasets": tuple(names[d] for d in used),
    }
    if len(used) < 2:
        return Probe(
            balanced_accuracy=_NAN,
            low=_NAN,
            high=_NAN,
            reason=f"fewer than two datasets have {FOLDS} patients to test with",
            **facts,
        )
    hits = _predict(features, dataset, patient, seed) == dataset
    groups = [(hits[dataset == d], patient[dataset == d]) for d in used]
    low, high = interval_of_mean(groups)
    value = float(np.mean([own.mean() for own, _ in groups]))
    return Probe(balanced_accuracy=value, low=low, high=high, **facts)


def interval_of_mean(
    groups: Sequence[tuple[np.ndarray, np.ndarray]], level: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean of several proportions, each of clustered rows.

    Each proportion has Wilson's interval with Student's quantile, and the number of
    rows divided by the design effect of the clusters. The intervals (l_g, u_g) of the
    proportions p_g are combined as

        low = p - sqrt(sum_g (p_g - l_g)^2) / G,   high with (u_g - p_g)^2 likewise

    Unlike the interval of a bootstrap, it has a length if every row is a hit.

    Args:
        groups: for each proportion bool (n,), the hits, and int (n,), their clusters,
            two or more.
        level: nominal coverage.
    Source: Wilson 1927; Rao and Scott 1992 (design effect); Zou and Donner 2008
        (combination, MOVER).

    Example:
        >>> hits = np.array([True] * 8 + [False] * 2)
        >>> low, high = interval_of_mean([(hits, np.arange(10))])
        >>> round(low, 2), round(high, 2)
        (0.43, 0.96)
    """
    values, below, above = [], [], []
    for hits, cluster in groups:
        value, low, high = _wilson(hits, cluster, level)
        values.append(value)
        below.append(value - low)
        above.append(high - value)
    mean, count = np.mean(values), len(groups)
    low = mean - np.sqrt(np.sum(np.square(below))) / count
    high = mean + np.sqrt(np.sum(np.square(above))) / count
    return float(max(low, 0.0)), float(min(high, 1.0))


def _wilson(hits, cluster, level) -> tuple[float, float, float]:
    """A proportion and its interval."""
    _, cluster = np.unique(cluster, return_inverse=True)
    rows = np.bincount(cluster)
    found = np.bincount(cluster, hits)
    n, clusters = len(hits), len(rows)
    p = hits.mean()
    # The variance of a ratio of sums over clusters.
    residuals = found - p * rows
    variance = clusters / (clusters - 1) * np.sum(residuals**2) / n**2
    # If there is no variance to see, each cluster counts once.
    effective = min(n, p * (1 - p) / variance) if variance > 0 else clusters
    z = scipy.stats.t.ppf((1 + level) / 2, clusters - 1)
    centre = (p + z**2 / (2 * effective)) / (1 + z**2 / effective)
    half = z * np.sqrt(p * (1 - p) / effective + z**2 / (4 * effective**2))
    half /= 1 + z**2 / effective
    return float(p), float(centre - half), float(centre + half)


def _predict(features, dataset, patient, seed) -> np.ndarray:
    """The dataset of each row that a classifier without its fold predicts, (n,)."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predicted = np.full(len(dataset), -1)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fitted, tested in folds.split(features, dataset, patient):
        ridge = RidgeClassifierCV(_PENALTIES, class_weight="balanced")
        classifier = make_pipeline(StandardScaler(), ridge)
        classifier.fit(features[fitted].astype(np.float64), dataset[fitted])
        predicted[tested] = classifier.predict(features[tested].astype(np.float64))
    return predicted
