"""Values of DICOM slices as measured: Hounsfield units of a CT, signal of an MR.

Unlike `dicom`, which shows an image as on a viewing screen, nothing here applies the
window of the file.
"""

import os
import warnings

import numpy as np
import pydicom

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import dicom, dicom_orientation, raster
from mdmt_tf.imaging.dicom_frames import number_of_frames
from mdmt_tf.imaging.dicom_pixels import stored_pixels
from mdmt_tf.imaging.dicom_values import apply_modality, padding_of, unit_of
from mdmt_tf.imaging.intensity import (
    NOT_HOUNSFIELD,
    check_hounsfield,
    doubt_hounsfield,
    is_of_picture,
)
from mdmt_tf.imaging.other_files import kind_of


def read_hounsfield(
    source: str | os.PathLike | bytes, name: str | None = None
) -> np.ndarray:
    """Read a single slice of a CT.

    Args:
        source: a path, or the bytes of a file.
        name: name of the file in messages; None: the path.
    Returns: float32 (height, width), Hounsfield units; turned as in radiology, see
        `dicom_orientation`.
    Raises: DataError, as `dicom.read_image`; also for a file that is not DICOM, is of
        another modality, or has values that are not Hounsfield units.
    """
    data, name = dicom.bytes_of(source, name)
    if not dicom.is_dicom(data):
        advice = "Export the slice of the CT as DICOM"
        if raster.is_raster(data):
            advice += "; or prepare pictures without a window, for example as full_256"
        raise DataError(
            f"{name}: expected a DICOM file in Hounsfield units of one slice, because "
            f"of window_hu. Received: {kind_of(data)}. {advice}"
        )
    with dicom.reading(name):
        dataset = dicom.parse(data, name)
        frames = number_of_frames(dataset)
        if frames != 1:
            raise DataError(
                f"{name}: expected one slice. Received: {frames} frames. Save the "
                "slice to be used as a separate file. Volumes are for a preprocessing "
                "with shape, this one has size"
            )
        try:
            check_hounsfield(
                str(dataset.get("Modality") or ""),
                unit_of(dataset),
                "without a window, for example as full_256",
            )
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        values = dicom_orientation.upright(
            measured_values(dataset, name), dataset, name
        )
        plane = dicom_orientation.plane_of(dataset, name)
    if plane not in ("", "axial"):
        text = f"{name}: a {plane} slice. A model of axial slices does not know it"
        warnings.warn(DataWarning(text, "slice that is not axial"), stacklevel=2)
    if doubt := doubt_hounsfield(values):
        if is_of_picture(float(values.min()), float(values.max())):
            raise DataError(f"{name}: {doubt}")
        warnings.warn(DataWarning(f"{name}: {doubt}", NOT_HOUNSFIELD), stacklevel=2)
    return values


def measured_values(dataset: pydicom.Dataset, name: str, frame: int = 0) -> np.ndarray:
    """The values of one frame after its modality transformation.

    Args:
        dataset: as `dicom.parse` returns it.
        name: name of the file in messages.
        frame: number of the frame.
    Returns: float32 (height, width). Padding has the smallest value of the other
        pixels, as it was not measured.
    Raises: DataError for colour, and for values that are not finite.
    """
    if dataset.SamplesPerPixel != 1 or "PALETTE" in dataset.PhotometricInterpretation:
        raise DataError(
            f"{name}: expected one measured value per pixel. Received: colour "
            f"({dataset.PhotometricInterpretation}). Leave out screenshots and maps in "
            "colour"
        )
    stored = stored_pixels(dataset, name, frame)
    values = apply_modality(stored, dataset, name, frame).astype(np.float32)
    padding = padding_of(stored, dataset)
    if padding is not None and not padding.all():
        values[padding] = values[~padding].min()
    if not np.isfinite(values).all():
        raise DataError(f"{name}: the image has pixels that are not finite")
    return values
