"""Probabilities from a model in memory and from a SavedModel."""

import keras
import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.errors import DataError
from mdmt_tf.serving.predictor import ServedModel, TrainedModel


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
