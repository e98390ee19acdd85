"""The headers of DICOM slices: to which series they belong, and where they lie."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import dicom
from mdmt_tf.imaging.decoder_messages import quiet_loggers
from mdmt_tf.imaging.dicom_frames import TAGS as FRAME_TAGS
from mdmt_tf.imaging.dicom_frames import element, frames_with_groups, number_of_frames
from mdmt_tf.imaging.dicom_header import read_elements
from mdmt_tf.imaging.dicom_values import rescale_of, unit_of

# Slices that differ in one of these are not of one series. Some programs write one
# SeriesInstanceUID for all patients, or none. The values are compared and never shown:
# they may name a patient.
IDENTITY = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
)
_TAGS = """
    Modality ImageType Rows Columns NumberOfFrames
    ImagePositionPatient ImageOrientationPatient PixelSpacing
    RescaleSlope RescaleIntercept RescaleType ModalityLUTSequence
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Slice:
    """One slice of a series: a file, or a frame of a file.

    Attributes:
        path, frame: the file, and the number of the frame in it.
        frames: of the file, if it does not say where each of them lies; else 1.
        series: what tells it from others, the values of IDENTITY.
        modality: e.g. CT or MR.
        is_localizer: whether the scanner marks it as such.
        shape: rows and columns.
        directions: float64 (2, 3), of a row and of a column, as DICOM's coordinates.
        position: float64 (3,), of the centre of the first pixel, in mm.
        spacing_mm: distance of rows, and of columns.
        rescale: slope and intercept; None where the file states neither.
        unit: of the values, if it is an unusual one, see `dicom_values.unit_of`.
    """

    path: Path
    frame: int
    frames: int
    series: tuple[str, ...] = dataclasses.field(repr=False)
    modality: str
    is_localizer: bool
    shape: tuple[int, int]
    directions: np.ndarray
    position: np.ndarray
    spacing_mm: tuple[float, float]
    rescale: tuple[float, float] | None
    unit: str = ""

    @property
    def is_placed(self) -> bool:
        """Whether the file says where the slice lies."""
        stated = (self.directions, self.position, self.spacing_mm)
        is_stated = all(np.isfinite(values).all() for values in stated)
        return is_stated and min(self.spacing_mm) > 0


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files directly in a folder, by their content; hidden ones left out."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
        files = [folder / name for name in sorted(names) if not name.startswith(".")]
        return [path for path in files if is_dicom_file(path)]
    except OSError as error:
        raise DataError(
            f"{error.filename}: cannot be read: {error.strerror}."
        ) from error


def is_dicom_file(path: Path) -> bool:
    """Whether the content of a file is DICOM; OSError if it cannot be read."""
    with path.open("rb") as file:
        return dicom.is_dicom(file.read(132))


def read_slices(files: Iterable[Path]) -> list[Slice]:
    """The slices in some files; those without an image, such as reports, have none.

    Raises: DataError for an unreadable header.
    """
    slices = []
    for path in files:
        name = os.fspath(path)
        with dicom.reading(name), quiet_loggers():
            header = read_elements(path, [*IDENTITY, *FRAME_TAGS, *_TAGS.split()])
            if header.get("Rows") and header.get("Columns"):
                slices += _slices_of(header, path)
    return slices


def _slices_of(header: pydicom.Dataset, path: Path) -> list[Slice]:
    name = os.fspath(path)
    frames = frames_with_groups(header, name)
    unplaced = 1 if frames else number_of_frames(header)
    common = {
        "path": path,
        "frames": unplaced,
        "series": tuple(str(header.get(key) or "") for key in IDENTITY),
        "modality": str(header.get("Modality") or ""),
        "is_localizer": "LOCALIZER" in (header.get("ImageType") or ()),
        "shape": (int(header.Rows), int(header.Columns)),
    }
    slices = []
    for frame in range(max(1, frames)):
        directions, position, spacing = (
            element(header, keyword, name, frame)
            for keyword in (
                "ImageOrientationPatient",
                "ImagePositionPatient",
                "PixelSpacing",
            )
        )
        slices.append(
            Slice(
                frame=frame,
                directions=_numbers(directions, 6).reshape(2, 3),
                position=_numbers(position, 3),
                spacing_mm=tuple(_numbers(spacing, 2).tolist()),
                rescale=rescale_of(header, name, frame),
                unit=unit_of(header, frame),
                **common,
            )
        )
    return slices


def _numbers(values, count: int) -> np.ndarray:
    """float64 (count,); NaN for what the file does not state."""
    if values is None or len(values) != count:
        return np.full(count, np.nan)
    return np.array(values, np.float64)
