"""Stored pixels of a DICOM frame: whether they are whole and can be decoded."""

import contextlib
import warnings
from collections.abc import Sequence

import numpy as np
import pydicom
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import codestreams, dicom_bits, dicom_codes, limits
from mdmt_tf.imaging.decoder_messages import listen, quiet_loggers

_REQUIRED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
_ONE_SAMPLE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_THREE_SAMPLES = ("RGB", "YBR", "HSV", "ARGB", "CMYK")
# What GDCM decodes and the other packages do not.
_NEED_GDCM = (
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)
_PLUGINS = ("pylibjpeg", "pyjpegls", "pillow", "pydicom", "gdcm")


def stored_pixels(dataset: pydicom.Dataset, name: str, frame: int = 0) -> np.ndarray:
    """Decode one frame.

    Args:
        dataset: as `dicom.parse` returns it.
        name: of the file, for messages.
        frame: number of the frame.
    Returns: integers, (rows, columns) or (rows, columns, 3), as stored: before slope,
        intercept and window. YBR has become RGB.
    Raises: DataError: the header contradicts itself or the pixels, no decoder for this
        compression is installed, or the pixels are damaged. Also any exception of
        pydicom and its decoders, see `dicom.reading`.
    """
    _check_header(dataset, name)
    syntax = dataset.file_meta.TransferSyntaxUID
    compressed = len(dataset.PixelData) if syntax.is_compressed else None
    frames = int(dataset.get("NumberOfFrames") or 1)
    limits.check_pixels(
        name,
        int(dataset.Rows),
        int(dataset.Columns),
        max(1, frames),
        int(dataset.SamplesPerPixel),
        max(1, int(dataset.BitsAllocated) // 8),
        stored=compressed,
    )
    if not syntax.is_encapsulated:
        words = _words(dataset, name, frame)
        if words is not None:
            dicom_bits.check_bits(dataset, words, name)
            if dicom_bits.is_left_aligned(dataset, words):
                return dicom_bits.values_of(dataset, words)
    plugins = _plugins(syntax, name)
    if syntax.is_encapsulated:
        codestreams.check_frame(dataset, name, frame)
    if syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
        dicom_codes.check_jpeg(dataset, name, frame)
    is_rle = syntax == RLELossless and int(dataset.SamplesPerPixel) == 1
    # Like words that are not compressed, those of RLE have all their bits.
    options = {"correct_unused_bits": not is_rle}
    with quiet_loggers():
        stored, _ = listen(lambda: _decoded(dataset, name, frame, plugins, options))
    if is_rle:
        words = stored.view(f"u{stored.dtype.itemsize}").ravel()
        dicom_bits.check_bits(dataset, words, name)
        stored = dicom_bits.values_of(dataset, words)
    dicom_bits.check_sign(dataset, stored, name)
    return stored


def _check_header(dataset: pydicom.Dataset, name: str) -> None:
    missing = [key for key in _REQUIRED if dataset.get(key) is None]
    if missing:
        raise DataError(
            f"{name}: the header lacks {', '.join(missing)}. Export the image again"
        )
    photometric = str(dataset.PhotometricInterpretation)
    samples = int(dataset.SamplesPerPixel)
    if (samples == 1 and photometric.startswith(_THREE_SAMPLES)) or (
        samples != 1 and photometric in _ONE_SAMPLE
    ):
        expected = "1" if photometric in _ONE_SAMPLE else "3"
        raise DataError(
            f"{name}: expected {expected} samples per pixel, because of the "
            f"photometric interpretation {photometric}. Received: {samples}. The "
            "header contradicts itself: export the image again"
        )


def _plugins(syntax: UID, name: str) -> list[str]:
    """The packages that can decode a compression, in order; [""] without compression.

    They are asked as pydicom does, except that GDCM comes last: its presence must not
    change the pixels of a lossy image.
    """
    if not syntax.is_encapsulated:
        return [""]
    kind = f"{name}: the pixels are compressed as {syntax.name}"
    try:
        available = get_decoder(syntax).available_plugins
        plugins = [plugin for plugin in available if plugin in _PLUGINS]
    except NotImplementedError:
        plugins = []
    if plugins:
        return sorted(plugins, key=_PLUGINS.index)
    if syntax in _NEED_GDCM:
        raise DataError(f"{kind}. Its decoder is an extra: pip install 'mdmt_tf[gdcm]'")
    raise DataError(
        f"{kind}, for which there is no decoder. Convert the file, for example: "
        "gdcmconv --raw OLD NEW"
    )


def _decoded(
    dataset: pydicom.Dataset,
    name: str,
    frame: int,
    plugins: Sequence[str],
    options: dict[str, bool],
) -> np.ndarray:
    for plugin in plugins[:-1]:
        with contextlib.suppress(RuntimeError):
            return _decoded(dataset, name, frame, [plugin], options)
    if plugins[-1] == "pydicom":  # it drops what pylibjpeg refuses
        dicom_codes.check_rle(dataset, name, frame)
    return pixel_array(
        dataset,
        index=frame,
        decoding_plugin=plugins[-1],
        allow_excess_frames=False,
        **options,
    )


def _words(dataset: pydicom.Dataset, name: str, frame: int) -> np.ndarray | None:
    """The words of a frame with all their bits, unsigned; None if they are others.

    Raises: DataError when there are too few, for a grey image.
    """
    allocated = int(dataset.BitsAllocated)
    if allocated not in (8, 16, 32) or int(dataset.SamplesPerPixel) != 1:
        return None
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    data = memoryview(dataset.PixelData)
    frames = max(1, int(dataset.get("NumberOfFrames") or 1))
    count = int(dataset.Rows) * int(dataset.Columns) * allocated // 8
    if not count:
        return None  # pydicom says what is wrong
    if len(data) < frames * count:
        raise DataError(
            f"{name}: truncated DICOM file, it has {len(data)} vs {frames * count} "
            "bytes of pixels. Copy it again"
        )
    if len(data) >= (frames + 1) * count:
        doubt = (
            f"{name}: {len(data) // count} frames of pixels, where the header "
            f"announces {frames}. The others are left out"
        )
        warnings.warn(DataWarning(doubt, "frames without announcement"), stacklevel=2)
    start = frame * count
    return np.frombuffer(data[start : start + count], f"{order}u{allocated // 8}")
