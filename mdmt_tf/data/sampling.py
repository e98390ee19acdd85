"""The order of the training samples: a pure function of the seed and the epoch.

Each dataset is an endless sequence of random permutations of its samples. An epoch
takes the next q_d samples of dataset d and shuffles what it took:

    union        q_d = n_d, so each epoch has every sample once
    temperature  q_d in proportion to n_d ** (1 / T): union at T = 1; a larger T draws
                 small datasets more often
    balanced     q_d equal, the limit of T to infinity

An epoch always has sum(n_d) draws. Within a dataset, no sample is repeated before all
others have been drawn, also across epochs.

A dataset that is oversampled for a task is one such sequence for each class, and one
for the rows of unknown class. The classes are drawn equally often. With m_d samples in
its largest class and k_d classes, n_d = k_d m_d plus the number of unknown rows.
"""

import dataclasses

import numpy as np

# Separate the streams of random numbers with the same seed.
_WITHIN, _BETWEEN = 0, 1


@dataclasses.dataclass(frozen=True)
class Epoch:
    """The batches of one epoch, all of them full.

    The last batch is padded with the first samples of the epoch, which count 0. The
    loss is therefore eq. 2 divided by the same number in each step, several devices get
    equal slices of a batch, BatchNormalization gets real images only, and each draw
    counts exactly once.

    Attributes:
        index: int64 (steps, batch_size), numbers of the samples.
        repeat: int64 (steps, batch_size), number of earlier draws of the sample in all
            epochs; distinguishes two draws of a sample in one epoch.
        counted: float32 (steps, batch_size), 1, or 0 for padding.
    """

    index: np.ndarray
    repeat: np.ndarray
    counted: np.ndarray


def steps_per_epoch(n_samples: int, batch_size: int) -> int:
    """Number of full batches that hold all samples."""
    return -(-n_samples // batch_size)


def draws_per_dataset(
    counts: np.ndarray, sampling: str = "union", temperature: float = 1.0
) -> np.ndarray:
    """q_d, the number of samples of each dataset in an epoch.

    Args:
        counts: int (d,), n_d, number of samples of each dataset, at least 1.
        sampling: "union", "balanced" or "temperature".
        temperature: T >= 1, for "temperature".
    Returns: int64 (d,) with the sum sum(counts), rounded by largest remainder.
    Raises: ValueError: any other `sampling`.
    """
    powers = {"union": 1.0, "balanced": 0.0, "temperature": 1.0 / temperature}
    if sampling not in powers:
        raise ValueError(
            f"Expected sampling to be one of {sorted(powers)}. "
            f"Received: sampling={sampling!r}"
        )
    counts = np.asarray(counts, np.int64)
    weights = counts.astype(np.float64) ** powers[sampling]
    return _apportion(weights * (counts.sum() / weights.sum()))


@dataclasses.dataclass(frozen=True)
class Draws:
    """The draws of an epoch from each sequence of permutations.

    Attributes:
        stream: int64 (n,), number of the sequence to which each sample belongs.
        counts: int64 (s,), number of samples of each sequence in an epoch.
    """

    stream: np.ndarray
    counts: np.ndarray

    @property
    def total(self) -> int:
        """Samples in an epoch."""
        return int(self.counts.sum())


def plan_draws(
    dataset: np.ndarray,
    classes: np.ndarray | None = None,
    sampling: str = "union",
    temperature: float = 1.0,
) -> Draws:
    """Plan the number of draws of each dataset, and of each class.

    Args:
        dataset: int (n,), the dataset of each sample, 0 to d - 1.
        classes: int (n,), the class by which its dataset is oversampled; -1 if the
            class is unknown or the dataset is not oversampled. None: no oversampling.
        sampling, temperature: see `draws_per_dataset`.
    """
    if classes is None:
        classes = np.full(len(dataset), -1)
    keys, stream = np.unique(
        np.stack([dataset, classes], axis=1), axis=0, return_inverse=True
    )
    stream = stream.reshape(-1)
    members = np.bincount(stream)
    of_dataset, is_class = keys[:, 0], keys[:, 1] >= 0
    wanted = members.copy()
    for d in np.unique(of_dataset):
        chosen = (of_dataset == d) & is_class
        wanted[chosen] = members[chosen].max(initial=0)
    numbers = np.unique(of_dataset)
    totals = np.array([wanted[of_dataset == d].sum() for d in numbers])
    counts = np.zeros(len(keys), np.int64)
    for d, draws in zip(
        numbers, draws_per_dataset(totals, sampling, temperature), strict=True
    ):
        own = of_dataset == d
        counts[own] = _at_least_one(_apportion(wanted[own] / wanted[own].sum() * draws))
    return Draws(stream.astype(np.int64), counts)


def fill_epoch(draws: Draws, steps: int, batch_size: int) -> Draws:
    """The draws of an epoch of `steps` batches, each sequence in proportion.

    If an epoch has as many steps already, nothing changes. Otherwise all batches are
    full: samples are drawn again after all others of their sequence, or an epoch has
    only some of them.

    Args:
        draws: from `plan_draws`.
        steps: at least 1.
        batch_size: number of rows in a batch.
    Raises: ValueError when the epochs are too short for each sequence to be drawn.

    Example:
        >>> draws = plan_draws(np.array([0, 0, 0, 1]))  # 3 and 1 samples
        >>> fill_epoch(draws, 4, 2).counts.tolist()
        [6, 2]
        >>> fill_epoch(draws, 2, 2) is draws
        True
    """
    if steps_per_epoch(draws.total, batch_size) == steps:
        return draws
    counts = _apportion(draws.counts * (steps * batch_size / draws.total))
    # A single draw may be there by rounding already.
    if (draws.counts > 1)[counts == 0].any():
        raise ValueError(
            f"Expected enough steps per epoch to draw each dataset and class. "
            f"Received: steps={steps}, batch_size={batch_size}, for sequences that "
            f"are drawn {draws.counts.tolist()} times."
        )
    return dataclasses.replace(draws, counts=_at_least_one(counts))


def epoch_batches(draws: Draws, *, batch_size: int, seed: int, epoch: int) -> Epoch:
    """The batches of an epoch, a pure function of the arguments.

    Args:
        draws: from `plan_draws`.
        batch_size: number of rows in a batch.
        seed: seed of the run, not negative.
        epoch: number of the epoch, from 0.
    """
    indices, repeats = [], []
    for stream, count in enumerate(draws.counts):
        rows = np.flatnonzero(draws.stream == stream)
        positions = epoch * count + np.arange(count)
        repeat, within = np.divmod(positions, len(rows))
        for number in np.unique(repeat):
            order = _generator(seed, _WITHIN, stream, number).permutation(rows)
            indices.append(order[within[repeat == number]])
        repeats.append(repeat)
    shuffle = _generator(seed, _BETWEEN, epoch).permutation(draws.total)
    index, repeat = np.concatenate(indices)[shuffle], np.concatenate(repeats)[shuffle]
    shape = (steps_per_epoch(draws.total, batch_size), batch_size)
    counted = np.arange(shape[0] * shape[1]).reshape(shape) < draws.total
    # np.resize repeats from the start.
    return Epoch(
        index=np.resize(index, shape).astype(np.int64),
        repeat=np.resize(repeat, shape).astype(np.int64),
        counted=counted.astype(np.float32),
    )


def _apportion(exact: np.ndarray) -> np.ndarray:
    """Round `exact` to int64 with the same sum, by largest remainder."""
    whole = np.floor(exact).astype(np.int64)
    largest = np.argsort(whole - exact, kind="stable")
    whole[largest[: round(exact.sum()) - whole.sum()]] += 1
    return whole


def _at_least_one(counts: np.ndarray) -> np.ndarray:
    """Counts with the same sum, as far as it suffices, none of which is 0.

    A few rows beside many would be left out by rounding, and their labels with them.
    """
    counts = counts.copy()
    for place in np.flatnonzero(counts == 0):
        counts[place] = 1
        largest = counts.argmax()
        counts[largest] -= counts[largest] > 1
    return counts


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng([int(number) for number in key])
