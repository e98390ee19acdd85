"""Files for a model to predict, prepared as its training images, a few at a time.

Threads read, crop and resize the files while the model predicts others. Only a few are
in memory at a time, whatever their number.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from mdmt_tf.datasets._shared import encoding
from mdmt_tf.datasets._shared.volumes import in_order
from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import crop
from mdmt_tf.imaging.file_facts import FileFacts, read_facts
from mdmt_tf.imaging.isolation import isolated
from mdmt_tf.imaging.prepared import PreparedImage, prepare_file
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing
from mdmt_tf.imaging.volume import PreparedVolume

AnyPreprocessing = Preprocessing | VolumePreprocessing
# Called with a file and the warnings about it.
Warned = Callable[[Path, Sequence[DataWarning]], object]


@dataclasses.dataclass(frozen=True, eq=False)
class Whole:
    """A radiograph as it is in its file, for a look at what was cut out of it.

    Attributes:
        picture: uint8 (h, w), smaller than the file if that is large.
        box: y0, x0, y1, x1 of the crop, as fractions of height and width; the crop of a
            narrow image may reach beyond it.
    """

    picture: np.ndarray
    box: tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PreparedFile:
    """One file, ready for a model.

    Attributes:
        image: float32 (h, w, 1) or (d, h, w, 1) in [0, 1].
        facts: facts about the file.
        box_source: source of the crop, see `imaging.crop`; "" for volumes.
        seen: height and width, in pixels of the file, of what the model sees; None
            for volumes.
        volume: the prepared volume, with its geometry; None for images.
        whole: the whole radiograph, where it was requested; None for volumes.
    """

    image: np.ndarray
    facts: FileFacts
    box_source: str = ""
    seen: tuple[int, ...] | None = None
    volume: PreparedVolume | None = None
    whole: Whole | None = None


def prepare_files(
    paths: Iterable[Path],
    preprocessing: AnyPreprocessing,
    *,
    warned: Warned = encoding.warn_again,
    picture: int = 0,
) -> Iterator[tuple[Path, PreparedFile | DataError]]:
    """Prepare files, in their order.

    Args:
        warned: called with a file and its warnings before it is yielded.
        picture: longest side of `Whole.picture`; 0: none is made.
    Yields: each path with its prepared file, or with the error of the file.
    """
    if isinstance(preprocessing, VolumePreprocessing):
        return in_order(lambda path: _volume(path, preprocessing), paths, warned)
    finish = functools.partial(_image, picture=picture)

    def alone(path: Path, doubts: Sequence[DataWarning]) -> None:
        if own := encoding.without_notes(doubts):
            warned(path, own)

    return encoding.process(paths, os.fspath, preprocessing, finish, warned=alone)


def _image(path: Path, prepared: PreparedImage, picture: int) -> PreparedFile:
    y0, x0, y1, x1 = prepared.box
    return PreparedFile(
        image=prepared.for_model(),
        facts=isolated(os.fspath(path), read_facts, path),
        box_source=prepared.box_source,
        seen=(y1 - y0, x1 - x0),
        whole=_whole(prepared, picture) if picture else None,
    )


def _whole(prepared: PreparedImage, side: int) -> Whole:
    height, width = prepared.original.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(prepared.original, size, interpolation=cv2.INTER_AREA)
    y0, x0, y1, x1 = prepared.box
    box = (y0 / height, x0 / width, y1 / height, x1 / width)
    return Whole(crop.to_uint8(small), box)


def _volume(path: Path, preprocessing: VolumePreprocessing) -> PreparedFile | DataError:
    try:
        prepared = prepare_file(path, preprocessing)
    except DataError as error:
        return error
    return PreparedFile(
        image=prepared.for_model(),
        facts=isolated(os.fspath(path), read_facts, path),
        volume=prepared,
    )
