"""Slices of a DICOM series in order, if they make a volume.

Slices are sorted by their position along their common normal; file names and instance
numbers do not matter.
"""

from collections.abc import Sequence

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.resample import MOST_TILT_DEGREES
from mdmt_tf.imaging.series_headers import Slice

# Direction cosines are rounded in many files, positions and spacings too.
_COSINE_TOLERANCE = 1e-3
_SAME_SPACING = 1e-3  # of the spacing
_SAME_GAP = 0.1  # of the distance of the slices
_ROUNDING_MM = 0.11
_SAME_PLACE_MM = 1e-2
_SIDEWAYS = 1.0  # pixels, of a slice that is not in line with the others
# For those who have taken the model, or the preprocessing, of another kind of image.
_SINGLE = "Single images are for a preprocessing with size, this one has shape"
_SHOWN = 3  # files in a message


def stacked(slices: Sequence[Slice]) -> list[Slice]:
    """The slices in order of their position along the normal.

    Raises: DataError when they are not evenly spaced slices of one volume.
    """
    _check_placed(slices)
    _check_alike(slices)
    normal = np.cross(*slices[0].directions)
    ordered = sorted(slices, key=lambda one: float(one.position @ normal))
    if len(ordered) < 2:
        raise DataError(
            "expected the slices of a volume, at least 2. Received: 1. Copy the whole "
            f"series. {_SINGLE}"
        )
    positions = np.array([one.position for one in ordered])
    heights = positions @ normal
    _check_gaps(ordered, heights)
    _check_line(ordered, positions, normal)
    return ordered


def _check_placed(slices: Sequence[Slice]) -> None:
    """Check that all are slices of a volume, with a place in the patient."""
    scouts = [one for one in slices if one.is_localizer]
    if scouts:
        raise DataError(
            f"expected slices of a volume. Received: {some(scouts)}, which the "
            "scanner marks as localizer. Remove them from the folder"
        )
    for one in slices:
        if one.frames > 1:
            raise DataError(
                "expected a file of one slice, or one that states the place of each "
                f"frame. Received: {one.path.name}, with {one.frames} frames without "
                "places. Convert it to NIfTI (for example with dcm2niix), or export "
                "the slices as separate files"
            )
    unplaced = [one for one in slices if not one.is_placed]
    if len(unplaced) == len(slices):
        kinds = ", ".join(dict.fromkeys(one.modality or "none" for one in slices))
        raise DataError(
            "expected a volume: slices with ImagePositionPatient, "
            f"ImageOrientationPatient and PixelSpacing. Received: {some(unplaced)} "
            f"(modality {kinds}), without one of these, such as radiographs. {_SINGLE}"
        )
    if unplaced:
        raise DataError(
            "expected slices with ImagePositionPatient, ImageOrientationPatient and "
            f"PixelSpacing. Received: {some(unplaced)} without one of these. Remove "
            "pictures and radiographs from the folder"
        )


def _check_alike(slices: Sequence[Slice]) -> None:
    """Check that all slices have one size, spacing and direction."""
    checks = (
        ("size", "rows x columns", "shape", 0),
        ("pixel spacing", "mm", "spacing_mm", _SAME_SPACING),
        ("direction", "cosines", "directions", _COSINE_TOLERANCE),
    )
    for what, unit, attribute, tolerance in checks:
        values = np.array([np.ravel(getattr(one, attribute)) for one in slices], float)
        _, of, counts = np.unique(
            values.round(3), axis=0, return_inverse=True, return_counts=True
        )
        usual = values[of.ravel() == counts.argmax()][0]
        is_other = np.abs(values - usual).max(axis=1) > tolerance * np.abs(usual).max()
        if is_other.any():
            others = [slices[number] for number in np.flatnonzero(is_other)]
            shown = [_listed(row) for row in (usual, values[is_other][0])]
            raise DataError(
                f"expected slices of one {what}. Received: {shown[0]} {unit} for most, "
                f"{shown[1]} in {some(others)}. Move slices that belong to another "
                "volume to a folder of their own"
            )
    first = slices[0]
    row, column = first.directions
    squares = np.array([row @ row - 1, column @ column - 1, row @ column])
    if np.abs(squares).max() > 10 * _COSINE_TOLERANCE:
        raise DataError(
            f"{first.path.name}: expected directions of rows and columns at right "
            f"angles. Received: {_listed(np.ravel(first.directions))}. "
            "Export the series again"
        )


def _check_gaps(ordered: Sequence[Slice], heights: np.ndarray) -> None:
    """Check that slices are evenly spaced, none of them repeated or missing."""
    gaps = np.diff(heights)
    if gaps.min() < _SAME_PLACE_MM:
        number = int(gaps.argmin())
        same = np.abs(heights - heights[number]) < _SAME_PLACE_MM
        repeated = [one for one, is_same in zip(ordered, same, strict=True) if is_same]
        count = len(np.unique(heights.round(1)))
        raise DataError(
            f"expected one slice at each position. Received: {len(repeated)} at "
            f"{heights[number]:.2f} mm, {some(repeated)}; {len(ordered)} slices at "
            f"{count} positions. Keep one phase, echo or copy, in a folder of its "
            "own"
        )
    usual = float(np.median(gaps))
    number = int(np.abs(gaps - usual).argmax())
    gap = float(gaps[number])
    # One missing slice makes a gap twice as large.
    rounding = min(_ROUNDING_MM, 0.9 * usual)
    if abs(gap - usual) <= max(_SAME_GAP * usual, rounding):
        return
    between = (
        f"{ordered[number].path.name} at {heights[number]:.2f} mm and "
        f"{ordered[number + 1].path.name} at {heights[number + 1]:.2f} mm"
    )
    missing = round(gap / usual) - 1
    if missing > 0 and abs(gap - (missing + 1) * usual) <= _SAME_GAP * usual:
        raise DataError(
            f"expected a slice every {usual:.4g} mm. Received: none between {between}, "
            f"where {missing} {'is' if missing == 1 else 'are'} missing. Copy the "
            "whole series"
        )
    raise DataError(
        f"expected slices at equal distances. Received: {usual:.4g} mm for most, "
        f"{gap:.4g} mm between {between}. Resample the series to equal distances (for "
        "example with dcm2niix) and use the NIfTI file"
    )


def _check_line(
    ordered: Sequence[Slice], positions: np.ndarray, normal: np.ndarray
) -> None:
    """Check that each slice lies above the one before, not beside."""
    whole = positions[-1] - positions[0]
    upright = float(whole @ normal)
    sideways = float(np.linalg.norm(whole - upright * normal))
    degrees = float(np.degrees(np.arctan2(sideways, upright)))
    if degrees > MOST_TILT_DEGREES:
        raise DataError(
            "expected slices at a right angle to the direction in which they are "
            f"stacked. Received: a gantry tilt of {degrees:.1f} degrees. Correct it "
            "(for example with dcm2niix) and use the NIfTI file"
        )
    line = positions[0] + np.linspace(0, 1, len(ordered))[:, np.newaxis] * whole
    off = positions - line
    off -= (off @ normal)[:, np.newaxis] * normal
    distances = np.linalg.norm(off, axis=1)
    number = int(distances.argmax())
    if distances[number] > _SIDEWAYS * max(ordered[0].spacing_mm):
        raise DataError(
            "expected slices above each other. Received: "
            f"{ordered[number].path.name}, {distances[number]:.2f} mm beside the line "
            "of the others. Move slices that belong to another volume to a folder of "
            "their own"
        )


def _listed(values: np.ndarray) -> str:
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"


def some(slices: Sequence[Slice]) -> str:
    """The names of the first files, and how many more there are."""
    names = sorted({one.path.name for one in slices})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
