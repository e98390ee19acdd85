"""The comparison of steps with and without a look at the gradients."""

import benchmark_watch
import numpy as np
import pytest


def test_the_row_has_median_and_quartiles_of_the_pairs():
    plain = np.full((5, 2), 0.1)
    more = 0.1 * (1 + np.array([0.01, 0.02, 0.03, 0.04, 0.05]))
    seconds = np.stack([np.stack([more, 2 * more], -1), plain], axis=1)
    assert benchmark_watch.row("net", 64, seconds) == (
        "| net, 64 | 100 ms | 3.0 % (2.0 to 4.0) | 106.0 % (104.0 to 108.0) | 5 |"
    )


@pytest.mark.large
def test_two_models_are_timed_in_pairs():
    seconds = benchmark_watch.measure("resnet18", 32, 2, 2)
    assert seconds.shape == (2, 2, 2) and (seconds > 0).all()
    watched, plain = (
        benchmark_watch.compiled("resnet18", 32, watched=w) for w in (True, False)
    )
    assert watched.optimizer.watch is not None and plain.optimizer.watch is None
    for one, other in zip(watched.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.large
def test_the_look_alone_takes_milliseconds():
    assert 0 < np.median(benchmark_watch.measure_alone("resnet18", 32, 20)) < 50
