"""The pixels of several datasets as one sequence, from memory or from disk.

Order and values are the same for both sources: memory is filled by reading from disk
once, with the same operations.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import tensorflow as tf

from mdmt_tf.data.normalize import resize, to_unit
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.errors import DataError

logger = logging.getLogger(__name__)

# Larger machines do not gain from more threads, because the network is slower.
_MOST_THREADS = 16

# How far a float may be outside of [0, 1] because of resizing and rounding.
_ROUNDING = 1e-3

# Linux states the limits of a process's container here.
_CONTROL_GROUP = Path("/sys/fs/cgroup")


class Images:
    """Images or volumes of equal size, numbered in the order of the datasets.

    If all datasets store integers of one type with this `size`, pixels are the stored
    integers. Otherwise they are resized float32 in [0, 1]; rounding them to save memory
    would make training and the exported model see different images.

    Attributes:
        datasets: names of the datasets, in order.
        offsets: int64, number of the first image of each dataset.
        shape: shape of an image, (h, w, channels) or (d, h, w, channels).
        dtype: type of the pixels.
        cached: whether the images are in memory.
    """

    def __init__(
        self,
        datasets: Sequence[PreparedDataset],
        size: Sequence[int],
        cache: str = "auto",
        available: int | None = None,
        used: np.ndarray | None = None,
    ):
        """Open the images, and decode them if they are kept in memory.

        Args:
            datasets: each with images (h, w, c) or volumes (d, h, w, c), with one c.
            size: (h, w) or (d, h, w) of the images.
            cache: "memory"; "stream", read when needed; "auto", memory if they take
                less than half of `available`.
            available: bytes; None: the free memory of the system.
            used: int64 (m,), the numbers of the images that are wanted; None: all. The
                others are not kept in memory, and `gather` refuses them.
        Raises: DataError: images instead of volumes or volumes instead of images, or
            datasets with different channels.
        """
        self._sources = tuple(datasets)
        self.datasets = tuple(dataset.name for dataset in datasets)
        counts = [len(dataset) for dataset in datasets]
        self.offsets = np.cumsum([0, *counts[:-1]])
        self._count = sum(counts)
        self._used = np.arange(self._count) if used is None else np.unique(used)
        self.shape, self.dtype = _common_pixels(self._sources, size)
        _check_range(self._sources)
        self._refused: DataError | None = None
        self._stored: np.ndarray | None = None
        if available is None:
            available = available_bytes()
        if cache == "memory" or (cache == "auto" and self.nbytes < available / 2):
            with self.errors_named():
                self._stored = self._decode_used()
        elif len(self._used):
            # An error in the first image tells of the others before training begins.
            with self.errors_named():
                self._load(tf.constant(self._used[:1], tf.int64))
        logger.info(
            "%d images %s %s, %.2f GB, %s",
            len(self._used),
            self.shape,
            self.dtype.name,
            self.nbytes / 1e9,
            "in memory" if self.cached else "read when needed",
        )

    def __len__(self) -> int:
        return self._count

    @property
    def cached(self) -> bool:
        return self._stored is not None

    @property
    def nbytes(self) -> int:
        """Size of the decoded images in bytes."""
        return len(self._used) * int(np.prod(self.shape)) * self.dtype.itemsize

    def gather(self, numbers: tf.Tensor) -> tf.Tensor:
        """Get some images, inside or outside a `tf.data` pipeline.

        A float that is not in [0, 1], or NaN, is an error of TensorFlow, see
        `errors_named`. Integers are in their range by their type.

        Args:
            numbers: int64 (b,), offset of the dataset + row in the dataset.
        Returns: (b, *shape) of type `dtype`.
        """
        if self._stored is None:
            return self._load(numbers)
        images = tf.numpy_function(
            self._remembered, [numbers], self.dtype, stateful=False
        )
        return tf.ensure_shape(images, (*numbers.shape, *self.shape))

    def _remembered(self, numbers: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self._used, numbers)
        found = self._used.take(places, mode="clip")
        if not np.array_equal(found, numbers):
            raise ValueError("an image is wanted that was not to be used.")
        return self._stored[places]

    @contextlib.contextmanager
    def errors_named(self) -> Iterator[None]:
        """Raise the DataError of an image that was refused, not TensorFlow's error."""
        try:
            yield
        except tf.errors.OpError as error:
            if self._refused is None:
                raise
            raise self._refused from error

    def batches(self, numbers: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """Batches of images in the given order, float32 (b, *shape) in [0, 1].

        The last batch may be smaller.
        """
        chosen = tf.data.Dataset.from_tensor_slices(numbers).batch(batch_size)
        pixels = chosen.map(
            lambda batch: to_unit(self.gather(batch)), num_parallel_calls=threads()
        )
        with self.errors_named():
            yield from pixels.prefetch(2).as_numpy_iterator()

    def stored(self, number: int) -> np.ndarray:
        """One image as stored in its dataset, with its own size and type."""
        records, sources = self._read(np.array([number]))
        return self._sources[sources[0]].decode(records[0]).numpy()

    def _load(self, numbers: tf.Tensor) -> tf.Tensor:
        records, sources = tf.numpy_function(
            self._read, [numbers], (tf.string, tf.int32), stateful=False
        )

        def decode(pair):
            record, number = pair
            branches = [
                lambda source=source: self._fit(source.decode(record))
                for source in self._sources
            ]
            return tf.switch_case(number, branches)

        images = tf.map_fn(
            decode, (records, sources), fn_output_signature=tf.as_dtype(self.dtype)
        )
        if any(source.image_dtype.kind == "f" for source in self._sources):
            # The shape makes the images depend on the check. TensorFlow leaves out a
            # check on which nothing depends.
            shape = tf.numpy_function(
                self._check, [numbers, images], tf.int64, stateful=False
            )
            images = tf.reshape(images, shape)
        return tf.ensure_shape(images, (*numbers.shape, *self.shape))

    def _check(self, numbers: np.ndarray, images: np.ndarray) -> np.ndarray:
        """The shape of images; refuses those whose floats are not in [0, 1]."""
        for number, image in zip(numbers, images, strict=True):
            low, high = float(np.min(image)), float(np.max(image))
            # False for NaN.
            if low >= -_ROUNDING and high <= 1 + _ROUNDING:
                continue
            source = int(np.searchsorted(self.offsets, number, side="right")) - 1
            dataset, row = self._sources[source], number - self.offsets[source]
            received = (
                f"values from {low:g} to {high:g}"
                if np.isfinite(image).all()
                else f"{np.sum(~np.isfinite(image))} values that are NaN or infinite"
            )
            self._refused = DataError(
                f"dataset {dataset.name!r}, image "
                f"{str(dataset.table['image_id'][row])!r}: expected floats from 0, "
                f"black, to 1, white. Received: {received}. Correct the image, and "
                "prepare the dataset again; or leave the image out of the split."
            )
            raise self._refused
        return np.array(images.shape, np.int64)

    def _fit(self, image: tf.Tensor) -> tf.Tensor:
        if self.dtype != np.float32:
            return tf.ensure_shape(image, self.shape)
        return tf.ensure_shape(resize(to_unit(image), self.shape[:-1]), self.shape)

    def _read(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sources = np.searchsorted(self.offsets, numbers, side="right") - 1
        records = np.empty(len(numbers), object)
        for source in np.unique(sources):
            chosen = sources == source
            rows = numbers[chosen] - self.offsets[source]
            records[chosen] = self._sources[source].records.read(rows)
        return records, sources.astype(np.int32)

    def _decode_used(self) -> np.ndarray:
        started, count = time.perf_counter(), len(self._used)
        images = np.empty((count, *self.shape), self.dtype)
        used = tf.constant(self._used, tf.int64)
        places = tf.data.Dataset.range(count).batch(32)
        batches = places.map(
            lambda chosen: (chosen, self._load(tf.gather(used, chosen))),
            num_parallel_calls=threads(),
            deterministic=False,
        )
        for chosen, batch in batches.as_numpy_iterator():
            images[chosen] = batch
        seconds = time.perf_counter() - started
        logger.info("decoded %d images in %.1f s", count, seconds)
        return images


def threads() -> int:
    """Threads of a pipeline: the number of usable processors, at most 16."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return min(count, _MOST_THREADS)


def available_bytes() -> int:
    """Available memory, within the limit of the container if there is one."""
    available = psutil.virtual_memory().available
    try:
        limit = (_CONTROL_GROUP / "memory.max").read_text().strip()
        used = int((_CONTROL_GROUP / "memory.current").read_text())
        lines = (_CONTROL_GROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return available
    if limit == "max":
        return available
    # Cached files count as used, but are dropped when memory is needed.
    files = int(dict(line.split() for line in lines)["inactive_file"])
    return min(available, int(limit) - used + files)


def _common_pixels(
    datasets: Sequence[PreparedDataset], size: Sequence[int]
) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of pixels that fit the images of all datasets."""
    axes = {2: "images (height, width, channels)"}
    axes[3] = "volumes (depth, height, width, channels)"
    for dataset in datasets:
        shape = dataset.image_shape
        if len(shape) != len(size) + 1 or shape[-1] is None:
            raise DataError(
                f"dataset {dataset.name!r}: image_size = {list(size)} is for "
                f"{axes[len(size)]}. Received: {dataset.image_key} of shape {shape}."
            )
        if dataset.image_dtype.kind not in "iuf":
            raise DataError(
                f"dataset {dataset.name!r}: expected pixels of an integer type, from 0 "
                "to its largest number, or floats in [0, 1], so that their range is "
                f"known. Received: {dataset.image_dtype.name}."
            )
    channels = {dataset.name: dataset.image_shape[-1] for dataset in datasets}
    if len(set(channels.values())) > 1:
        raise DataError(
            "Expected images with the same number of channels in all datasets. "
            f"Received: {channels}. Prepare the datasets alike."
        )
    shape = (*size, next(iter(channels.values())))
    dtypes = {dataset.image_dtype for dataset in datasets}
    if len(dtypes) == 1 and all(dataset.image_shape == shape for dataset in datasets):
        return shape, dtypes.pop()
    return shape, np.dtype(np.float32)


def _check_range(datasets: Sequence[PreparedDataset]) -> None:
    """Check by the first image that signed integers are not Hounsfield units etc."""
    for dataset in datasets:
        if dataset.image_dtype.kind == "i":
            smallest = int(np.min(dataset.decode(dataset.records.read([0])[0])))
            if smallest < 0:
                raise DataError(
                    f"dataset {dataset.name!r}: expected pixels from 0, black, to the "
                    f"largest {dataset.image_dtype.name}, white. Received: {smallest} "
                    "in the first image. Apply a window before storing, as "
                    "mdmt_tf.imaging.volume does."
                )
