"""The ordinal classification index and the errors in classes, by other ways."""

import itertools
import math
import warnings

import numpy as np
import pytest
from sklearn import metrics

from mdmt_tf.metrics.computation import task_metrics, weighted_metrics
from mdmt_tf.metrics.table import improves
from mdmt_tf.tasks import make_task


def task_of(k, kind="ordinal"):
    return make_task(name="coma", kind=kind, cut_points=tuple(range(1, k)))


def index_of(counts) -> float:
    """The index of a confusion matrix, from one row for each of its cells."""
    counts = np.asarray(counts, float)
    k = len(counts)
    truth, said = (axis.ravel() for axis in np.indices((k, k)))
    computed = weighted_metrics(
        task_of(k), truth, np.eye(k)[said], counts.ravel()[None]
    )
    return float(computed["ordinal_index"][0])


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


def test_no_scale_of_the_weights_matters():
    counts = np.array([[4.0, 1, 0], [2, 3, 1], [1, 0, 2]])
    assert index_of(counts) == pytest.approx(index_of(counts * 0.37), abs=1e-12)


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
