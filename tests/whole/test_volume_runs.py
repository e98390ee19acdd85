"""A whole run on volumes: one dataset that feeds three tasks, by the same trainer."""

import dataclasses

import nibabel
import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.data import pipeline, sampling
from mdmt_tf.data.images import Images
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.data.training_set import build_training_set
from mdmt_tf.errors import DataError
from mdmt_tf.saliency import choice
from mdmt_tf.serving import evaluation
from mdmt_tf.serving.predictor import ServedModel
from mdmt_tf.training import trainer
from mdmt_tf.training.inputs import open_inputs

SHAPE = (8, 12, 10)
TASKS = {
    "prognosis": {
        "kind": "binary",
        "classes": ["good", "poor"],
        "from": {"heads": "poor_prognosis"},
        "weight": 0.4,
        "oversample": True,
    },
    "gcs": {
        "kind": "ordinal",
        "classes": ["mild", "moderate", "severe"],
        "cut_points": [9, 13],
        "descending": True,
        "from": {"heads": "gcs"},
        "weight": 0.3,
    },
    "age": {
        "kind": "binary",
        "cut_points": [80],
        "from": {"heads": "age"},
        "weight": 0.3,
    },
}
SETTINGS = {
    "experiment": "heads",
    "seed": 3,
    "image_size": list(SHAPE),
    "tasks": TASKS,
    "datasets": {"heads": {"config": "head_8x12x10"}},
    "split": {
        "folds": 5,
        "stratify_by": ["prognosis"],
        "validation": "fraction",
        "validation_fraction": 0.2,
    },
    "model": {
        "backbone": "tiny",
        "heads": "linear",
        "backbone_dropout": 0.1,
        "head_dropout": 0,
    },
    "pipeline": {
        "augmentation": {
            "elastic_probability": 0,
            "rotation_degrees": 5,
            "noise_probability": 0.5,
        }
    },
    "training": {
        "epochs": 3,
        "batch_size": 4,
        "optimizer": "adamw",
        "amsgrad": True,
        "accumulate": 3,
        "warmup_epochs": 0,
        "select_on": {"task": "prognosis", "metric": "balanced_accuracy"},
        "saliency": 2,
    },
}
N = 60
# Without what is not looked at.
BARE = (
    "training.saliency=0",
    "training.saved_model=false",
    "training.tensorboard=false",
)


def head(number):
    """A third have a poor outcome and a bright half; some scores, ages are unknown."""
    generator = np.random.default_rng(number)
    poor = number % 3 == 0
    volume = generator.random((*SHAPE, 1))
    volume[4:] *= 1.0 if poor else 0.3
    affine = np.array(
        [[0, 0, -2, 30], [0, -2, 0, 40], [5, 0, 0, -20], [0, 0, 0, 1]], np.float32
    )
    # The file has columns, rows, slices; the patient's left first.
    original = np.array(
        [[-2, 0, 0, 30], [0, -2, 0, 40], [0, 0, 5, -20], [0, 0, 0, 1]], np.float32
    )
    return {
        "volume": np.rint(volume * 32767).astype(np.int16),
        "image_id": f"h{number:02d}",
        "patient_id": f"h{number:02d}",
        "site": "heads",
        "poor_prognosis": np.int8(poor),
        "gcs": np.int8(-1 if number % 7 == 0 else 3 + number % 13),
        "age": np.float32(np.nan if number % 9 == 0 else 60 + number % 35),
        "original_shape": np.array(SHAPE[::-1], np.int32),
        "affine": affine.reshape(-1),
        "original_affine": original.reshape(-1),
    }


@pytest.fixture(scope="module")
def heads_dir(prepare, tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    examples = [head(number) for number in range(N)]
    features = {
        key: tfds.features.Text()
        if isinstance(value, str)
        else tfds.features.Tensor(
            shape=np.shape(value),
            dtype=np.asarray(value).dtype,
            encoding="zlib" if key == "volume" else "none",
        )
        for key, value in examples[0].items()
    }
    prepare(
        folder,
        "heads",
        examples,
        features=features,
        config="head_8x12x10",
        metadata={"synthetic": True},
    )
    return folder


@pytest.fixture(scope="module")
def settings(tiny_volume_backbone, heads_dir, tmp_path_factory):
    def settings(*overrides):
        folder = tmp_path_factory.mktemp("settings")
        files.write(SETTINGS | {"data_dir": str(heads_dir)}, folder / "heads.yaml")
        path = str(folder / "heads.yaml")
        return config.load(path, [f"run_dir={folder / 'run'}", *overrides])

    return settings


@pytest.fixture(scope="module")
def run(settings):
    return trainer.train(settings())


@pytest.fixture(scope="module")
def inputs(settings):
    return open_inputs(settings())


def test_three_tasks_are_predicted_and_judged(run):
    table = pd.read_csv(run.predictions, dtype={"image_id": str})
    assert set(table["task"]) == set(TASKS)
    assert len(table) == 3 * N
    metrics = run.read_json(run.metrics)["test"]
    assert {"auc", "specificity", "npv", "precision", "recall"} <= set(metrics["age"])
    assert {"mae", "rmse", "kappa", "ordinal_index"} <= set(metrics["gcs"])
    # A score or an age that is not known counts for nobody.
    for task, every in (("gcs", 7), ("age", 9)):
        unknown = table[(table["task"] == task) & table["target"].isna()]
        assert set(unknown["image_id"]) == {f"h{n:02d}" for n in range(0, N, every)}
        known = table[(table["task"] == task) & (table["split"] == "test")]
        assert metrics[task]["n"] == known["target"].notna().sum()


def test_the_outcome_can_be_learned(run):
    """A bright half, oversampled; the rest of the machinery must not lose it."""
    assert run.read_json(run.metrics)["train"]["prognosis"]["auc"] > 0.9


def test_served_and_evaluated_again(run, settings, inputs):
    served = ServedModel(run.saved_model)
    assert not served.takes_files
    assert served.information["image"]["size"] == list(SHAPE)
    assert evaluation.reproduce(run) == []
    # Any other size is resized in the graph.
    large = np.zeros((1, 16, 24, 20, 1), np.float32)
    assert served.predict(large)["gcs"].shape == (1, 3)


def test_saliency_of_each_task(run):
    table = pd.read_csv(run.saliency / "saliency.csv")
    assert len(table) == 2 * 3 * 3
    assert set(table["task"]) == set(TASKS)
    for row in table.itertuples():
        assert (run.saliency / row.file).stat().st_size > 1000
        image = nibabel.load(run.saliency / row.volume)
        assert image.shape == SHAPE[::-1]
        np.testing.assert_allclose(np.diag(image.affine), [-2, -2, 5, 1])


@pytest.mark.large
def test_an_interrupted_run_ends_with_the_same_predictions(run, settings, monkeypatch):
    """Sums of gradients, the largest moments and the draws are all taken up again."""
    monkeypatch.setattr("mdmt_tf.training.saving.SaveState.SECONDS", 0)
    again = settings(*BARE)

    def write(text):
        if text.lstrip().startswith("2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(again, write=write)
    resumed = trainer.train(again, resume_from=again.run_dir)
    assert resumed.predictions.read_bytes() == run.predictions.read_bytes()


@pytest.mark.large
def test_two_devices_train_volumes(settings, two_cpus):
    """Accumulation, oversampling and dropout of channels under MirroredStrategy."""
    made = settings(
        f"training.devices=[{', '.join(two_cpus)}]",
        "training.epochs=1",
        "training.precision=mixed_bfloat16",
        *BARE,
    )
    run = trainer.train(made)
    metrics = run.read_json(run.metrics)
    assert np.isfinite(metrics["validation"]["prognosis"]["loss"])
    assert run.read_json(run.manifest)["devices"] == two_cpus


def test_oversampling_stays_in_the_training_split(inputs):
    """Nobody of the other splits is drawn, and nobody else's row is repeated there."""
    train = inputs.samples["train"]
    draws = build_training_set(train).draws
    labels = train.labels["prognosis"]
    drawn = []
    for epoch in range(4):
        batches = sampling.epoch_batches(draws, batch_size=4, seed=1, epoch=epoch)
        drawn.append(batches.index[batches.counted == 1])
    poor = [(labels[rows] == 1).mean() for rows in drawn]
    assert poor == [0.5] * 4
    assert (labels == 1).mean() < 0.4
    ids = set(train.rows["image_id"].iloc[np.concatenate(drawn)])
    others = inputs.samples["validation"], inputs.samples["test"]
    for samples in others:
        assert not ids & set(samples.rows["image_id"])
        assert samples.rows["image_id"].is_unique


def test_an_unknown_score_masks_that_task_alone(inputs):
    train = inputs.samples["train"]
    unknown = train.labels["gcs"] == -1
    assert unknown.any()
    weights = build_training_set(train).weights
    np.testing.assert_array_equal(weights["gcs"], ~unknown)
    assert (weights["prognosis"] == 1).all()
    assert (train.targets["gcs"][unknown] == 0).all()


def test_volumes_reach_the_network_as_they_were_stored(inputs, settings):
    test = inputs.samples["test"]
    batches = pipeline.image_dataset(
        test.image, inputs.images, batch_size=4, normalization=settings().normalization
    )
    pixels = np.concatenate(list(batches.as_numpy_iterator()))
    for row, name in enumerate(test.rows["image_id"]):
        stored = head(int(name[1:]))["volume"] / np.float32(32767)
        np.testing.assert_allclose(pixels[row], stored, atol=1e-6)


def test_hounsfield_units_are_refused(heads_dir, monkeypatch):
    """Signed integers that are not a fraction of the largest."""
    dataset = open_dataset(heads_dir, "heads", "head_8x12x10")
    decode = type(dataset).decode
    monkeypatch.setattr(type(dataset), "decode", lambda self, r: decode(self, r) - 999)
    with pytest.raises(DataError, match="'heads': expected pixels from 0.*Received: -"):
        Images([dataset], SHAPE)


def test_volumes_where_images_are_expected(heads_dir):
    dataset = open_dataset(heads_dir, "heads", "head_8x12x10")
    with pytest.raises(DataError, match=r"\[32, 32\] is for images .*volume of shape"):
        Images([dataset], (32, 32))
    flat = dataclasses.replace(dataset, image_shape=(12, 10, 1), image_key="image")
    with pytest.raises(DataError, match=r"is for volumes \(depth, height, width, cha"):
        Images([flat], SHAPE)


def test_saliency_of_volumes_that_the_network_sees_smaller(settings):
    """A map on a coarser grid lies in the same place of the head."""
    made = settings("image_size=[8, 8, 8]")
    inputs = open_inputs(made)
    (about,) = choice.of_split(inputs, "test", 1).geometry
    coarse = np.zeros((8, 8, 8), np.float32)
    coarse[6, 1, 5] = 1
    seen = about.to_original(coarse)
    found = np.unravel_index(seen.argmax(), seen.shape)
    # The centre of that voxel on the finer grid, the file's axes in their order.
    finer = (np.array([6, 1, 5]) + 0.5) * np.divide(SHAPE, 8) - 0.5
    assert seen.max() > 0.5 and np.abs(found - finer[::-1]).max() <= 0.5
