"""One backbone with one head per task.

Source of the heads: Ruffini et al. (MICCAI 2024), section on the model, and its code.
"""

from collections.abc import Sequence

import keras

from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.models.backbones.blocks import derived_seed
from mdmt_tf.models.layers import Dropout
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.base import HEADS

MODEL_HEADS = (*HEADS, "serial")
_HIDDEN_UNITS = (128, 32)  # of the "mlp" head
_BIAS = 0.01  # initial value of every bias of a head


def build_model(
    backbone: keras.Model,
    tasks: Sequence[Task],
    heads: str = "mlp",
    *,
    seed: int = 0,
    dropout: float = 0.5,
) -> keras.Model:
    """Put a head for each task on a backbone.

        mlp: Linear 128, ReLU, dropout, Linear 32, ReLU, dropout, Linear n_outputs
        linear: dropout, Linear n_outputs
        relu_linear: ReLU, dropout, Linear n_outputs
        serial: as mlp, but the head of the first task gets the logits of all other
            tasks in addition to the features, e.g. the severity for the outcome

    `Task.head` chooses one of the first three for one task, also within "serial".

    Linear weights start from Xavier's uniform values, those of the last layer times
    `Task.initial_scale`; biases from 0.01.

    Args:
        backbone: model from images (N, H, W, C), or a pair of these and the numbers of
            their datasets (N,), to features (N, F). It becomes one
            layer with its name: `model.get_layer(backbone.name)` returns it.
        tasks: one or more tasks with distinct names. `name`, `n_outputs`, `head` and
            `initial_scale` are used, and the order for "serial".
        heads: one of `MODEL_HEADS`, of the tasks that have no `head`.
        seed: integer; with the names of the layers, it determines initial values and
            dropout.
        dropout: rate in [0, 1).
    Returns: functional model "mdmt" from the inputs of the backbone to {task name:
        logits (N, n_outputs)}, in float32 under any dtype policy. Keras sorts the
        outputs by name: address them by key.
    Raises:
        ConfigError: unknown heads, no task, or a repeated name.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> from mdmt_tf.tasks import make_task
        >>> prognosis = make_task(
        ...     name="prognosis", kind="categorical", classes=("mild", "severe")
        ... )
        >>> age = make_task(name="age", kind="regression")
        >>> backbone = build_backbone("resnet18", (32, 32, 1))
        >>> model = build_model(backbone, [prognosis, age])
        >>> {name: logits.shape for name, logits in model.output.items()}
        {'age': (None, 1), 'prognosis': (None, 2)}
    """
    _check(tasks, heads)
    common = "mlp" if heads == "serial" else heads
    inputs = _inputs_like(backbone)
    features = backbone(inputs)
    last = [tasks[0]] if heads == "serial" and len(tasks) > 1 else []
    logits = {
        task.name: _build_head(features, task, common, seed, dropout)
        for task in sorted(tasks, key=lambda task: task.name)
        if task not in last
    }
    for task in last:
        seen = keras.layers.Concatenate(dtype="float32", name=f"{task.name}.inputs")(
            [features, *logits.values()]
        )
        logits[task.name] = _build_head(seen, task, common, seed, dropout)
    return keras.Model(inputs, dict(sorted(logits.items())), name="mdmt")


def _inputs_like(backbone):
    inputs = [
        keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for tensor, name in zip(backbone.inputs, ("image", "dataset"), strict=False)
    ]
    return tuple(inputs) if len(inputs) > 1 else inputs[0]


def _check(tasks, heads):
    for task in tasks:
        _check_form(task.head, (None, *HEADS), f"task {task.name!r}: ")
    _check_form(heads, MODEL_HEADS)
    names = [task.name for task in tasks]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not names or repeated:
        raise ConfigError(
            "a model needs one task or more, of distinct names. Received: "
            + (f"{', '.join(repeated)} more than once." if repeated else "none.")
        )


def _check_form(form, known, where=""):
    if form not in known:
        names = [name for name in known if name is not None]
        raise ConfigError(
            f"{where}{form!r} is no kind of heads.{nearest(str(form), names)} Known: "
            f"{', '.join(names)}."
        )


def _build_head(x, task, common, seed, dropout):
    return _FORMS[task.head or common](x, task, seed, dropout)


def _mlp_head(x, task, seed, dropout):
    for index, units in enumerate(_HIDDEN_UNITS, start=1):
        x = _linear(x, units, f"{task.name}.hidden{index}", seed, activation="relu")
        x = _dropout(x, dropout, f"{task.name}.dropout{index}", seed)
    return _output(x, task, seed)


def _linear_head(x, task, seed, dropout):
    x = _dropout(x, dropout, f"{task.name}.dropout", seed)
    return _output(x, task, seed)


def _relu_linear_head(x, task, seed, dropout):
    x = keras.layers.ReLU(dtype="float32", name=f"{task.name}.relu")(x)
    return _linear_head(x, task, seed, dropout)


_FORMS = dict(zip(HEADS, (_mlp_head, _linear_head, _relu_linear_head), strict=True))


def _output(x, task, seed):
    # The last layer has the task's name, from which Keras derives the output's name.
    return _linear(x, task.n_outputs, task.name, seed, scale=task.initial_scale)


def _linear(x, units, name, seed, activation=None, scale=1.0):
    return keras.layers.Dense(
        units,
        activation=activation,
        # Xavier's uniform values, of `scale` times their size.
        kernel_initializer=keras.initializers.VarianceScaling(
            scale**2, "fan_avg", "uniform", derived_seed(seed, name)
        ),
        bias_initializer=keras.initializers.Constant(_BIAS),
        # Softmax and small differences of logits need more than bfloat16's 3 digits.
        dtype="float32",
        name=name,
    )(x)


def _dropout(x, rate, name, seed):
    return Dropout(rate, seed=derived_seed(seed, name), dtype="float32", name=name)(x)
