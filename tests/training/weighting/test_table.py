"""What holds for each method of the table, whatever it does to the losses."""

import keras
import numpy as np
import pytest
from weighted_networks import TASKS, fit, fitted_model, network, precision, rows, values

from mdmt_tf.config.training_section import TrainingSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.training.optimizers import build_optimizer
from mdmt_tf.training.weighting import build_weighting
from mdmt_tf.training.weighting.table import WEIGHTINGS

each_method = pytest.mark.parametrize("name", WEIGHTINGS)
# `Fixed` has no variables, and is what the others are compared with.
each_learned = pytest.mark.parametrize(
    "name", [name for name in WEIGHTINGS if name != "fixed"]
)


def adam(**options):
    return lambda: build_optimizer("adam", 0.01, 1e-2, **options)


@pytest.mark.large
@each_method
def test_weighting_two_replicas_take_the_same_steps_as_one(name, two_cpus):
    (_, one), (_, two) = (fitted_model(name, adam(), d) for d in (None, two_cpus))
    np.testing.assert_allclose(fit(two), fit(one), atol=1e-6)
    for a, b in zip(values(two.variables), values(one.variables), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@each_method
def test_weighting_accumulated_batches_are_one_large_batch(name):
    """For methods that are linear; the others say so."""
    if not build_weighting(name, TASKS).is_linear:
        pytest.skip(f"{name} depends on the batch")
    _, large = fitted_model(name, adam())
    _, small = fitted_model(name, adam(accumulate=3))
    fit(large, batch=24, epochs=4), fit(small, batch=8, epochs=4)
    start = fitted_model(name, adam())[1].variables
    states = [values(each) for each in (small.variables, large.variables, start)]
    for a, b, c in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert np.abs(a - c).max() > 1e-3


@each_method
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_weighting_in_mixed_precision_is_nearly_the_same(name, policy):
    def sgd():
        return keras.optimizers.SGD(0.3)

    _, expected = fitted_model(name, sgd)
    start = values(expected.trainable_variables)
    with precision(policy):
        _, received = fitted_model(name, sgd)
        if policy == "mixed_float16":
            # With the first scale of Keras, some steps would be left out.
            received.optimizer.dynamic_scale.assign(256.0)
        fit(received)
    fit(expected)
    after = values(expected.trainable_variables)
    moved = [np.abs(a - b).max() for a, b in zip(after, start, strict=True)]
    assert max(moved) > 0.1
    for a, b in zip(*(values(m.variables) for m in (received, expected)), strict=True):
        np.testing.assert_allclose(a, b, atol=0.01)


@each_learned
def test_weighting_does_not_change_the_training_metrics(name):
    """The masked loss of each task is the mean of its rows, without any weight."""
    shown = []
    for method in ("fixed", name):
        _, fitted = fitted_model(method, lambda: keras.optimizers.SGD(0.1))
        logged = fitted.train_on_batch(*rows(), return_dict=True)
        masked = {k: float(v) for k, v in logged.items() if "masked_loss" in k}
        assert len(masked) == len(TASKS)
        shown.append(masked)
    assert shown[0] == pytest.approx(shown[1], rel=1e-6)


@each_method
def test_weighting_traces_its_step_once(name, monkeypatch):
    _, fitted = fitted_model(name, adam())
    traces, step = [], type(fitted).train_step

    def counted(model, data):
        traces.append(model.name)
        return step(model, data)

    monkeypatch.setattr(type(fitted), "train_step", counted)
    fit(fitted)
    assert traces == ["mdmt"]


@each_method
def test_weighting_leaves_the_model_within_as_it_is(name, tmp_path):
    model, fitted = fitted_model(name, adam())
    fit(fitted)
    plain = network()
    assert [v.path for v in model.variables] == [v.path for v in plain.variables]
    fitted.save_weights(tmp_path / "best.weights.h5")
    plain.load_weights(tmp_path / "best.weights.h5")
    images = rows()[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    expected = fitted.predict(images, verbose=0)
    for received in (model, plain, loaded):
        for task, logits in received.predict(images, verbose=0).items():
            np.testing.assert_array_equal(logits, expected[task])


@each_method
@pytest.mark.parametrize("poison", [1e6, -7.0])
def test_weighting_unlabelled_targets_cannot_matter(name, poison):
    images, targets, weights = rows()
    poisoned = {task: target.copy() for task, target in targets.items()}
    for task in ("middle", "alpha"):
        poisoned[task][weights[task] == 0] = poison
    results = []
    for each in (targets, poisoned):
        _, fitted = fitted_model(name, adam())
        results.append(fitted.train_on_batch(images, each, weights))
        results.append(values(fitted.variables))
    assert results[0] == results[2]
    for a, b in zip(results[1], results[3], strict=True):
        np.testing.assert_array_equal(a, b)


@each_learned
@pytest.mark.parametrize(
    ("optimizer", "policy", "replicas"),
    [
        ("adam", "float32", 1),
        ("adam", "mixed_float16", 2),
        ("adamw", "float32", 2),
        ("adamw", "mixed_float16", 1),
    ],
)
def test_weighting_variables_of_a_method_do_not_decay(
    name, optimizer, policy, replicas, two_cpus
):
    images, targets, weights = rows()
    none = {task: np.zeros_like(weight) for task, weight in weights.items()}
    devices = two_cpus if replicas == 2 else None
    with precision(policy):
        model, fitted = fitted_model(
            name, lambda: build_optimizer(optimizer, 0.01, 0.5), devices
        )
    within = {id(variable) for variable in model.variables}
    own = [v for v in fitted.trainable_variables if id(v) not in within]
    assert own
    for variable in own:
        variable.assign(keras.ops.ones_like(variable))
    kernel = values([model.get_layer("zebra").kernel])[0]
    fitted.train_on_batch(images, targets, none)
    for variable in values(own):
        np.testing.assert_array_equal(variable, 1.0)
    assert np.abs(values([model.get_layer("zebra").kernel])[0] - kernel).max() > 0


def test_fixed_is_the_sum_that_keras_makes():
    """`Fixed` is fitted by Keras itself; its formula is the same."""
    model, fitted = fitted_model("fixed", lambda: keras.optimizers.SGD(0.0))
    assert fitted is model
    images, targets, weights = rows()
    logged = fitted.train_on_batch(images, targets, weights, return_dict=True)["loss"]
    loss_of = {}
    for task in TASKS:
        mean = fitted.loss[task.name](
            targets[task.name], model(images)[task.name], weights[task.name]
        )
        loss_of[task.name] = task.weight * float(mean)
    total = build_weighting("fixed", TASKS).total(loss_of, {})
    assert float(logged) == pytest.approx(total, rel=1e-6)


@each_method
def test_a_weighting_has_a_sentence_in_the_configuration(name):
    _, sentence = WEIGHTINGS[name]
    described = TrainingSection.model_fields["weighting"].description
    assert sentence and f"{name}: {sentence}" in described


def test_an_unknown_weighting_is_refused():
    with pytest.raises(ConfigError, match="'uncertain' is not a method.*'uncertainty'"):
        build_weighting("uncertain", TASKS)
