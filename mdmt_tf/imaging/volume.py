"""Head CTs: NIfTI files, and preparation for a model.

A prepared volume has the axes depth, from the feet to the head; rows, from the front
to the back; columns, from the patient's right to the left. A slice then looks as in
radiology: the nose at the top, the patient's right on the left. World coordinates are
those of NIfTI: millimetres to the right, to the front, upwards.
"""

import dataclasses
import gzip
import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
from nibabel import orientations
from scipy import ndimage, sparse

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.preprocess import VolumePreprocessing

# The window of Cobo et al. 2024: from above water to above clotted blood.
WINDOW_LOW_HU = 15
WINDOW_WIDTH_HU = 85

# The stored integer that stands for the top of the window.
FULL_SCALE = 32767

# Depth upwards, rows to the back (posterior), columns to the left.
_AXES = ("S", "P", "L")
_GZIP = b"\x1f\x8b"


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """A head CT as stored in its file.

    Attributes:
        hu: float32 (i, j, k), Hounsfield units, axes in the order of the file.
        affine: float64 (4, 4), from voxel indices to world coordinates in mm.
        spacing_mm: distance of neighbouring voxels along each axis.
    """

    hu: np.ndarray
    affine: np.ndarray
    spacing_mm: tuple[float, float, float]


@dataclasses.dataclass(frozen=True, eq=False)
class PreparedVolume:
    """A head CT, prepared for a model.

    Attributes:
        pixels: int16 (depth, rows, columns, 1), from 0 at the low end of the window to
            FULL_SCALE at its high end.
        affine: float64 (4, 4), from prepared voxel indices to world coordinates in mm.
        original_shape: of the voxels in the file.
        original_affine: float64 (4, 4), as in the file.
    """

    pixels: np.ndarray
    affine: np.ndarray
    original_shape: tuple[int, int, int]
    original_affine: np.ndarray


def read_volume(path: str | os.PathLike) -> Volume:
    """Read a NIfTI file (1 or 2, also compressed by gzip), recognised by its content.

    Slope and intercept are applied. The affine is the sform, or else the qform. A file
    without both is an error: nibabel would guess which side is left, and a mirrored
    head looks normal.

    Raises: DataError if the file is unreadable or incomplete, if it is not a volume
        with one number per voxel, or if it does not state where its voxels lie.
    """
    try:
        image = _open(Path(path))
        affine = _affine(image)
        with np.errstate(over="ignore"):  # the check below finds overflows
            hu = image.get_fdata(dtype=np.float32, caching="unchanged")
        hu = hu.reshape(hu.shape[:3])
        count = hu.size - np.count_nonzero(np.isfinite(hu))
        if count:
            raise DataError(
                f"expected a finite number in every voxel. Received: {count} of "
                f"{hu.size} voxels are not finite. Replace them; outside the head, by "
                "-1000 HU (air)"
            )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return Volume(hu, affine, _lengths(affine))


def _open(path: Path) -> nibabel.Nifti1Image:
    """Open the image and check its header; the voxels are not decoded yet."""
    try:
        data = path.read_bytes()
        # Decompress all of it, so that the checksum at the end is verified.
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"expected a readable file. Received: {error}. Copy it again"
        ) from error
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        if kind.header_class.may_contain_header(data):
            break
    else:
        raise DataError(
            "expected a NIfTI file (.nii or .nii.gz). Received: "
            f"{len(data)} bytes without its header. Convert or copy the file again"
        )
    try:
        image = kind.from_bytes(data)
        shape, dtype = image.shape, image.get_data_dtype()
        offset = int(image.dataobj.offset)
    # nibabel passes on any exception from parsing the fields.
    except Exception as error:
        raise DataError(
            f"expected a NIfTI file. Received: a damaged header ({error}). Copy it "
            "again"
        ) from error
    if dtype.kind not in "iuf":
        raise DataError(
            "expected one real number per voxel. Received: voxels of type "
            f"{'RGB' if dtype.fields else dtype.name}. Export the CT itself, not a "
            "picture or a derived map"
        )
    if len(shape) < 3 or math.prod(shape[:3]) < 1 or any(n != 1 for n in shape[3:]):
        raise DataError(
            f"expected one volume of three axes. Received: shape {shape}. Write each "
            "volume to a separate file"
        )
    expected = offset + math.prod(shape) * dtype.itemsize
    if len(data) < expected:
        raise DataError(
            f"expected {expected} bytes for {' x '.join(map(str, shape))} voxels. "
            f"Received: {len(data)}. The file is truncated: copy it again"
        )
    return image


def _affine(image: nibabel.Nifti1Image) -> np.ndarray:
    """float64 (4, 4), from voxel indices to mm."""
    header = image.header
    if int(header["sform_code"]) <= 0 and int(header["qform_code"]) <= 0:
        raise DataError(
            "expected an sform or a qform, which define left and right. "
            "Received: code 0 for both. Convert the file from DICOM again, or set the "
            "sform if the orientation is known"
        )
    affine = np.array(image.affine, np.float64)
    lengths = np.array(_lengths(affine))
    # The volume of a voxel must not be tiny, compared to one with right angles.
    volume = abs(np.linalg.det(affine[:3, :3])) if np.isfinite(affine).all() else 0
    if not volume > 1e-3 * lengths.prod() > 0:
        raise DataError(
            "expected an affine from voxels to millimetres that can be inverted. "
            f"Received: {affine[:3].tolist()}. Convert the file from DICOM again"
        )
    return affine


def _lengths(affine: np.ndarray) -> tuple[float, float, float]:
    return tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist())


def prepare_volume(
    volume: Volume, preprocessing: str | VolumePreprocessing
) -> PreparedVolume:
    """Prepare a head CT as the training volumes of a model were prepared.

    1. Axes are swapped and flipped to the order of the module, each to its nearest
       axis. An oblique head stays oblique, because a rotation would blur slices that
       are 5 mm apart.
    2. Values become (HU - WINDOW_LOW_HU) / WINDOW_WIDTH_HU, clipped to [0, 1].
    3. A volume with too few slices is padded with empty slices above and below; an odd
       one goes above.
    4. The volume is resized by linear interpolation, with averaging along axes that
       shrink. Voxels are boxes: the outer faces of the volume stay in place.

    Args:
        volume: as `read_volume` returns it.
        preprocessing: a `VolumePreprocessing` or its name, e.g. "head_40x301x301".
    Raises: ValueError: the name is unknown.
    """
    if isinstance(preprocessing, str):
        preprocessing = VolumePreprocessing.parse(preprocessing)
    size = (preprocessing.depth, preprocessing.rows, preprocessing.columns)
    turn = orientations.ornt_transform(
        orientations.io_orientation(volume.affine), orientations.axcodes2ornt(_AXES)
    )
    hu = orientations.apply_orientation(volume.hu, turn)
    affine = volume.affine @ orientations.inv_ornt_aff(turn, volume.hu.shape)

    fraction = np.clip((hu - np.float32(WINDOW_LOW_HU)) / WINDOW_WIDTH_HU, 0, 1)
    missing = max(0, preprocessing.depth - len(fraction))
    below = missing // 2
    fraction = np.pad(fraction, ((below, missing - below), (0, 0), (0, 0)))
    affine = affine @ _shift(-below, 0, 0)

    affine = resized_affine(affine, fraction.shape, size)
    # Rounding must not exceed the range of the integers.
    fraction = np.clip(resize(fraction, size), 0, 1)
    pixels = np.rint(fraction * np.float32(FULL_SCALE)).astype(np.int16)
    return PreparedVolume(
        pixels[..., np.newaxis], affine, volume.hu.shape, volume.affine
    )


def resized_affine(
    affine: np.ndarray, size: Sequence[int], resized: Sequence[int]
) -> np.ndarray:
    """Affine (4, 4) of a resized volume whose outer faces stay in place."""
    scale = np.divide(size, resized)
    return affine @ _shift(*(scale - 1) / 2) @ np.diag([*scale, 1.0])


def _shift(*offset: float) -> np.ndarray:
    """float64 (4, 4): adds `offset` to three coordinates."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def resize(values: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize each axis by linear interpolation, without aliasing.

    Each new voxel is a mean, weighted by a triangle that reaches one voxel of the
    coarser grid to both sides. This is linear interpolation along an axis that grows.
    Along an axis that shrinks it is the filter of Pillow's BILINEAR and of
    tf.image.resize with antialias.

    Args:
        values: float32 (depth, rows, columns), or with other axes, each 1 or more.
    Returns: float32 of shape `size`, within the range of the input up to rounding.
    """
    # Depth first: it shrinks most where volumes are large.
    for axis, new in enumerate(size):
        front = np.moveaxis(values, axis, 0)
        flat = np.ascontiguousarray(front).reshape(len(front), -1)
        # A sparse product takes a tenth of the work and starts no BLAS threads.
        mixed = sparse.csr_array(_weights(len(front), new)) @ flat
        values = np.moveaxis(mixed.reshape(new, *front.shape[1:]), 0, axis)
    return np.ascontiguousarray(values)


def _weights(old: int, new: int) -> np.ndarray:
    """float32 (new, old): weight of each old voxel in a new one; rows sum to 1."""
    if old == new:
        return np.eye(old, dtype=np.float32)
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    distance = np.abs(centres[:, np.newaxis] - np.arange(old)) / max(1.0, scale)
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def to_original_grid(
    values: np.ndarray,
    prepared_affine: np.ndarray,
    original_affine: np.ndarray,
    original_shape: tuple[int, int, int],
) -> np.ndarray:
    """Map values of a prepared volume to the voxels of its original file.

    Args:
        values: float (depth, rows, columns), such as a saliency map.
        prepared_affine, original_affine: (4, 4), as in `PreparedVolume`.
        original_shape: of the result.
    Returns: float32, interpolated linearly; 0 in voxels whose centre is outside the
        prepared volume.
    """
    matrix = np.linalg.inv(prepared_affine) @ original_affine
    options = {"matrix": matrix[:3, :3], "offset": matrix[:3, 3]}
    options["output_shape"] = tuple(original_shape)
    values = np.asarray(values, np.float32)
    # The outermost half voxel belongs to the volume but has no neighbour beyond it.
    result = ndimage.affine_transform(values, order=1, mode="nearest", **options)
    inside = np.ones(values.shape, np.uint8)
    return result * ndimage.affine_transform(
        inside, order=0, mode="grid-constant", **options
    )


def write_nifti(path: str | os.PathLike, array: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume, `.nii` or `.nii.gz`, with its affine as sform in millimetres.

    Args:
        array: (i, j, k), of a type that NIfTI supports; 64-bit integers are excluded.
        affine: (4, 4), from voxel indices to world coordinates in mm.
    Raises: DataError when the file cannot be written.
    """
    image = nibabel.Nifti1Image(array, affine)
    image.set_sform(affine, code="scanner")
    image.header.set_xyzt_units("mm")
    try:
        nibabel.save(image, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error
    except nibabel.filebasedimages.ImageFileError as error:
        raise DataError(
            f"{path}: expected a name that ends in .nii or .nii.gz"
        ) from error
