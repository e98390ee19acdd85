"""The base of the loss-weighting methods: a layer that is separate from the model.

A method receives the terms of eq. 2 (see `mdmt_tf.training.losses`), one per task, as
two dicts of scalars with the tasks' names as keys:

    losses[t]    = lambda_t / B  sum_i I(x_i, t) c_t(y_i) L_t(O_i, Y_i)
    fractions[t] = lambda_t / B  sum_i I(x_i, t) c_t(y_i)

B is the number of rows of the batch, labelled or not. `fractions` is what `losses`
would be if every row had a loss of 1. It is 0 for a task without labels in the batch.
`losses[t] / fractions[t]` is the mean loss of the labelled rows.

A method changes the total loss or the gradients of the shared backbone. It knows the
tasks, the terms of the present step and its own variables. It is not told the seed of
the run, the settings or the epoch. Therefore

- constants of a method, such as a temperature, are constants of its class;
- a method that draws numbers keeps a `keras.random.SeedGenerator` with a constant
  seed. All replicas draw the same numbers, and so do runs with other seeds;
- a method that compares epochs, such as DWA, compares running means over steps instead,
  in variables of its own.

Source of the division into loss and gradients: Vandenhende et al. 2021, Multi-Task
Learning for Dense Prediction Tasks: A Survey, section 4.
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
    trained with the gradient of `total`, have no weight decay, and are saved in the
    state of an interrupted run. They are not part of the saved and exported model. A
    variable that a method assigns itself needs `trainable=False` and
    `aggregation="only_first_replica"`.

    Args:
        tasks: tasks of the model.

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

    # Whether the gradients of accumulated batches add up to that of one large batch. A
    # method whose factors depend on the batch or on a draw, such as a projection of the
    # tasks' gradients, sets False; `training.accumulate` then averages its gradients of
    # each batch.
    is_linear = True

    # Whether the step computes the gradients of each task and calls
    # `backbone_gradients`; this takes one backward pass of the backbone per task.
    uses_task_gradients = False

    def __init__(self, tasks: Sequence[Task]):
        super().__init__(dtype="float32", name=type(self).__name__.lower())
        self.tasks = tuple(tasks)
        # Its variables exist already.
        self.built = True

    def attach(self, model: keras.Model, backbone: str) -> keras.Model:
        """The model to compile and fit instead of `model`, with the same weights.

        Args:
            model: a model of `mdmt_tf.models.multitask.build_model`.
            backbone: name of the layer that all tasks share.
        """
        return WeightedModel(model, backbone, self)

    def total(self, losses: Terms, fractions: Terms):
        """The training loss, a float32 scalar.

        Each replica calls it with the terms of its own rows, and the results are added
        up. The total must therefore be linear in `losses` and `fractions`.
        """
        return sum(losses.values())

    def backbone_gradients(
        self,
        gradients: Mapping[str, Sequence],
        losses: Terms,
        fractions: Terms,
    ) -> list:
        """Combine the gradients of the tasks into the gradient of the backbone.

        Heads and the variables of the method are trained with the gradient of `total`.
        All arguments cover the whole batch, for any number of replicas.

        Args:
            gradients: {task: gradients of losses[task]}, one tensor for each trainable
                variable of the backbone, with the shape of the variable. With
                `precision: mixed_float16`, all are multiplied by the same loss scale.
            losses, fractions: see above.
        Returns: a tensor for each trainable variable of the backbone.
        """
        return [sum(each) for each in zip(*gradients.values(), strict=True)]

    def task_weights(self) -> dict:
        """{task: present factor of its loss L_t}, for TensorBoard and `history.csv`.

        Scalars or variables; empty if the method has no weights to report.
        """
        return {}
