"""Whole runs whose numbers are lost, or nearly."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from mdmt_tf import config
from mdmt_tf.errors import DataError, MdmtError
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import evaluation
from mdmt_tf.training import checkpoint, epochs, trainer
from mdmt_tf.training.saving import SaveState

BARE = ("training.tensorboard=false", "training.saved_model=false")
ONE = (
    "datasets={ward: {config: full_256}}",
    "tasks={age: {kind: regression, from: {ward: age}}}",
    "training.select_on.task=age",
    "training.epochs=2",
)
FEATURES = {
    "image": tfds.features.Tensor(shape=(32, 32, 1), dtype=np.float32),
    **dict.fromkeys(("image_id", "patient_id", "site"), tfds.features.Text()),
    "age": tfds.features.Scalar(np.float32),
}


@pytest.fixture
def floats(settings, prepare, tmp_path):
    """Settings of a run on float pixels; one pixel or label is replaced."""

    def floats(*overrides, pixel=None, age=None):
        generator = np.random.default_rng(0)
        examples = [
            {
                "image": generator.uniform(0, 1, (32, 32, 1)).astype(np.float32),
                "image_id": f"w{number}",
                "patient_id": f"p{number}",
                "site": "",
                "age": np.float32(40 + number),
            }
            for number in range(24)
        ]
        if pixel is not None:
            examples[7]["image"][3, 4] = pixel
        if age is not None:
            examples[7]["age"] = np.float32(age)
        prepare(tmp_path, "ward", examples, features=FEATURES)
        return settings(*ONE, f"data_dir={tmp_path}", *overrides)

    return floats


@pytest.mark.large
def test_a_run_on_float_pixels_is_exported_and_reproduced(floats):
    run = trainer.train(floats("training.tensorboard=false"))
    facts = run.read_json(run.manifest)["export"]
    assert facts["compared_images"] and facts["largest_difference"] < 1e-5
    assert evaluation.reproduce(run) == []


@pytest.mark.parametrize("cache", ["memory", "stream"])
@pytest.mark.parametrize("pixel", [np.nan, 40.0])
def test_a_float_pixel_out_of_range_is_named_with_its_image(floats, cache, pixel):
    wrong = floats(f"pipeline.cache={cache}", *BARE, pixel=pixel)
    with pytest.raises(DataError, match=r"'ward', image 'w7': expected floats from 0"):
        trainer.train(wrong)
    assert not RunFolder(wrong.run_dir).is_finished


def test_an_infinite_label_is_named_with_its_image(floats):
    with pytest.raises(DataError, match=r"tasks\.age.*infinite, such as that of 'w7'"):
        trainer.train(floats(age=np.inf))


@pytest.mark.large
@pytest.mark.parametrize(
    "more",
    [
        (),
        ("training.accumulate=2",),
        ("training.weighting=uncertainty",),
        ("training.devices=[CPU:0, CPU:1]",),
    ],
    ids=["plain", "accumulated", "weighted", "two devices"],
)
def test_a_learning_rate_that_is_far_too_high(settings, more, monkeypatch, two_cpus):
    monkeypatch.setattr(SaveState, "SECONDS", 0)
    # The configuration allows less than 10.
    build = trainer.build_optimizer
    monkeypatch.setattr(
        trainer,
        "build_optimizer",
        lambda name, rate, *a, **k: build(name, 1e12, *a, **k),
    )
    wrong = settings(*BARE, *more)
    with pytest.raises(MdmtError, match=r"(learning_rate|gives no number)"):
        trainer.train(wrong)
    run = RunFolder.open(wrong.run_dir)
    assert not run.is_finished
    # What is left to go on from is good.
    state = checkpoint.newest_state(run.last_state)
    assert state is None or checkpoint.damage_of(state) is None


@pytest.mark.large
@pytest.mark.parametrize(
    "more",
    [
        ("training.accumulate=2",),
        ("training.weighting=uncertainty",),
        ("training.devices=[CPU:0, CPU:1]", "training.accumulate=2"),
        ("training.devices=[CPU:0, CPU:1]", "training.weighting=uncertainty"),
    ],
    ids=["accumulated", "weighted", "two devices", "two devices weighted"],
)
def test_half_precision_trains_and_ends_like_single_precision(settings, more, two_cpus):
    single, half = (
        trainer.train(settings("training.epochs=2", *BARE, *more, precision))
        for precision in (
            "training.precision=float32",
            "training.precision=mixed_float16",
        )
    )
    assert evaluation.reproduce(half) == []
    losses = [pd.read_csv(run.history)["train/loss"] for run in (single, half)]
    np.testing.assert_allclose(*losses, rtol=0.05)


@pytest.mark.large
def test_half_precision_that_overflows_in_every_step_is_named(settings):
    wrong = settings(
        "training.precision=mixed_float16",
        "tasks.age.weight=1e30",
        "training.epochs=12",
        *BARE,
    )
    with pytest.raises(MdmtError, match="mixed_float16, gradients overflow even with"):
        trainer.train(wrong)


@pytest.mark.large
def test_a_run_stopped_by_a_layer_keeps_the_state_before(settings, monkeypatch):
    monkeypatch.setattr(SaveState, "SECONDS", 0)
    # From the second epoch on, the augmentation gives NaN for one image.
    batches = epochs.training_batches

    def broken(fit, epoch, epochs, step):
        made = batches(fit, epoch, epochs, step)
        steps = 3

        def spoil(number, batch):
            inputs, targets, weights = batch
            lost = number + epoch * steps + step >= steps + 1
            rows = (tf.range(tf.shape(inputs)[0]) == 2)[:, None, None, None]
            return tf.where(rows & lost, np.nan, inputs), targets, weights

        return made.enumerate().map(spoil)

    monkeypatch.setattr(epochs, "training_batches", broken)
    wrong = settings(*BARE)
    with pytest.raises(MdmtError) as stopped:
        trainer.train(wrong)
    text = str(stopped.value)
    assert "in epoch 2, step 2 of 3" in text and "pipeline.augmentation" in text
    run = RunFolder.open(wrong.run_dir)
    assert str(run.last_state) in text
    assert checkpoint.read_progress(run.last_state)["next_epoch"] == 1
    assert len(pd.read_csv(run.history)) == 1
    # Resumed, it stops at the same step, or goes on if the cause is gone.
    resume = config.load(f"{run.path}/config.yaml")
    with pytest.raises(MdmtError, match="in epoch 2, step 2 of 3"):
        trainer.train(resume, resume_from=run.path)
    monkeypatch.setattr(epochs, "training_batches", batches)
    whole = trainer.train(settings(*BARE))
    resumed = trainer.train(resume, resume_from=run.path)
    assert resumed.predictions.read_bytes() == whole.predictions.read_bytes()
