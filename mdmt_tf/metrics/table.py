"""All metrics, one row each: formula, names, unit, direction, where they are shown.

Each metric lists the `Property` values that a task needs to have it, so a new kind of
task needs no change here. To add a metric, write its function in `formulas` (or
`ordinal`, of ordered classes) and its row here.
"""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from mdmt_tf.metrics import calibration, formulas, ordinal
from mdmt_tf.metrics.rows import WeightedRows
from mdmt_tf.tasks import Property, Task

_CLASSES = frozenset({Property.CLASSES})
_TWO = frozenset({Property.TWO_CLASSES})
_ORDERED = frozenset({Property.ORDERED})
_NOMINAL = frozenset({Property.NOMINAL})
_SCALE = frozenset({Property.SCALE})
_NUMBER = frozenset({Property.NUMBER})
_SUM = frozenset({Property.SUM})


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        formula: function from `WeightedRows` to float64 (R,), NaN if not defined.
        title: its name in tables and plots.
        short: its name in the terminal, five letters at most.
        requires: a task has the metric when it has all of these properties.
        lower_is_better: whether a lower value is better.
        percent: whether it is shown in per cent; otherwise with three decimals.
        scaled: whether its size depends on the unit of a label, so that the number of
            decimals follows the value.
        ideal: the best value of a metric that is worse in both directions; None if
            higher or lower is better.
        parts: for a metric that is the sum of the absolute values of signed parts, the
            function of the parts, (R, m). Such a sum is biased upwards, and its
            interval comes from the parts.
        selects: whether it may select the epoch on the validation rows.
        every_class: whether it treats the classes apart, so that it depends on the rows
            of the rarest class as much as on those of the largest. It is NaN where a
            class has no rows: over the others alone it would flatter.
        one_class: whether such a metric is about the rows of one class. Then it is
            defined without rows of the others.
        headline: properties of the tasks for which Table 1, box plots and slopes show
            the metric; one of them is enough.
        compared: likewise for the tests of Table 2, the table of runs and the terminal.
            Table S1 has every metric.
        chart: place among the charts of TensorBoard, which has the first six that a
            task has; the terminal shows the first two. 0: none.
        rank: place among the metrics that say most. Sentences, and tables with room for
            few, take the first that a task is compared by. 0: after all others.
        note: a sentence below Table 1 if the metric is shown.
    """

    formula: Callable[[WeightedRows], np.ndarray]
    title: str
    short: str
    requires: frozenset[Property] = frozenset()
    _: dataclasses.KW_ONLY
    lower_is_better: bool = False
    percent: bool = False
    scaled: bool = False
    ideal: float | None = None
    parts: Callable[[WeightedRows], np.ndarray] | None = None
    selects: bool = True
    every_class: bool = False
    one_class: bool = False
    headline: frozenset[Property] = frozenset()
    compared: frozenset[Property] = frozenset()
    chart: int = 0
    rank: int = 0
    note: str = ""

    def of(self, rows: WeightedRows) -> np.ndarray:
        """Its value of each weighting, (R,).

        NaN where a prediction is no number, and where a class has no rows if the metric
        is of all classes.
        """
        undefined = rows.lost | rows.lacks_class if self.needs_all else rows.lost
        with np.errstate(invalid="ignore", over="ignore"):
            return np.where(undefined, np.nan, self.formula(rows))

    @property
    def needs_all(self) -> bool:
        """Whether it is NaN where a class has no rows."""
        return self.every_class and not self.one_class

    def is_of(self, task: Task) -> bool:
        """Whether a task has the metric."""
        return self.requires <= _properties(task)


# Key in metrics.json -> metric, in the order of entries and columns.
METRICS = {
    "loss": Metric(
        formulas.loss, "loss", "loss", lower_is_better=True, scaled=True, chart=1
    ),
    "accuracy": Metric(
        formulas.accuracy,
        "accuracy",
        "acc.",
        _CLASSES,
        percent=True,
        headline=_NOMINAL,
        compared=_NOMINAL,
        chart=12,
        rank=9,
    ),
    "f1": Metric(
        formulas.f1,
        "F1",
        "F1",
        _CLASSES,
        percent=True,
        every_class=True,
        headline=_NOMINAL,
        compared=_NOMINAL,
        chart=9,
        rank=10,
        note="F1 is that of the positive class, macro-averaged for more than two "
        "classes.",
    ),
    "f1_macro": Metric(
        formulas.f1_macro, "F1 macro", "F1m", _CLASSES, percent=True, every_class=True
    ),
    "f1_weighted": Metric(
        formulas.f1_weighted, "F1 weighted", "F1w", _CLASSES, percent=True
    ),
    "g_mean_weighted": Metric(
        formulas.g_mean_weighted,
        "G-mean weighted",
        "GMw",
        _CLASSES,
        percent=True,
        every_class=True,
        headline=_NOMINAL,
        compared=_NOMINAL,
        note="G-mean is the geometric mean of the recalls of the classes. The weighted "
        "one is that of imbalanced-learn, the root of weighted sensitivity times "
        "weighted specificity.",
    ),
    "g_mean": Metric(
        formulas.g_mean,
        "G-mean",
        "GM",
        _CLASSES,
        percent=True,
        every_class=True,
        headline=_NOMINAL,
        compared=_NOMINAL,
    ),
    "balanced_accuracy": Metric(
        formulas.balanced_accuracy,
        "bal. accuracy",
        "BAcc",
        _CLASSES,
        percent=True,
        every_class=True,
        headline=_TWO | _SCALE,
        compared=_CLASSES,
        chart=2,
        rank=4,
    ),
    "mcc": Metric(formulas.mcc, "MCC", "MCC", _CLASSES, every_class=True),
    "auc": Metric(
        formulas.auc,
        "AUC",
        "AUC",
        _CLASSES,
        every_class=True,
        headline=_TWO,
        compared=_NOMINAL | _TWO,
        chart=3,
        rank=1,
    ),
    "pr_auc": Metric(formulas.pr_auc, "PR-AUC", "AP", _CLASSES, every_class=True),
    "brier": Metric(formulas.brier, "Brier", "Brier", _CLASSES, lower_is_better=True),
    # A model that always predicts the prevalence is calibrated, so the next three do
    # not select an epoch.
    "ece": Metric(
        calibration.ece,
        "ECE",
        "ECE",
        _CLASSES,
        lower_is_better=True,
        parts=lambda rows: rows.calibration_gaps,
        selects=False,
    ),
    "calibration_slope": Metric(
        calibration.calibration_slope,
        "calib. slope",
        "slope",
        _TWO,
        ideal=1.0,
        selects=False,
        every_class=True,
    ),
    "calibration_intercept": Metric(
        calibration.calibration_intercept,
        "calib. interc.",
        "inter",
        _TWO,
        ideal=0.0,
        selects=False,
        every_class=True,
    ),
    "recall": Metric(
        formulas.recall,
        "sensitivity",
        "sens.",
        _TWO,
        percent=True,
        every_class=True,
        one_class=True,
        headline=_TWO,
        compared=_TWO,
        chart=10,
        rank=7,
        note="The last of two classes is the positive one. Sensitivity (recall) and "
        "specificity are the fractions of positive and negative images that are "
        "predicted correctly. Precision (PPV) and NPV are the fractions of positive "
        "and negative predictions that are correct.",
    ),
    "specificity": Metric(
        formulas.specificity,
        "specificity",
        "spec.",
        _TWO,
        percent=True,
        every_class=True,
        one_class=True,
        headline=_TWO,
        compared=_TWO,
        chart=11,
        rank=8,
    ),
    "precision": Metric(
        formulas.precision,
        "precision",
        "prec.",
        _TWO,
        percent=True,
        headline=_TWO,
        compared=_TWO,
    ),
    "npv": Metric(
        formulas.npv,
        "NPV",
        "NPV",
        _TWO,
        percent=True,
        headline=_TWO,
        compared=_TWO,
    ),
    "kappa": Metric(
        ordinal.kappa,
        "kappa",
        "kappa",
        _ORDERED,
        headline=_SCALE,
        compared=_SCALE,
        chart=4,
        rank=2,
        note="Kappa has quadratic weights.",
    ),
    "ordinal_index": Metric(
        ordinal.ordinal_index,
        "ordinal index",
        "OCI",
        _ORDERED,
        lower_is_better=True,
        headline=_SCALE,
        compared=_SCALE,
        note="Ordinal index: Cardoso and Sousa 2011, from 0 (perfect) to 1; lower is "
        "better.",
    ),
    "uoc": Metric(
        ordinal.uniform_ordinal_index,
        "UOC",
        "UOC",
        _ORDERED,
        lower_is_better=True,
        every_class=True,
        headline=_SCALE,
        compared=_SCALE,
        note="UOC: the uniform ordinal index of Silva et al. 2018, in which each class "
        "counts alike; from 0 (perfect) to 1, lower is better.",
    ),
    "mae": Metric(
        formulas.mae,
        "MAE",
        "MAE",
        _SCALE,
        lower_is_better=True,
        scaled=True,
        headline=_SCALE,
        compared=_SCALE,
        chart=5,
        rank=3,
    ),
    "rmse": Metric(
        formulas.rmse,
        "RMSE",
        "RMSE",
        _SCALE,
        lower_is_better=True,
        scaled=True,
        headline=_SCALE,
        compared=_SCALE,
        chart=8,
    ),
    "r2": Metric(
        formulas.r2,
        "R2",
        "R2",
        _NUMBER,
        headline=_NUMBER,
        compared=_NUMBER,
        chart=6,
        rank=6,
    ),
    "spearman": Metric(
        formulas.spearman,
        "Spearman",
        "rho",
        _SUM,
        headline=_SUM,
        compared=_SUM,
        chart=7,
        rank=5,
    ),
}


def names_of(task: Task) -> tuple[str, ...]:
    """The metrics that a task has.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> names_of(age)
        ('loss', 'mae', 'rmse', 'r2')
    """
    return tuple(name for name, metric in METRICS.items() if metric.is_of(task))


def selecting(task: Task) -> tuple[str, ...]:
    """The metrics of a task that may select the epoch.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> selecting(age)
        ('loss', 'mae', 'rmse', 'r2')
    """
    return tuple(name for name in names_of(task) if METRICS[name].selects)


def headline(task: Task) -> tuple[str, ...]:
    """The metrics of Table 1.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> headline(age)
        ('mae', 'rmse', 'r2')
    """
    return tuple(n for n in names_of(task) if METRICS[n].headline & _properties(task))


def compared(task: Task) -> tuple[str, ...]:
    """The metrics of Table 2 and of the terminal.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> compared(age)
        ('mae', 'rmse', 'r2')
    """
    return tuple(n for n in names_of(task) if METRICS[n].compared & _properties(task))


def telling(names: Iterable[str], most: int) -> list[str]:
    """At most so many of some metrics, those that say most first.

    Example:
        >>> telling(["accuracy", "f1", "balanced_accuracy", "auc"], 2)
        ['auc', 'balanced_accuracy']
    """
    # The sort keeps the order of metrics without a rank.
    return sorted(names, key=lambda name: METRICS[name].rank or len(METRICS))[:most]


def leading(task: Task) -> str:
    """The metric that says most about a task.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> leading(make_task(kind="regression", name="age"))
        'mae'
    """
    return telling(compared(task) or names_of(task), 1)[0]


def improves(metric: str, value: float, best: float) -> bool:
    """Whether `value` is better than `best`; NaN is worse than any number.

    Example:
        >>> improves("auc", 0.8, 0.7), improves("loss", 0.8, 0.7)
        (True, False)
        >>> improves("calibration_slope", 0.9, 1.2)  # closer to 1
        True
    """
    if np.isnan(value):
        return False
    if np.isnan(best):
        return True
    row = METRICS[metric]
    if row.ideal is not None:
        return abs(value - row.ideal) < abs(best - row.ideal)
    return value < best if row.lower_is_better else value > best


def _properties(task: Task) -> frozenset[Property]:
    """The properties of each component of the task."""
    return task.components[0].properties
