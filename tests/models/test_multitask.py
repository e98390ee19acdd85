"""One backbone with a head for each task."""

import dataclasses

import keras
import numpy as np
import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.multitask import MODEL_HEADS, build_model
from mdmt_tf.tasks.base import HEADS


@dataclasses.dataclass
class Task:
    name: str
    n_outputs: int
    head: str | None = None
    initial_scale: float = 1.0


# Declared in an order that sorting changes.
TASKS = (Task("severity", 4), Task("prognosis", 2), Task("age", 1))
IMAGES = np.random.default_rng(0).standard_normal((6, 8, 8, 3)).astype("float32")


def backbone(dtype=None):
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(
        5, 3, kernel_initializer=keras.initializers.GlorotUniform(1), dtype=dtype
    )(image)
    return keras.Model(
        image, keras.layers.GlobalAveragePooling2D(dtype=dtype)(x), name="tiny"
    )


def head_layers(model, task):
    return [layer for layer in model.layers if layer.name.split(".")[0] == task]


@pytest.mark.parametrize("heads", MODEL_HEADS)
def test_outputs_are_addressed_by_the_name_of_the_task(heads):
    model = build_model(backbone(), TASKS, heads)
    outputs = model(IMAGES)
    assert {name: y.shape for name, y in outputs.items()} == {
        "severity": (6, 4),
        "prognosis": (6, 2),
        "age": (6, 1),
    }
    assert sorted(model.output_names) == ["age", "prognosis", "severity"]
    assert [tensor.name for tensor in model.inputs] == ["image"]
    assert model.get_layer("tiny").output_shape == (None, 5)


def test_mdmt_head_by_arithmetic():
    model = build_model(backbone(), TASKS)
    x = model.get_layer("tiny")(IMAGES).numpy()
    *hidden, last = [
        layer
        for layer in head_layers(model, "severity")
        if isinstance(layer, keras.layers.Dense)
    ]
    assert [layer.units for layer in (*hidden, last)] == [128, 32, 4]
    for layer in hidden:
        x = np.maximum(x @ layer.kernel.numpy() + 0.01, 0)
    expected = x @ last.kernel.numpy() + 0.01
    np.testing.assert_allclose(model(IMAGES)["severity"], expected, atol=1e-5)


def test_linear_head_by_arithmetic():
    model = build_model(backbone(), TASKS, "linear")
    x = model.get_layer("tiny")(IMAGES).numpy()
    _, last = head_layers(model, "severity")
    expected = x @ last.kernel.numpy() + 0.01
    np.testing.assert_allclose(model(IMAGES)["severity"], expected, atol=1e-5)


def test_relu_linear_head_by_arithmetic():
    image = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D()(image)
    network = keras.Model(image, features, name="tiny")
    model = build_model(network, TASKS, "relu_linear")
    x = np.maximum(IMAGES.mean(axis=(1, 2)), 0)
    *_, last = head_layers(model, "severity")
    assert (IMAGES.mean(axis=(1, 2)) < 0).any()
    expected = x @ last.kernel.numpy() + 0.01
    np.testing.assert_allclose(model(IMAGES)["severity"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("heads", "count"), [("mlp", 2), ("linear", 1), ("relu_linear", 1)]
)
def test_dropout_is_active_in_training_only(heads, count):
    model = build_model(backbone(), TASKS, heads)
    layers = [
        layer
        for layer in head_layers(model, "prognosis")
        if isinstance(layer, keras.layers.Dropout)
    ]
    assert [layer.rate for layer in layers] == [0.5] * count
    np.testing.assert_array_equal(
        model(IMAGES, training=False)["prognosis"], model(IMAGES)["prognosis"]
    )
    trained = model(IMAGES, training=True)["prognosis"]
    assert np.abs(trained - model(IMAGES)["prognosis"]).max() > 0
    without = build_model(backbone(), TASKS, heads, dropout=0.0)
    np.testing.assert_array_equal(
        without(IMAGES, training=True)["prognosis"], without(IMAGES)["prognosis"]
    )


def test_weights_start_from_xavier_uniform():
    model = build_model(backbone(), TASKS)
    for layer in head_layers(model, "severity"):
        if isinstance(layer, keras.layers.Dense):
            kernel = layer.kernel.numpy()
            limit = np.sqrt(6 / sum(kernel.shape))
            assert 0.9 * limit < np.abs(kernel).max() <= limit
            np.testing.assert_array_equal(layer.bias, np.float32(0.01))


def test_a_task_scales_the_initial_weights_of_its_output():
    small = dataclasses.replace(TASKS[0], initial_scale=0.5)
    for heads in MODEL_HEADS:
        one, other = (
            {layer.name: layer for layer in head_layers(model, "severity")}
            for model in (
                build_model(backbone(), TASKS, heads),
                build_model(backbone(), (small, *TASKS[1:]), heads),
            )
        )
        for name, layer in one.items():
            factor = 0.5 if name == "severity" else 1.0
            if layer.weights and isinstance(layer, keras.layers.Dense):
                scaled = factor * layer.kernel.numpy()
                np.testing.assert_array_equal(other[name].kernel, scaled)
                np.testing.assert_array_equal(other[name].bias, layer.bias)


@pytest.mark.parametrize("common", MODEL_HEADS)
def test_a_task_may_have_a_head_of_its_own(common):
    """The others are as they would be without it."""
    for own in HEADS:
        tasks = (TASKS[0], dataclasses.replace(TASKS[1], head=own), TASKS[2])
        model = build_model(backbone(), tasks, common)
        rest = build_model(backbone(), TASKS, common)
        alone = build_model(backbone(), TASKS, own)
        for name, other in (("severity", rest), ("age", rest), ("prognosis", alone)):
            layers, wanted = head_layers(model, name), head_layers(other, name)
            assert [one.name for one in layers] == [one.name for one in wanted]
            for one, same in zip(layers, wanted, strict=True):
                assert one.get_config() == same.get_config()
                for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
                    np.testing.assert_array_equal(a, b)


def test_the_first_of_serial_heads_may_be_linear():
    tasks = (dataclasses.replace(TASKS[0], head="linear"), *TASKS[1:])
    model = build_model(backbone(), tasks, "serial")
    outputs = model(IMAGES)
    features = model.get_layer("tiny")(IMAGES).numpy()
    seen = np.concatenate([features, outputs["age"], outputs["prognosis"]], axis=1)
    last = model.get_layer("severity")
    expected = seen @ last.kernel.numpy() + 0.01
    np.testing.assert_allclose(outputs["severity"], expected, rtol=1e-5, atol=1e-5)


def test_the_same_seed_gives_the_same_model():
    first = build_model(backbone(), TASKS, seed=5)
    keras.utils.set_random_seed(1)
    # Another order of the tasks, and one task less, do not change the other tasks.
    again = build_model(backbone(), TASKS[:2][::-1], seed=5)
    other = build_model(backbone(), TASKS, seed=6)
    for _ in range(2):  # dropout continues in the same way
        outputs = [model(IMAGES, training=True) for model in (first, again, other)]
        for name in ("prognosis", "severity"):
            a, b, c = (output[name].numpy() for output in outputs)
            np.testing.assert_array_equal(a, b)
            assert np.abs(a - c).max() > 0


def test_heads_of_two_tasks_differ():
    model = build_model(backbone(), (Task("a", 4), Task("b", 4)))
    outputs = model(IMAGES)
    assert np.abs(outputs["a"] - outputs["b"]).max() > 0


def test_logits_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_model(backbone(), TASKS)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("tiny")(IMAGES).dtype == "bfloat16"
    for name, logits in model(IMAGES).items():
        assert logits.dtype == "float32"
        assert {layer.compute_dtype for layer in head_layers(model, name)} == {
            "float32"
        }


def test_a_saved_model_goes_on_as_the_original(tmp_path):
    """Both kinds of file restore the weights and the state of dropout."""
    model = build_model(backbone(), TASKS, seed=1)
    model(IMAGES, training=True)  # advances the state of dropout
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    rebuilt = build_model(backbone(), TASKS, seed=2)
    rebuilt.load_weights(tmp_path / "model.weights.h5")
    expected = model(IMAGES, training=True)
    for other in (loaded, rebuilt):
        outputs = other(IMAGES, training=True)
        for name in expected:
            np.testing.assert_array_equal(outputs[name], expected[name])


@pytest.mark.parametrize(
    ("tasks", "heads", "message"),
    [
        (TASKS, "mpl", r"'mpl'.*mean 'mlp'.*Known: mlp, linear, relu_linear"),
        (
            (Task("a", 2, head="lineal"),),
            "mlp",
            r"task 'a': 'lineal'.*mean 'linear'.*Known: mlp, linear, relu_linear\.",
        ),
        ((Task("a", 2, head="serial"),), "serial", r"task 'a': 'serial'.*mlp, linear"),
        ((), "mlp", r"one task or more.*Received: none"),
        ((Task("a", 2), Task("a", 4)), "mlp", r"distinct.*Received: a more than once"),
    ],
)
def test_what_cannot_be_built_is_refused(tasks, heads, message):
    with pytest.raises(ConfigError, match=message):
        build_model(backbone(), tasks, heads)


def test_serial_head_of_the_first_task_sees_the_logits_of_the_others():
    model = build_model(backbone(), TASKS, "serial")
    outputs = model(IMAGES)
    assert {name: y.shape[1] for name, y in outputs.items()} == {
        "severity": 4,
        "prognosis": 2,
        "age": 1,
    }
    features = model.get_layer("tiny")(IMAGES).numpy()
    # In the order of names, after the features.
    seen = np.concatenate([features, outputs["age"], outputs["prognosis"]], axis=1)
    x = seen
    for layer in head_layers(model, "severity"):
        if isinstance(layer, keras.layers.Dense):
            x = layer(x)
    np.testing.assert_allclose(outputs["severity"], x, rtol=1e-5, atol=1e-6)


def test_serial_head_of_a_single_task_is_the_common_one():
    weights = [
        [w.shape for w in build_model(backbone(), TASKS[:1], heads).weights]
        for heads in ("serial", "mlp")
    ]
    assert weights[0] == weights[1]
