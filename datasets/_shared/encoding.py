"""Prepare image files in parallel: decode, segment and crop them.

Several threads decode files, each by a process of its own that may crash (see
`imaging.isolation`); one thread runs the lung network, and the first threads resize and
encode the crops while the caller writes. Only a few batches are in flight, so memory
does not grow with the dataset.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from mdmt_tf.errors import DataError, DataNote, DataWarning, collected_warnings
from mdmt_tf.imaging import isolation
from mdmt_tf.imaging.crop import Box
from mdmt_tf.imaging.lungs import network, segmentation
from mdmt_tf.imaging.lungs.network_input import network_input
from mdmt_tf.imaging.prepared import (
    PreparedImage,
    check_prepared,
    cut,
    read_file,
)
from mdmt_tf.imaging.preprocess import Preprocessing

# Images per step of the network. It is small, because whole radiographs wait for it.
_BATCH = 4
_BATCHES_AHEAD = 2

Item = TypeVar("Item")


def warn_again(item: object, doubts: Iterable[DataWarning]) -> None:
    """Show the warnings of an item; the default of `warned`."""
    for doubt in without_notes(doubts):
        warnings.warn(doubt, stacklevel=2)


def without_notes(doubts: Iterable[DataWarning]) -> list[DataWarning]:
    """The warnings that hold for an item alone."""
    return [doubt for doubt in doubts if not isinstance(doubt, DataNote)]


def process(
    items: Iterable[Item],
    path_of: Callable[[Item], Path],
    preprocessing: Preprocessing,
    finish: Callable[[Item, PreparedImage], object],
    lungs_of: Callable[[Item], Box] | None = None,
    warned: Callable[[Item, Sequence[DataWarning]], object] = warn_again,
) -> Iterator[tuple[Item, object]]:
    """Prepare the images of all items, in order.

    Args:
        items: any objects, one per image.
        path_of: returns the file of an item.
        preprocessing: region to keep, and its size.
        finish: called as finish(item, prepared) in one of the threads; returns the
            result.
        lungs_of: returns the smallest box of the lungs of an item, where it is known;
            None: the lung network finds them. Regions that need the outline of the
            lungs use the network in either case.
        warned: called as warned(item, its warnings and notes) before an item with
            some is yielded.
    Yields: each item with its result, or with the DataError of its file.
    """
    workers = min(8, max(2, os.cpu_count() or 1))
    if preprocessing.region != "lungs":
        lungs_of = None
    is_segmented = preprocessing.region != "full" and lungs_of is None
    with contextlib.ExitStack() as stack:
        stack.callback(isolation.trim)
        pool, segmenter = (
            stack.enter_context(concurrent.futures.ThreadPoolExecutor(count, name))
            for count, name in ((workers, "decode"), (1, "segment"))
        )
        under_way: collections.deque = collections.deque()
        stack.callback(_cancel, under_way)

        def start(batch):
            decoded = [
                pool.submit(_decode, path_of(item), preprocessing, is_segmented)
                for item in batch
            ]
            logits = segmenter.submit(_segment, decoded)
            under_way.append((batch, decoded, logits))

        def results():
            batch, decoded, logits = under_way.popleft()
            outputs = logits.result()
            finished = [
                pool.submit(
                    _finish,
                    item,
                    one.result(),
                    output,
                    preprocessing,
                    finish,
                    lungs_of and lungs_of(item),
                )
                for item, one, output in zip(batch, decoded, outputs, strict=True)
            ]
            for item, future in zip(batch, finished, strict=True):
                result, doubts = future.result()
                if doubts:
                    warned(item, doubts)
                yield item, result

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
    doubts: Sequence[DataWarning] = ()


def _decode(
    path: Path, preprocessing: Preprocessing, is_segmented: bool
) -> _Decoded | DataError:
    try:
        with collected_warnings() as doubts:
            image = read_file(path, preprocessing)
    except DataError as error:
        return error
    if preprocessing.clip_percentiles is not None:
        doubts = without_notes(doubts)  # they are of depths, which do not matter then
    if not is_segmented:
        return _Decoded(image, None, doubts)
    return _Decoded(image, network_input(image, network.SIZE), doubts)


def _segment(
    decoded: Sequence[concurrent.futures.Future],
) -> list[np.ndarray | None]:
    """Outputs of the network; None for images without an input for it."""
    results = [future.result() for future in decoded]
    wanted = [
        number
        for number, result in enumerate(results)
        if isinstance(result, _Decoded) and result.network_input is not None
    ]
    outputs: list[np.ndarray | None] = [None] * len(results)
    if wanted:
        # The batch always has one size, because another would trace the network again.
        batch = np.zeros((_BATCH, network.SIZE, network.SIZE), np.float32)
        batch[: len(wanted)] = [results[number].network_input for number in wanted]
        for number, output in zip(wanted, network.predict(batch), strict=False):
            outputs[number] = output
    return outputs


def _finish(item, decoded, logits, preprocessing, finish, lungs):
    """The result of an item, and its warnings."""
    if isinstance(decoded, DataError):
        return decoded, ()
    with collected_warnings() as doubts:
        mask = None
        if logits is not None:
            mask = segmentation.to_mask(logits, decoded.image.shape)
        prepared = cut(decoded.image, mask, preprocessing, lungs)
        try:
            check_prepared(prepared)
        except DataError as error:
            return error, decoded.doubts
        result = finish(item, prepared)
    return result, [*decoded.doubts, *doubts]
