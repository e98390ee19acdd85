"""Metrics of resamples, in which patients are drawn with replacement. No TensorFlow."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.metrics.computation import all_metrics, mean_of_components, signed_parts
from mdmt_tf.metrics.rows import WeightedRows
from mdmt_tf.runs.predictions import probabilities_of, rows_of_components
from mdmt_tf.tasks import Task

# Numbers in one block of resamples, 8 MB. This bounds the memory of large test sets.
BLOCK = 1_000_000


class PatientDraws:
    """How often each patient is drawn in each resample.

    The patients of a fold are drawn among themselves, as many as there are, with
    replacement. A patient that comes again, in the fold of another seed, repeat or
    site, is drawn as often as the first time: the same patients are in the resample.

    Args:
        resamples: number of resamples, R.
        seed: seed of the draws. They depend on it, on the order of the folds, and on
            the names of the patients only.

    Example:
        >>> draws = PatientDraws(2, seed=0)
        >>> first = draws.of(["a", "b", "c"])
        >>> first.sum(axis=1).tolist()
        [3, 3]
        >>> again = draws.of(["c", "x"])
        >>> bool((again[:, 0] == first[:, 2]).all()), again[:, 1].tolist()
        (True, [1, 1])
    """

    def __init__(self, resamples: int, seed: int):
        self._resamples, self._seed = resamples, seed
        self._column: dict[str, int] = {}
        self._drawn: list[np.ndarray] = []

    def of(self, patients: Sequence[str]) -> np.ndarray:
        """The counts of distinct patients, int16 (R, len(patients))."""
        new = [name for name in patients if name not in self._column]
        if new:
            # Each fold has its own stream. With a single one, folds of equal size would
            # draw alike, and their errors would not average out.
            generator = np.random.default_rng([self._seed, len(self._drawn)])
            start = len(self._column)
            self._column |= {name: start + n for n, name in enumerate(new)}
            self._drawn.append(self._draw(len(new), generator))
        return self.everyone()[:, [self._column[name] for name in patients]]

    def everyone(self) -> np.ndarray:
        """The counts of all patients so far, int16 (R, patients)."""
        if not self._drawn:
            return np.empty((self._resamples, 0), np.int16)
        return np.concatenate(self._drawn, axis=1)

    def _draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        # Draws come one after another, so the size of a block has no influence.
        block = max(1, BLOCK // count)
        parts = []
        for start in range(0, self._resamples, block):
            size = min(block, self._resamples - start)
            parts.append(patient_counts(count, size, generator).astype(np.int16))
        return np.concatenate(parts)


def patient_counts(n: int, resamples: int, generator) -> np.ndarray:
    """How often each of n patients is drawn, (resamples, n): multinomial, n draws.

    Example:
        >>> patient_counts(3, 4, np.random.default_rng(0)).sum(axis=1).tolist()
        [3, 3, 3, 3]
    """
    # Five times as fast as `Generator.multinomial`.
    drawn = generator.integers(0, max(n, 1), size=(resamples, n))
    drawn += n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n)


def numbered_patients(rows: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """The patients in the order of their names, and the number of each row's.

    Args:
        rows: with dataset and patient_id; a patient is the pair.

    Example:
        >>> rows = pd.DataFrame({"dataset": "d", "patient_id": ["b", "a", "b"]})
        >>> numbered_patients(rows)[1].tolist()
        [1, 0, 1]
    """
    keys = zip(rows["dataset"].tolist(), rows["patient_id"].tolist(), strict=True)
    names = [f"{dataset}\x1f{patient_id}" for dataset, patient_id in keys]
    patients, patient = np.unique(np.array(names, str), return_inverse=True)
    return patients.tolist(), patient


@dataclasses.dataclass(frozen=True)
class Resampled:
    """Metrics of the rows of a fold, and of their resamples.

    Attributes:
        observed: name -> metric of the rows themselves.
        metrics: name -> float64 (R,), NaN where it is undefined.
        observed_parts, parts: name -> (m,) and (R, m), see `signed_parts`.
    """

    observed: Mapping[str, float]
    metrics: Mapping[str, np.ndarray]
    observed_parts: Mapping[str, np.ndarray]
    parts: Mapping[str, np.ndarray]


def resampled_metrics(task: Task, rows: pd.DataFrame, draws: PatientDraws) -> Resampled:
    """Metrics of resamples of the patients of one fold.

    Args:
        task: the task of the metrics.
        rows: labelled rows of the fold, see `bootstrap_intervals`.
        draws: gives the counts of each patient.
    Raises: ValueError when a row has no label.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"dataset": "d", "patient_id": ["a", "b"]})
        >>> rows = rows.assign(target=[1.0, 2.0], prediction=[1.0, 4.0])
        >>> found = resampled_metrics(age, rows, PatientDraws(100, seed=0))
        >>> sorted(set(found.metrics["mae"].tolist())), found.observed["mae"]
        ([0.0, 1.0, 2.0], 1.0)
    """
    unlabelled = int(rows["target"].isna().sum())
    if unlabelled:
        raise ValueError(
            f"task {task.name!r}: {unlabelled} of {len(rows)} rows have no label. "
            "Expected labelled rows only."
        )
    patients, patient = numbered_patients(rows)
    times = draws.of(patients)
    rows = rows.assign(patient=patient)
    answers = [
        _in_order(component, own) for component, own in rows_of_components(rows, task)
    ]
    ones = [np.ones((1, len(targets))) for _, targets, _, _ in answers]
    observed, observed_parts = _values(answers, ones)
    metrics, parts = [], []
    block = max(1, BLOCK // max(len(rows), 1))
    for start in range(0, len(times), block):
        own = times[start : start + block]
        weights = [own.take(patient, axis=1) for *_, patient in answers]
        of_block = _values(answers, weights)
        metrics.append(of_block[0])
        parts.append(of_block[1])
    return Resampled(
        {name: float(value[0]) for name, value in observed.items()},
        _joined(metrics),
        {name: value[0] for name, value in observed_parts.items()},
        _joined(parts),
    )


def _values(answers, weights) -> tuple[dict, dict]:
    """Metrics (R,) and parts (R, m) of a task, from the rows of its components."""
    metrics, parts = [], []
    for (component, targets, chances, _), own in zip(answers, weights, strict=True):
        rows = WeightedRows(component, targets, chances, own)
        metrics.append(all_metrics(rows))
        parts.append(signed_parts(rows))
    joined = {
        name: np.concatenate([own[name] for own in parts], axis=1) / len(parts)
        for name in parts[0]
    }
    return mean_of_components(metrics), joined


def _joined(blocks: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([own[name] for own in blocks]) for name in blocks[0]}


def _in_order(component: Task, rows: pd.DataFrame):
    """Each component with targets, probabilities and patients of its rows.

    Sums of floats depend on their order, so the rows are sorted.
    """
    targets = rows["target"].to_numpy(np.float64)
    probabilities = probabilities_of(rows, component)
    patient = rows["patient"].to_numpy()
    order = np.lexsort([*probabilities.T, targets, patient])
    return component, targets[order], probabilities[order], patient[order]
