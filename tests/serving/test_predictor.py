"""Probabilities from a model in memory and from a SavedModel."""

import keras
import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.errors import ConfigError, DataError, MdmtError
from mdmt_tf.models.dataset_normalization import DatasetBatchNormalization
from mdmt_tf.serving.export import check_export, export_model
from mdmt_tf.serving.predictor import AsDataset, ServedModel, TrainedModel


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(DataError, match="not a SavedModel of mdmt_tf"):
        ServedModel(tmp_path)


def test_a_model_in_memory_is_given_normalised_images():
    """(0.75 - 0.5) / 0.25 = 1; logits 0 and ln 3; probabilities 1/4 and 3/4."""
    image = keras.Input((4, 4, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    logits = keras.layers.Dense(2, use_bias=False, name="prognosis")
    model = keras.Model(image, {"prognosis": logits(pooled)})
    logits.set_weights([np.array([[0.0, np.log(3.0)]], np.float32)])
    tasks = config.load("phantom").build_tasks()[:1]
    predictor = TrainedModel(model, tasks, normalization=((0.5,), (0.25,)))
    images = np.stack([np.full((4, 4, 1), grey, np.float32) for grey in (0.75, 0.5)])
    predicted = predictor.predict(images)
    expected = [[0.25, 0.75], [0.5, 0.5]]
    assert list(predicted) == ["prognosis"]
    np.testing.assert_allclose(predicted["prognosis"], expected, rtol=1e-6)


DATASETS = ("ward", "clinic")


@pytest.fixture(scope="module")
def per_dataset():
    """A model with other statistics for each dataset, and its tasks."""
    image = keras.Input((4, 4, 1), name="image")
    dataset = keras.Input((), dtype="int32", name="dataset")
    norm = DatasetBatchNormalization(2, epsilon=0.0)
    pooled = keras.layers.GlobalAveragePooling2D()(norm((image, dataset)))
    logits = keras.layers.Dense(2, use_bias=False, name="prognosis")
    model = keras.Model((image, dataset), {"prognosis": logits(pooled)})
    logits.set_weights([np.array([[0.0, 1.0]], np.float32)])
    norm.moving_mean.assign([[0.0], [1.0]])
    norm.moving_variance.assign([[1.0], [4.0]])
    norm.dataset_fractions.assign([0.75, 0.25])
    return model, config.load("phantom").build_tasks()[:1]


def chance(logit):
    return 1 / (1 + np.exp(-logit))


# Grey 0.5 and, of the mixture, mean 1/4 and variance 3/4 + 4/4 + 3/16.
CHANCES = {
    "ward": chance(0.5),
    "clinic": chance(-0.25),
    "other": chance(0.25 / np.sqrt(31 / 16)),
}


@pytest.mark.parametrize("exported", [False, True])
def test_images_are_normalised_as_those_of_their_dataset(
    per_dataset, exported, tmp_path
):
    model, tasks = per_dataset
    predictor = TrainedModel(model, tasks, ((0.0,), (1.0,)), datasets=DATASETS)
    if exported:
        about = {"statistics": predictor.statistics}
        path = tmp_path / "model"
        plain = ((0.0,), (1.0,))
        export_model(model, tasks, path, about, plain, datasets=DATASETS)
        predictor = ServedModel(path)
    assert predictor.statistics == {"ward": 0.75, "clinic": 0.25}
    images = np.full((3, 4, 4, 1), 0.5, np.float32)
    answers = predictor.predict(images, list(CHANCES))["prognosis"][:, 1]
    np.testing.assert_allclose(answers, list(CHANCES.values()), rtol=1e-5)
    unseen = predictor.predict(images)["prognosis"][:, 1]
    np.testing.assert_allclose(unseen, [CHANCES["other"]] * 3, rtol=1e-5)
    chosen = AsDataset(predictor, "clinic")
    named = chosen.predict(images, ["ward"] * 3)["prognosis"][:, 1]
    np.testing.assert_allclose(named, [CHANCES["clinic"]] * 3, rtol=1e-5)
    assert chosen.statistics == {"clinic": 1.0}
    with pytest.raises(ConfigError, match=r"--statistics-of wards: .* Did you mean"):
        AsDataset(predictor, "wards")
    if exported:
        pixels = [np.full((4, 4, 1), 51, np.uint8)]
        ward = np.array([[1 - chance(0.2), chance(0.2)]])
        expected = {"prognosis": ward}
        assert check_export(path, tasks, pixels, expected, datasets=["ward"]) < 1e-5
        with pytest.raises(MdmtError, match="predict_of_dataset, output prognosis"):
            check_export(path, tasks, pixels, expected, datasets=["clinic"])


def test_statistics_of_a_dataset_need_a_model_that_has_them():
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, {"x": keras.layers.Flatten()(image)})
    predictor = TrainedModel(model, (), ((0.5,), (0.25,)))
    assert predictor.statistics is None
    with pytest.raises(ConfigError, match="Leave the option out"):
        AsDataset(predictor, "ward")
