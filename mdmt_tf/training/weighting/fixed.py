"""Every task with a constant weight, `Task.weight`: eq. 2 as it is."""

import keras

from mdmt_tf.training.weighting.base import Weighting


class Fixed(Weighting):
    """The sum of the terms of eq. 2.

        total = sum_t losses[t] = sum_t lambda_t L_t

    Keras computes the same from `loss_weights`, so the model is fitted as it is.

    Example:
        >>> model = keras.Sequential()
        >>> Fixed([]).attach(model, "net") is model
        True
    """

    def attach(self, model: keras.Model, backbone: str) -> keras.Model:
        return model
