"""From image files to prepared images: decoded, segmented, cropped, all at once.

Files are decoded by several threads, the network for the lungs runs in one, and
crops are resized and encoded by the first again, while the caller writes. A few
batches are under way and never more, so memory does not grow with the dataset.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import dicom
from mdmt_tf.imaging.lungs import inputs, network, segmentation
from mdmt_tf.imaging.prepared import Prepared, cut
from mdmt_tf.imaging.preprocess import Preprocessing

# Images a step of the network, here so small because whole radiographs wait for it.
_BATCH = 4
_BATCHES_AHEAD = 2

Item = TypeVar("Item")


def process(
    items: Iterable[Item],
    path_of: Callable[[Item], Path],
    preprocessing: Preprocessing,
    finish: Callable[[Item, Prepared], object],
) -> Iterator[tuple[Item, object]]:
    """Prepare the images of all items, in order.

    Args:
        items: anything that stands for an image.
        path_of: its file.
        preprocessing: which part to keep, and its size.
        finish: makes the result, in one of the threads.
    Yields: the item with its result, or with the DataError of its file.
    """
    workers = min(8, max(2, os.cpu_count() or 1))
    with contextlib.ExitStack() as stack:
        pool, segmenter = (
            stack.enter_context(concurrent.futures.ThreadPoolExecutor(count, name))
            for count, name in ((workers, "decode"), (1, "segment"))
        )
        under_way: collections.deque = collections.deque()
        stack.callback(_cancel, under_way)

        def start(batch):
            decoded = [
                pool.submit(_decode, path_of(item), preprocessing) for item in batch
            ]
            logits = segmenter.submit(_segment, decoded)
            under_way.append((batch, decoded, logits))

        def results():
            batch, decoded, logits = under_way.popleft()
            found = logits.result()
            finished = [
                pool.submit(_finish, item, one.result(), answer, preprocessing, finish)
                for item, one, answer in zip(batch, decoded, found, strict=True)
            ]
            for item, result in zip(batch, finished, strict=True):
                yield item, result.result()

        for batch in _batches(items):
            start(batch)
            if len(under_way) > _BATCHES_AHEAD:
                yield from results()
        while under_way:
            yield from results()


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, _BATCH)):
        yield batch


def _cancel(under_way) -> None:
    for _, decoded, logits in under_way:
        for future in (*decoded, logits):
            future.cancel()


@dataclasses.dataclass(frozen=True)
class _Decoded:
    image: np.ndarray
    network_input: np.ndarray | None


def _decode(path: Path, preprocessing: Preprocessing) -> _Decoded | DataError:
    try:
        image = dicom.read_image(path)
    except DataError as error:
        return error
    if preprocessing.part == "full":
        return _Decoded(image, None)
    return _Decoded(image, inputs.network_input(image, network.SIZE))


def _segment(
    decoded: Sequence[concurrent.futures.Future],
) -> list[np.ndarray | None]:
    """Answers of the network, None for images that have no input to it."""
    results = [future.result() for future in decoded]
    wanted = [
        number
        for number, result in enumerate(results)
        if isinstance(result, _Decoded) and result.network_input is not None
    ]
    answers: list[np.ndarray | None] = [None] * len(results)
    if wanted:
        # Always of one size: another makes the network be traced again.
        batch = np.zeros((_BATCH, network.SIZE, network.SIZE), np.float32)
        batch[: len(wanted)] = [results[number].network_input for number in wanted]
        for number, answer in zip(wanted, network.predict(batch), strict=False):
            answers[number] = answer
    return answers


def _finish(item, decoded, logits, preprocessing, finish):
    if isinstance(decoded, DataError):
        return decoded
    mask = None
    if logits is not None:
        mask = segmentation.to_mask(logits, decoded.image.shape)
    return finish(item, cut(decoded.image, mask, preprocessing))
