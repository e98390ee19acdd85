"""Intervals of metrics by resampling patients. No TensorFlow."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.metrics.computation import all_metrics, mean_of_components, signed_parts
from mdmt_tf.metrics.rows import WeightedRows, ratio
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.runs.predictions import probabilities_of, rows_of_components
from mdmt_tf.statistics.inversion import inverted_interval
from mdmt_tf.tasks import Task

# An interval is not reported when more than this fraction of resamples is undefined.
_MOST_UNDEFINED = 0.05
# Numbers in one block of resamples, 8 MB. This bounds the memory of large test sets.
_BLOCK = 1_000_000


@dataclasses.dataclass(frozen=True)
class Interval:
    """A percentile interval of a metric.

    Attributes:
        low, high: NaN when more than 5 % of the resamples were undefined.
        undefined: fraction of the resamples in which no fold had the metric.
    """

    low: float
    high: float
    undefined: float


def bootstrap_intervals(
    task: Task,
    folds: Sequence[pd.DataFrame],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Patient-clustered percentile bootstrap of the mean over folds of each metric.

    In every fold f, resample r draws as many patients as the fold has, with replacement
    and with all their rows, and computes m_r = mean_f metric(f, r). The interval runs
    from the (1 - level) / 2 quantile of the m_r to the (1 + level) / 2 quantile (Efron
    & Tibshirani 1993, ch. 13; clusters: Field & Welsh 2007). It covers other patients
    with the same fitted models, not other fits. A metric with `parts`, the ECE, is
    biased upwards; its interval is that of `inverted_interval`.

    Args:
        task: the task of the metrics.
        folds: labelled test rows of each fold: dataset, patient_id, target, prediction,
            p_0 ...; also `task` where it has several components. A patient is the pair
            of dataset and patient_id.
        resamples: number of resamples.
        seed: seed of the draws, which depend on it and on the patients only. Equal
            patients give equal draws, so two models are resampled alike.
        level: nominal coverage. Percentile intervals are too narrow by a factor of
            about sqrt(1 - 1 / patients of a fold), which matters with few patients, see
            `expanded_level`.
    Returns: metric -> interval. If a metric is not defined in a fold of a resample (an
        AUC without one of the classes), that fold is left out of the resample's mean.
        Balanced accuracy and G-mean are over the classes that a resample has.
    Raises: ValueError when there are no folds or a row has no label.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> task = make_task(name="poor", kind="binary")
        >>> fold = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "patient_id": ["a", "b", "c", "d"],
        ...         "target": [0, 0, 1, 1],
        ...         "prediction": [0, 0, 1, 1],
        ...         "p_0": [0.9, 0.8, 0.2, 0.1],
        ...         "p_1": [0.1, 0.2, 0.8, 0.9],
        ...     }
        ... )
        >>> bootstrap_intervals(task, [fold], resamples=100)["accuracy"]
        Interval(low=1.0, high=1.0, undefined=0.0)
    """
    if not len(folds):
        raise ValueError(f"task {task.name!r}: no folds to resample.")
    sums: dict[str, np.ndarray] = {}
    defined: dict[str, np.ndarray] = {}
    parts: dict[str, list[np.ndarray]] = {}
    for number, rows in enumerate(folds):
        # Each fold has its own stream. With a single one, folds of equal size would
        # draw alike, and their errors would not average out.
        generator = np.random.default_rng([seed, number])
        found = resampled_metrics(task, rows, resamples, generator)
        for name, values in found.metrics.items():
            known = ~np.isnan(values)
            sums[name] = sums.get(name, 0.0) + np.where(known, values, 0.0)
            defined[name] = defined.get(name, 0) + known
        for name, values in found.parts.items():
            parts.setdefault(name, []).append(values / len(folds))
    means = {name: ratio(total, defined[name]) for name, total in sums.items()}
    joined = {name: np.concatenate(own, axis=1) for name, own in parts.items()}
    whole = Resampled(means, joined)
    return {name: whole.interval(name, level) for name in means}


@dataclasses.dataclass(frozen=True)
class Resampled:
    """Metrics of resamples.

    Attributes:
        metrics: name -> float64 (resamples,), NaN where it is undefined.
        parts: name -> (1 + resamples, m), see `signed_parts`; the parts of the rows
            themselves come first.
    """

    metrics: Mapping[str, np.ndarray]
    parts: Mapping[str, np.ndarray]

    def interval(self, name: str, level: float = 0.95) -> Interval:
        """The percentile interval of a metric, or that of its parts."""
        found = percentile_interval(self.metrics[name], level)
        if name in self.parts:
            observed, resampled = self.parts[name][0], self.parts[name][1:]
            low, high = inverted_interval(observed, resampled, level)
            found = dataclasses.replace(found, low=low, high=high)
        return found


def percentile_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """From the (1 - level) / 2 quantile of the values to the (1 + level) / 2 quantile.

    Args:
        values: a metric of each resample, (resamples,), NaN where it is undefined.
        level: nominal coverage.

    Example:
        >>> percentile_interval(np.arange(101.0), level=0.5)
        Interval(low=25.0, high=75.0, undefined=0.0)
    """
    known = values[~np.isnan(values)]
    undefined = float(np.isnan(values).mean())
    if undefined > _MOST_UNDEFINED:
        return Interval(float("nan"), float("nan"), undefined)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), undefined)


def expanded_level(patients: float, level: float = 0.95) -> float:
    """The nominal level at which a percentile interval of few patients has `level`.

    The percentile bootstrap of a mean is too narrow twice: its variance has 1 / n
    instead of 1 / (n - 1), and its quantiles are normal where Student's t has longer
    tails. The tail alpha / 2 is replaced with
        Phi(-sqrt(n / (n - 1)) t_{1 - alpha / 2, n - 1})

    Args:
        patients: n, the number of patients that are resampled, or the effective number;
            more than 1.
        level: the wanted coverage, 1 - alpha.
    Source: Hesterberg 2015, "What teachers should know about the bootstrap", The
        American Statistician 69(4), section 4.1.2 and its table of adjusted levels.

    Example:
        >>> round(expanded_level(20), 4), round(expanded_level(1000), 4)
        (0.9682, 0.9504)
    """
    t = scipy.stats.t.ppf((1 + level) / 2, patients - 1)
    return float(1 - 2 * scipy.stats.norm.cdf(-t * np.sqrt(patients / (patients - 1))))


def ratio_intervals(
    rows: pd.DataFrame,
    ratios: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Patient-clustered percentile bootstrap of ratios of sums over rows.

    The draws are those of `bootstrap_intervals` for one fold with these rows.

    Args:
        rows: n rows with dataset and patient_id.
        ratios: name -> numerator (n,) and denominator (n,); the value of a resample is
            the ratio of their sums, and is not defined if the denominator is 0.
        resamples, seed, level: see `bootstrap_intervals`.
    Returns: name -> interval.

    Example:
        >>> rows = pd.DataFrame({"dataset": "ward", "patient_id": ["a", "b", "c"]})
        >>> found = ratio_intervals(rows, {"same": (np.full(3, 2.0), np.ones(3))})
        >>> found["same"]
        Interval(low=2.0, high=2.0, undefined=0.0)
    """
    count, patient = _numbered(rows)
    # Sums over the rows of each patient, and then over patients.
    pairs = list(ratios.values())
    sums = [[np.bincount(patient, part, count) for part in pair] for pair in pairs]
    generator = np.random.default_rng([seed, 0])
    block = max(1, _BLOCK // max(count, 1))
    parts = []
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        times = _patient_counts(count, size, generator)
        drawn = np.einsum("rp,mtp->mtr", times, np.array(sums))
        parts.append(ratio(drawn[:, 0], drawn[:, 1]))
    values = np.concatenate(parts, axis=1)
    return {
        name: percentile_interval(own, level)
        for name, own in zip(ratios, values, strict=True)
    }


def resampled_metrics(
    task: Task,
    rows: pd.DataFrame,
    resamples: int,
    generator: np.random.Generator,
    every_class: bool = False,
) -> Resampled:
    """Metrics of resamples of the patients of one fold.

    Args:
        task, rows, resamples: see `bootstrap_intervals`.
        generator: gives the draws.
        every_class: whether the metrics that treat classes apart, see
            `Metric.every_class`, are undefined in a resample that lacks a class of the
            task. If False, balanced accuracy and others are over the classes that a
            resample has, which flatters where a class is rare and hard.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"dataset": "d", "patient_id": ["a", "b"]})
        >>> rows = rows.assign(target=[1.0, 2.0], prediction=[1.0, 4.0])
        >>> generator = np.random.default_rng(0)
        >>> found = resampled_metrics(age, rows, 100, generator)
        >>> sorted(set(found.metrics["mae"].tolist()))
        [0.0, 1.0, 2.0]
    """
    unlabelled = int(rows["target"].isna().sum())
    if unlabelled:
        raise ValueError(
            f"task {task.name!r}: {unlabelled} of {len(rows)} rows have no label. "
            "Expected labelled rows only."
        )
    count, patient = _numbered(rows)
    rows = rows.assign(patient=patient)
    answers = [
        _in_order(component, own) for component, own in rows_of_components(rows, task)
    ]
    ones = [np.ones((1, len(targets))) for _, targets, _, _ in answers]
    metrics, parts = [], [_values(answers, ones, every_class)[1]]
    # Draws come one after another, so the size of a block has no influence.
    block = max(1, _BLOCK // max(len(rows), 1))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        times = _patient_counts(count, size, generator)
        weights = [times.take(patient, axis=1) for *_, patient in answers]
        of_block = _values(answers, weights, every_class)
        metrics.append(of_block[0])
        parts.append(of_block[1])
    return Resampled(_joined(metrics), _joined(parts))


def _values(answers, weights, every_class) -> tuple[dict, dict]:
    """Metrics (R,) and parts (R, m) of a task, from the rows of its components."""
    metrics, parts = [], []
    for (component, targets, chances, _), own in zip(answers, weights, strict=True):
        rows = WeightedRows(component, targets, chances, own)
        found = all_metrics(rows)
        if every_class and component.n_classes:
            found = _of_every_class(component, targets, own, found)
        metrics.append(found)
        parts.append(signed_parts(rows))
    joined = {
        name: np.concatenate([own[name] for own in parts], axis=1) / len(parts)
        for name in parts[0]
    }
    return mean_of_components(metrics), joined


def _joined(blocks: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([own[name] for own in blocks]) for name in blocks[0]}


def _numbered(rows: pd.DataFrame) -> tuple[int, np.ndarray]:
    """The number of patients, and that of the patient of each row."""
    keys = zip(rows["dataset"].tolist(), rows["patient_id"].tolist(), strict=True)
    names = [f"{dataset}\x1f{patient_id}" for dataset, patient_id in keys]
    patients, patient = np.unique(np.array(names, str), return_inverse=True)
    return len(patients), patient


def _in_order(component: Task, rows: pd.DataFrame):
    """Each component with targets, probabilities and patients of its rows.

    Sums of floats depend on their order, so the rows are sorted.
    """
    targets = rows["target"].to_numpy(np.float64)
    probabilities = probabilities_of(rows, component)
    patient = rows["patient"].to_numpy()
    order = np.lexsort([*probabilities.T, targets, patient])
    return component, targets[order], probabilities[order], patient[order]


def _of_every_class(task, targets, weights, metrics) -> dict[str, np.ndarray]:
    """NaN for the metrics of all classes in resamples that lack one of them."""
    is_of = [(targets == c).astype(np.float64) for c in range(task.n_classes)]
    whole = np.logical_and.reduce([weights @ rows > 0 for rows in is_of])
    return {
        name: np.where(whole, values, np.nan) if METRICS[name].every_class else values
        for name, values in metrics.items()
    }


def _patient_counts(n: int, resamples: int, generator) -> np.ndarray:
    """How often each of n patients is drawn, (resamples, n): multinomial, n draws."""
    # Five times as fast as `Generator.multinomial`.
    drawn = generator.integers(0, max(n, 1), size=(resamples, n))
    drawn += n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n)
