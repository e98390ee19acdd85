"""Weights learned from the uncertainty of each task."""

import keras

from mdmt_tf.training.weighting.base import Weighting


class Uncertainty(Weighting):
    """Homoscedastic uncertainty, one learned s_t = log sigma_t^2 per task.

    For one labelled row, the negative log-likelihood of a task with the loss L is

        exp(-s) L + s / 2       classes: cross-entropy, logits divided by sigma^2
        exp(-s) L / 2 + s / 2   regression: squared error, a Gaussian of variance
                                sigma^2

    up to a constant, where the loss of a standardised regression is half the squared
    error already. The first is an approximation that is exact at s = 0 (the last
    step of eq. 10); the second is exact (eq. 5). An ordinal task, the mean
    cross-entropy of its thresholds, counts as classes.

    A missing label has no likelihood, so the sum is over the labelled rows, each with
    its factors in eq. 2 (task weight lambda_t and class weight c_t):

        total = sum_t  lambda_t / B  sum_i I(x_i, t) c_t(y_i)
                       (a_t exp(-s_t) L_t(O_i, Y_i) + s_t / 2)
              = sum_t  a_t exp(-s_t) losses[t] + s_t / 2 fractions[t]

    with a_t = `Task.likelihood_factor`, 1/2 for a squared error and 1 for classes and
    for half the squared error. Huber's loss counts as the latter, which is exact for
    errors up to its bound, and the focal loss as a cross-entropy. It follows that

    - the gradient of s_t is 0 in a batch without any label of task t (but the optimizer
      may still move it by its momentum, as it moves the head of that task);
    - replicas and accumulated batches add up to the same as one large batch;
    - exp(s_t) tends to the mean squared error of a regression (in units of its std, if
      standardised) and to twice the mean cross-entropy of classes, over labelled rows:
      it does not depend on how rare the labels of the task are, nor on lambda_t.
      lambda_t remains a constant factor of the whole term of a task. As a factor of L_t
      alone, s_t would learn to undo it.

    Training begins with s_t = 0 and moves s_t by the optimizer's learning rate. The
    total can be negative.

    Source: Kendall, Gal and Cipolla 2018, Multi-Task Learning Using Uncertainty to
        Weigh Losses for Scene Geometry and Semantics, eq. 5, 7 and 10; s = log sigma^2
        is the end of its section 3.2.

    Example:
        >>> import math
        >>> from mdmt_tf.tasks import make_task
        >>> method = Uncertainty([make_task(name="age", kind="regression")])
        >>> _ = method.log_variances["age"].assign(math.log(4.0))
        >>> float(method.task_weights()["age"])
        0.125
        >>> total = method.total({"age": 4.0}, {"age": 1.0})
        >>> f"{float(total):.4f}"  # 1/4 * 4/2 + log(4)/2
        '1.1931'
    """

    def __init__(self, tasks):
        super().__init__(tasks)
        self.log_variances = {
            task.name: self.add_weight((), "zeros", name=task.name)
            for task in self.tasks
        }
        self._factors = {task.name: task.likelihood_factor for task in tasks}
        self._constants = {task.name: task.weight for task in tasks}

    def total(self, losses, fractions):
        return sum(
            self._factors[name] * keras.ops.exp(-s) * losses[name]
            + 0.5 * s * fractions[name]
            for name, s in self.log_variances.items()
        )

    def task_weights(self):
        """{task: lambda_t a_t exp(-s_t)}."""
        return {
            name: self._constants[name] * self._factors[name] * keras.ops.exp(-s)
            for name, s in self.log_variances.items()
        }
