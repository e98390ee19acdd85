"""Batches: shapes, order, and sources of the pixels."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from mdmt_tf.data import pipeline
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.images import Images
from mdmt_tf.data.normalize import IMAGENET_MEAN, IMAGENET_STD
from mdmt_tf.data.sampling import plan_draws, steps_per_epoch
from mdmt_tf.data.training_set import build_training_set
from mdmt_tf.training.strategy import build_strategy

BATCH = 8
MIXED = Augmentation(elastic_probability=0.5)


@pytest.fixture(scope="module")
def images(alpha, beta):
    return Images([alpha, beta], (32, 32), "memory")


def training(samples, images, **settings):
    settings = {"batch_size": BATCH, "seed": 0, "epochs": 1, **settings}
    rows = build_training_set(samples["train"], settings.pop("sampling", "union"))
    return pipeline.training_dataset(rows, images, **settings)


def listed(dataset):
    return list(dataset.as_numpy_iterator())


@pytest.fixture(scope="module")
def mixed(samples, images):
    """The batches of two augmented epochs."""
    return listed(training(samples, images, augmentation=MIXED, epochs=2))


def assert_same(first, second):
    import tensorflow as tf

    first, second = tf.nest.flatten(first), tf.nest.flatten(second)
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def expected_pixels(stored_pixels, image_ids):
    grey = np.stack([stored_pixels(name) for name in image_ids]) / 255.0
    return (grey - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)


@pytest.mark.parametrize("cache", ["memory", "stream"])
def test_specification(samples, alpha, beta, cache):
    import tensorflow as tf

    images = Images([alpha, beta], (32, 32), cache)
    dataset = training(samples, images, augmentation=MIXED)
    assert dataset.element_spec == (
        tf.TensorSpec((BATCH, 32, 32, 3), tf.float32),
        {
            "outcome": tf.TensorSpec((BATCH,), tf.int32),
            "grade": tf.TensorSpec((BATCH, 3), tf.float32),
        },
        {
            "outcome": tf.TensorSpec((BATCH,), tf.float32),
            "grade": tf.TensorSpec((BATCH,), tf.float32),
        },
    )
    for pixels, targets, weights in dataset.as_numpy_iterator():
        for values in (pixels, *targets.values(), *weights.values()):
            assert np.isfinite(values).all()


def test_every_training_sample_counts_once_in_an_epoch(samples, images, stored_pixels):
    train = samples["train"]
    row_weights = build_training_set(train).weights
    batches = listed(training(samples, images))
    assert len(batches) == steps_per_epoch(len(train), BATCH) == -(-len(train) // BATCH)
    # Each training row has exactly one task, so a weight in one of them.
    seen = Counter()
    for pixels, _, weights in batches:
        counts = weights["outcome"] + weights["grade"] > 0
        seen.update(image.tobytes() for image in pixels[counts][..., 0].round(4))
    pixels = expected_pixels(stored_pixels, train.rows["image_id"])
    pixels = pixels.astype(np.float32)[..., 0].round(4)
    assert seen == Counter(image.tobytes() for image in pixels)
    for task in ("outcome", "grade"):
        total = sum(weights[task].sum() for _, _, weights in batches)
        np.testing.assert_allclose(total, row_weights[task].sum(), rtol=1e-6)


def test_targets_and_weights_belong_to_their_images(samples, images, stored_pixels):
    train = samples["train"]
    row_weights = build_training_set(train).weights
    expected = expected_pixels(stored_pixels, train.rows["image_id"])
    for pixels, targets, weights in listed(training(samples, images, seed=3)):
        distance = abs(pixels[:, None] - expected[None]).max(axis=(2, 3, 4))
        rows = distance.argmin(axis=1)
        assert distance.min(axis=1).max() < 1e-5
        for task in ("outcome", "grade"):
            np.testing.assert_array_equal(targets[task], train.targets[task][rows])
            counts = (weights["outcome"] + weights["grade"]) > 0
            np.testing.assert_array_equal(
                weights[task], row_weights[task][rows] * counts
            )


def test_streamed_is_cached(samples, mixed, alpha, beta):
    streamed = Images([alpha, beta], (32, 32), "stream")
    batches = training(samples, streamed, augmentation=MIXED, epochs=2)
    assert_same(listed(batches), mixed)


def test_epoch_is_the_same_when_training_starts_with_it(samples, images):
    settings = {"augmentation": MIXED, "sampling": "balanced", "epochs": 4}
    whole = listed(training(samples, images, **settings))
    steps = len(whole) // 4
    resumed = listed(training(samples, images, first_epoch=2, **settings))
    assert len(resumed) == 2 * steps
    assert_same(resumed, whole[2 * steps :])
    assert (resumed[0][0] != whole[0][0]).any()


@pytest.mark.parametrize("threads", [1, 7])
def test_number_of_threads_does_not_matter(
    threads, samples, images, mixed, monkeypatch
):
    monkeypatch.setattr(pipeline, "threads", lambda: threads)
    assert_same(listed(training(samples, images, augmentation=MIXED, epochs=2)), mixed)


def test_seed_matters_to_order_and_to_augmentation(samples, images, mixed):
    first = listed(training(samples, images))
    second = listed(training(samples, images, seed=1))
    assert any((a[0] != b[0]).any() for a, b in zip(first, second, strict=True))
    # Same order, other pixels.
    changed = mixed[: len(first)]
    assert_same([batch[1:] for batch in first], [batch[1:] for batch in changed])
    assert any((a[0] != b[0]).any() for a, b in zip(first, changed, strict=True))


def test_a_sample_changes_from_epoch_to_epoch(samples, images):
    rows = build_training_set(samples["train"])
    one = dataclasses.replace(
        rows,
        samples=rows.samples.take(np.array([0])),
        weights={name: values[:1] for name, values in rows.weights.items()},
        draws=plan_draws(np.zeros(1, int)),
    )
    dataset = pipeline.training_dataset(
        one,
        images,
        batch_size=BATCH,
        seed=0,
        epochs=2,
        augmentation=Augmentation(rotation_probability=1),
    )
    first, second = listed(dataset)
    assert (first[0] != second[0]).any()
    # The batch is padded with the same sample, augmented in the same way.
    assert_same(first[0][1:], np.repeat(first[0][:1], BATCH - 1, axis=0))


def test_number_of_batches_is_known(samples, images):
    steps = steps_per_epoch(len(samples["train"]), BATCH)
    assert len(training(samples, images, epochs=5, first_epoch=2)) == 3 * steps


@pytest.mark.parametrize("cache", ["memory", "stream"])
@pytest.mark.parametrize("batch_size", [4, 8, 64])
def test_images_to_predict_are_in_order(
    samples, alpha, beta, stored_pixels, batch_size, cache
):
    images = Images([alpha, beta], (32, 32), cache)
    test = samples["test"]
    dataset = pipeline.image_dataset(test.image, images, batch_size=batch_size)
    assert dataset.element_spec.shape == (batch_size, 32, 32, 3)
    pixels = np.concatenate(listed(dataset))
    expected = expected_pixels(stored_pixels, test.rows["image_id"])
    assert 0 <= len(pixels) - len(test) < batch_size
    np.testing.assert_allclose(pixels[: len(test)], expected, atol=1e-5)
    # The last batch is filled up from the start.
    filled = np.resize(np.arange(len(test)), len(pixels))
    np.testing.assert_array_equal(pixels, pixels[filled])


def test_no_images_to_predict(images):
    nothing = np.zeros(0, np.int64)
    assert listed(pipeline.image_dataset(nothing, images, batch_size=4)) == []


@pytest.mark.parametrize("of_row", [(), (2,)])
def test_rows_that_fill_up_a_batch_count_for_nothing(samples, images, of_row):
    """Whether a task has one weight a row or several."""
    rows = build_training_set(samples["train"])
    weights = {
        name: np.ones((len(rows.samples), *of_row), np.float32) for name in rows.weights
    }
    dataset = pipeline.training_dataset(
        dataclasses.replace(rows, weights=weights),
        images,
        batch_size=BATCH,
        seed=0,
        epochs=1,
    )
    received = np.concatenate([batch["grade"] for *_, batch in listed(dataset)])
    assert received.shape[1:] == of_row
    counted = received.reshape(len(received), -1)
    np.testing.assert_array_equal(counted[: len(rows.samples)], 1)
    assert len(counted) > len(rows.samples)
    np.testing.assert_array_equal(counted[len(rows.samples) :], 0)


def test_fit_sees_the_epochs_one_after_another(samples, images):
    import keras

    seen = []

    def recording_loss(y_true, y_pred):
        seen.append(np.asarray(y_true))
        return keras.ops.mean(y_pred, axis=-1)

    pixels = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(pixels)
    outputs = {
        "outcome": keras.layers.Dense(2, name="outcome")(pooled),
        "grade": keras.layers.Dense(3, name="grade")(pooled),
    }
    model = keras.Model(pixels, outputs)
    model.compile(
        loss={"outcome": recording_loss, "grade": "mse"},
        run_eagerly=True,
    )
    dataset = training(samples, images, epochs=4, first_epoch=1)
    steps = steps_per_epoch(len(samples["train"]), BATCH)
    model.fit(
        dataset,
        steps_per_epoch=steps,
        initial_epoch=1,
        epochs=4,
        verbose=0,
        shuffle=False,
    )
    expected = [targets["outcome"] for _, targets, _ in listed(dataset)]
    # Keras may call the loss once to build it.
    assert_same([np.ravel(y) for y in seen[-3 * steps :]], expected)


@pytest.mark.parametrize("cache", ["memory", "stream"])
def test_two_devices_share_each_batch(two_cpus, samples, mixed, alpha, beta, cache):
    import tensorflow as tf

    strategy = build_strategy(two_cpus)
    images = Images([alpha, beta], (32, 32), cache)
    dataset = training(samples, images, epochs=2, augmentation=MIXED)
    shared = list(strategy.experimental_distribute_dataset(dataset))
    assert len(shared) == len(mixed) == 2 * -(-len(samples["train"]) // BATCH)
    for one, two in zip(mixed, shared, strict=True):
        flat = zip(tf.nest.flatten(one), tf.nest.flatten(two), strict=True)
        for value, slices in flat:
            slices = strategy.experimental_local_results(slices)
            assert [len(one) for one in slices] == [BATCH // 2] * 2
            np.testing.assert_array_equal(np.concatenate(slices), value)


def test_images_come_with_the_numbers_of_their_datasets(samples, images):
    """Where a label of the grade has a weight, the image is of the second dataset."""
    plain, paired = (
        listed(training(samples, images, with_dataset=chosen))
        for chosen in (False, True)
    )
    for (pixels, _, _), ((same, dataset), _, weights) in zip(
        plain, paired, strict=True
    ):
        np.testing.assert_array_equal(same, pixels)
        assert dataset.dtype == np.int32
        assert np.all(dataset[weights["grade"] > 0] == 1)
        assert np.all(dataset[weights["outcome"] > 0] == 0)
    test = samples["test"]
    options = {"batch_size": BATCH, "dataset": test.dataset}
    numbers = [
        dataset
        for ((_, dataset),) in listed(
            pipeline.image_dataset(test.image, images, **options)
        )
    ]
    # The padding repeats the first rows.
    expected = np.resize(test.dataset, len(numbers) * BATCH)
    np.testing.assert_array_equal(np.concatenate(numbers), expected)


def test_flipped_images_have_the_labels_of_the_mirrored_task(alpha, beta, images):
    from mdmt_tf.data.samples import all_samples
    from mdmt_tf.tasks import make_task

    tasks = [
        make_task(
            name=name,
            kind="ordinal",
            cut_points=cuts,
            mirror=mirror,
            sources={"beta": "grade"},
            **more,
        )
        for name, cuts, mirror, more in (
            ("left", (1, 2, 3), "right", {"class_weights": (1.0, 2.0, 3.0, 4.0)}),
            ("right", (0, 1, 2), "left", {}),
            ("whole", (1,), None, {}),
        )
    ]
    rows = {"train": all_samples([alpha, beta], tasks)}
    none = dict.fromkeys(("shift", "zoom", "flip", "rotation", "elastic", "noise"), 0.0)
    none = {f"{name}_probability": value for name, value in none.items()}
    flips = Augmentation(**none | {"flip_probability": 0.5})
    plain = listed(training(rows, images, augmentation=Augmentation(**none)))
    changed = listed(training(rows, images, augmentation=flips))
    seen = []
    for (pixels, targets, weights), after in zip(plain, changed, strict=True):
        for row, image in enumerate(pixels):
            flip = not np.array_equal(after[0][row], image)
            if flip:
                np.testing.assert_allclose(after[0][row], image[:, ::-1], atol=1e-5)
            names = {"left": "right", "right": "left"} if flip else {}
            for before, now in ((targets, after[1]), (weights, after[2])):
                for name in before:
                    expected = before[names.get(name, name)][row]
                    np.testing.assert_array_equal(now[name][row], expected)
            differs = not np.array_equal(targets["left"][row], targets["right"][row])
            seen.append((flip, differs))
    assert len(set(seen)) == 4, "flipped or not, with labels that differ or not"
