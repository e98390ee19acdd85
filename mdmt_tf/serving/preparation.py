"""Files for a model to predict, prepared as its training images, a few at a time.

Threads read, crop and resize the files while the model predicts others. Only a few are
in memory at a time, whatever their number.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mdmt_tf.data.profile import coarsened
from mdmt_tf.datasets._shared import encoding
from mdmt_tf.datasets._shared.volumes import in_order
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.file_facts import FileFacts, read_facts
from mdmt_tf.imaging.isolation import isolated
from mdmt_tf.imaging.prepared import PreparedImage, prepare_file
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing
from mdmt_tf.imaging.volume import PreparedVolume

AnyPreprocessing = Preprocessing | VolumePreprocessing


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PreparedFile:
    """One file, ready for a model.

    Attributes:
        image: float32 (h, w, 1) or (d, h, w, 1) in [0, 1].
        coarse: result of `profile.coarsened`.
        facts: facts about the file.
        box_source: source of the crop, see `imaging.crop`; "" for volumes.
        seen: height and width, in pixels of the file, of what the model sees; None
            for volumes.
        volume: the prepared volume, with its geometry; None for images.
    """

    image: np.ndarray
    coarse: np.ndarray
    facts: FileFacts
    box_source: str = ""
    seen: tuple[int, ...] | None = None
    volume: PreparedVolume | None = None


def prepare_files(
    paths: Iterable[Path], preprocessing: AnyPreprocessing
) -> Iterator[tuple[Path, PreparedFile | DataError]]:
    """Prepare files, in their order.

    Yields: each path with its prepared file, or with the error of the file.
    """
    if isinstance(preprocessing, VolumePreprocessing):
        return in_order(lambda path: _volume(path, preprocessing), paths)
    return encoding.process(paths, os.fspath, preprocessing, _image)


def _image(path: Path, prepared: PreparedImage) -> PreparedFile:
    image = prepared.for_model()
    y0, x0, y1, x1 = prepared.box
    return PreparedFile(
        image=image,
        coarse=coarsened(image[..., 0]),
        facts=isolated(os.fspath(path), read_facts, path),
        box_source=prepared.box_source,
        seen=(y1 - y0, x1 - x0),
    )


def _volume(path: Path, preprocessing: VolumePreprocessing) -> PreparedFile | DataError:
    try:
        prepared = prepare_file(path, preprocessing)
    except DataError as error:
        return error
    image = prepared.for_model()
    return PreparedFile(
        image=image,
        coarse=coarsened(image[..., 0]),
        facts=isolated(os.fspath(path), read_facts, path),
        volume=prepared,
    )
