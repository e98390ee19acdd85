"""Training of many small networks, each on rows of its own."""

import dataclasses
import math

import numpy as np

from mdmt_tf.studies import networks

# Steps after which validation rows choose: 1, 2, 3, ... and then 15 % apart.
_GROWTH = 1.15


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of k networks.

    features: float32 (k, n, size).
    outcome: float32 (k, n, 1); NaN where a row has none.
    scores: float32 (k, n, categories), one-hot; NaN where a row has none.
    """

    features: np.ndarray
    outcome: np.ndarray
    scores: np.ndarray

    @property
    def count(self):
        return self.features.shape[1]

    def joined(self, other):
        """The rows of both."""
        return Rows(
            *(
                np.concatenate([own, more], axis=1)
                for own, more in zip(
                    vars(self).values(), vars(other).values(), strict=True
                )
            )
        )


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Attributes:
        steps: steps of the optimizer in all.
        warmup: steps after which nothing is selected yet.
        batch_size: rows of a batch; fewer if there are fewer rows.
        learning_rate, weight_decay: of `networks.Adam`.
    """

    steps: int
    warmup: int
    batch_size: int
    learning_rate: float
    weight_decay: float


def steps_of(rows, epochs, batch_size):
    """Steps of the optimizer for `epochs` passes over `rows` rows.

    Example:
        >>> steps_of(rows=70, epochs=2, batch_size=32)
        6
    """
    return epochs * math.ceil(rows / batch_size)


def batches(rng, rows, batch_size, steps):
    """Row numbers of each batch: shuffled passes, one after the other, cut evenly.

    Args:
        rng: numpy Generator.
        rows: number of rows.
        batch_size: rows of a batch; fewer if there are fewer rows.
        steps: number of batches.
    Returns: int array (steps, batch).
    """
    size = min(batch_size, rows)
    passes = math.ceil(steps * size / rows)
    order = rng.permuted(np.tile(np.arange(rows), (passes, 1)), axis=1)
    return order.ravel()[: steps * size].reshape(steps, size)


def validation_steps(steps, warmup=0):
    """The steps after which validation rows are looked at, ascending, with the last.

    They are closer at the beginning, where a few rows are learnt by heart quickly, and
    the same for every arm with the same number of steps.

    Example:
        >>> validation_steps(12)
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]
        >>> validation_steps(12, warmup=7)
        [8, 9, 11, 12]
    """
    chosen, at = [], 1.0
    while round(at) < steps:
        chosen.append(round(at))
        at = max(at * _GROWTH, at + 1)
    return sorted({*(step for step in chosen if step > warmup), steps})


def train(start, rows, validation, schedule, rngs):
    """Train networks and return each with its lowest validation loss.

    Args:
        start: parameters of k networks; not changed.
        rows: `Rows` to train on.
        validation: `Rows`; those with an outcome select by its loss, otherwise those
            with scores do.
        schedule: `Schedule`.
        rngs: k numpy Generators of the order of the rows, so that a network does not
            depend on those that are trained with it.
    Returns: parameters.
    """
    parameters = {name: values.copy() for name, values in start.items()}
    optimizer = networks.Adam(parameters, schedule.learning_rate, schedule.weight_decay)
    order = [
        batches(rng, rows.count, schedule.batch_size, schedule.steps) for rng in rngs
    ]
    order = np.stack(order, axis=1)
    network = np.arange(len(rngs))[:, None]
    best = {name: values.copy() for name, values in parameters.items()}
    lowest = np.full(len(rngs), np.inf)
    looks = set(validation_steps(schedule.steps, schedule.warmup))
    for step, chosen in enumerate(order, start=1):
        optimizer.step(
            networks.gradients(
                parameters,
                rows.features[network, chosen],
                rows.outcome[network, chosen],
                rows.scores[network, chosen],
            )
        )
        if step in looks:
            loss = _loss(parameters, validation)
            better = loss < lowest
            lowest[better] = loss[better]
            for name, values in parameters.items():
                best[name][better] = values[better]
    return best


def _loss(parameters, rows):
    if np.isnan(rows.outcome[0, 0, 0]):
        return networks.score_loss(parameters, rows.features, rows.scores)
    return networks.outcome_loss(parameters, rows.features, rows.outcome)
