"""The ordinal classification indices and the errors in classes, by other ways."""

import itertools
import math
import warnings

import numpy as np
import pytest
from sklearn import metrics

from mdmt_tf.metrics.computation import task_metrics, weighted_metrics
from mdmt_tf.metrics.ordinal import area_of_least_paths
from mdmt_tf.metrics.rows import WeightedRows
from mdmt_tf.metrics.table import METRICS, improves
from mdmt_tf.tasks import make_task


def task_of(k, kind="ordinal"):
    return make_task(name="coma", kind=kind, cut_points=tuple(range(1, k)))


def index_of(counts, name="ordinal_index") -> float:
    """The index of a confusion matrix, from one row for each of its cells."""
    counts = np.asarray(counts, float)
    k = len(counts)
    truth, said = (axis.ravel() for axis in np.indices((k, k)))
    rows = WeightedRows(task_of(k), truth, np.eye(k)[said], counts.ravel()[None])
    return float(METRICS[name].formula(rows)[0])


def paths(k):
    """All ways from (0, 0) to (k - 1, k - 1) by steps down, right or both."""

    def onward(way):
        row, column = way[-1]
        if (row, column) == (k - 1, k - 1):
            yield way
            return
        for down, right in ((1, 0), (0, 1), (1, 1)):
            if row + down < k and column + right < k:
                yield from onward([*way, (row + down, column + right)])

    return list(onward([(0, 0)]))


def brute_force(counts) -> float:
    """The definition of Cardoso and Sousa 2011, path by path."""
    k, n = len(counts), counts.sum()
    dispersion = sum(counts[i, j] * abs(i - j) for i, j in np.ndindex(k, k))
    beta = 0.75 / (n * (k - 1))
    return min(
        1
        - sum(counts[cell] for cell in way) / (n + dispersion)
        + beta * sum(counts[i, j] * abs(i - j) for i, j in way)
        for way in paths(k)
    )


def test_two_classes_by_hand():
    # N = 10, dispersion 3. The diagonal: 1 - 7 / 13. Through the upper corner:
    # 1 - (7 + 1) / 13 + 0.075 * 1, through the lower: 1 - (7 + 2) / 13 + 0.075 * 2.
    ways = [1 - 7 / 13, 1 - 8 / 13 + 0.075, 1 - 9 / 13 + 0.15]
    assert index_of([[4, 1], [2, 3]]) == pytest.approx(min(ways))
    assert min(ways) == ways[2]


def test_three_classes_by_hand():
    # All of the middle class are called low: N = 6, dispersion 2, beta = 0.75 / 12.
    # Down from the first cell, then both and right: all 6 collected, 2 beta paid.
    counts = [[2, 0, 0], [2, 0, 0], [0, 0, 2]]
    assert index_of(counts) == pytest.approx(1 - 6 / 8 + 2 / 16)


def test_errors_in_order_cost_less_than_errors_that_cross():
    shifted = [[0, 4, 0], [0, 0, 4], [0, 0, 4]]
    crossed = [[0, 4, 0], [4, 0, 0], [0, 0, 4]]
    assert index_of(shifted) < index_of(crossed)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_bounds(k):
    assert index_of(7 * np.eye(k)) == 0.0
    # One class is empty: perfect all the same.
    assert index_of(np.diag([3] + [0] * (k - 2) + [5])) == 0.0
    corner = np.zeros((k, k))
    corner[0, -1] = 5
    assert index_of(corner) == pytest.approx(1.0)
    assert index_of(np.fliplr(np.eye(k))) <= 1.0


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_least_of_all_paths(k):
    generator = np.random.default_rng(k)
    assert len(paths(k)) == {2: 3, 3: 13, 4: 63}[k]
    for scale in (1, 3, 40):
        for _ in range(10):
            counts = generator.poisson(scale, (k, k)).astype(float)
            counts += np.diag(generator.poisson(scale, k))
            counts[0, 0] += 1
            assert index_of(counts) == pytest.approx(brute_force(counts), abs=1e-12)


def test_many_resamples_are_each_their_own_matrix():
    generator = np.random.default_rng(0)
    truth, said = generator.integers(0, 4, (2, 50))
    weights = generator.integers(0, 4, (20, 50))
    found = weighted_metrics(task_of(4), truth, np.eye(4)[said], weights)
    for row, times in enumerate(weights):
        counts = metrics.confusion_matrix(
            truth, said, labels=range(4), sample_weight=times
        )
        expected = brute_force(counts.astype(float))
        assert found["ordinal_index"][row] == pytest.approx(expected, abs=1e-12)
        error = metrics.mean_squared_error(truth, said, sample_weight=times)
        assert found["rmse"][row] == pytest.approx(math.sqrt(error))


@pytest.mark.parametrize("name", ["ordinal_index", "uoc"])
def test_no_scale_of_the_weights_matters(name):
    counts = np.array([[4.0, 1, 0], [2, 3, 1], [1, 0, 2]])
    scaled = index_of(counts * 0.37, name)
    assert index_of(counts, name) == pytest.approx(scaled, abs=1e-12)


def test_which_tasks_have_it():
    for task, has_it in (
        (task_of(3), True),
        (task_of(3, "categorical"), True),
        (make_task(name="t", kind="categorical", classes=("a", "b", "c")), False),
        (make_task(name="t", kind="regression"), False),
    ):
        k = max(task.n_classes, 1)
        computed = task_metrics(task, np.zeros(2), np.full((2, k), 1 / k))
        assert ("ordinal_index" in computed) == has_it
    assert "rmse" not in task_metrics(
        task_of(3, "categorical"), np.zeros(2), np.eye(3)[:2]
    )


def test_errors_count_classes():
    said = np.eye(3)[[2, 2, 0]]
    computed = task_metrics(task_of(3), np.array([0, 2, 1]), said)
    assert computed["mae"] == pytest.approx((2 + 0 + 1) / 3)
    assert computed["rmse"] == pytest.approx(math.sqrt((4 + 0 + 1) / 3))


def test_a_resample_without_rows_has_none():
    weights = np.array([[0.0, 0.0], [1.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = weighted_metrics(task_of(3), np.array([0, 2]), np.eye(3)[:2], weights)
    for name in ("ordinal_index", "rmse"):
        assert np.isnan(found[name]).tolist() == [True, False]


def test_less_is_better():
    for name, worse in itertools.product(("ordinal_index", "rmse"), (0.3, 0.9)):
        assert improves(name, 0.2, worse) and not improves(name, worse, 0.2)


# Table 1 of Silva et al. 2018: confusion matrices and their UOC in two decimals.
SILVA_TABLE_1 = {
    "A": ([[4, 0, 0, 0], [0, 5, 0, 0], [0, 0, 6, 0], [0, 0, 0, 1]], 0.00),
    "B": ([[0, 4, 0, 0], [0, 0, 6, 0], [0, 0, 5, 0], [0, 0, 0, 3]], 0.56),
    "C": ([[0, 0, 4, 0], [0, 0, 6, 0], [0, 0, 5, 0], [0, 0, 0, 3]], 0.65),
    "D": ([[0, 4, 0, 0], [6, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 3]], 0.61),
    "E": ([[0, 4, 0, 0], [6, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]], 0.74),
    "F": ([[0, 40, 0, 0], [6, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 3]], 0.61),
}


@pytest.mark.parametrize("matrix", SILVA_TABLE_1)
def test_uoc_of_the_matrices_of_its_paper(matrix):
    counts, expected = SILVA_TABLE_1[matrix]
    # The paper does not say how it rounds: one unit of the last place.
    assert index_of(counts, "uoc") == pytest.approx(expected, abs=0.01)


def test_uoc_by_hand():
    # r = [[1 / 2, 1 / 2], [0, 1]], K = 2, dispersion 1 / 2: along the diagonal
    # 1 - 1.5 / 2.5 = 0.4, through the upper corner 1 - 2 / 2.5 + beta / 4 = 0.2 + ...
    # They cross at 0.8.
    area = 0.8 * (0.2 + 0.4) / 2 + 0.2 * 0.4
    assert index_of([[1, 1], [0, 7]], "uoc") == pytest.approx(area, abs=1e-12)


def test_uoc_does_not_depend_on_how_many_rows_a_class_has():
    counts = np.array([[3.0, 1, 0], [2, 5, 1], [0, 2, 2]])
    more = counts * [[1], [40], [3]]
    expected = index_of(counts, "uoc")
    assert index_of(more, "uoc") == pytest.approx(expected, abs=1e-12)
    assert index_of(more) != pytest.approx(index_of(counts), abs=0.01)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_bounds_of_uoc(k):
    assert index_of(7 * np.eye(k), "uoc") == 0.0
    corner = np.zeros((k, k))
    corner[0, -1] = 5
    # One class is present, and its rows are as far off as can be. The border costs
    # 1 - 1 / k + beta (k - 1), the diagonal 1.
    cross = 1 / (k * (k - 1))
    area = cross * (1 - 1 / k + 1) / 2 + (1 - cross)
    assert index_of(corner, "uoc") == pytest.approx(area, abs=1e-12)


def test_the_area_below_crossing_lines():
    # Down x + 1 / 10, along the diagonal 0, right 9 / 10 - x: the last is the least
    # from 9 / 10 on.
    constants, slopes = np.zeros((2, 1, 2, 2))
    constants[0, 1, 0], slopes[0, 1, 0] = 0.1, 1
    constants[0, 0, 1], slopes[0, 0, 1] = 0.9, -1
    area = -(0.1**2) / 2
    assert area_of_least_paths(constants, slopes) == pytest.approx([area], abs=1e-15)
    missing = np.stack([constants[0], np.full((2, 2), np.nan)])
    found = area_of_least_paths(missing, np.concatenate([slopes, slopes]))
    assert found == pytest.approx([area, np.nan], nan_ok=True)
