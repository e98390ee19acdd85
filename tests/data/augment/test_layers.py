"""Keras layers in the augmentation: seeds, mixed targets, refusals."""

import numpy as np
import pytest
import tensorflow as tf
from task_kinds import EXAMPLES

from mdmt_tf.data.augment.images import sample_keys
from mdmt_tf.data.augment.layers import AugmentationLayers, mix
from mdmt_tf.data.augment.settings import Augmentation, LayerSettings
from mdmt_tf.errors import ConfigError
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import TaskLoss
from mdmt_tf.training.strategy import build_strategy

SIDE = 24
IMAGES = np.random.default_rng(0).random((4, SIDE, SIDE, 1), np.float32)

# Layers of keras.layers with random numbers; the arguments are those they require.
SEEDED = {
    "RandAugment": {},
    "RandomBrightness": {"factor": 0.3},
    "RandomContrast": {"factor": 0.5},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomFlip": {},
    "RandomGaussianBlur": {},
    "RandomPerspective": {},
    "RandomRotation": {"factor": 0.1},
    "RandomSharpness": {"factor": 0.5},
    "RandomShear": {"x_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
}


def layers(*settings, tasks=(), shape=(SIDE, SIDE, 1)):
    settings = [
        one if isinstance(one, LayerSettings) else LayerSettings(**one)
        for one in settings
    ]
    return AugmentationLayers(settings, tasks, shape)


def augmented(steps, images=IMAGES, index=(0, 1, 2, 3), epoch=0, labels=None):
    """Images, targets and weights of a batch, in tf.data as in training."""
    targets, weights = labels or ({}, {})

    @tf.autograph.experimental.do_not_convert
    def change(batch):
        numbers = tf.constant(list(index), tf.int64)
        keys = sample_keys(5, epoch, numbers, tf.zeros_like(numbers))
        return steps(batch, targets, weights, keys)

    batches = tf.data.Dataset.from_tensors(images).map(change)
    return next(batches.as_numpy_iterator())


FAST = ("RandomRotation",)
LARGE = [
    pytest.param(name, marks=pytest.mark.large) for name in SEEDED if name not in FAST
]


@pytest.mark.parametrize("name", [*FAST, *LARGE])
def test_a_change_depends_on_seed_epoch_and_image_alone(name):
    steps = layers({"layer": name, "arguments": SEEDED[name]})
    first = augmented(steps)[0]
    assert first.shape == IMAGES.shape
    assert np.abs(first - IMAGES).max() > 0.01
    assert first.min() >= -1e-6
    assert first.max() <= 1 + 1e-6
    # The same in another place of the batch, and in a graph that is built again.
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(
        augmented(steps, IMAGES[order], order)[0], first[order]
    )
    assert np.any(augmented(steps, epoch=1)[0] != first)


def test_images_are_changed_as_often_as_stated():
    images = np.full((400, 4, 4, 1), 0.2, np.float32)
    always = {"factor": [1, 1], "value_range": [0, 1]}
    settings = {"layer": "RandomInvert", "arguments": always, "probability": 0.25}
    steps = layers(settings, shape=(4, 4, 1))
    changed = augmented(steps, images, range(400))[0][:, 0, 0, 0]
    # Standard error 0.022.
    assert np.mean(changed > 0.5) == pytest.approx(0.25, abs=0.09)


def test_layers_are_applied_in_their_order():
    invert = {"layer": "RandomInvert", "arguments": {"factor": [1, 1]}}
    dark = {"layer": "RandomBrightness", "arguments": {"factor": [-0.5, -0.5]}}
    images = np.full((4, SIDE, SIDE, 1), 0.7, np.float32)
    # 1 - 0.7 = 0.3, then 0.3 - 0.5 is cut off at 0; 0.7 - 0.5 = 0.2, then 1 - 0.2.
    np.testing.assert_allclose(augmented(layers(invert, dark), images)[0], 0.0)
    np.testing.assert_allclose(
        augmented(layers(dark, invert), images)[0], 0.8, rtol=1e-6
    )


def test_layers_of_colours_get_grey_images(two_cpus):
    images = augmented(layers({"layer": "RandomHue", "arguments": {"factor": 0.5}}))[0]
    np.testing.assert_allclose(images, IMAGES, atol=1e-5)
    # The attempt on one channel, which fails, leaves nothing behind.
    with build_strategy(two_cpus).scope():
        pass


def test_mixed_targets_by_hand():
    # Row 0 is 3/4 of image 0 and 1/4 of image 1; row 1 is image 2 alone.
    parts = tf.constant([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    targets = tf.constant([[1.0], [0.0], [1.0]])
    # Image 0 counts twice, image 2 is unlabelled.
    target, weight = mix(targets, tf.constant([2.0, 1.0, 0.0]), parts)
    np.testing.assert_allclose(weight, [1.5 + 0.25, 0.0])
    np.testing.assert_allclose(target, [[1.5 / 1.75], [0.0]])


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind == "categorical" else pytest.mark.large)
        for kind in EXAMPLES
    ],
)
@pytest.mark.parametrize(
    "name", ["MixUp", pytest.param("CutMix", marks=pytest.mark.large)]
)
def test_the_loss_of_a_mixture_is_the_mixture_of_losses(kind, name):
    """Gradients are equal: losses may differ by a constant."""
    example = EXAMPLES[kind]
    task = make_task(kind=kind, name="one", **example.section)
    generator = np.random.default_rng(1)
    labels = example.labels(generator, 12)
    targets, known = task.targets(labels)
    weights = known.astype(np.float32) * generator.uniform(0.5, 2, known.shape)
    weights = weights.astype(np.float32)
    logits = tf.constant(generator.normal(0, 1, (12, task.n_outputs)), tf.float32)
    images = generator.random((12, SIDE, SIDE, 1), np.float32)
    steps = layers({"layer": name}, tasks=[task])
    _, mixed, mixed_weights = augmented(
        steps, images, range(12), labels=({"one": targets}, {"one": weights})
    )
    loss = TaskLoss(task, reduction=None)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        values = loss(mixed["one"], logits)
        total = tf.reduce_sum(values * mixed_weights["one"])
    received = tape.gradient(total, logits)
    # What each row consists of, from an image of its number.
    rows = np.eye(12, dtype=np.float32)
    _, parts, _ = augmented(
        layers(
            {"layer": name},
            tasks=[
                make_task(
                    kind="multilabel", name="rows", classes=[f"r{i}" for i in range(12)]
                )
            ],
        ),
        images,
        range(12),
        labels=({"rows": rows}, {"rows": np.ones((12, 12), np.float32)}),
    )
    parts = parts["rows"]
    assert np.count_nonzero(parts) > 12
    row, image = (each.ravel() for each in np.indices(parts.shape))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        own = loss(targets[image], tf.gather(logits, row))
        of_pairs = parts[row, image].reshape(-1, *[1] * (weights.ndim - 1))
        total = tf.reduce_sum(of_pairs * weights[image] * own)
    np.testing.assert_allclose(
        received,
        tf.convert_to_tensor(tape.gradient(total, logits)),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("kind", "loss"), [("binary", "focal"), ("regression", "huber")]
)
def test_a_loss_that_is_not_linear_in_the_target_is_not_mixed(kind, loss):
    task = make_task(kind=kind, name="one", loss=loss)
    with pytest.raises(ConfigError, match="'one' cannot have. Choose another loss"):
        layers({"layer": "MixUp"}, tasks=[task])


def test_an_unlabelled_image_takes_its_part_of_the_picture_only():
    task = make_task(kind="binary", name="died")
    steps = layers({"layer": "MixUp", "arguments": {"alpha": 1.0}}, tasks=[task])
    # What stands for an unknown label cannot matter.
    targets = np.array([[1.0], [-7.0], [1e6], [0.0]], np.float32)
    weights = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
    _, mixed, mixed_weights = augmented(
        steps, labels=({"died": targets}, {"died": weights})
    )
    counts = mixed_weights["died"] > 0
    assert counts.any()
    np.testing.assert_allclose(mixed["died"][counts], 1.0)
    assert np.isfinite(mixed["died"]).all()


@pytest.mark.parametrize(
    "name", [pytest.param("GridMask", marks=pytest.mark.large), "MixUp"]
)
def test_a_layer_of_keras_cv_works_and_says_that_it_is_not_seeded(name, caplog):
    pytest.importorskip("keras_cv")
    task = make_task(kind="binary", name="died")
    steps = layers({"layer": f"keras_cv.{name}"}, tasks=[task])
    assert "random numbers of its own" in caplog.text
    targets, weights = np.ones((4, 1), np.float32), np.ones(4, np.float32)
    images, targets, weights = augmented(
        steps, labels=({"died": targets}, {"died": weights})
    )
    assert images.shape == IMAGES.shape
    np.testing.assert_allclose(targets["died"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(weights["died"], 1.0, rtol=1e-6)


def test_a_layer_within_a_layer():
    pytest.importorskip("keras_cv")
    invert = {"layer": "keras_cv.Solarization", "arguments": {"threshold_factor": 0.0}}
    steps = layers(
        {"layer": "keras_cv.RandomApply", "arguments": {"rate": 0.0, "layer": invert}}
    )
    np.testing.assert_allclose(augmented(steps)[0], IMAGES)


@pytest.mark.parametrize(
    ("settings", "shape", "words"),
    [
        (
            {"layer": "CenterCrop", "arguments": {"height": 4, "width": 4}},
            (8, 8, 1),
            ["keeps the shape of images"],
        ),
        ({"layer": "RandomFlip"}, (4, 8, 8, 1), ["volumes have no such layers"]),
        # Also if it is hardly ever applied, or fits batches of two images by chance.
        (
            {
                "layer": "RandomInvert",
                "arguments": {"factor": [1, 1], "value_range": [0, 1e39]},
                "probability": 0.0,
            },
            (8, 8, 1),
            ["layers[0] = RandomInvert: expected a layer that returns finite pixels"],
        ),
        # TensorFlow draws 1/2 where a beta distribution of 0 has 0 and 1.
        (
            {"layer": "MixUp", "arguments": {"alpha": 0.0}},
            (8, 8, 1),
            ["layers[0] = MixUp: expected alpha to be at least 0.05", "Received: 0"],
        ),
        (
            {"layer": "CutMix", "arguments": {"factor": 0.01}},
            (8, 8, 1),
            ["expected factor to reach at least 0.05. Received: 0.01"],
        ),
        (
            {"layer": "MixUp", "arguments": {"alpha": [0.2, 0.4]}},
            (8, 8, 1),
            ["keeps the shape of images", "2 and 3"],
        ),
    ],
)
def test_refusals_say_what_is_wrong(settings, shape, words):
    with pytest.raises(ConfigError) as error:
        layers(settings, shape=shape)
    for word in words:
        assert word in str(error.value)


def test_settings_of_a_configuration():
    from mdmt_tf.config.schema import AugmentationSection

    section = AugmentationSection(
        layers=[{"layer": "MixUp", "arguments": {"alpha": 0.4}, "probability": 0.5}]
    )
    expected = LayerSettings(layer="MixUp", arguments={"alpha": 0.4}, probability=0.5)
    assert Augmentation.of(section).layers == (expected,)


def test_no_layers_change_nothing():
    assert not layers()
