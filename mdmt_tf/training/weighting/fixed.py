"""A constant weight for every task, `Task.weight`, as in eq. 2."""

import keras

from mdmt_tf.training.weighting.base import Weighting


class Fixed(Weighting):
    """The sum of the terms of eq. 2.

        total = sum_t losses[t] = sum_t lambda_t L_t

    Keras computes the same from `loss_weights`, so the model is fitted unchanged.

    Example:
        >>> model = keras.Sequential()
        >>> Fixed([]).attach(model, "net") is model
        True
    """

    def attach(self, model: keras.Model, backbone: str) -> keras.Model:
        return model
