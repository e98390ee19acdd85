"""Maps of networks that numpy can compute, and what must hold for all."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.layers import BatchNormalization
from mdmt_tf.models.multitask import build_model
from mdmt_tf.saliency import maps
from mdmt_tf.saliency.maps import Explainer, enlarge
from mdmt_tf.saliency.methods import GRAD_CAM, METHODS
from mdmt_tf.tasks import SumOfTasks
from mdmt_tf.training.losses import compile_model

CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def weights(model, name):
    """Kernel (in, out) and bias of a layer of 1 pixel or of a head."""
    inner = {layer.name for layer in model.get_layer("points").layers}
    owner = model.get_layer("points") if name in inner else model
    kernel, bias = owner.get_layer(name).get_weights()
    return kernel.reshape(kernel.shape[-2:]), bias


def last_map(model, images, depth):
    for index in range(depth):
        kernel, bias = weights(model, f"conv{index}")
        images = np.maximum(images @ kernel + bias, 0)
    return images


def grad_cam_by_hand(model, images, column_weights):
    """relu(sum_k w_k A_k) / positions: y = mean(A) w, so dy/dA_k = w_k / positions."""
    features = last_map(model, images, 1)
    positions = np.prod(images.shape[1:-1])
    return np.maximum(features @ column_weights, 0) / positions


# The score as a combination of the columns of the head.
@pytest.mark.parametrize(
    ("task", "target", "columns"),
    [
        ("organ", 0, [1, 0, 0]),
        ("organ", 2, [0, 0, 1]),
        ("bleed", 1, [1]),
        ("bleed", 0, [-1]),
        ("grade", None, [1, 1]),
        ("age", None, [1]),
    ],
)
def test_grad_cam_by_hand(point_network, normal, tasks, spatial, task, target, columns):
    model = point_network(spatial)
    images = normal(3, *spatial, 2)
    found = Explainer(model, tasks).grad_cam(images, task, target)
    kernel, _ = weights(model, task)
    expected = grad_cam_by_hand(model, images, kernel @ columns)
    assert found.dtype == np.float32 and found.shape == (3, *spatial)
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_a_derived_answer_is_explained_by_its_value(
    point_network, normal, tasks, spatial
):
    """y = sum of the expected grades; its slope by differences of numpy's numbers."""
    model = point_network(spatial)
    images = normal(3, *spatial, 2)
    terms = {"grade": (0, 1, 2), "age": (), "bleed": (0, 10)}
    total = SumOfTasks(name="total", terms=terms)
    named = {task.name: task for task in tasks}

    def value(means):
        said = {}
        for name in terms:
            kernel, bias = weights(model, name)
            said[name] = named[name].probabilities(means @ kernel + bias)
        return said["grade"] @ [0, 1, 2] + said["age"][:, 0] + 10 * said["bleed"][:, 1]

    means = last_map(model, images, 1).mean(tuple(range(1, len(spatial) + 1)))
    means, step = means.astype(np.float64), 1e-5
    slopes = [
        (value(means + step * unit) - value(means - step * unit)) / (2 * step)
        for unit in np.eye(means.shape[1])
    ]
    column = np.stack(slopes, 1).reshape(3, *[1] * len(spatial), -1)
    features = last_map(model, images, 1)
    expected = np.maximum((features * column).sum(-1) / np.prod(spatial), 0)
    found = Explainer(model, [*tasks, total]).grad_cam(images, "total")
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_without_a_target_the_predicted_class_is_explained(
    point_network, normal, tasks, spatial
):
    model = point_network(spatial)
    # Far apart, or all are of one class.
    images = normal(8, *spatial, 2) + 3 * normal(8, *[1] * len(spatial), 2, seed=1)
    explainer = Explainer(model, tasks, batch_size=3)
    logits = model(images, training=False)
    for task, predicted in (
        ("organ", np.argmax(logits["organ"], -1)),
        ("bleed", (np.asarray(logits["bleed"])[:, 0] > 0).astype(int)),
    ):
        assert len(set(predicted)) > 1  # or the test shows nothing
        np.testing.assert_array_equal(explainer.explained(images, task), predicted)
        for method in METHODS:
            own = explainer.maps(images, task, [method])[method]
            each = explainer.maps(images, task, [method], predicted)[method]
            np.testing.assert_array_equal(own, each)
            fixed = explainer.maps(images, task, [method], 0)[method]
            assert np.abs(own - fixed).max() > 1e-3


def guided_by_hand(model, images, depth, score):
    """Back through the heads and the convolutions, each ReLU by Springenberg's rule."""
    befores, x = [], images
    for index in range(depth):
        kernel, bias = weights(model, f"conv{index}")
        befores.append(x @ kernel + bias)
        x = np.maximum(befores[-1], 0)
    pooled = x.mean(axis=tuple(range(1, x.ndim - 1)))
    hidden, h = [], pooled
    for name in ("organ.hidden1", "organ.hidden2"):
        kernel, bias = weights(model, name)
        hidden.append(h @ kernel + bias)
        h = np.maximum(hidden[-1], 0)
    gradient = (
        np.repeat(score[None], len(images), axis=0) @ weights(model, "organ")[0].T
    )
    names = ("organ.hidden2", "organ.hidden1")
    for name, before in zip(names, hidden[::-1], strict=True):
        gradient = gradient * (before > 0) * (gradient > 0)
        gradient = gradient @ weights(model, name)[0].T
    positions = np.prod(images.shape[1:-1])
    shape = (len(images), *[1] * (images.ndim - 2), -1)
    gradient = np.broadcast_to(gradient.reshape(shape) / positions, befores[-1].shape)
    for index in range(depth)[::-1]:
        gradient = gradient * (befores[index] > 0) * (gradient > 0)
        gradient = gradient @ weights(model, f"conv{index}")[0].T
    return gradient.sum(-1)


def test_guided_backpropagation_by_hand(point_network, normal, tasks, spatial):
    model = point_network(spatial, widths=(8, 8), heads="mlp")
    images = normal(3, *spatial, 2)
    found = Explainer(model, tasks).guided_backpropagation(images, "organ", 1)
    expected = guided_by_hand(model, images, 2, np.array([0, 1, 0], "float32"))
    assert found.dtype == np.float32 and found.shape == (3, *spatial)
    assert expected.max() > 0 > expected.min()
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_guided_grad_cam_is_the_product(point_network, normal, tasks, spatial):
    model = point_network(spatial, widths=(8, 8))
    images = normal(2, *spatial, 2)
    explainer = Explainer(model, tasks)
    found = explainer.maps(images, "organ", METHODS, 1)
    product = found["grad_cam"] * found["guided_backpropagation"]
    np.testing.assert_allclose(found["guided_grad_cam"], product, **CLOSE)
    alone = explainer.guided_grad_cam(images, "organ", 1)
    np.testing.assert_array_equal(alone, found["guided_grad_cam"])
    assert np.abs(product).max() > 0


def test_the_guided_map_is_empty_without_a_positive_path(
    point_network, normal, tasks, spatial
):
    model = point_network(spatial)
    for name in ("organ", "bleed"):
        layer = model.get_layer(name)
        kernel, bias = layer.get_weights()
        layer.set_weights([-np.abs(kernel), bias])
    explainer = Explainer(model, tasks)
    images = normal(2, *spatial, 2)
    assert not explainer.guided_backpropagation(images, "organ", 1).any()
    assert not explainer.grad_cam(images, "organ", 1).any()
    # What speaks against `yes` speaks for `no`.
    assert explainer.guided_backpropagation(images, "bleed", 0).any()


def test_without_relus_guided_is_the_gradient(point_network, normal, tasks, spatial):
    linear = point_network(
        spatial,
        widths=(3, 2),
        activation=lambda name: keras.layers.Activation("linear", name=name),
    )
    images = tf.constant(normal(2, *spatial, 2))
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = linear(images)["organ"][:, 2]
    expected = tf.reduce_sum(tape.gradient(score, images), -1)
    found = Explainer(linear, tasks).guided_backpropagation(images, "organ", 2)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_alpha_is_the_mean_gradient_of_the_last_map(tiny_backbone, normal, tasks):
    """Against the tape on a network with strides, normalisation and deep heads."""
    backbone = build_backbone(tiny_backbone, (16, 12, 3), feature_maps=True)
    model = build_model(build_backbone(tiny_backbone, (16, 12, 3)), tasks)
    backbone.set_weights(model.get_layer("tiny").get_weights())
    images = normal(2, 16, 12, 3)
    features = backbone(images)["feature_map"]
    with tf.GradientTape() as tape:
        tape.watch(features)
        x = tf.reduce_mean(features, [1, 2])
        for name in ("organ.hidden1", "organ.hidden2", "organ"):
            x = model.get_layer(name)(x)
        score = x[:, 1]
    alpha = tf.reduce_mean(tape.gradient(score, features), [1, 2], keepdims=True)
    small = tf.nn.relu(tf.reduce_sum(alpha * features, -1, keepdims=True))
    expected = tf.image.resize(small, (16, 12))[..., 0]
    found = Explainer(model, tasks).grad_cam(images, "organ", 1)
    assert np.max(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_each_task_shows_its_own_place(point_network, tasks, spatial):
    """Channel 0 is seen by `bleed` alone, channel 1 by `age` alone."""
    model = point_network(spatial, widths=(2,))
    zeros = np.zeros(2)
    kernel = np.eye(2).reshape(*[1] * len(spatial), 2, 2)
    model.get_layer("points").get_layer("conv0").set_weights([kernel, zeros])
    model.get_layer("bleed").set_weights([np.array([[1.0], [0.0]]), zeros[:1]])
    model.get_layer("age").set_weights([np.array([[0.0], [1.0]]), zeros[:1]])
    image = np.zeros((1, *spatial, 2), "float32")
    first, last = (0,) * len(spatial), (-1,) * len(spatial)
    image[(0, *first, 0)] = image[(0, *last, 1)] = 1
    explainer = Explainer(model, tasks)
    for method in METHODS:
        bleed = explainer.maps(image, "bleed", [method])[method][0]
        age = explainer.maps(image, "age", [method])[method][0]
        assert bleed[first] > 0 and age[last] > 0
        if method != "guided_backpropagation":
            assert bleed[last] == 0 and age[first] == 0


def test_relu6_passes_nothing_where_it_is_flat(normal, tasks):
    backbone_input = keras.Input((1, 4, 1))
    x = keras.layers.Conv2D(1, 1, name="conv")(backbone_input)
    x = keras.layers.ReLU(max_value=6, name="relu6")(x)
    backbone = keras.Model(
        backbone_input, keras.layers.GlobalAveragePooling2D(name="pool")(x), name="b"
    )
    model = build_model(backbone, tasks, heads="linear")
    backbone.get_layer("conv").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    model.get_layer("age").set_weights([np.ones((1, 1)), np.zeros(1)])
    image = np.array([-1.0, 2.0, 5.9, 7.0], "float32").reshape(1, 1, 4, 1)
    explainer = Explainer(model, tasks)
    guided = explainer.guided_backpropagation(image, "age")
    np.testing.assert_allclose(guided[0, 0], [0, 1 / 4, 1 / 4, 0])
    cam = explainer.grad_cam(image, "age")
    np.testing.assert_allclose(cam[0, 0], np.array([0, 2, 5.9, 6]) / 4, rtol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_activations_inside_of_layers_are_guided(
    point_network, normal, tasks, activation
):
    inside = point_network(
        (4, 6),
        widths=(3, 2),
        activation=lambda name: keras.layers.Activation(activation, name=name),
    )
    limit = 6 if activation == "relu6" else None
    layers = point_network(
        (4, 6),
        widths=(3, 2),
        activation=lambda name: keras.layers.ReLU(max_value=limit, name=name),
    )
    images = 20 * normal(2, 4, 6, 2)
    maps_of = [
        Explainer(model, tasks).guided_backpropagation(images, "organ", 0)
        for model in (inside, layers)
    ]
    np.testing.assert_allclose(*maps_of, **CLOSE)
    assert maps_of[0].any()


def test_the_model_stays_as_it_is(tiny_backbone, normal, tasks):
    model = build_model(build_backbone(tiny_backbone, (16, 16, 3)), tasks)
    compile_model(model, tasks, keras.optimizers.SGD())
    images = normal(2, 16, 16, 3)
    layers = [*model.layers, *model.get_layer("tiny").layers]

    def state():
        nodes = [
            len(layer._inbound_nodes) + len(layer._outbound_nodes) for layer in layers
        ]
        return model(images, training=False), model.get_weights(), nodes

    outputs, values, nodes = state()
    explainer = Explainer(model, tasks)
    before = explainer.maps(images, "organ", METHODS, 1)
    outputs_after, values_after, nodes_after = state()
    for name in outputs:
        np.testing.assert_array_equal(outputs[name], outputs_after[name])
    for old, new in zip(values, values_after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert nodes == nodes_after
    activation = model.get_layer("organ.hidden1").activation
    assert activation is keras.activations.relu
    # The other way round, too: the maps are those of the weights that the model had.
    model.set_weights([0 * value for value in values])
    after = explainer.maps(images, "organ", METHODS, 1)
    for method in METHODS:
        assert before[method].any()
        np.testing.assert_array_equal(before[method], after[method])


def test_statistics_are_the_stored_ones_and_nothing_is_dropped(normal, tasks):
    image = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(3, 1, name="conv")(image)
    x = BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="relu")(x)
    backbone = keras.Model(
        image, keras.layers.GlobalAveragePooling2D(name="pool")(x), name="b"
    )
    model = build_model(backbone, tasks, dropout=0.5)
    explainer = Explainer(model, tasks, batch_size=4)
    images = normal(4, 4, 4, 1)
    together = explainer.maps(images, "organ", METHODS, 1)
    alone = explainer.maps(images[:1], "organ", METHODS, 1)
    for method in METHODS:
        assert together[method].any()
        np.testing.assert_allclose(together[method][:1], alone[method], atol=1e-7)


def test_a_network_without_relus_has_grad_cam_only(point_network, normal, tasks):
    model = point_network(
        (4, 6), activation=lambda name: keras.layers.Activation("silu", name=name)
    )
    explainer = Explainer(model, tasks)
    images = normal(1, 4, 6, 2)
    with pytest.raises(ConfigError, match=r"'act0' with the activation silu.*grad_cam"):
        explainer.guided_backpropagation(images, "organ")
    assert explainer.grad_cam(images, "organ").shape == (1, 4, 6)
    assert maps.possible_methods(model) == (GRAD_CAM,)
    assert maps.possible_methods(point_network((4, 6))) == METHODS


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LeakyReLU,
        keras.layers.ELU,
        lambda name: keras.layers.ReLU(negative_slope=0.1, name=name),
    ],
)
def test_other_activations_are_not_taken_for_relus(point_network, layer):
    model = point_network((4, 6), activation=lambda name: layer(name=name))
    assert maps.possible_methods(model) == (GRAD_CAM,)


def test_half_precision_gives_maps_of_single_precision(tiny_backbone, normal, tasks):
    half = build_backbone(tiny_backbone, (16, 16, 3), dtype="mixed_bfloat16")
    model = build_model(half, tasks)
    found = Explainer(model, tasks).maps(normal(1, 16, 16, 3), "organ")
    assert {one.dtype for one in found.values()} == {np.dtype(np.float32)}
    assert all(np.isfinite(one).all() for one in found.values())


def test_enlarging_is_linear_with_half_pixel_centres(normal):
    images = normal(2, 3, 5, seed=1)
    expected = tf.image.resize(images[..., None], (12, 9))[..., 0]
    np.testing.assert_allclose(enlarge(images, (12, 9)), expected, atol=1e-6)
    volumes = normal(2, 2, 3, 4, seed=2)
    zoomed = ndimage.zoom(
        volumes, (1, 3, 4, 2.5), order=1, mode="nearest", grid_mode=True
    )
    np.testing.assert_allclose(enlarge(volumes, (6, 12, 10)), zoomed, atol=1e-6)
    np.testing.assert_array_equal(enlarge(volumes, (2, 3, 4)), volumes)
    assert (enlarge(np.ones((1, 1, 1, 1)), (3, 4, 5)) == 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("organs",), "'organs' is not an answer of the model. Did you mean 'organ'"),
        (("organ", ["gradcam"]), "'gradcam' is not a saliency method. Did you mean"),
        (("organ", METHODS, 3), "indices of its classes, 0 to 2"),
        (("organ", METHODS, -1), "indices of its classes"),
        (("organ", METHODS, 0.5), "indices of its classes"),
        (("grade", METHODS, 1), "kind ordinal explains its one score"),
        (("age", METHODS, 0), "kind regression explains its one score"),
    ],
)
def test_wrong_questions_are_refused(point_network, normal, tasks, arguments, message):
    explainer = Explainer(point_network((4, 6)), tasks)
    with pytest.raises(ConfigError, match=message):
        explainer.maps(normal(2, 4, 6, 2), *arguments)


def test_a_model_without_a_backbone_is_refused(tasks):
    image = keras.Input((4,), name="image")
    model = keras.Model(image, {"age": keras.layers.Dense(1, name="age")(image)})
    with pytest.raises(ConfigError, match="expected a backbone.*Received.*image, age"):
        Explainer(model, tasks)
