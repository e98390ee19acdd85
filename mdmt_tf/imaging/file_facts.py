"""Facts about an image file that its grey values do not show."""

import dataclasses
import os
from pathlib import Path

import cv2
import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.decoder_messages import listen
from mdmt_tf.imaging.dicom import is_dicom
from mdmt_tf.imaging.dicom_header import read_elements
from mdmt_tf.imaging.raster import is_raster
from mdmt_tf.imaging.raster_files import PNG_START
from mdmt_tf.imaging.series_headers import dicom_files

_PNG_COLOUR_TYPE = slice(25, 26)  # byte of the header
_PNG_GREY = (b"\0", b"\4")

# Channels that differ by more than this, of 255, in more than a fraction of the pixels
# are a colour. JPEG and scanners leave slight casts on grey pictures.
_CAST = 32
_COLOURED_FRACTION = 0.05


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What a file tells about its image.

    Attributes:
        modality: of a DICOM file, such as "DX"; "" if it is not known.
        is_colour: whether the picture has colours.
    """

    modality: str = ""
    is_colour: bool = False


def read_facts(path: str | os.PathLike) -> FileFacts:
    """Read the facts from a file, or the first DICOM file of a folder.

    Nothing is an error: a file that cannot be read tells nothing.
    """
    path = Path(path)
    if path.is_dir():
        try:
            files = dicom_files(path)
        except DataError:
            return FileFacts()
        return _of_dicom(files[0]) if files else FileFacts()
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return FileFacts()
    if is_dicom(start):
        return _of_dicom(path)
    # Grey PNG files, which are many and large, say in the header that they are grey.
    is_grey = start.startswith(PNG_START) and start[_PNG_COLOUR_TYPE] in _PNG_GREY
    may_have_colours = is_raster(start) and not is_grey
    return FileFacts(is_colour=may_have_colours and _has_colours(path))


def _of_dicom(path: Path) -> FileFacts:
    try:
        header = read_elements(path, ["Modality", "PhotometricInterpretation"])
        photometric = str(header.get("PhotometricInterpretation") or "")
        modality = str(header.get("Modality") or "")
    except Exception:  # as in `dicom`: pydicom raises dozens of types
        return FileFacts()
    # MONOCHROME1 and MONOCHROME2 are grey; the others are RGB, YBR_... and palettes.
    is_colour = bool(photometric) and not photometric.startswith("MONOCHROME")
    return FileFacts(modality, is_colour)


def _has_colours(path: Path) -> bool:
    """Whether a picture with colour channels uses them."""
    try:
        data = np.fromfile(path, np.uint8)
        # What is wrong with the file is said where it is read.
        pixels, _ = listen(lambda: cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_8))
    except (OSError, cv2.error):
        return False
    if pixels is None:
        return False
    cast = pixels.max(axis=-1).astype(int) - pixels.min(axis=-1)
    return bool((cast > _CAST).mean() > _COLOURED_FRACTION)
