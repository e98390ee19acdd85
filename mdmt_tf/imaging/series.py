"""Volumes from DICOM: a folder of the slices of one series, or a file of many frames.

The coordinates of DICOM go to the left, to the back and upwards;
those of `volume.Volume` to the right, to the front and upwards.
"""

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError, DataWarning, collected_warnings
from mdmt_tf.imaging import dicom
from mdmt_tf.imaging.dicom_slice import measured_values
from mdmt_tf.imaging.resample import lengths
from mdmt_tf.imaging.series_files import slices_of
from mdmt_tf.imaging.series_headers import Slice
from mdmt_tf.imaging.series_stack import some, stacked
from mdmt_tf.imaging.visible import is_constant, nothing_visible
from mdmt_tf.imaging.volume import Volume

# To the right, front and up, from DICOM's to the left, back and up.
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_series(path: str | os.PathLike) -> Volume:
    """Read the slices of a DICOM series, of a CT, MR or another modality.

    Args:
        path: a folder whose DICOM files are slices of one series; or a file. A file of
            several frames (enhanced CT or MR) is a volume. Any other file stands for
            all slices of its series in its folder.
    Returns: the volume; its axes are columns, rows and slices. Each slice has its own
        slope and intercept applied.
    Raises: DataError, with the names of the files: unreadable files, several series,
        localizers, slices of different sizes or directions, missing or repeated
        slices, a tilted gantry.
    """
    path = Path(path)
    try:
        slices = stacked(slices_of(path))
        stack = _values(slices)
        _check_rescale(slices)
        if is_constant(stack):
            raise nothing_visible("", f"all voxels have the value {stack.flat[0]:g}")
    except DataError as error:
        if str(error).startswith(f"{path if path.is_dir() else path.parent}"):
            raise
        raise DataError(f"{path}: {error}") from error
    first = slices[0]
    row, column = first.directions
    row_mm, column_mm = first.spacing_mm  # of rows, and of columns
    affine = np.eye(4)
    affine[:3, 0] = row * column_mm
    affine[:3, 1] = column * row_mm
    affine[:3, 2] = (slices[-1].position - first.position) / (len(slices) - 1)
    affine[:3, 3] = first.position
    affine = _TO_RAS @ affine
    return Volume(stack.T, affine, lengths(affine), first.modality, first.unit)


def _values(slices: Sequence[Slice]) -> np.ndarray:
    """float32 (slices, rows, columns)."""
    stack = np.empty((len(slices), *slices[0].shape), np.float32)
    opened, dataset = None, None
    # One of each kind: a fault of a series is one of all its slices.
    doubts: dict[str, list[DataWarning]] = {}
    for number, one in enumerate(slices):
        name = os.fspath(one.path)
        with dicom.reading(name):
            if opened != one.path:
                dataset = dicom.parse(dicom.bytes_of(one.path, name)[0], name)
                opened = one.path
            with collected_warnings() as found:
                stack[number] = measured_values(dataset, name, one.frame)
        for doubt in found:
            doubts.setdefault(doubt.kind, []).append(doubt)
    for kind, (first, *others) in doubts.items():
        more = f" (and {len(others)} more slices)" if others else ""
        warnings.warn(DataWarning(f"{first}{more}", kind), stacklevel=2)
    return stack


def _check_rescale(slices: Sequence[Slice]) -> None:
    """Check that the values of all slices have one meaning."""
    without = [one for one in slices if one.rescale is None]
    if 0 < len(without) < len(slices):
        raise DataError(
            "expected RescaleSlope and RescaleIntercept in all slices or in none. "
            f"Received: none in {some(without)}, and in {len(slices) - len(without)} "
            "slices. Export the series again"
        )
    units = Counter(one.unit for one in slices)
    if len(units) > 1:
        (usual, _), *_ = units.most_common(1)
        others = [one for one in slices if one.unit != usual]
        shown = [unit or "none, HU or US" for unit in (usual, others[0].unit)]
        raise DataError(
            f"expected one RescaleType in all slices. Received: {shown[0]} in most, "
            f"{shown[1]} in {some(others)}. Move the slices of each to a folder of "
            "their own"
        )
    counts = Counter(one.rescale[1] for one in slices if one.rescale)
    # Each slice of a PET has a scale of its own.
    if len(counts) > 1 and slices[0].modality == "CT":
        (usual, _), *_ = counts.most_common(1)
        others = [one for one in slices if one.rescale[1] != usual]
        doubt = (
            f"{others[0].path}: RescaleIntercept {others[0].rescale[1]:g}, where most "
            f"slices of the CT have {usual:g} (it differs in {some(others)}). Each "
            "slice has its own added; look at the volume"
        )
        warnings.warn(DataWarning(doubt, "different intercepts"), stacklevel=2)
