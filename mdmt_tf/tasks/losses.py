"""Losses to train a task with. Each kind lists its own, see `Task.losses`.

All formulas take logits, and are finite with finite gradients for any finite logits, as
they never take the logarithm of a rounded probability.
"""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Loss:
    """One loss of a kind of task.

    Attributes:
        formula: (targets of `Task.targets`, logits (n, n_outputs), keras.ops) -> the
            loss of each label, (n, *label_shape).
        likelihood_factor: a in a L, the negative log-likelihood of a label at unit
            variance, up to a constant, where L is the loss: 1 for a cross-entropy, 1/2
            for the squared error of a Gaussian (Kendall et al. 2018, eq. 5 and 10).
        mixes: whether the loss of a mean of targets is the mean of their losses, up to
            a constant that does not depend on the logits.
        logit_scale: factor of the outputs that makes them logits of the predicted
            probabilities; other than 1 for a loss whose outputs are no logits.
    """

    formula: Callable
    likelihood_factor: float = 1.0
    mixes: bool = True
    logit_scale: float = 1.0


def mean_over_outputs(formula: Callable) -> Callable:
    """The mean over the last axis of a formula for single outputs."""

    def mean(targets, logits, ops):
        return ops.mean(formula(targets, logits, ops), axis=-1)

    return mean


# Of a number, or of one logit for a yes or no, one value for each output.


def squared_error(targets, outputs, ops):
    """(y - f)^2 of numbers.

    Example:
        >>> import keras
        >>> float(squared_error(1.0, 4.0, keras.ops))
        9.0
    """
    return ops.square(targets - outputs)


def huber(targets, outputs, ops):
    """r^2 / 2 up to r = |y - f| = 1, then r - 1/2.

    Source: Huber 1964, Robust Estimation of a Location Parameter, with delta = 1.

    Example:
        >>> import keras
        >>> float(huber(0.0, 0.5, keras.ops)), float(huber(0.0, -3.0, keras.ops))
        (0.125, 2.5)
    """
    error = ops.abs(targets - outputs)
    # The squared part is cut, so that it cannot overflow where it is not used.
    near = ops.minimum(error, 1.0)
    return 0.5 * ops.square(near) + (error - near)


def sigmoid_cross_entropy(targets, logits, ops):
    """-y log p - (1 - y) log(1 - p) with p = sigmoid(logit).

    Example:
        >>> import keras
        >>> targets, logits = keras.ops.ones((1, 1)), keras.ops.zeros((1, 1))
        >>> f"{float(sigmoid_cross_entropy(targets, logits, keras.ops)[0, 0]):.4f}"
        '0.6931'
    """
    return ops.binary_crossentropy(targets, logits, from_logits=True)


def sigmoid_focal(targets, logits, ops):
    """-(1 - q)^2 log q, where q is the probability of the true answer.

    The factor alpha of its class is the class weight, which the sample weights hold.

    Source: Lin et al. 2017, Focal Loss for Dense Object Detection, eq. 4, gamma = 2.

    Example:
        >>> import keras
        >>> targets, logits = keras.ops.ones((1, 1)), keras.ops.zeros((1, 1))
        >>> f"{float(sigmoid_focal(targets, logits, keras.ops)[0, 0]):.4f}"
        '0.1733'
    """
    missing = targets + (1.0 - 2.0 * targets) * ops.sigmoid(logits)
    return ops.square(missing) * sigmoid_cross_entropy(targets, logits, ops)


def sigmoid_squared_error(targets, logits, ops):
    """(y - p)^2 with p = sigmoid(logit): half the Brier score of two classes.

    Source: Brier 1950, Verification of Forecasts Expressed in Terms of Probability.

    Example:
        >>> import keras
        >>> targets, logits = keras.ops.ones((1, 1)), keras.ops.zeros((1, 1))
        >>> float(sigmoid_squared_error(targets, logits, keras.ops)[0, 0])
        0.25
    """
    return ops.square(targets - ops.sigmoid(logits))


# Of k logits for one of k classes; targets are class indices (n,), or the fraction of
# each class (n, k), for mixed images, where a loss mixes.


def softmax_cross_entropy(targets, logits, ops):
    """-log p of the true class with p = softmax(logits).

    Example:
        >>> import keras
        >>> loss = softmax_cross_entropy([1], keras.ops.zeros((1, 2)), keras.ops)
        >>> f"{float(loss[0]):.4f}"
        '0.6931'
    """
    if len(ops.shape(targets)) == 2:
        return ops.categorical_crossentropy(targets, logits, from_logits=True)
    return ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)


def softmax_focal(targets, logits, ops):
    """-(1 - p)^2 log p of the true class with p = softmax(logits).

    Source: Lin et al. 2017, eq. 4, gamma = 2, see `sigmoid_focal`.

    Example:
        >>> import keras
        >>> loss = softmax_focal([1], keras.ops.zeros((1, 2)), keras.ops)
        >>> f"{float(loss[0]):.4f}"
        '0.1733'
    """
    cross_entropy = softmax_cross_entropy(targets, logits, ops)
    return ops.square(1.0 - ops.exp(-cross_entropy)) * cross_entropy


def softmax_squared_error(targets, logits, ops):
    """mean_c (y_c - p_c)^2, the Brier score over k: y is one-hot, p = softmax(logits).

    Source: Brier 1950, Verification of Forecasts Expressed in Terms of Probability.

    Example:
        >>> import keras
        >>> logits = keras.ops.zeros((1, 2))
        >>> float(softmax_squared_error([1], logits, keras.ops)[0])
        0.25
    """
    classes = _fractions(targets, logits, ops)
    return ops.mean(ops.square(classes - ops.softmax(logits, axis=-1)), axis=-1)


def softmax_binary_cross_entropy(targets, logits, ops):
    """mean_c -y_c log p_c - (1 - y_c) log(1 - p_c) with p = softmax(logits).

    Of two classes it equals the cross-entropy, because both terms are the same.

    Source: `torch.nn.BCELoss` on a softmax, as in the code of Ruffini et al. 2024. It
        limits a logarithm to -100, which is not done here.

    Example:
        >>> import keras
        >>> loss = softmax_binary_cross_entropy([1], keras.ops.zeros((1, 3)), keras.ops)
        >>> f"{float(loss[0]):.4f}"  # (log 3 + 2 log 3 / 2) / 3
        '0.6365'
    """
    classes = _fractions(targets, logits, ops)
    of_all = ops.logsumexp(logits, axis=-1, keepdims=True)
    # 1 - p of a class is the sum over the others, whose logarithm is never that of 0.
    own = ops.eye(logits.shape[-1], dtype=logits.dtype)
    others = ops.logsumexp(logits[:, None, :] - 1e30 * own, axis=-1)
    right, wrong = of_all - logits, of_all - others
    return ops.mean(classes * right + (1.0 - classes) * wrong, axis=-1)


def raw_squared_error(targets, outputs, ops):
    """mean_c (y_c - f_c)^2: y is one-hot, f are the outputs themselves.

    The outputs are no logits: they estimate the probabilities, but need not be from 0
    to 1 or sum to 1. The predicted probability of a class falls with the squared
    distance of the outputs from its one-hot vector e_c,

        p_c = exp(-|f - e_c|^2) / sum_d exp(-|f - e_d|^2) = softmax(2 f)_c

    so the most probable class is that of the largest output. Of two classes with
    outputs 1 - p and p, it is p up to first order about 1/2.

    Source: the loss of prognosis in the code of Ruffini et al. 2024, which takes the
        largest output and has no probabilities.

    Example:
        >>> import keras
        >>> outputs = keras.ops.array([[0.5, 0.5]])
        >>> float(raw_squared_error([1], outputs, keras.ops)[0])
        0.25
    """
    return ops.mean(ops.square(_fractions(targets, outputs, ops) - outputs), axis=-1)


def _fractions(targets, logits, ops):
    """Targets as the fraction of each class, (n, k)."""
    if len(ops.shape(targets)) == 2:
        return targets
    # Keras converts targets to floats.
    indices = ops.cast(targets, "int32")
    return ops.one_hot(indices, logits.shape[-1], dtype=logits.dtype)
