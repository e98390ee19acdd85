"""The primary comparison of two experiments: one difference with its interval.

The difference is that of the metric by patient, averaged over backbones, seeds and
repeats. Its variance has two components, of patients and of training sets.

Patients: V_p = sum_i psi_i^2 / (n (n - 1)) for the mean influence psi_i of patient i
over all fits, see `mdmt_tf.statistics.influence`.

Training sets: all backbones and seeds are fitted to the same patients, and share their
luck. No unbiased estimate of this variance exists (Bengio and Grandvalet 2004). As in
the corrected t-test of Nadeau and Bengio 2003, it is a fraction of the other component,
n_test / n_train = 1 / (folds - 1), but only of the part of V_p that the fits share, and
with a factor sqrt(100 / m) for m patients, because fits to more patients differ less:
    V = V_p + sqrt(100 / m) / (folds - 1) max(0, V_p - W / C)
with the variance W within patients of the C fits. The fraction and the power of m were
chosen by simulation, see `tools/simulate_comparisons.py`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.runs.patients import PATIENT, by_patient, labelled, unit_of
from mdmt_tf.runs.predictions import labelled_rows, rows_of_components
from mdmt_tf.statistics.influence import leave_one_out
from mdmt_tf.tasks import Task

# With fewer patients, or fewer of a class that the metric treats apart, a variance
# between patients is not known well enough for any interval.
FEWEST_PATIENTS = 10
FEWEST_OF_CLASS = 5
LEVEL = 0.95
METHOD = "by patient, with a component for training sets"

_FIT = ["backbone", "seed"]


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference of two experiments, candidate - other.

    Attributes:
        metric: name of the metric.
        unit: "patient" or "image", what the metric counts. The interval is about other
            patients in both cases.
        value: of the metric, averaged over backbones, seeds and repeats.
        low, high: 95 % interval, NaN if it is not estimable.
        p: two-sided; it is below 0.05 exactly when the interval excludes 0.
        n_patients: number of patients.
        n_fits: number of pairs of fits, a fold each.
        method: how the interval was computed.
        reason: a sentence if the interval is not estimable.
    """

    metric: str
    unit: str
    value: float
    low: float
    high: float
    p: float
    n_patients: int
    n_fits: int
    method: str
    reason: str | None = None

    @property
    def conclusion(self) -> str:
        """ "better", "worse", "undecided" or "not estimable", of the candidate.

        For a metric with an ideal value between worse ones, "higher" and "lower".

        Example:
            >>> difference = Difference(
            ...     "auc", "patient", 0.1, -0.02, 0.22, 0.1, 100, 90, "by patient"
            ... )
            >>> difference.conclusion
            'undecided'
        """
        if self.reason is not None:
            return "not estimable"
        if self.low <= 0 <= self.high:
            return "undecided"
        metric = METRICS[self.metric]
        if metric.ideal is not None:
            return "higher" if self.value > 0 else "lower"
        return "better" if (self.value < 0) == metric.lower_is_better else "worse"


def compare(
    candidate_rows: pd.DataFrame,
    other_rows: pd.DataFrame,
    task: Task,
    metric: str,
    *,
    folds: int,
) -> Difference:
    """The primary comparison for one metric, see `compare_metrics`."""
    found = compare_metrics(candidate_rows, other_rows, task, [metric], folds=folds)
    return found[metric]


def compare_metrics(
    candidate_rows: pd.DataFrame,
    other_rows: pd.DataFrame,
    task: Task,
    metrics: Sequence[str],
    *,
    folds: int,
) -> dict[str, Difference]:
    """The primary comparison of two experiments, for several metrics at once.

    Args:
        candidate_rows, other_rows: predicted test rows of all fits of an experiment, in
            the columns of `predictions.csv` with the columns backbone, seed and fold.
            Folds are numbered over repeats: `fold // folds` is the repeat. Rows of
            other tasks and rows without a label do not count. If an experiment has a
            single backbone and seed (a baseline), it is compared with each model of the
            other experiment.
        task: the predicted task.
        metrics: names of `METRICS` that the task has.
        folds: number of folds of one repeat.
    Returns: metric -> difference. It is not estimable, and the reason says why: if a
        fit is missing, or the experiments have other test rows; with fewer than 10
        patients, or fewer than 5 of a class where the metric treats classes apart; if
        the metric is not defined for a model, or without one of the patients; if there
        is one fit of each experiment; if no patient makes a difference.
    Raises: ValueError for a metric that the task does not have.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "task": "age",
        ...         "patient_id": [f"p{i}" for i in range(12)],
        ...         "image_id": [f"i{i}" for i in range(12)],
        ...         "backbone": "resnet18",
        ...         "seed": 0,
        ...         "fold": [0, 1] * 6,
        ...         "target": 50.0,
        ...         "prediction": [52.0, 55.0, 50.0] * 4,
        ...     }
        ... )
        >>> worse = rows.assign(prediction=rows["prediction"] + [1.0, 2.0] * 6)
        >>> found = compare_metrics(rows, worse, age, ["mae"], folds=2)["mae"]
        >>> found.value, found.conclusion
        (-1.5, 'better')
    """
    unknown = [name for name in metrics if name not in METRICS]
    unknown += [n for n in metrics if n in METRICS and not METRICS[n].is_of(task)]
    if unknown:
        raise ValueError(
            f"task {task.name!r} has no metric {unknown[0]!r}. Its metrics: "
            f"{', '.join(name for name in METRICS if METRICS[name].is_of(task))}."
        )
    arms = [
        _prepared(labelled_rows(rows, task), folds)
        for rows in (candidate_rows, other_rows)
    ]
    reason = _unequal(*arms, folds)
    unit, arms = _of_unit(arms, task) if reason is None else ("patient", arms)
    patients = pd.concat([arm[PATIENT] for arm in arms]).drop_duplicates()
    facts = {
        "n_patients": len(patients),
        "n_fits": len(arms[0][[*_FIT, "fold"]].drop_duplicates()),
        "unit": unit,
    }
    if reason is not None:
        return {name: _none(name, reason, facts) for name in metrics}
    names = pd.MultiIndex.from_frame(patients.sort_values(PATIENT))
    arms = [_numbered(arm, names) for arm in arms]
    models = [_of_models(arm, task, metrics, len(names)) for arm in arms]
    support = _Support(arms[0], task)
    return {name: _difference(name, *models, support, folds, facts) for name in metrics}


class _Support:
    """Effective numbers of patients, which decide what can be estimated.

    (sum k)^2 / sum k^2 of patients with k rows, Kish 1965.
    """

    def __init__(self, rows: pd.DataFrame, task: Task):
        # Of one model and repeat; the others have the same patients.
        first = rows[[*_FIT, "repeat"]].iloc[0]
        rows = rows[(rows[[*_FIT, "repeat"]] == first).all(axis=1)]
        self.patients = _kish(rows)
        self.classes = [
            [(name, _kish(own[own["target"] == index])) for index, name in classes]
            for component, own in rows_of_components(rows, task)
            if (classes := list(enumerate(component.class_names)))
        ]

    def rarest(self) -> tuple[str, float]:
        """Name and patients of the rarest class."""
        return min((own for of in self.classes for own in of), key=lambda own: own[1])

    def determining(self, metric: str) -> float:
        """The number of patients that determines how precisely a metric is known.

        Of a metric that treats k classes apart: k^2 / sum_c 1 / n_c. For classes of
        equal size it is the number of all patients.
        """
        if not METRICS[metric].every_class or not self.classes:
            return self.patients
        return min(
            len(of) ** 2 / sum(1 / max(patients, 1e-9) for _, patients in of)
            for of in self.classes
        )


def _kish(rows: pd.DataFrame) -> float:
    images = rows.groupby("patient").size().to_numpy(np.float64)
    return float(images.sum() ** 2 / max((images**2).sum(), 1.0))


def _prepared(rows: pd.DataFrame, folds: int) -> pd.DataFrame:
    # Baselines have no backbone, and groups of NaN would be dropped.
    backbone = rows["backbone"].astype(object).fillna("").astype(str)
    seed = rows["seed"].fillna(0).astype(int)
    return rows.assign(backbone=backbone, seed=seed, repeat=rows["fold"] // folds)


def _unequal(candidate: pd.DataFrame, other: pd.DataFrame, folds: int) -> str | None:
    """Why the two experiments cannot be paired."""
    rows_of_fold = []
    for name, rows in (("candidate", candidate), ("other", other)):
        if rows.empty:
            return f"The {name} experiment has no labelled test row of this task."
        fits = rows[[*_FIT, "fold"]].drop_duplicates()
        expected = folds * (rows["repeat"].max() + 1)
        of_models = fits.groupby(_FIT).size()
        if (of_models != expected).any():
            backbone, seed = of_models.index[(of_models != expected).argmax()]
            return (
                f"The {name} experiment has {of_models[backbone, seed]} of {expected} "
                f"folds of {backbone or 'its model'} with seed {seed}."
            )
        keys = rows[["fold", "task", *PATIENT, "image_id", "target"]]
        counts = keys.value_counts(sort=False).sort_index()
        if (counts != len(of_models)).any():
            return f"The models of the {name} experiment have different test rows."
        rows_of_fold.append((counts.index, of_models.index))
    (rows_a, models_a), (rows_b, models_b) = rows_of_fold
    if not rows_a.equals(rows_b):
        return "The two experiments have different test rows."
    if 1 in (len(models_a), len(models_b)) or models_a.equals(models_b):
        return None
    backbone, seed = models_a.symmetric_difference(models_b)[0]
    return f"One of the experiments has no fit of {backbone} with seed {seed}."


def _of_unit(arms: list[pd.DataFrame], task: Task) -> tuple[str, list[pd.DataFrame]]:
    """The unit, and the rows of patients or images."""
    within = [*_FIT, "repeat", "fold"]
    tables = [by_patient(rows, task, within) for rows in arms]
    if unit_of(tables[0]) == "patient":
        return "patient", [labelled(table) for table in tables]
    return "image", arms


def _numbered(rows: pd.DataFrame, names: pd.MultiIndex) -> pd.DataFrame:
    patient = names.get_indexer(pd.MultiIndex.from_frame(rows[PATIENT]))
    return rows.assign(patient=patient)


def _of_models(rows, task, metrics, patients) -> dict:
    """{(backbone, seed): {repeat: metrics}}, see `leave_one_out`."""
    found: dict = {}
    for (*model, repeat), own in rows.groupby([*_FIT, "repeat"]):
        values = leave_one_out(task, own, metrics, patients)
        found.setdefault(tuple(model), {})[repeat] = values
    return found


def _difference(metric, candidate, other, support, folds, facts) -> Difference:
    """The difference of a metric, from the results of `_of_models`."""
    pairs = [
        (of_candidate[repeat][metric], of_other[repeat][metric])
        for of_candidate, of_other in _pairs(candidate, other)
        for repeat in of_candidate
    ]
    values = np.array([a.value - b.value for a, b in pairs])
    left_out = np.array([a.left_out - b.left_out for a, b in pairs])
    value = float(values.mean())
    reason = _not_estimable(metric, values, left_out, support, folds)
    if reason is not None:
        return _none(metric, reason, facts, value)
    variance, freedom = variance_of_mean(
        influences(left_out), folds, support.determining(metric)
    )
    t = scipy.stats.t(freedom)
    half = t.ppf((1 + LEVEL) / 2) * np.sqrt(variance)
    return Difference(
        metric=metric,
        value=value,
        low=float(value - half),
        high=float(value + half),
        p=float(2 * t.sf(abs(value) / np.sqrt(variance))),
        method=METHOD,
        **facts,
    )


def _pairs(candidate: dict, other: dict) -> list[tuple[dict, dict]]:
    if len(other) == 1:
        return [(own, *other.values()) for own in candidate.values()]
    if len(candidate) == 1:
        return [(*candidate.values(), own) for own in other.values()]
    return [(candidate[model], other[model]) for model in candidate]


def influences(left_out: np.ndarray) -> np.ndarray:
    """(C, n) influences psi from a metric without each of n patients, (C, n).

    Example:
        >>> influences(np.array([[2.5, 1.5, 2.0]])).tolist()  # of 1, 3 and 2
        [[-1.0, 1.0, 0.0]]
    """
    patients = left_out.shape[1]
    return (patients - 1) * (left_out.mean(axis=1, keepdims=True) - left_out)


def variance_of_mean(
    influence: np.ndarray, folds: int, determining: float
) -> tuple[float, float]:
    """Variance of a difference averaged over fits, and its degrees of freedom.

    Args:
        influence: (C, n) of n patients in C cross-validations of one model each.
        folds: number of folds.
        determining: m, the number of patients that determines the metric, see the
            module; n, or fewer if a class is rare.
    Returns: V of the module, and the degrees of freedom of a variance of the mean
        influences psi, 2 / (sum psi^4 / (sum psi^2)^2 - 1 / n), between 1 and n - 1.
        They are n for a normal distribution and fewer if few patients decide.

    Example:
        >>> psi = np.array([[-1.0, 1.0] * 50])
        >>> variance, freedom = variance_of_mean(psi, folds=5, determining=100)
        >>> round(variance, 5), freedom  # 100 / (100 * 99) * (1 + 1 / 4)
        (0.01263, 99.0)
    """
    fits, patients = influence.shape
    means = influence.mean(axis=0)
    squares = means**2
    scale = patients * (patients - 1)
    of_patients = squares.sum() / scale
    shared = of_patients
    if fits > 1:
        within = ((influence - means) ** 2).sum() / (fits - 1) / scale
        shared = max(0.0, of_patients - within / fits)
    fraction = np.sqrt(100 / determining) / max(folds - 1, 1)
    excess = (squares**2).sum() / squares.sum() ** 2 - 1 / patients
    freedom = 2 / excess if excess > 0 else np.inf
    freedom = float(np.clip(freedom, 1, patients - 1))
    return float(of_patients + fraction * shared), freedom


def _not_estimable(metric, values, left_out, support, folds) -> str | None:
    title = METRICS[metric].title
    if support.patients < FEWEST_PATIENTS:
        return (
            f"There are {support.patients:.3g} patients (effective number); "
            f"{FEWEST_PATIENTS} are needed."
        )
    if METRICS[metric].every_class and support.classes:
        name, patients = support.rarest()
        if patients < FEWEST_OF_CLASS:
            return (
                f"Class {name} has {patients:.3g} patients (effective number); "
                f"{FEWEST_OF_CLASS} are needed for {title}."
            )
    if np.isnan(values).any():
        return f"{title} is not defined for {np.isnan(values).sum()} of the pairs."
    if np.isnan(left_out).any():
        return f"{title} is not defined without one of the patients."
    if folds == 1 and len(values) == 1:
        return "There is one fit of each experiment, so their spread is not known."
    if np.ptp(left_out.mean(axis=0)) < 1e-12:
        return "No patient makes a difference, so their spread is not known."
    return None


def _none(metric: str, reason: str, facts: dict, value: float = np.nan) -> Difference:
    nan = float("nan")
    return Difference(
        metric=metric,
        value=float(value),
        low=nan,
        high=nan,
        p=nan,
        method=METHOD,
        reason=reason,
        **facts,
    )
