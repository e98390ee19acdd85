"""Find pictures that are nearly the same: by a hash, then pixel by pixel.

A perceptual hash finds candidates among millions of pairs. Radiographs of different
patients resemble each other, so `similarity` then compares the details of each pair.
"""

import dataclasses
from collections.abc import Iterable

import cv2
import numpy as np
from scipy.fft import dctn

# The hash describes the picture by 16 x 16 frequencies of a copy of 64 x 64 pixels.
_SIDE = 64
_FREQUENCIES = 16
HASH_BYTES = _FREQUENCIES**2 // 8

# Pairs that differ in at most this many of 255 bits are candidates. Of 60,000 pairs of
# open radiographs, 0.1 % do. Re-encoded, brightened or darkened copies differ in at
# most 14, copies that are cropped by up to 3 % in 62 or fewer (99 % of them).
MOST_BITS = 72

# Pixels a side of the copies that `similarity` compares.
COMPARED_SIDE = 128
# The same picture; and a picture that is the same or shows the same patient, of images
# of different patients and of one patient. Of the open radiographs, copies reach 0.96
# or more, and 0.83 or more if they are cropped by up to 6 %, made darker and stored as
# JPEG; films of different patients reach 0.58, two films of a patient 0.80. Synthetic
# images resemble each other more, up to 0.80.
SAME = 0.95
ALIKE = 0.8
ALIKE_WITHIN = 0.7
# Pairs whose coarse copies are less similar are not compared in detail.
_COARSE_ALIKE = 0.6


def perceptual_hash(picture: np.ndarray) -> np.ndarray:
    """Hash of a picture that hardly changes with size, brightness and contrast.

    The signs of the lowest 16 x 16 coefficients of a discrete cosine transform relative
    to their median, without the first, which is the mean of the picture (Zauner 2010).

    Args:
        picture: uint8 or float (h, w).
    Returns: uint8 (32,), 255 packed bits.
    """
    small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    coefficients = dctn(small.astype(np.float32), norm="ortho")
    lowest = coefficients[:_FREQUENCIES, :_FREQUENCIES].ravel()[1:]
    return np.packbits(lowest > np.median(lowest))


def compared_copy(picture: np.ndarray) -> np.ndarray:
    """The copy of a picture (h, w) that `similarity` takes, uint8 (128, 128)."""
    size = (COMPARED_SIDE, COMPARED_SIDE)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def near_pairs(
    hashes: np.ndarray,
    others: np.ndarray | None = None,
    most_bits: int = MOST_BITS,
    most_per_row: int = 5,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows whose hashes differ in few bits.

    Args:
        hashes: uint8 (n, 32), of `perceptual_hash`.
        others: hashes of the same pictures in another form, such as mirrored; None:
            the hashes themselves.
        most_bits: largest number of different bits.
        most_per_row: largest number of partners of a row, the nearest ones, so that
            many equal pictures do not make n ** 2 pairs.
    Returns: int64 (m, 2), the rows i < j of each pair, ascending; int64 (m,), different
        bits of `hashes[i]` and `others[j]`.

    Example:
        >>> hashes = np.array([[0b1100], [0b1101], [0b0011]], np.uint8)
        >>> near_pairs(hashes, most_bits=1)
        (array([[0, 1]]), array([1]))
    """
    first = _signs(hashes)
    second = first if others is None else _signs(others)
    n, length = first.shape
    # The product of two signs is -1 where they differ.
    least = length - 2 * most_bits
    found = [np.empty((0, 3), np.int64)]
    block = max(1, 4_000_000 // max(n, 1))
    for start in range(0, n, block):
        products = first[start : start + block] @ second[start:].T
        place = np.flatnonzero(products >= least)
        row, column = np.divmod(place, n - start)
        later = column > row
        products = products.ravel()[place[later]]
        differing = np.round((length - products) / 2).astype(np.int64)
        found.append(
            np.stack([row[later] + start, column[later] + start, differing], axis=1)
        )
    row, column, differing = np.concatenate(found).T
    # The nearest ones of each row come first.
    order = np.lexsort([column, differing, row])
    starts = np.flatnonzero(np.r_[True, np.diff(row[order]) > 0][: len(order)])
    counts = np.diff(np.r_[starts, len(order)])
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    kept = np.sort(order[rank < most_per_row])
    return np.stack([row, column], axis=1)[kept], differing[kept]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Two pictures, by number, that may be the same.

    Attributes:
        first, second: numbers of the pictures, first < second.
        bits: the smallest number of different bits of their hashes.
        mirrored: the forms of the second picture that come into question: as it is,
            False, or mirrored, True; one of them or both.
    """

    first: int
    second: int
    bits: int
    mirrored: tuple[bool, ...]


def candidates(hashes: np.ndarray, mirrored: np.ndarray) -> list[Candidate]:
    """The pairs of pictures to compare in detail, as they are or mirrored.

    Args:
        hashes, mirrored: uint8 (n, 32), of the pictures and of their mirror images.
    """
    forms: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    for others, is_mirrored in ((mirrored, True), (None, False)):
        pairs, bits = near_pairs(hashes, others)
        for pair, differing in zip(pairs.tolist(), bits.tolist(), strict=True):
            forms.setdefault(tuple(pair), []).append((differing, is_mirrored))
    return [
        Candidate(*pair, min(found)[0], tuple(form for _, form in found))
        for pair, found in forms.items()
    ]


def compare(
    first: np.ndarray, second: np.ndarray, mirrored: Iterable[bool]
) -> tuple[float, bool]:
    """The similarity of two pictures in the best of some forms, and that form.

    Args:
        first, second: uint8 (128, 128), of `compared_copy`.
        mirrored: the forms of the second picture, see `Candidate`.
    Returns: similarity; whether the second is mirrored.
    """
    value, is_plain = max(
        (similarity(first, second[:, ::-1] if form else second), not form)
        for form in mirrored
    )
    return value, not is_plain


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of the details of two pictures after an affine alignment.

    Details are what a band-pass filter leaves, relative to their local size: anatomy in
    common, such as two lungs, hardly counts, nor do brightness and contrast. The
    alignment (Evangelidis & Psarakis 2008) undoes small shifts, crops and rotations.

    Args:
        first, second: uint8 (128, 128), of `compared_copy`.
    Returns: up to 1, for equal pictures; 0 if they cannot be aligned, or if less than
        half of them overlaps. Pairs that differ already at half the size get the lower
        value of that size.
    """
    pair = first.astype(np.float32), second.astype(np.float32)
    if min(pair[0].std(), pair[1].std()) == 0:
        return float(np.array_equal(first, second))
    half = COMPARED_SIDE // 2
    coarse = [cv2.resize(p, (half, half), interpolation=cv2.INTER_AREA) for p in pair]
    warp = _alignment(*coarse, np.eye(2, 3, dtype=np.float32), 30, 5)
    if warp is None:
        return 0.0
    value = _aligned_correlation(*coarse, warp)
    if value < _COARSE_ALIKE:
        return value
    warp[:, 2] *= 2
    warp = _alignment(*pair, warp, 20, 3)
    return 0.0 if warp is None else _aligned_correlation(*pair, warp)


def _signs(hashes: np.ndarray) -> np.ndarray:
    """Bits as -1 and 1, float32, of which sums of products are exact."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _alignment(a, b, warp: np.ndarray, iterations: int, blur: int):
    """The affine map of `b` to `a`, starting from `warp`; None if it is not found."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, 1e-3)
    try:
        return cv2.findTransformECC(a, b, warp, cv2.MOTION_AFFINE, stop, None, blur)[1]
    except cv2.error:  # it does not converge
        return None


def _aligned_correlation(a: np.ndarray, b: np.ndarray, warp: np.ndarray) -> float:
    shape, inverse = a.shape[::-1], cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(b, warp, shape, flags=inverse | cv2.INTER_CUBIC)
    ones = np.ones_like(a)
    inside = cv2.warpAffine(ones, warp, shape, flags=inverse | cv2.INTER_NEAREST)
    # Details near an edge are those of the edge.
    inside = cv2.erode(inside, np.ones((9, 9)), borderValue=0) > 0
    if inside.mean() < 0.5:
        return 0.0
    x, y = _details(a)[inside], _details(moved)[inside]
    if min(x.std(), y.std()) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _details(picture: np.ndarray) -> np.ndarray:
    fine = cv2.GaussianBlur(picture, (0, 0), 0.7) - cv2.GaussianBlur(
        picture, (0, 0), 2.5
    )
    # The constant keeps the noise of flat areas small.
    return fine / np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 8) + 1)
