"""The order of the training samples: a pure function of the seed and the epoch.

Each dataset is an endless sequence of random permutations of its samples. An epoch
takes the next q_d samples of dataset d and shuffles what it took:

    union        q_d = n_d, so every sample once in each epoch
    temperature  q_d in proportion to n_d ** (1 / T): union at T = 1, and the smaller
                 datasets more often the larger T is
    balanced     q_d equal, the limit of T to infinity

An epoch always has sum(n_d) draws. Within a dataset no sample comes again before all
others have come, across epochs too. No TensorFlow.
"""

import dataclasses

import numpy as np

# Keep the streams of random numbers apart that share a seed.
_WITHIN, _BETWEEN = 0, 1


@dataclasses.dataclass(frozen=True)
class Epoch:
    """The batches of one epoch, all of them full.

    The last batch is filled up with the first samples of the epoch, counted with 0. So
    the loss is eq. 2 divided by the same number in each step, a batch can be shared
    evenly by several devices, BatchNormalization sees real images only, and each draw
    counts exactly once.

    Attributes:
        index: int64 (steps, batch_size), which sample.
        repeat: int64 (steps, batch_size), how often the sample has come before, in all
            epochs; makes two draws of a sample in one epoch different.
        counted: float32 (steps, batch_size), 1, or 0 where the batch was filled up.
    """

    index: np.ndarray
    repeat: np.ndarray
    counted: np.ndarray


def steps_per_epoch(n_samples: int, batch_size: int) -> int:
    """Number of full batches that hold every sample."""
    return -(-n_samples // batch_size)


def draws_per_dataset(
    counts: np.ndarray, sampling: str = "union", temperature: float = 1.0
) -> np.ndarray:
    """q_d, how many samples of each dataset an epoch takes.

    Args:
        counts: int (d,), n_d, samples of each dataset, at least one each.
        sampling: "union", "balanced" or "temperature".
        temperature: T >= 1, for "temperature".
    Returns: int64 (d,) that sum to sum(counts), rounded by largest remainder.
    Raises: ValueError for another `sampling`.
    """
    powers = {"union": 1.0, "balanced": 0.0, "temperature": 1.0 / temperature}
    if sampling not in powers:
        raise ValueError(
            f"Expected sampling to be one of {sorted(powers)}. "
            f"Received: sampling={sampling!r}"
        )
    counts = np.asarray(counts, np.int64)
    shares = counts.astype(np.float64) ** powers[sampling]
    exact = shares * (counts.sum() / shares.sum())
    draws = np.floor(exact).astype(np.int64)
    largest = np.argsort(draws - exact, kind="stable")
    draws[largest[: counts.sum() - draws.sum()]] += 1
    return draws


def epoch_batches(
    dataset: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    sampling: str = "union",
    temperature: float = 1.0,
) -> Epoch:
    """The batches of an epoch; the same whenever and wherever they are asked for.

    Args:
        dataset: int (n,), the dataset of each sample, 0 to d - 1.
        batch_size: rows of a batch.
        seed: of the run, not negative.
        epoch: number of the epoch, from 0.
        sampling, temperature: see `draws_per_dataset`.
    """
    members = [np.flatnonzero(dataset == d) for d in np.unique(dataset)]
    counts = np.array([len(rows) for rows in members])
    draws = draws_per_dataset(counts, sampling, temperature)
    indices, repeats = [], []
    for d, (rows, count) in enumerate(zip(members, draws, strict=True)):
        positions = epoch * count + np.arange(count)
        repeat, within = np.divmod(positions, len(rows))
        for number in np.unique(repeat):
            order = _generator(seed, _WITHIN, d, number).permutation(rows)
            indices.append(order[within[repeat == number]])
        repeats.append(repeat)
    shuffle = _generator(seed, _BETWEEN, epoch).permutation(len(dataset))
    index, repeat = np.concatenate(indices)[shuffle], np.concatenate(repeats)[shuffle]
    shape = (steps_per_epoch(len(dataset), batch_size), batch_size)
    counted = np.arange(shape[0] * shape[1]).reshape(shape) < len(dataset)
    # np.resize repeats from the start.
    return Epoch(
        index=np.resize(index, shape).astype(np.int64),
        repeat=np.resize(repeat, shape).astype(np.int64),
        counted=counted.astype(np.float32),
    )


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng([int(part) for part in key])
