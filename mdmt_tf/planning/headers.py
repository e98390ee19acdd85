"""Kind, size and spacing of image files, from the headers of a sample of them."""

import dataclasses
import os
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from mdmt_tf import links
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import limits
from mdmt_tf.imaging.decoder_messages import quiet_loggers
from mdmt_tf.imaging.image_files import VOLUMES, NoImagesError, find_images

MOST_HEADERS = 50
# Voxels are read of few volumes: this takes seconds for large ones.
_MOST_VOLUMES = 3


@dataclasses.dataclass(frozen=True)
class Header:
    """What the header of one image says.

    Attributes:
        kind: DICOM, PNG, JPEG, TIFF, NIfTI or DICOM series.
        shape: (rows, columns), or (slices, rows, columns) of a volume.
        spacing_mm: distance of voxels along each axis of `shape`, if known.
        bits: bits stored of a pixel, if known.
        modality: DICOM's, such as DX, CT, MR; "CT" for a NIfTI file in HU.
        part: the part of the body in lower case, as DICOM has it, or "".
    """

    kind: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...] | None = None
    bits: int | None = None
    modality: str = ""
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Images:
    """The images of a folder, and what is known of them.

    Attributes:
        files: paths of all, relative to the folder; those of DICOM series are folders.
        headers: those of a sample.
        unreadable: a sample's files whose header cannot be read, with the reason.
    """

    files: tuple[str, ...]
    headers: tuple[Header, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence on the files that cannot be read; none if all can."""
        bad = len(self.unreadable)
        if not bad:
            return ()
        count = bad + len(self.headers)
        return (
            f"{bad} of {count} sampled files cannot be read, first: "
            f"{self.unreadable[0]}".rstrip("."),
        )

    @property
    def is_volume(self) -> bool:
        return any(len(header.shape) == 3 for header in self.headers)

    @property
    def kinds(self) -> Counter[str]:
        return Counter(header.kind for header in self.headers)

    @property
    def modality(self) -> str:
        """The most frequent modality, or ""."""
        known = Counter(h.modality for h in self.headers if h.modality)
        return known.most_common(1)[0][0] if known else ""

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(header.part for header in self.headers if header.part)

    @property
    def median_shape(self) -> tuple[int, ...]:
        """Median along each axis, (rows, columns) or (slices, rows, columns)."""
        dimensions = 3 if self.is_volume else 2
        shapes = [h.shape for h in self.headers if len(h.shape) == dimensions]
        return tuple(int(median(axis)) for axis in zip(*shapes, strict=True))

    @property
    def median_spacing_mm(self) -> tuple[float, ...] | None:
        dimensions = 3 if self.is_volume else 2
        known = [
            h.spacing_mm
            for h in self.headers
            if h.spacing_mm and len(h.shape) == dimensions
        ]
        if not known:
            return None
        return tuple(float(median(axis)) for axis in zip(*known, strict=True))


def list_images(folder: str | os.PathLike) -> Iterator[tuple[str, ...]]:
    """The images below a folder as volumes and as other images, the likelier first.

    A folder with one DICOM series is a volume, and its files are images; the table
    tells which of them are meant. To look for series takes long, so they come last.

    Yields: paths relative to the folder.
    Raises: DataError when there is no folder or no image in it.
    """
    folder, problem, n_found = Path(folder), None, 0
    if not folder.is_dir():
        raise DataError(f"--images {folder}: no such folder.")
    names = (name for _, _, found in os.walk(folder) for name in found)
    volumes_first = any(name.lower().endswith(VOLUMES) for name in names)
    for volumes in (volumes_first, not volumes_first):
        try:
            paths = find_images([folder], volumes)
        except DataError as error:
            problem = problem or error
            continue
        n_found += 1
        yield tuple(path.relative_to(folder).as_posix() for path in paths)
    if not n_found and isinstance(problem, NoImagesError):
        volumes = f"{', '.join(VOLUMES)} or DICOM series"
        raise NoImagesError(f"{problem} Files of volumes are {volumes}.")
    if not n_found:
        raise problem


def look(folder: str | os.PathLike, files: Sequence[str]) -> Images:
    """Read the headers of at most MOST_HEADERS files, evenly spaced.

    Raises: DataError when none of them can be read.
    """
    step = max(1, -(-len(files) // MOST_HEADERS))
    headers, unreadable, volumes = [], [], 0
    for file in files[::step]:
        path = Path(folder) / file
        if out := links.first_out(path, folder):
            unreadable.append(links.reason(out, folder))
            continue
        try:
            with quiet_loggers():
                header = read_header(path, voxels=volumes < _MOST_VOLUMES)
        except DataError as error:
            unreadable.append(f"{file}: {str(error).removeprefix(f'{path}: ')}")
            continue
        volumes += len(header.shape) == 3
        headers.append(header)
    if not headers:
        raise DataError(
            f"{folder}: no header of {len(unreadable)} files can be read. First: "
            f"{unreadable[0]}"
        )
    return Images(tuple(files), tuple(headers), tuple(unreadable))


def read_header(path: Path, voxels: bool = True) -> Header:
    """The header of one image file, or of a folder with a DICOM series.

    Args:
        voxels: whether to tell a CT from the voxels of a NIfTI file, which takes long.
    Raises: DataError when it is not an image or damaged.
    """
    try:
        return _read_header(path, voxels)
    except DataError:
        raise
    # Readers pass on any exception for damaged headers.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: this header cannot be read: {reason}") from error


def _read_header(path: Path, voxels: bool) -> Header:
    from mdmt_tf.imaging.dicom import is_dicom  # slow to import

    if path.is_dir():
        return _series(path)
    stored = limits.check_file_size(path)
    if path.name.lower().endswith(VOLUMES):
        return _nifti(path, voxels, stored)
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if is_dicom(start):
        return _dicom(path)
    if start.startswith(b"\x89PNG"):
        columns, rows, bits = struct.unpack_from(">IIB", start, 16)
        return Header("PNG", (rows, columns), bits=bits)
    if start.startswith(b"\xff\xd8"):
        return Header("JPEG", _jpeg_size(path.read_bytes()), bits=8)
    if start[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(path.read_bytes())
    raise DataError(f"{path}: expected DICOM, PNG, JPEG, TIFF or NIfTI")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    while position < len(data):
        marker = data[position + 1]
        if marker == 0xFF:  # filling
            position += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return struct.unpack_from(">HH", data, position + 5)
        else:
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    raise ValueError("a JPEG file without a frame")


def _tiff(data: bytes) -> Header:
    order = "<" if data.startswith(b"II") else ">"
    (page,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, page)
    tags = {}
    for index in range(count):
        at = page + 2 + 12 * index
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if code := {3: "H", 4: "I"}.get(kind):
            (tags[tag],) = struct.unpack_from(order + code, data, at + 8)
    return Header("TIFF", (tags[257], tags[256]), bits=8)


def _series(folder: Path) -> Header:
    """Of the largest series in a folder, whatever else is there."""
    from mdmt_tf.imaging.series_files import series_in  # slow to import

    by_series = series_in(folder)
    if not by_series:
        raise DataError(f"{folder}: expected DICOM slices in this folder")
    slices = max(by_series, key=len)
    header = _dicom(slices[0].path, sum(one.frames for one in slices))
    return dataclasses.replace(header, kind="DICOM series")


def _dicom(path: Path, slices: int | None = None) -> Header:
    from mdmt_tf.imaging.dicom_header import read_elements  # slow to import

    tags = "Rows Columns BitsStored Modality PixelSpacing ImagerPixelSpacing "
    tags += "SliceThickness SpacingBetweenSlices BodyPartExamined NumberOfFrames"
    # Its warnings do not name the file, and what is missing is no fault here.
    with warnings.catch_warnings(action="ignore"):
        data = read_elements(path, tags.split())
    shape: tuple[int, ...] = (int(data["Rows"].value), int(data["Columns"].value))
    pair = data.get("PixelSpacing") or data.get("ImagerPixelSpacing")
    spacing = tuple(float(value) for value in pair) if pair else None
    slices = slices or int(data.get("NumberOfFrames") or 1)
    if slices > 1:
        shape = (slices, *shape)
        between = data.get("SpacingBetweenSlices") or data.get("SliceThickness")
        spacing = (float(between), *spacing) if spacing and between else None
    return Header(
        "DICOM",
        shape,
        spacing,
        int(data.get("BitsStored") or 16),
        str(data.get("Modality") or ""),
        str(data.get("BodyPartExamined") or "").lower(),
    )


def _nifti(path: Path, voxels: bool, stored: int) -> Header:
    import nibabel
    import numpy as np

    from mdmt_tf.imaging import nifti

    image = nibabel.load(path)
    try:
        nifti.check_voxels(image.shape, image.get_data_dtype())
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    # Array axis of left-right, back-front and feet-head; we count from the last.
    axes = np.argsort(nibabel.io_orientation(image.affine)[:, 0])[::-1]
    zooms = image.header.get_zooms()[:3] @ nifti.in_mm(image.header)[:3, :3]
    shape = tuple(int(image.shape[axis]) for axis in axes)
    spacing = tuple(float(zooms[axis]) for axis in axes)
    modality = ""
    if voxels:
        size = image.get_data_dtype().itemsize
        of = stored if path.name.lower().endswith(".gz") else None
        limits.check_pixels(str(path), *image.shape[:3], bytes_each=size, stored=of)
        values = np.asarray(image.dataobj[:, :, :: max(1, image.shape[2] // 8)])
        # Air in HU is near -1000; many head CTs are cut off at -1024 or lower.
        modality = "CT" if np.percentile(values, 1) <= -500 else ""
    return Header("NIfTI", shape, spacing, modality=modality)
