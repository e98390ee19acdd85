"""NIfTI files: header, bytes and affine, checked before the voxels are decoded."""

import contextlib
import io
import math
import os
import struct
import warnings
from pathlib import Path

import nibabel
import numpy as np
from nibabel import orientations

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import limits
from mdmt_tf.imaging.decoder_messages import quiet_loggers
from mdmt_tf.imaging.other_files import known_kind
from mdmt_tf.imaging.resample import MOST_TILT_DEGREES, lengths

_GZIP = b"\x1f\x8b"
# Size of the header -> place of the magic, the one of a whole file, and of a pair.
_KINDS = {
    348: (nibabel.Nifti1Image, 344, b"n+1\0", b"ni1\0"),
    540: (nibabel.Nifti2Image, 4, b"n+2\0", b"ni2\0"),
}
_LONGEST_HEADER = 544
# Spacings of sform and qform are rounded differently.
_SAME_SPACING = 0.01
# Metres and micrometres; the other bits of xyzt_units are of time.
_SPACE = 7
_UNITS_MM = {1: 1000.0, 3: 0.001}


def open_image(path: str | os.PathLike, name: str) -> nibabel.Nifti1Image:
    """Open a file, plain or compressed by gzip, recognised by its content.

    Args:
        path: the file.
        name: of the file, for warnings.
    Returns: an image of one real number per voxel. All of the file is there, and its
        checksum is right; the voxels are not decoded yet.
    Raises: DataError, without the name.
    """
    stored = limits.read_file(Path(path), "")
    is_packed = stored.startswith(_GZIP)
    start = stored[:_LONGEST_HEADER]
    if is_packed:
        start = limits.start_of_gzip(stored, _LONGEST_HEADER)
        if len(start) < _LONGEST_HEADER:  # damaged or short: this says which
            start = limits.inflate(stored, "")
    kind = _kind_of(start)
    image = _parsed(kind, start)
    shape, dtype = image.shape, image.get_data_dtype()
    check_voxels(shape, dtype)
    size = math.prod(shape) * dtype.itemsize
    expected = int(image.dataobj.offset) + size
    limits.check_pixels(
        "",
        *shape[:2],
        math.prod(shape[2:]),
        bytes_each=dtype.itemsize,
        stored=len(stored) if is_packed else None,
    )
    # As many bytes as a slice, on any side, are no filling: the header is wrong.
    slab = size // max(shape[:3])
    data = limits.inflate(stored, "", expected + slab) if is_packed else stored
    if len(data) < expected:
        raise DataError(
            f"expected {expected} bytes for {' x '.join(map(str, shape))} voxels. "
            f"Received: {len(data)}. The file is truncated: copy it again"
        )
    if len(data) >= expected + slab:
        raise DataError(
            f"expected {expected} bytes for {' x '.join(map(str, shape))} voxels. "
            f"Received: at least {expected + slab}. The header is damaged: convert the "
            "file again"
        )
    if len(data) > expected:
        doubt = f"{name}: {len(data) - expected} bytes after the voxels are left out"
        warnings.warn(DataWarning(doubt, "bytes after the voxels"), stacklevel=2)
    return _parsed(kind, data)


def _kind_of(start: bytes) -> type[nibabel.Nifti1Image]:
    """The class for a header; DataError for none, or one of a pair of files."""
    for size, (kind, place, whole, pair) in _KINDS.items():
        magic = start[place : place + 4]
        if magic not in (whole, pair):
            continue
        if size not in struct.unpack("<i", start[:4]) + struct.unpack(">i", start[:4]):
            raise DataError(
                f"expected a NIfTI file. Received: a damaged header (sizeof_hdr is "
                f"{struct.unpack('<i', start[:4])[0]}, not {size}). Copy it again"
            )
        if magic == pair:
            raise DataError(
                "expected a NIfTI file that holds its voxels. Received: the header of "
                "a pair of files (.hdr and .img). Convert both to one .nii file"
            )
        return kind
    found = known_kind(start) or (
        "a file without its header. Convert or copy the file again"
    )
    raise DataError(f"expected a NIfTI file (.nii or .nii.gz). Received: {found}")


def _parsed(kind: type[nibabel.Nifti1Image], data: bytes) -> nibabel.Nifti1Image:
    try:
        with quiet_loggers():
            image = kind.from_stream(io.BytesIO(data))
        int(image.dataobj.offset)
    # nibabel passes on any exception from parsing the fields.
    except Exception as error:
        raise DataError(
            f"expected a NIfTI file. Received: a damaged header ({error}). Copy it "
            "again"
        ) from error
    return image


def check_voxels(shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Check that a file has one volume of real numbers; DataError without the name."""
    if dtype.kind not in "iuf":
        raise DataError(
            "expected one real number per voxel. Received: voxels of type "
            f"{'RGB' if dtype.fields else dtype.name}. Export the CT itself, not a "
            "picture or a derived map"
        )
    if len(shape) < 3 or min(shape) < 1 or any(count != 1 for count in shape[3:]):
        raise DataError(
            f"expected one volume of three axes. Received: shape {shape}. Write each "
            "volume to a separate file"
        )


def affine_of(image: nibabel.Nifti1Image, name: str) -> np.ndarray:
    """float64 (4, 4), from voxel indices to mm: the sform, or else the qform.

    A file without both is an error: nibabel would guess which side is left, and a
    mirrored head looks normal. So is a file whose forms disagree on left and right.

    Raises: DataError, without the name.
    """
    header = image.header
    sform = _sform(header, name)
    qform = _qform(header)
    if sform is None and qform is None:
        raise DataError(
            "expected an sform or a qform, which define left and right. "
            "Received: code 0 for both. Convert the file from DICOM again, or set the "
            "sform if the orientation is known"
        )
    to_mm = in_mm(header)
    sform, qform = (None if f is None else to_mm @ f for f in (sform, qform))
    affine = qform if sform is None else sform
    sides = np.array(lengths(affine))
    # The volume of a voxel must not be tiny, compared to one with right angles.
    volume = abs(np.linalg.det(affine[:3, :3])) if np.isfinite(affine).all() else 0
    if not volume > 1e-3 * sides.prod() > 0:
        raise DataError(
            "expected an affine from voxels to millimetres that can be inverted. "
            f"Received: {affine[:3].tolist()}. Convert the file from DICOM again"
        )
    _doubt_angles(affine, name)
    if sform is not None and qform is not None:
        _compare(sform, qform, name)
    if np.array_equal(affine, np.eye(4)):
        doubt = (
            f"{name}: the affine is the identity, which no scanner writes. Left and "
            "right may be wrong: compare the file with the DICOM series"
        )
        warnings.warn(DataWarning(doubt, "identity as affine"), stacklevel=2)
    return affine


def _doubt_angles(affine: np.ndarray, name: str) -> None:
    """Warn of axes of voxels that are not at right angles.

    A DICOM series like this is refused; a NIfTI file may be of a converter that knows
    what it does, and is read as a box.
    """
    axes = affine[:3, :3] / lengths(affine)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        cosine = np.clip(axes[:, one] @ axes[:, other], -1, 1)
        degrees = float(np.degrees(np.arccos(cosine)))
        if abs(degrees - 90) > MOST_TILT_DEGREES:
            doubt = (
                f"{name}: {degrees:.1f} degrees between axes {one + 1} and "
                f"{other + 1}, as of a gantry tilt or a registration. They are taken "
                "as right angles, so what is seen is skewed. Resample the volume "
                "(dcm2niix corrects the tilt of a DICOM series)"
            )
            warnings.warn(DataWarning(doubt, "axes not at right angles"), stacklevel=3)


def in_mm(header: nibabel.Nifti1Header) -> np.ndarray:
    """float64 (4, 4), from the header's unit of length to mm; unknown units are mm."""
    scale = _UNITS_MM.get(int(header["xyzt_units"]) & _SPACE, 1.0)
    return np.diag([scale, scale, scale, 1.0])


def _sform(header: nibabel.Nifti1Header, name: str) -> np.ndarray | None:
    if int(header["sform_code"]) <= 0:
        return None
    sform = np.array(header.get_sform(), np.float64)
    if int(header["qform_code"]) > 0 and not sform[:3, :3].any():
        doubt = f"{name}: the sform is zero everywhere; the qform is taken instead"
        warnings.warn(DataWarning(doubt, "empty sform"), stacklevel=2)
        return None
    return sform


def _qform(header: nibabel.Nifti1Header) -> np.ndarray | None:
    """The qform; None without one, or for one that is no rotation."""
    if int(header["qform_code"]) <= 0:
        return None
    with contextlib.suppress(Exception):  # as in `_parsed`
        return np.array(header.get_qform(), np.float64)
    return None


def _compare(sform: np.ndarray, qform: np.ndarray, name: str) -> None:
    """Check that both forms say the same of the directions of the voxels' axes."""
    codes = []
    for form in (sform, qform):
        with contextlib.suppress(Exception):
            codes.append("".join(orientations.aff2axcodes(form)))
    if len(codes) < 2 or not np.isfinite(qform).all():
        return  # the qform is damaged, and is not needed
    stated = f"sform says {codes[0]}, the qform {codes[1]}"
    sides = [[letter if letter in "LR" else "" for letter in code] for code in codes]
    if sides[0] != sides[1]:
        raise DataError(
            f"expected one direction from left to right. Received: the {stated}. "
            "Convert the file from DICOM again, or remove the wrong one (set its code "
            "to 0)"
        )
    apart = np.abs(np.divide(lengths(sform), lengths(qform)) - 1).max()
    if codes[0] != codes[1] or apart > _SAME_SPACING:
        sizes = [
            " x ".join(f"{side:.4g}" for side in lengths(form))
            for form in (sform, qform)
        ]
        doubt = (
            f"{name}: the {stated}, with voxels of {sizes[0]} and {sizes[1]} mm. The "
            "sform is taken"
        )
        warnings.warn(DataWarning(doubt, "sform unlike qform"), stacklevel=2)
