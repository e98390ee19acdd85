"""What is known about a step of training whose gradients are not finite."""

import functools
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.data.sampling import epoch_batches, steps_per_epoch
from mdmt_tf.tasks import Task
from mdmt_tf.training.finiteness import StopWhenLost
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.optimizers import watch_of

# Images listed by name.
_MOST = 8


# The first epoch, the end, and the steps to leave out -> batches of training.
Batches = Callable[[int, int, int], tf.data.Dataset]


def stop_when_lost(fit: Fit, model: keras.Model, batches: Batches) -> StopWhenLost:
    """The callback that stops a fit and says what is known about its step.

    Args:
        model: compiled by `losses.compile_model`.
        batches: the batches of training.
    """

    def kept():
        state = fit.run.last_state
        if not state.is_file():
            return "No state was saved before."
        return f"The last state before is kept in {state}."

    report = functools.partial(describe, fit, batches)
    return StopWhenLost(watch_of(model.optimizer), report, kept)


def describe(fit: Fit, batches: Batches, step: int, paths: Sequence[str]) -> str:
    """Epoch, step, tasks, images, and the cause if the batch shows it.

    The batches are a function of the seed and the epoch, so the one of the step is
    made again.

    Args:
        fit: the fit that stopped.
        batches: the batches of training.
        step: number of the step from the start of the run, from 0.
        paths: variables whose gradients are not finite, such as "age.hidden1/kernel".
    """
    draws, settings = fit.training_set.draws, fit.config.training
    size = settings.batch_size
    steps = steps_per_epoch(draws.total, size)
    epoch, place = divmod(step, steps)
    order = epoch_batches(draws, batch_size=size, seed=fit.config.seed, epoch=epoch)
    rows = fit.training_set.samples.rows.iloc[order.index[place]]
    images = (rows["dataset"] + "/" + rows["image_id"]).to_numpy()
    tasks = tasks_of(paths, fit.inputs.tasks)
    found = list(_causes(next(iter(batches(epoch, epoch + 1, place))), images))
    if found:
        cause = " ".join(found)
    else:
        cause = (
            f"Pixels and labels of the batch are finite ({listed(images)}), so the "
            "weights were too large: lower training.learning_rate (now "
            f"{settings.learning_rate:g}) or the weights of the tasks, or use "
            "training.precision = float32."
        )
    return (
        f"training stopped: in epoch {epoch + 1}, step {place + 1} of {steps}, the "
        f"gradients of {listed(paths, 2)} are not finite, of "
        f"{'task' if len(tasks) == 1 else 'tasks'} {listed(tasks)}. {cause}"
    )


def tasks_of(paths: Sequence[str], tasks: Sequence[Task]) -> list[str]:
    """The tasks whose heads have one of the variables; all if no head has.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> tasks = [make_task(name=n, kind="binary") for n in ("death", "severe")]
        >>> tasks_of(["conv1/kernel", "severe.hidden1/kernel", "severe/bias"], tasks)
        ['severe']
    """
    layers = {part for path in paths for part in path.split("/")[:-1]}
    own = [
        task.name
        for task in tasks
        if any(name == task.name or name.startswith(f"{task.name}.") for name in layers)
    ]
    return own or [task.name for task in tasks]


def _causes(batch, images: np.ndarray) -> Iterator[str]:
    """The values of a batch that are not finite, in sentences."""
    inputs, targets, weights = keras.tree.map_structure(np.array, batch)
    pixels = keras.tree.flatten(inputs)[0]
    lost = _rows(pixels)
    if lost.any():
        yield (
            f"The pixels of {listed(images[lost])} are not finite after augmentation "
            "and normalisation; look at the layers of pipeline.augmentation."
        )
    for name, values in targets.items():
        lost = _rows(values) | _rows(weights[name])
        if lost.any():
            yield (
                f"The labels of {listed(images[lost])} for task {name}, or their "
                "weights, are not finite."
            )


def _rows(values: np.ndarray) -> np.ndarray:
    """bool (n,): whether a row of (n, ...) has a value that is not finite."""
    return ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)


def listed(names: Sequence[str], most: int = _MOST) -> str:
    """Names in words, the first of many.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
