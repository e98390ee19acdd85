"""How a single DICOM image is to be looked at, by what its header says of directions.

A slice of a CT or MR states where its rows and columns go in the patient, so it can be
turned as in radiology: seen from the feet, from the front, or from the patient's left.
A radiograph states this for a viewer, and often wrongly, so it stays as it is stored.
"""

import warnings

import numpy as np
import pydicom

from mdmt_tf.errors import DataWarning
from mdmt_tf.imaging.dicom_frames import element

TAGS = ("Modality", "ImageOrientationPatient", "PatientOrientation")
_SLICES = ("CT", "MR", "PT", "NM")
# Of DICOM's axes, to the left, to the back and upwards, in an upright image: columns
# to the left, or to the back if there is no left; rows downwards, or else to the back.
_UPRIGHT = (1, 1, -1)
_PLANES = ("sagittal", "coronal", "axial")


def upright(pixels: np.ndarray, dataset: pydicom.Dataset, name: str) -> np.ndarray:
    """Turn and mirror a slice as in radiology; other images stay as they are.

    The axes of an oblique slice are those that are nearest.

    Args:
        pixels: (rows, columns) or (rows, columns, 3).
        dataset: with the elements of TAGS.
        name: of the file, for messages.
    Warns: DataWarning for a radiograph that is stated to be mirrored or turned.
    """
    directions = _directions(dataset, name)
    if directions is None:
        _doubt_radiograph(dataset, name)
        return pixels
    _, horizontal, vertical = _axes(directions)
    if horizontal > vertical:  # rows and columns are exchanged
        pixels, directions = np.swapaxes(pixels, 0, 1), directions[::-1]
        horizontal, vertical = vertical, horizontal
    if directions[0, horizontal] * _UPRIGHT[horizontal] < 0:
        pixels = pixels[:, ::-1]
    if directions[1, vertical] * _UPRIGHT[vertical] < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def plane_of(dataset: pydicom.Dataset, name: str) -> str:
    """axial, coronal or sagittal; "" where the file does not say."""
    directions = _directions(dataset, name)
    return "" if directions is None else _PLANES[_axes(directions)[0]]


def _directions(dataset: pydicom.Dataset, name: str) -> np.ndarray | None:
    """float64 (2, 3), of a row and of a column; None for images without a place."""
    if (dataset.get("Modality") or "CT") not in _SLICES:
        return None
    stated = element(dataset, "ImageOrientationPatient", name)
    if stated is None or len(stated) != 6:
        return None
    directions = np.array(stated, np.float64).reshape(2, 3)
    is_plane = np.linalg.norm(np.cross(*directions)) > 0.5
    return directions if is_plane else None


def _axes(directions: np.ndarray) -> tuple[int, int, int]:
    """The nearest axis of the normal, of a row and of a column; all are different."""
    plane = int(np.abs(np.cross(*directions)).argmax())
    one, other = (axis for axis in range(3) if axis != plane)
    if abs(directions[0, one]) >= abs(directions[0, other]):
        return plane, one, other
    return plane, other, one


def _doubt_radiograph(dataset: pydicom.Dataset, name: str) -> None:
    stated = dataset.get("PatientOrientation")
    if stated is None or isinstance(stated, str) or len(stated) != 2:
        return
    row, column = (str(text)[:1] for text in stated)
    # Others, as of the breast, have no feet in them.
    is_body = len({row, column} & {"H", "F"}) == 1 and {row, column} & set("LRAP")
    if is_body and (column != "F" or row == "R"):
        doubt = (
            f"{name}: PatientOrientation {row}\\{column} says that the picture is "
            "mirrored or turned: its rows go to the right of the patient, or its "
            "columns not to the feet. It is taken as stored. Look at it, and export it "
            "upright if it is not"
        )
        warnings.warn(DataWarning(doubt, "stated as mirrored or turned"), stacklevel=2)
