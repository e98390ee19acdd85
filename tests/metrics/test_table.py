"""Every metric of the table, crossed with every check."""

import itertools
import math
import warnings

import numpy as np
import pytest
import scipy.special
from independent_metrics import CASES, INDEPENDENT, UNDEFINED, one_hot
from task_kinds import EXAMPLES, labels_of, logits_of, task_of

from mdmt_tf.metrics.computation import task_metrics, weighted_metrics
from mdmt_tf.metrics.rows import WeightedRows
from mdmt_tf.metrics.table import (
    METRICS,
    compared,
    headline,
    improves,
    leading,
    names_of,
    selecting,
    telling,
)
from mdmt_tf.metrics.text import shown
from mdmt_tf.reporting import table_files
from mdmt_tf.tasks import KINDS, Property, label_is_known, make_task

# An example of every kind, or of what it consists of, and other numbers of classes.
TASKS = {kind: task_of(kind).components[0] for kind in EXAMPLES} | {
    "two classes": make_task(name="t", kind="categorical", classes=("no", "yes")),
    "four classes": make_task(name="t", kind="categorical", classes=tuple("abcd")),
    "cut points": make_task(name="t", kind="categorical", cut_points=(1, 2)),
    "four ordered": make_task(name="t", kind="ordinal", cut_points=(1, 2, 3)),
    "two ordered": make_task(name="t", kind="ordinal", cut_points=(1,)),
    "sum": make_task(name="t", kind="sum", terms={"a": (0, 1), "b": ()}),
}
PAIRS = [
    pytest.param(name, task, id=f"{name}-{of}")
    for name, (of, task) in itertools.product(METRICS, TASKS.items())
    if METRICS[name].is_of(task)
]


def rows_of(task, seed=0, n=80):
    """Targets, and probabilities in fifths so that many scores are tied; or values."""
    k = task.n_classes
    if not k:
        targets, like = known_values(task, seed, n), TASKS[_kind_of(task)]
        return targets, like.probabilities(logits_of(like, len(targets), seed))
    generator = np.random.default_rng(seed)
    return generator.integers(0, k, n), generator.multinomial(5, [1 / k] * k, n) / 5


def known_values(task, seed=0, n=80):
    """Known labels of the example of a kind without classes."""
    targets = task.encode(labels_of(_kind_of(task), n, seed))
    return targets[label_is_known(targets)]


def _kind_of(task):
    """Its kind, or the kind of task that has the values of a derived answer."""
    return task.kind if task.kind in EXAMPLES else "regression"


def independent(name, task, targets, probabilities, weights):
    row_loss = EXAMPLES[_kind_of(task)].row_loss
    if name == "loss" and row_loss is not None:
        return np.average(row_loss(targets, probabilities), weights=weights)
    assert task.n_classes or name != "loss", f"{task.kind}: the example has no row_loss"
    prediction = task.prediction(probabilities)
    return INDEPENDENT[name](targets, prediction, probabilities, weights)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name, task", PAIRS)
def test_the_formula_is_that_of_another_library(name, task, seed):
    targets, probabilities = rows_of(task, seed)
    weights = np.random.default_rng(seed).uniform(0, 2, (3, len(targets)))
    weights[1, ::7] = 0
    weights[0] = 1
    found = weighted_metrics(task, targets, probabilities, weights)[name]
    for value, own in zip(found, weights, strict=True):
        expected = independent(name, task, targets, probabilities, own)
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    unweighted = task_metrics(task, targets, probabilities)
    assert unweighted[name] == found[0] and unweighted["n"] == len(targets)


@pytest.mark.parametrize("name, task", PAIRS)
def test_a_weight_of_two_is_two_equal_rows(name, task):
    targets, probabilities = rows_of(task)
    weights = np.random.default_rng(9).integers(0, 4, (5, len(targets)))
    found = weighted_metrics(task, targets, probabilities, weights)[name]
    for value, times in zip(found, weights, strict=True):
        copied = np.repeat(targets, times), np.repeat(probabilities, times, axis=0)
        expected = task_metrics(task, *copied)[name]
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    "name, task", [pair for pair in PAIRS if METRICS[pair.values[0]].ideal is None]
)
def test_a_perfect_model_is_better_than_chance_and_than_always_wrong(name, task):
    """The direction; a metric that is read upside down fails here."""
    generator = np.random.default_rng(0)
    if not task.n_classes:
        targets = known_values(task)
        answers = [targets, generator.permutation(targets), -targets]
        perfect, chance, wrong = (values[:, None] for values in answers)
    else:
        k = task.n_classes
        targets = np.arange(60) % k
        wrongly = np.where(targets < k / 2, k - 1, 0)
        perfect, chance, wrong = (
            scipy.special.softmax(4 * one_hot(classes, k), axis=1)
            for classes in (targets, generator.permutation(targets), wrongly)
        )
    values = [task_metrics(task, targets, p)[name] for p in (perfect, chance, wrong)]
    for worse in values[1:]:
        assert improves(name, values[0], worse)
        assert not improves(name, worse, values[0])
    nan = math.nan
    assert improves(name, 0.3, nan) and not improves(name, nan, 0.3)
    assert not improves(name, nan, nan) and not improves(name, 0.3, 0.3)


@pytest.mark.parametrize("name", [n for n in METRICS if METRICS[n].ideal is not None])
def test_a_value_on_either_side_of_the_ideal_is_worse(name):
    ideal = METRICS[name].ideal
    assert not METRICS[name].lower_is_better and not METRICS[name].selects
    for near, far in ((0.1, 0.2), (-0.1, 0.2), (0.1, -0.2), (0.0, -0.1)):
        assert improves(name, ideal + near, ideal + far)
        assert not improves(name, ideal + far, ideal + near)
    assert improves(name, 0.3, math.nan) and not improves(name, math.nan, 0.3)


@pytest.mark.parametrize("name, task", PAIRS)
def test_without_rows_it_is_nan_and_there_is_no_warning(name, task):
    targets, probabilities = rows_of(task)
    targets[:2] = 0
    weights = np.zeros((3, len(targets)))
    weights[1, 0] = weights[2, :2] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = weighted_metrics(task, targets, probabilities, weights)[name]
        empty = task_metrics(task, targets[:0], probabilities[:0])
        task_metrics(task, targets[:1], probabilities[:1])
    assert np.isnan(found[0]) and math.isnan(empty[name]) and empty["n"] == 0


@pytest.mark.parametrize("lost", [np.nan, np.inf])
@pytest.mark.parametrize("name, task", PAIRS)
def test_a_prediction_that_is_no_number_leaves_no_metric(name, task, lost):
    targets, probabilities = rows_of(task)
    probabilities[3] = lost
    weights = np.ones((2, len(targets)))
    weights[1, 3] = 0.5
    found = weighted_metrics(task, targets, probabilities, weights)[name]
    assert np.isnan(found).all()
    # Nor if the label is right by accident, or all rows are such.
    assert math.isnan(task_metrics(task, targets[3:4], probabilities[3:4])[name])


@pytest.mark.parametrize("name, task", PAIRS)
def test_unknown_labels_do_not_count(name, task):
    targets, probabilities = rows_of(task)
    unknown = np.nan if targets.dtype.kind == "f" else -1
    labels = np.where(np.arange(len(targets)) % 3, targets, unknown)
    known = np.arange(len(targets)) % 3 > 0
    expected = task_metrics(task, targets[known], probabilities[known])
    assert task_metrics(task, labels, probabilities) == expected


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("of", ["two classes", "binary"])
def test_what_has_no_rows_of_its_own_is_not_defined(of, case):
    targets, said = CASES[case]
    found = task_metrics(TASKS[of], np.array(targets), one_hot(said, 2) * 0.6 + 0.2)
    nothing = {name for name, value in found.items() if math.isnan(value)}
    assert nothing == {name for name, cases in UNDEFINED.items() if case in cases}


@pytest.mark.parametrize(
    "name, task", [p for p in PAIRS if METRICS[p.values[0]].every_class]
)
def test_no_metric_of_all_classes_is_over_some_of_them(name, task):
    """Of each weighting; even if all rows are predicted correctly."""
    targets = np.arange(60) % task.n_classes
    chances = scipy.special.softmax(4 * one_hot(targets, task.n_classes), axis=1)
    weights = np.ones((1 + task.n_classes, 60))
    for lacking in range(task.n_classes):
        weights[1 + lacking, targets == lacking] = 0
    whole, *without = weighted_metrics(task, targets, chances, weights)[name]
    # The slope of a perfect result is infinite.
    assert math.isnan(whole) == (name == "calibration_slope")
    # Sensitivity and specificity are of the rows of one class.
    expected = {"recall": [1.0, math.nan], "specificity": [math.nan, 1.0]}
    np.testing.assert_equal(without, expected.get(name, [math.nan] * task.n_classes))


def test_rates_of_images_and_their_means_are_in_per_cent():
    """All others have no hundred: coefficients, areas, errors, slopes."""
    rates = {"accuracy", "balanced_accuracy", "recall", "specificity"}
    rates |= {"precision", "npv", "f1", "f1_macro", "f1_weighted"}
    rates |= {"g_mean", "g_mean_weighted"}
    assert {name for name, row in METRICS.items() if row.percent} == rates


def test_calibration_of_a_useless_model_may_be_perfect_so_it_selects_no_epoch():
    of_calibration = {"ece", "calibration_slope", "calibration_intercept"}
    assert {name for name, row in METRICS.items() if not row.selects} == of_calibration


def test_what_a_rare_class_decides_as_much_as_a_frequent_one():
    """All others are means over rows, or agreements that count all rows alike."""
    of_rates = {"f1", "f1_macro", "balanced_accuracy", "recall", "specificity", "uoc"}
    of_rates |= {"g_mean", "g_mean_weighted", "mcc", "auc", "pr_auc"}
    of_slopes = {"calibration_slope", "calibration_intercept"}
    found = {name for name, row in METRICS.items() if row.every_class}
    assert found == of_rates | of_slopes


@pytest.mark.parametrize("name", METRICS)
def test_names_are_there_short_and_unique(name):
    row = METRICS[name]
    assert 1 <= len(row.short) <= 5 and 1 <= len(row.title) <= 15
    for words in (
        [m.title for m in METRICS.values()],
        [m.short for m in METRICS.values()],
    ):
        assert len(set(words)) == len(words)
    assert row.formula.__doc__
    assert table_files.heading(name) == row.title + (" (%)" if row.percent else "")
    assert shown(name, 0.25) == ("25.0" if row.percent else "0.250")
    assert not row.note or row.note.endswith(".")


@pytest.mark.parametrize("name", METRICS)
def test_it_is_computed_for_the_tasks_that_it_requires_and_no_others(name):
    having = [of for of, task in TASKS.items() if METRICS[name].is_of(task)]
    assert having
    for of, task in TASKS.items():
        targets, probabilities = rows_of(task)
        assert (name in task_metrics(task, targets, probabilities)) == (of in having)


@pytest.mark.parametrize("name", METRICS)
def test_where_it_is_shown(name):
    row = METRICS[name]
    for task in TASKS.values():
        shown_first, shown = name in headline(task), name in compared(task)
        # Table 2 tests what Table 1 shows.
        assert shown or not shown_first
        assert row.is_of(task) or not shown
        assert (name in selecting(task)) == (row.selects and row.is_of(task))


@pytest.mark.parametrize(
    "of", [of for of, task in TASKS.items() if Property.TWO_CLASSES in task.properties]
)
def test_two_classes_have_auc_sensitivity_and_specificity_in_sight(of):
    wanted = {"auc", "recall", "specificity"}
    assert wanted <= set(headline(TASKS[of])) and wanted <= set(compared(TASKS[of]))


def test_what_a_task_shows_and_selects_by():
    """The whole of some lists, so that a wrong property is seen."""
    assert headline(TASKS["four classes"]) == (
        "accuracy",
        "f1",
        "g_mean_weighted",
        "g_mean",
    )
    assert headline(TASKS["two classes"]) == headline(TASKS["binary"])
    ordered = ("balanced_accuracy", "kappa", "ordinal_index", "uoc", "mae", "rmse")
    assert headline(TASKS["ordinal"]) == compared(TASKS["ordinal"]) == ordered
    assert headline(TASKS["regression"]) == ("mae", "rmse", "r2")
    assert selecting(TASKS["regression"]) == ("loss", "mae", "rmse", "r2")
    assert names_of(TASKS["cut points"])[-3:] == ("kappa", "ordinal_index", "uoc")


def test_every_kind_has_metrics():
    for kind in KINDS:
        task = task_of(kind)
        assert headline(task) and compared(task) and selecting(task)


@pytest.mark.parametrize(
    ("kind", "targets", "right", "wrong"),
    [
        ("binary", [0, 1, 0, 1], [[0.9, 0.1], [0.1, 0.9]], [[0.3, 0.7], [0.6, 0.4]]),
        ("regression", [1.0, 2.0, 3.0, 4.0], [[1.1], [2.2]], [[4.0], [3.5]]),
    ],
)
def test_the_better_predictions_have_the_better_metrics(kind, targets, right, wrong):
    """In the direction that the table states for each."""
    if kind == "binary":
        right, wrong = 2 * right, 2 * wrong
    else:
        right, wrong = [*right, [2.9], [4.1]], [*wrong, [1.5], [1.0]]
    good, bad = (WeightedRows.of(kind, targets, rows) for rows in (right, wrong))
    for name in names_of(good.task):
        metric = METRICS[name]
        (one,), (other,) = metric.of(good), metric.of(bad)
        if metric.ideal is None:
            assert (one < other) == metric.lower_is_better, name


@pytest.mark.parametrize(
    ("of", "metric"),
    [
        ("binary", "auc"),
        ("four classes", "auc"),
        ("four ordered", "kappa"),
        ("two ordered", "auc"),
        ("regression", "mae"),
        ("sum", "mae"),
    ],
)
def test_the_leading_metric_of_a_task_comes_first_where_there_is_room_for_few(
    of, metric
):
    assert leading(TASKS[of]) == metric
    assert telling(reversed(compared(TASKS[of])), 3)[0] == metric


def test_no_two_metrics_have_the_same_rank():
    ranks = [metric.rank for metric in METRICS.values() if metric.rank]
    assert sorted(ranks) == list(range(1, len(ranks) + 1))
