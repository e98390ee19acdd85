"""Small networks against Keras and finite differences."""

import numpy as np
import pytest

from mdmt_tf.studies import networks

RNG = np.random.default_rng(0)
K, N, SIZE, CATEGORIES = 3, 7, 5, 4


def made():
    rngs = [np.random.default_rng(1)] * K
    start = networks.initial(rngs, SIZE, (6, 4), CATEGORIES)
    return {
        name: values.astype(np.float64) + RNG.normal(0, 0.1, values.shape)
        for name, values in start.items()
    }


def batch():
    """Rows with an outcome, with a score, and with neither."""
    outcome = np.full((K, N, 1), np.nan)
    outcome[:, :3] = RNG.integers(0, 2, (K, 3, 1))
    scores = np.full((K, N, CATEGORIES), np.nan)
    scores[:, 3:6] = np.eye(CATEGORIES)[RNG.integers(0, CATEGORIES, (K, 3))]
    return RNG.normal(size=(K, N, SIZE)), outcome, scores


def losses(parameters, features, outcome, scores):
    """Eq. 2 divided by the rows of the batch, for each network."""
    first = networks.outcome_loss(parameters, features[:, :3], outcome[:, :3])
    second = networks.score_loss(parameters, features[:, 3:6], scores[:, 3:6])
    return (3 * first + 3 * second) / N


def test_gradients_are_those_of_finite_differences():
    parameters, rows = made(), batch()
    found = networks.gradients(parameters, *rows)
    assert set(found) == set(parameters)
    for name, values in parameters.items():
        for place in list(np.ndindex(values.shape))[:: max(1, values[0].size // 3)]:
            changed = [{**parameters, name: values.copy()} for _ in range(2)]
            for one, change in zip(changed, (1e-5, -1e-5), strict=True):
                one[name][place] += change
            up, down = (losses(one, *rows)[place[0]] for one in changed)
            assert found[name][place] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_a_row_without_any_label_changes_nothing():
    parameters, (features, outcome, scores) = made(), batch()
    before = networks.gradients(parameters, features, outcome, scores)
    features[:, 6] = 1e3
    after = networks.gradients(parameters, features, outcome, scores)
    for name in parameters:
        np.testing.assert_array_equal(before[name], after[name])


def test_networks_do_not_know_each_other():
    parameters, rows = made(), batch()
    together = networks.gradients(parameters, *rows)
    alone = networks.gradients(
        {name: values[1:2] for name, values in parameters.items()},
        *(values[1:2] for values in rows),
    )
    for name in parameters:
        np.testing.assert_allclose(together[name][1:2], alone[name], atol=1e-12)


def test_adam_takes_the_steps_of_its_equation():
    """Kingma and Ba 2015, with the penalty in the gradient."""
    values = {"w": np.array([[1.0, -2.0]], np.float32)}
    optimizer = networks.Adam(values, learning_rate=0.1, weight_decay=0.5)
    w, mean, square = np.array([1.0, -2.0]), 0.0, 0.0
    for step, gradient in enumerate(([0.3, 0.1], [-0.2, 0.4]), start=1):
        optimizer.step({"w": np.array([gradient], np.float32)})
        total = np.array(gradient) + 0.5 * w
        mean = 0.9 * mean + 0.1 * total
        square = 0.999 * square + 0.001 * total**2
        root = np.sqrt(square / (1 - 0.999**step))
        w = w - 0.1 * mean / (1 - 0.9**step) / root
        np.testing.assert_allclose(values["w"][0], w, rtol=2e-4)


def test_an_average_is_of_the_backbones_alone():
    one, two, heads = made(), made(), made()
    mean = networks.with_backbone(heads, (one, 0.25), (two, 0.75))
    for name in networks.BACKBONE:
        np.testing.assert_allclose(mean[name], 0.25 * one[name] + 0.75 * two[name])
    for name in set(heads) - set(networks.BACKBONE):
        assert mean[name] is heads[name]


def test_initial_values_are_those_of_the_generator_of_each_network():
    rngs = [np.random.default_rng(seed) for seed in (1, 2, 1)]
    start = networks.initial(rngs, 50, (40, 30), CATEGORIES)
    for name in ("w0", "w1", "wo", "ws"):
        one, two, again = start[name]
        assert (one == again).all() and not (one == two).any()
    # The std that keeps the variance behind a ReLU: He et al. 2015, eq. 10.
    assert start["w0"].std() == pytest.approx((2 / 50) ** 0.5, rel=0.05)
    assert start["w1"].std() == pytest.approx((2 / 40) ** 0.5, rel=0.05)
    assert not any(start[name].any() for name in ("b0", "b1", "bo", "bs"))
