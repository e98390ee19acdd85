"""What a method of loss weighting is: a layer of its own beside the model.

A method sees the terms of eq. 2 (see `mdmt_tf.training.losses`), one a task, as two
dicts of scalars with the tasks' names as keys:

    losses[t]    = lambda_t / B  sum_i I(x_i, t) c_t(y_i) L_t(O_i, Y_i)
    fractions[t] = lambda_t / B  sum_i I(x_i, t) c_t(y_i)

B is the number of rows of the batch, labelled or not. `fractions` is what `losses`
would be if every row had a loss of 1: 0 for a task without any label in the batch.
`losses[t] / fractions[t]` is the mean loss of the labelled rows.

Source of the two places where methods plug in, the total loss and the gradients of the
shared backbone: the split of methods in Vandenhende et al. 2021, Multi-Task Learning
for Dense Prediction Tasks: A Survey, section 4.
"""

from collections.abc import Mapping, Sequence

import keras

from mdmt_tf.tasks import Task
from mdmt_tf.training.weighting.model import WeightedModel

Terms = Mapping[str, "keras.KerasTensor"]


class Weighting(keras.layers.Layer):
    """Base of all methods: the sum of the terms, which is eq. 2.

    A method overrides `total`, or sets `uses_task_gradients` and overrides
    `backbone_gradients`, or both. Its variables (`add_weight` in `__init__`) are
    trained with the gradient of `total`, are outside of weight decay, and are in the
    state of an interrupted run; they are no part of the model that is saved and
    exported. A variable that a method assigns itself needs `trainable=False` and
    `aggregation="only_first_replica"`.

    Args:
        tasks: of the model.

    Example: the backbone is trained for the first task alone.
        >>> from mdmt_tf.tasks import make_task
        >>> class FirstTask(Weighting):
        ...     uses_task_gradients = True
        ...
        ...     def backbone_gradients(self, gradients, losses, fractions):
        ...         return list(gradients[self.tasks[0].name])
        >>> FirstTask([make_task(name="age", kind="regression")]).name
        'firsttask'
    """

    # Whether the step computes the gradients of each task and calls
    # `backbone_gradients`: one backward pass through the backbone a task.
    uses_task_gradients = False

    def __init__(self, tasks: Sequence[Task]):
        super().__init__(dtype="float32", name=type(self).__name__.lower())
        self.tasks = tuple(tasks)
        # Its variables exist already.
        self.built = True

    def attach(self, model: keras.Model, backbone: str) -> keras.Model:
        """The model to compile and fit in the place of `model`; they share all weights.

        Args:
            model: of `mdmt_tf.models.multitask.build_model`.
            backbone: name of the layer that all tasks share.
        """
        return WeightedModel(model, backbone, self)

    def total(self, losses: Terms, fractions: Terms):
        """The loss that is trained, a float32 scalar.

        On several replicas each one calls it with the terms of its own rows, and the
        results are added up: the total must be linear in `losses` and `fractions`.
        """
        return sum(losses.values())

    def backbone_gradients(
        self,
        gradients: Mapping[str, Sequence],
        losses: Terms,
        fractions: Terms,
    ) -> list:
        """The gradient that the backbone is trained with, from those of the tasks.

        Heads, and the variables of the method, are trained with that of `total`. All
        arguments are of the whole batch, whatever the number of replicas.

        Args:
            gradients: {task: gradients of losses[task]}, one tensor for each trainable
                variable of the backbone, in the shape of the variable. With
                `precision: mixed_float16` all are multiplied by the same loss scale.
            losses, fractions: see above.
        Returns: a tensor for each trainable variable of the backbone.
        """
        return [sum(each) for each in zip(*gradients.values(), strict=True)]

    def task_weights(self) -> dict:
        """{task: factor of its loss L_t now}, for TensorBoard and `history.csv`.

        Scalars or variables; empty where there is nothing to follow.
        """
        return {}
