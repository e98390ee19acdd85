"""Elements of a DICOM header, with its codes as the standard writes them."""

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import pydicom
from pydicom.multival import MultiValue

from mdmt_tf.imaging.decoder_messages import quiet_loggers

# Elements whose value is a code, such as CT. Those of frames: `dicom_frames.element`.
_CODES = (
    "Modality",
    "PhotometricInterpretation",
    "VOILUTFunction",
    "ImageType",
    "PatientOrientation",
)


def read_elements(
    source: str | os.PathLike | BinaryIO,
    keywords: Sequence[str],
    pixels: bool = False,
) -> pydicom.Dataset:
    """The elements of a DICOM file with these keywords.

    Codes have capitals and no blanks around them, as in the standard (PS3.5 6.2). Some
    writers use small letters, which mean the same.

    Args:
        source: a path or an open file.
        keywords: of the elements; others are not parsed.
        pixels: whether the pixels are read, too.
    Raises: any exception of pydicom, see `dicom.reading`.
    """
    with quiet_loggers():
        dataset = pydicom.dcmread(
            source,
            force=True,
            stop_before_pixels=not pixels,
            specific_tags=list(keywords),
        )
        for keyword in {*_CODES}.intersection(keywords):
            stated = dataset.get(keyword)
            if isinstance(stated, list | MultiValue):
                setattr(dataset, keyword, [code(one) for one in stated])
            elif stated != code(stated):
                setattr(dataset, keyword, code(stated))
    return dataset


def code(value: Any) -> Any:
    """A code as the standard writes it; values that are no text stay as they are.

    Example:
        >>> code(" ct "), code(3)
        ('CT', 3)
    """
    return value.strip().upper() if isinstance(value, str) else value
