"""Numbers of parameters, against the shapes of the layers."""

import keras

from mdmt_tf.models.parameters import backbone_text, count_parameters


def test_statistics_count_and_heads_are_of_the_model():
    inputs = keras.Input((4,))
    body = keras.layers.Dense(3)(inputs)
    body = keras.layers.BatchNormalization()(body)
    backbone = keras.Model(inputs, body, name="own")
    model = keras.Model(inputs, keras.layers.Dense(2)(backbone(inputs)))
    own = (4 + 1) * 3 + 4 * 3
    expected = {"backbone": own, "model": own + (3 + 1) * 2}
    assert count_parameters(model, "own") == expected


def test_what_is_counted_is_said():
    assert backbone_text("own", 1200, "trainable") == "own, 1,200 trainable parameters"
