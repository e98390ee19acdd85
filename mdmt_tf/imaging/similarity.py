"""Find pictures that are nearly the same: by a hash, then pixel by pixel.

A perceptual hash finds candidates among millions of pairs. Radiographs of different
patients resemble each other, so `similarity` then compares the details of each pair.
"""

import cv2
import numpy as np
from scipy.fft import dctn

# The hash describes the picture by 16 x 16 frequencies of a copy of 64 x 64 pixels.
_SIDE = 64
_FREQUENCIES = 16
BITS = _FREQUENCIES**2 - 1

# Pairs that differ in at most this many of 255 bits are candidates. Of 60,000 pairs of
# open radiographs, 0.1 % do. Re-encoded, brightened or darkened copies differ in at
# most 14, copies that are cropped by up to 3 % in 62 or fewer (99 % of them).
MOST_BITS = 72

# Pixels a side of the copies that `similarity` compares.
COMPARED_SIDE = 96
# The same picture, and a picture that is the same or of the same patient. Of the open
# radiographs, copies reach 0.96 and more; two films of one patient up to 0.90; films
# of different patients up to 0.70.
SAME = 0.95
ALIKE = 0.8


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
    """The copy of a picture (h, w) that `similarity` takes, uint8 (96, 96)."""
    size = (COMPARED_SIDE, COMPARED_SIDE)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def near_pairs(
    hashes: np.ndarray,
    others: np.ndarray | None = None,
    most_bits: int = MOST_BITS,
    most_per_row: int = 10,
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
    pairs, distances = [], []
    block = max(1, 4_000_000 // max(n, 1))
    for start in range(0, n, block):
        stop = min(start + block, n)
        # The product of two signs is -1 where they differ.
        differing = (length - first[start:stop] @ second[start:].T) / 2
        later = np.arange(start, n) > np.arange(start, stop)[:, None]
        differing = np.where(later, differing, length + 1)
        for row, of_row in enumerate(differing):
            near = np.flatnonzero(of_row <= most_bits)
            near = near[np.argsort(of_row[near], kind="stable")[:most_per_row]]
            pairs += [(start + row, start + other) for other in sorted(near.tolist())]
            distances += [round(of_row[other]) for other in sorted(near.tolist())]
    return np.array(pairs, np.int64).reshape(-1, 2), np.array(distances, np.int64)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of the details of two pictures after an affine alignment.

    Details are what remains of a picture without its coarse light and dark, relative to
    their local size: anatomy in common, such as two lungs, hardly counts, nor do
    brightness and contrast. The alignment undoes small shifts, crops and rotations.

    Args:
        first, second: uint8 (96, 96), of `compared_copy`.
    Returns: up to 1, for equal pictures; 0 if they cannot be aligned, or if less than
        half of them overlaps.
    """
    a, b = first.astype(np.float32), second.astype(np.float32)
    if a.std() == 0 or b.std() == 0:
        return float(np.array_equal(a, b))
    warp = _alignment(a, b)
    if warp is None:
        return 0.0
    flags = cv2.WARP_INVERSE_MAP
    shape = (COMPARED_SIDE, COMPARED_SIDE)
    moved = cv2.warpAffine(b, warp, shape, flags=flags | cv2.INTER_LINEAR)
    inside = cv2.warpAffine(
        np.ones_like(a), warp, shape, flags=flags | cv2.INTER_NEAREST
    )
    # Details near an edge are those of the edge.
    inside = cv2.erode(inside, np.ones((9, 9)), borderValue=0) > 0
    if inside.mean() < 0.5:
        return 0.0
    pair = _details(a)[inside], _details(moved)[inside]
    if min(pair[0].std(), pair[1].std()) == 0:
        return 0.0
    return float(np.corrcoef(*pair)[0, 1])


def _signs(hashes: np.ndarray) -> np.ndarray:
    """Bits as -1 and 1, float32, of which sums of products are exact."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _alignment(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """The affine map of `b` to `a` (Evangelidis & Psarakis 2008), coarse then fine."""
    warp = np.eye(2, 3, dtype=np.float32)
    for shrink, iterations, blur in ((2, 100, 5), (1, 50, 3)):
        side = COMPARED_SIDE // shrink
        small = [
            cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in (a, b)
        ]
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, 1e-5)
        warp[:, 2] /= shrink
        try:
            _, warp = cv2.findTransformECC(
                *small, warp, cv2.MOTION_AFFINE, stop, None, blur
            )
        except cv2.error:  # it does not converge
            return None
        warp[:, 2] *= shrink
    return warp


def _details(picture: np.ndarray) -> np.ndarray:
    fine = picture - cv2.GaussianBlur(picture, (0, 0), 5)
    # The constant keeps the noise of flat areas small.
    return fine / np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 8) + 4)
