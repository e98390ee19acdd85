"""Hashes of prepared images, by which images that are there twice are found.

`prepare` writes them to `hashes.csv` in the folder of the dataset, one row an image:

    image_id, patient_id
    sha256           of the pixels: of the whole picture as it was decoded, whatever the
                     type of the file and the crop; of a volume, as prepared
    phash            perceptual hash of the prepared picture, see `similarity`
    phash_mirrored   of its mirror image; both are empty if all pixels are equal
"""

import csv
import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.montage import to_picture
from mdmt_tf.imaging.similarity import HASH_BYTES, perceptual_hash

if TYPE_CHECKING:
    from mdmt_tf.imaging.prepared import PreparedImage
    from mdmt_tf.imaging.volume import PreparedVolume

FILE_NAME = "hashes.csv"
_PATTERN = re.compile(f"[0-9a-f]{{64}}(,,|(,[0-9a-f]{{{2 * HASH_BYTES}}}){{2}})")


@dataclasses.dataclass(frozen=True)
class ImageHash:
    """The hashes of one image; see the module.

    Attributes:
        patient_id: of the image.
        sha256, phash, phash_mirrored: hexadecimal digits, or "".
    """

    patient_id: str
    sha256: str
    phash: str
    phash_mirrored: str


_COLUMNS = ["image_id", *(field.name for field in dataclasses.fields(ImageHash))]


def hash_image(
    patient_id: str, prepared: "PreparedImage | PreparedVolume"
) -> ImageHash:
    """The hashes of a prepared image or volume; thread-safe."""
    picture, hashes = picture_of(prepared.for_model()), ("", "")
    if np.ptp(prepared.pixels):
        mirrored = np.ascontiguousarray(picture[:, ::-1])
        hashes = perceptual_hash(picture), perceptual_hash(mirrored)
        hashes = tuple(one.tobytes().hex() for one in hashes)
    whole = getattr(prepared, "original", prepared.pixels)
    return ImageHash(patient_id, digest_pixels(whole), *hashes)


def digest_pixels(pixels: np.ndarray) -> str:
    """SHA-256 of an array with its shape and type.

    Example:
        >>> a = np.zeros((2, 3), np.uint8)
        >>> digest_pixels(a) == digest_pixels(a.copy())
        True
        >>> digest_pixels(a) == digest_pixels(a.T)
        False
    """
    digest = hashlib.sha256(f"{pixels.dtype.str} {pixels.shape} ".encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.hexdigest()


def equal_pairs(
    digests: Sequence[str], may_pair: Callable[[int, int], bool] = lambda i, j: True
) -> list[tuple[int, int]]:
    """Pairs i < j with one digest: each with the first of those that it may pair with.

    Args:
        digests: of each image; "" is equal to nothing.
        may_pair: whether two images may be a pair.

    Example:
        >>> equal_pairs(["a", "b", "a", "", "", "a"])
        [(0, 2), (0, 5)]
    """
    groups: dict[str, list[int]] = {}
    pairs = []
    for number, digest in enumerate(digests):
        if digest:
            group = groups.setdefault(digest, [])
            others = (before for before in group if may_pair(before, number))
            if (other := next(others, None)) is not None:
                pairs.append((other, number))
            group.append(number)
    return pairs


def picture_of(image: np.ndarray) -> np.ndarray:
    """The picture that is hashed and compared, uint8 (h, w).

    Args:
        image: float (h, w, c) or (d, h, w, c) in [0, 1]. Of channels, the first is
            used; of a volume, four slices beside each other.
    """
    return np.round(np.clip(to_picture(image), 0, 1) * 255).astype(np.uint8)


def write(hashes: Mapping[str, ImageHash], folder: Path) -> None:
    """Write `hashes.csv`.

    Args:
        hashes: image_id -> hashes.
        folder: of the prepared dataset.
    """
    with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(
            [image_id, *dataclasses.astuple(one)] for image_id, one in hashes.items()
        )


def read(folder: Path) -> dict[str, ImageHash] | None:
    """Read `hashes.csv`.

    Returns: image_id -> hashes; None if there is no such file, as in datasets that
        earlier versions have prepared.
    Raises: DataError for a file that is damaged.
    """
    path = folder / FILE_NAME
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if header != _COLUMNS:
                raise ValueError(
                    f"expected the columns {', '.join(_COLUMNS)}. Received: "
                    f"{', '.join(header)}"
                )
            return dict(_parse(row, rows.line_num) for row in rows)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path}: is not a table of hashes: {error}. Prepare the dataset again, "
            "with --overwrite."
        ) from error


def _parse(row: list[str], line: int) -> tuple[str, ImageHash]:
    if len(row) != len(_COLUMNS):
        raise ValueError(
            f"line {line}: expected {len(_COLUMNS)} values. Received: {len(row)}"
        )
    image_id, patient_id, digest, *hashes = row
    if not _PATTERN.fullmatch(",".join((digest, *hashes))):
        raise ValueError(f"line {line}: not hashes of an image")
    return image_id, ImageHash(patient_id, digest, *hashes)
