"""Elements of one frame of a DICOM image, wherever the file states them.

Enhanced images, such as of CT and MR, have groups of elements: some of a single frame,
others shared by all frames (PS3.3 C.7.6.16). Other images have them in the file itself,
and some programs write both.
"""

from typing import Any

import numpy as np
import pydicom

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom_header import code

_OF_FRAME = "PerFrameFunctionalGroupsSequence"
_SHARED = "SharedFunctionalGroupsSequence"
TAGS = (_OF_FRAME, _SHARED)
_POSITION = "ImagePositionPatient"
_GROUPS = {
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
    "VOILUTFunction": "FrameVOILUTSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    _POSITION: "PlanePositionSequence",
}
_ROUNDING = 1e-3


def element(dataset: pydicom.Dataset, keyword: str, name: str, frame: int = 0) -> Any:
    """The value of an element for one frame; None where it is stated nowhere.

    The position in the file itself is that of the first frame.

    Args:
        dataset: with the elements of TAGS, if the file has them.
        keyword: one of those that frames have, e.g. "RescaleSlope".
        name: of the file, for messages.
        frame: number of the frame.
    Raises: DataError where the file states two different values.
    """
    found = statements(dataset, keyword, frame)
    if not found:
        return None
    (first, value), *others = found
    for place, other in others:
        if not _is_same(value, other):
            raise DataError(
                f"{name}: expected one {keyword} for frame {frame + 1}. Received: "
                f"different values in {first} and in {place}. Export the image again"
            )
    return value


def statements(
    dataset: pydicom.Dataset, keyword: str, frame: int = 0
) -> list[tuple[str, Any]]:
    """Place and value of all that a file states of an element, see `element`."""
    places = list(_groups(dataset, keyword, frame))
    if keyword != _POSITION or not (places or frame):
        places.append(("the file itself", dataset))
    found = [(place, code(item.get(keyword))) for place, item in places]
    return [(place, value) for place, value in found if value not in (None, "")]


def frames_with_groups(dataset: pydicom.Dataset, name: str) -> int:
    """The number of frames that have groups of their own; 0 for other images.

    Raises: DataError when some frames have none.
    """
    count, frames = len(dataset.get(_OF_FRAME) or ()), number_of_frames(dataset)
    if count and count != frames:
        raise DataError(
            f"{name}: expected a group of elements for each of {frames} frames "
            f"(NumberOfFrames). Received: {count} groups. The header contradicts "
            "itself: export the image again"
        )
    return count


def number_of_frames(dataset: pydicom.Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _groups(dataset: pydicom.Dataset, keyword: str, frame: int):
    """Name and item of each group that may have the element."""
    own = (dataset.get(_OF_FRAME) or ())[frame : frame + 1]
    shared = (dataset.get(_SHARED) or ())[:1]
    for place, items in (
        ("the groups of the frame", own),
        ("the shared groups", shared),
    ):
        for item in items:
            for group in (item.get(_GROUPS[keyword]) or ())[:1]:
                yield place, group


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    one, other = np.array(one, float), np.array(other, float)
    return one.shape == other.shape and np.allclose(one, other, rtol=_ROUNDING)
