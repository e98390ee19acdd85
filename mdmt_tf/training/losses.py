"""The indicator loss: eq. 2 of Ruffini et al. (MICCAI 2024) through sample weights.

    L = sum_i sum_t  lambda_t  I(x_i, t)  c_t(y_i)  L_t(O_i, Y_i)

over the rows i of a batch and the tasks t. lambda_t is `Task.weight` (1 in the paper),
c_t the class weight (1 in the paper), L_t the loss of the task, the cross-entropy of
eq. 3 by default. The pipeline gives I * c as the sample weight of output t, so Keras'
own losses, weighted and summed over outputs, are eq. 2. Keras divides by the number of
rows of the batch, labelled or not (`sum_over_batch_size`). Every training batch has the
same size B, so the loss is eq. 2 / B with B constant.

Plain Adam and AdamW divide by the size of the gradient, so they take the same steps at
any such scale, up to epsilon. Adam with L2 weight decay does not: the penalty is added
to the gradient unscaled, so a smaller loss means a stronger decay. In that case, the
sum of eq. 2 and its mean train differently, and `weight_decay` is relative to the mean.

Dividing by the labelled rows instead would make the weight of a row depend on the other
rows of its batch, and the result would differ between one replica and several.
"""

from collections.abc import Sequence

import keras
import numpy as np

from mdmt_tf.tasks import Task, make_task
from mdmt_tf.training.finiteness import GradientWatch, normalized_kernels
from mdmt_tf.training.optimizers import Adam, LossScaleOptimizer


@keras.saving.register_keras_serializable(package="mdmt_tf")
class TaskLoss(keras.losses.Loss):
    """The loss of one task on its logits.

    Values and gradients are those of Keras' own loss of the same formula.

    Args:
        task: its `training_loss` is computed, on the targets of `Task.targets`.
        reduction: None for one value per label, shape (batch, *label_shape).

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
        >>> targets, logits = np.array([[1.0], [0.0]]), np.array([[0.0], [0.0]])
        >>> round(float(TaskLoss(death)(targets, logits, np.array([1.0, 0.0]))), 4)
        0.3466
    """

    def __init__(self, task: Task, reduction: str | None = "sum_over_batch_size"):
        super().__init__(name=f"{task.name}_loss", reduction=reduction)
        self._task = task

    def call(self, y_true, y_pred):
        """The loss of each row, (n,), of encoded targets and logits."""
        return self._task.training_loss(y_true, y_pred, keras.ops)

    def get_config(self):
        """Plain values: the name follows from the task."""
        return {"task": self._task.to_plain(), "reduction": self.reduction}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"task": make_task(**config["task"])})


@keras.saving.register_keras_serializable(package="mdmt_tf")
class MaskedLoss(keras.metrics.Metric):
    """Mean loss of a task over the rows that count, sum(w l) / sum(w), over batches.

    The loss is `Task.reported_loss`, which can be compared with the metric `loss` of
    other rows, whatever loss and scale the task is trained with.

    Keras' own `<output>_loss` divides by all rows, including those of other datasets,
    so it is smaller for a rarer task. Here the two sums are kept separate until the end
    of the epoch. NaN when no row counts, so that "no data" never reads as 0.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> metric = MaskedLoss(make_task(kind="regression", name="age"))
        >>> targets, outputs = np.array([[1.0], [5.0]]), np.array([[3.0], [0.0]])
        >>> metric.update_state(targets, outputs, np.array([1.0, 0.0]))
        >>> float(metric.result())  # (1 - 3)^2; the second row does not count
        4.0
    """

    def __init__(self, task: Task, name: str = "masked_loss"):
        super().__init__(name=name, dtype="float32")
        self._task = task
        self.total = self.add_variable((), initializer="zeros", name="total")
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        # As Keras' losses convert them.
        targets = keras.ops.convert_to_tensor(y_true, "float32")
        logits = keras.ops.convert_to_tensor(y_pred, "float32")
        losses = self._task.reported_loss(targets, logits, keras.ops)
        if sample_weight is None:
            weights = keras.ops.ones_like(losses)
        else:
            weights = keras.ops.cast(sample_weight, "float32")
        weights = keras.ops.reshape(weights, keras.ops.shape(losses))
        self.total.assign_add(keras.ops.sum(losses * weights))
        self.count.assign_add(keras.ops.sum(weights))

    def result(self):
        # 0 / 0 is NaN, which stands for "no data".
        return self.total / self.count

    def get_config(self):
        """Plain values; the type is always float32."""
        return {"task": self._task.to_plain(), "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"task": make_task(**config["task"])})


def compile_model(
    model: keras.Model, tasks: Sequence[Task], optimizer: keras.optimizers.Optimizer
) -> dict[str, MaskedLoss]:
    """Compile for the indicator loss.

    The metrics are returned because their names in Keras' logs depend on the number of
    outputs. The model is ready for its first step, see `create_step_variables`. Call
    this function inside the strategy's scope. The package's own optimizer notes
    gradients that are not finite; in `mixed_float16`, the loss is scaled.

    Args:
        model: with one output of logits for each task, under its name.
        tasks: the tasks to train.
        optimizer: of Keras, or of `mdmt_tf.training.optimizers`.
    Returns: task -> the metric of its training loss.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> image = keras.Input((2,))
        >>> model = keras.Model(image, {"age": keras.layers.Dense(1)(image)})
        >>> list(compile_model(model, [age], keras.optimizers.Adam()))
        ['age']
    """
    metrics = {task.name: MaskedLoss(task) for task in tasks}
    if isinstance(optimizer, Adam):
        optimizer.watch = GradientWatch(
            len(model.trainable_variables), normalized_kernels(model)
        )
    if model.dtype_policy.name == "mixed_float16":
        optimizer = LossScaleOptimizer(optimizer)
    model.compile(
        optimizer=optimizer,
        loss={task.name: TaskLoss(task) for task in tasks},
        loss_weights={task.name: task.weight for task in tasks},
        weighted_metrics={name: [metric] for name, metric in metrics.items()},
    )
    create_step_variables(model, tasks)
    return metrics


def create_step_variables(model: keras.Model, tasks: Sequence[Task]) -> None:
    """Create the variables of the first training step, so that it is traced once.

    TensorFlow traces a function again when its first trace has created variables. Keras
    creates those of the optimizer and of each output's logged loss in the first step.
    Nothing else changes: variables keep their values, and no seed is used.

    Args:
        model: compiled model; output t has the shape (batch, n_outputs of t).
        tasks: tasks that the model was compiled for.
    Source: "Creating tf.Variables" in TensorFlow's guide to `tf.function`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> task = make_task(name="severe", kind="binary")
        >>> image = keras.Input((2,))
        >>> model = keras.Model(image, {"severe": keras.layers.Dense(1)(image)})
        >>> model.compile("adam", {"severe": TaskLoss(task)})
        >>> model.optimizer.built
        False
        >>> create_step_variables(model, [task])
        >>> model.optimizer.built
        True
    """
    model.optimizer.build(model.trainable_variables)
    # One row without any label, and a prediction for it.
    row: dict[str, dict[str, np.ndarray]] = {"y": {}, "y_pred": {}, "sample_weight": {}}
    for task in tasks:
        unknown = np.full((1, *task.label_shape), np.nan)
        row["y"][task.name] = task.targets(unknown)[0]
        row["y_pred"][task.name] = np.zeros((1, task.n_outputs), np.float32)
        row["sample_weight"][task.name] = np.ones(unknown.shape, np.float32)
    row = keras.tree.map_structure(keras.ops.convert_to_tensor, row)
    # Variables are created, but no metric counts the row. Replicas could not count it,
    # because their sums cannot be changed outside of a step.
    with keras.StatelessScope():
        model.compute_loss(x=None, **row)
        model.compute_metrics(x=None, **row)
