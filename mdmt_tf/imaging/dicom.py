"""Read one radiograph from a file of any supported format, as grey values in [0, 1].

Values run from 0 black to 1 white (air dark, bone bright), as on a viewing screen:

- DICOM with a VOI lookup table or window: the output range of that transformation.
- DICOM without: the smallest to the largest pixel value, without padding.
- DICOM in colour, PNG, JPEG, TIFF: the range of the stored values, see `raster`.
"""

import contextlib
import functools
import io
import os
import re
from collections.abc import Iterator

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.pixels import apply_color_lut
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    UID_dictionary,
)

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import dicom_orientation, limits, raster
from mdmt_tf.imaging.dicom_codes import check_whole
from mdmt_tf.imaging.dicom_display import shown
from mdmt_tf.imaging.dicom_frames import TAGS as FRAME_TAGS
from mdmt_tf.imaging.dicom_frames import number_of_frames
from mdmt_tf.imaging.dicom_header import read_elements
from mdmt_tf.imaging.dicom_pixels import stored_pixels
from mdmt_tf.imaging.other_files import kind_of
from mdmt_tf.imaging.visible import check_visible

# pydicom's warnings about values of the header repeat them; they may name a patient.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_QUOTED = re.compile(r"""b?(['"])(.*?)\1""", re.DOTALL)
_PACKAGES = frozenset({"gdcm", "pillow", "pylibjpeg", "pyjpegls", "utf-8", "ascii"})

# Only these tags are parsed: a header of thousands of elements, half of them malformed,
# costs time and warnings. Data about the patient is not read.
_TAGS = """
    Rows Columns SamplesPerPixel PhotometricInterpretation PlanarConfiguration
    BitsAllocated BitsStored HighBit PixelRepresentation NumberOfFrames
    PixelPaddingValue PixelPaddingRangeLimit ModalityLUTSequence RescaleSlope
    RescaleIntercept RescaleType VOILUTSequence VOILUTFunction WindowCenter WindowWidth
    RedPaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableDescriptor BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData
    PixelData ExtendedOffsetTable ExtendedOffsetTableLengths
"""


def read_image(
    source: str | os.PathLike | bytes, name: str | None = None
) -> np.ndarray:
    """Read a DICOM, PNG, JPEG or TIFF file, recognised by its content.

    Args:
        source: a path, or the bytes of a file.
        name: name of the file in messages; None: the path.
    Returns: float32 (height, width) in [0, 1]; see the module for the scale.
    Raises:
        DataError: the file is missing, empty, truncated or corrupt, has several frames
            or pages, or an unknown format; or nothing is visible on the image. The
            message names the file and the reason.
    Warns: DataWarning, for an image that is doubtful but taken.
    """
    data, name = bytes_of(source, name)
    # DICOM first: with a suitable preamble, a DICOM file is a TIFF too (PS3.10 7.1).
    if is_dicom(data):
        return _decode_dicom(data, name)
    if not raster.is_raster(data):
        raise DataError(
            f"{name}: expected a DICOM, PNG, JPEG or TIFF file. Received: "
            f"{kind_of(data)}"
        )
    image = raster.decode_raster(data, name)
    check_visible(image, name)
    return image


def bytes_of(source: str | os.PathLike | bytes, name: str | None) -> tuple[bytes, str]:
    """The content of a file, and its name for messages; DataError for an empty one."""
    if isinstance(source, bytes):
        data, name = source, name or "<bytes>"
    else:
        name = name or os.fspath(source)
        data = limits.read_file(source, name)
    if not data:
        raise DataError(f"{name}: the file is empty")
    return data, name


def is_dicom(data: bytes) -> bool:
    """Whether the content is DICOM: with a preamble, or bare and group 2 or 8 first."""
    return data[128:132] == b"DICM" or data[:2] in (b"\x02\0", b"\x08\0")


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn all exceptions from reading a DICOM file into DataError with its name."""
    try:
        yield
    except (DataError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    # pydicom and its decoders raise dozens of types for malformed files, including
    # `Exception` itself. A decoder in Rust panics by a BaseException.
    except BaseException as error:
        raise DataError(
            f"{name}: this DICOM file cannot be read: {type(error).__name__}: "
            f"{without_values(str(error))}"
        ) from error


def without_values(text: str) -> str:
    """The text of an error without the values that it quotes: they may name a patient.

    Names of DICOM's dictionary, such as of transfer syntaxes, and of packages stay.

    Example:
        >>> without_values("could not convert string to float: 'Miller^Jane'")
        'could not convert string to float: ...'
        >>> without_values("no attribute 'Rows'")
        "no attribute 'Rows'"
    """

    def kept(match: re.Match) -> str:
        word = match[2]
        known = word in _PACKAGES or word in _uid_names()
        return match[0] if known or tag_for_keyword(word) is not None else "..."

    return _QUOTED.sub(kept, text)


@functools.cache
def _uid_names() -> frozenset[str]:
    return frozenset({*UID_dictionary, *(row[0] for row in UID_dictionary.values())})


def parse(data: bytes, name: str) -> pydicom.Dataset:
    """The elements of a DICOM file that describe its pixels."""
    _check_deflated(data, name)
    tags = [*_TAGS.split(), *FRAME_TAGS, *dicom_orientation.TAGS]
    dataset = read_elements(io.BytesIO(data), tags, pixels=True)
    if "TransferSyntaxUID" not in dataset.file_meta:  # bare, so uncompressed
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    check_whole(data, dataset, name)
    if "PixelData" not in dataset:
        raise DataError(f"{name}: this DICOM file has no image")
    return dataset


def _check_deflated(data: bytes, name: str) -> None:
    """Check how large a deflated file becomes; pydicom would unpack all of it."""
    # The header is group 2: its first element has the length of the others.
    start = data[132:144]
    if start[:4] != b"\x02\0\0\0" or DEFLATED not in data[:_LONGEST_HEADER]:
        return
    end = 144 + int.from_bytes(start[8:], "little")
    if DEFLATED in data[:end]:
        limits.inflate(data[end:], name, raw=True, keep=False)


DEFLATED = DeflatedExplicitVRLittleEndian.encode()
_LONGEST_HEADER = 4096


def _decode_dicom(data: bytes, name: str) -> np.ndarray:
    with reading(name):
        dataset = parse(data, name)
        frames = number_of_frames(dataset)
        if frames != 1:
            raise DataError(
                f"{name}: expected one image, received {frames} frames. "
                "Save the frame to be used as a separate file. Volumes are for a "
                "preprocessing with shape, this one has size."
            )
        stored = stored_pixels(dataset, name)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            stored = apply_color_lut(stored, dataset)
            image = _colour(stored, _white(stored))
        elif dataset.SamplesPerPixel > 1:
            image = _colour(stored, 2**dataset.BitsStored - 1)
        else:
            image = shown(stored, dataset, name)
            return dicom_orientation.upright(image, dataset, name)
        image = dicom_orientation.upright(image, dataset, name)
    check_visible(image, name)
    return image


def _white(colours: np.ndarray) -> int:
    """White of a palette: entries of 8 bits are often stored in words of 16 bits."""
    return 255 if colours.max() <= 255 else np.iinfo(colours.dtype).max


def _colour(rgb: np.ndarray, white: int) -> np.ndarray:
    """RGB (h, w, 3) to luminance in [0, 1]; pydicom has converted YBR to RGB."""
    return np.minimum(raster.luminance(rgb) / np.float32(white), np.float32(1))
