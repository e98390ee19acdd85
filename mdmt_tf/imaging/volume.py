"""Volumes of CT or MR: NIfTI files, and preparation for a model.

By default, a prepared volume has the axes depth, from the feet to the head; rows, from
the front to the back; columns, from the patient's right to the left. A slice then looks
as in radiology: the nose at the top, the patient's right on the left. World coordinates
are those of NIfTI: millimetres to the right, to the front, upwards.
"""

import dataclasses
import gzip
import os

import nibabel
import numpy as np
from nibabel import orientations

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import nifti
from mdmt_tf.imaging.intensity import background, to_fraction
from mdmt_tf.imaging.preprocess import VolumePreprocessing
from mdmt_tf.imaging.resample import lengths, resample, resize, resized_affine, shift
from mdmt_tf.imaging.visible import is_constant, nothing_visible
from mdmt_tf.storage import write_bytes

# The stored integer that stands for 1, white.
FULL_SCALE = 32767


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """A volume as stored in its file.

    Attributes:
        values: float32 (i, j, k), of a CT in Hounsfield units; axes in the order of the
            file.
        affine: float64 (4, 4), from voxel indices to world coordinates in mm.
        spacing_mm: distance of neighbouring voxels along each axis.
        modality: of a DICOM series, e.g. CT or MR; "" where the file does not say.
        unit: of the values of a DICOM series, see `dicom_values.unit_of`.
    """

    values: np.ndarray
    affine: np.ndarray
    spacing_mm: tuple[float, float, float]
    modality: str = ""
    unit: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class PreparedVolume:
    """A volume, prepared for a model.

    Attributes:
        pixels: int16 (depth, rows, columns, 1), from 0, black, to FULL_SCALE, white.
        affine: float64 (4, 4), from prepared voxel indices to world coordinates in mm.
        original_shape: of the voxels in the file.
        original_affine: float64 (4, 4), as in the file.
    """

    pixels: np.ndarray
    affine: np.ndarray
    original_shape: tuple[int, int, int]
    original_affine: np.ndarray

    def for_model(self) -> np.ndarray:
        """float32 (depth, rows, columns, 1) in [0, 1], as training reads it."""
        return self.pixels.astype(np.float32) / np.float32(FULL_SCALE)


def read_volume(path: str | os.PathLike) -> Volume:
    """Read a NIfTI file (1 or 2, also compressed by gzip), recognised by its content.

    Slope and intercept are applied. The affine is the sform, or else the qform, see
    `nifti.affine_of`.

    Raises: DataError if the file is unreadable or incomplete, if it is not a volume
        with one number per voxel, if it does not state where its voxels lie, or if all
        voxels are the same.
    """
    name = os.fspath(path)
    try:
        image = nifti.open_image(path, name)
        affine = nifti.affine_of(image, name)
        with np.errstate(over="ignore", invalid="ignore"):  # found below
            values = image.get_fdata(dtype=np.float32, caching="unchanged")
        values = values.reshape(values.shape[:3])
        count = values.size - np.count_nonzero(np.isfinite(values))
        if count:
            raise DataError(
                f"expected a finite number in every voxel. Received: {count} of "
                f"{values.size} voxels are not finite. Replace them; outside the "
                "patient, by the value of air (of a CT, -1000 HU)"
            )
        if is_constant(values):
            raise nothing_visible("", f"all voxels have the value {values.flat[0]:g}")
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    return Volume(values, affine, lengths(affine))


def prepare_volume(
    volume: Volume, preprocessing: str | VolumePreprocessing
) -> PreparedVolume:
    """Prepare a volume as the training volumes of a model were prepared.

    1. Axes are swapped and flipped to the orientation, each to its nearest axis. An
       oblique volume stays oblique, because a rotation would blur slices that are 5 mm
       apart.
    2. Values become fractions in [0, 1], see `intensity`.
    3. Without `spacing_mm`: a volume with too few slices (along its first axis) is
       padded with empty slices on both sides; an odd one goes to the end. The volume is
       resized by linear interpolation, with averaging along axes that shrink. Its outer
       faces stay in place.
       With `spacing_mm`: the volume is resampled in the same way, its centre stays in
       place, and it is cropped and padded to the shape, see `resample`.

    Empty voxels are as dark as the background, see `intensity.background`.

    Args:
        volume: as `read_volume` returns it.
        preprocessing: a `VolumePreprocessing` or its name, e.g. "head_40x301x301".
    Raises: ValueError: the name is unknown; DataError: no contrast.
    """
    if isinstance(preprocessing, str):
        preprocessing = VolumePreprocessing.parse(preprocessing)
    size = preprocessing.shape
    turn = orientations.ornt_transform(
        orientations.io_orientation(volume.affine),
        orientations.axcodes2ornt(tuple(preprocessing.orientation)),
    )
    values = orientations.apply_orientation(volume.values, turn)
    affine = volume.affine @ orientations.inv_ornt_aff(turn, volume.values.shape)

    fraction = to_fraction(values, preprocessing)
    empty = background(fraction, preprocessing)
    if preprocessing.spacing_mm is None:
        missing = max(0, size[0] - len(fraction))
        below = missing // 2
        pad = ((below, missing - below), (0, 0), (0, 0))
        fraction = np.pad(fraction, pad, constant_values=empty)
        affine = affine @ shift(-below, 0, 0)
        affine = resized_affine(affine, fraction.shape, size)
        fraction = resize(fraction, size)
    else:
        spacing = preprocessing.spacing_mm
        fraction, affine = resample(fraction, affine, spacing, size, empty)
    # Rounding must not exceed the range of the integers.
    pixels = np.rint(np.clip(fraction, 0, 1) * np.float32(FULL_SCALE)).astype(np.int16)
    return PreparedVolume(
        pixels[..., np.newaxis], affine, volume.values.shape, volume.affine
    )


def write_nifti(path: str | os.PathLike, array: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume whole or not at all, with its affine as sform in millimetres.

    Args:
        path: ends in `.nii` or `.nii.gz`.
        array: (i, j, k), of a type that NIfTI supports; 64-bit integers are excluded.
        affine: (4, 4), from voxel indices to world coordinates in mm.
    Raises: DataError when the file cannot be written.
    """
    name = os.fspath(path).lower()
    if not name.endswith((".nii", ".nii.gz")):
        raise DataError(f"{path}: expected a name that ends in .nii or .nii.gz")
    image = nibabel.Nifti1Image(array, affine)
    image.set_sform(affine, code="scanner")
    image.header.set_xyzt_units("mm")
    data = image.to_bytes()
    if name.endswith(".gz"):
        # The level of nibabel. Without a time, equal volumes are equal files.
        data = gzip.compress(data, compresslevel=1, mtime=0)
    try:
        write_bytes(path, data)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error
