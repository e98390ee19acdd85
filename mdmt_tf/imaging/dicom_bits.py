"""Bits and sign of DICOM pixels, against what the header says of them.

A wrong number of bits or a wrong sign is no error for a decoder: black becomes white
where values wrap around. Such headers are refused where the pixels show it, and are
doubtful where they only contradict themselves.
"""

import dataclasses
import warnings

import numpy as np
import pydicom

from mdmt_tf.errors import DataError, DataWarning

# Rows in which neighbouring pixels are compared.
_ROWS = 64
_FEWEST_JUMPS = 8
# Grey values beyond the gap, in an image of signed values that are read as unsigned.
_FEWEST_NEGATIVE = 16


def check_bits(dataset: pydicom.Dataset, words: np.ndarray, name: str) -> None:
    """Check BitsStored, HighBit and PixelRepresentation against the words."""
    bits = _Bits.of(dataset)
    used = int(np.bitwise_or.reduce(words))
    above = used >> bits.stored
    if bits.high is not None and bits.high != bits.stored - 1:
        _check_high_bit(bits, used, name)
    elif above and not bits.is_signed:
        tops = words >> bits.stored
        is_negative = (words >> (bits.stored - 1)) & 1
        if np.array_equal(tops, is_negative * ((1 << bits.unused) - 1)):
            raise _wrong_sign(name, "unsigned", "negative values")
        some = _some_rows(words.reshape(int(dataset.Rows), -1))
        if _has_jumps(some & bits.mask, some, bits.stored):
            raise DataError(
                f"{name}: expected pixels of {bits.stored} bits (BitsStored). "
                f"Received: values up to {words.max()}, which would wrap around. The "
                "header contradicts the pixels: export the image again"
            )
        doubt = (
            f"{name}: {np.count_nonzero(tops) / tops.size:.1%} of the pixels have bits "
            f"above the {bits.stored} stored ones, as of an overlay. They are left out"
        )
        warnings.warn(DataWarning(doubt, "bits above those stored"), stacklevel=2)


@dataclasses.dataclass(frozen=True)
class _Bits:
    """Bits of a word: how many, how many of them hold the value, and which."""

    allocated: int
    stored: int
    high: int | None
    is_signed: bool

    @classmethod
    def of(cls, dataset: pydicom.Dataset) -> "_Bits":
        high = dataset.get("HighBit")
        return cls(
            int(dataset.BitsAllocated),
            int(dataset.BitsStored),
            None if high is None else int(high),
            int(dataset.PixelRepresentation) == 1,
        )

    @property
    def unused(self) -> int:
        return self.allocated - self.stored

    @property
    def mask(self) -> int:
        return (1 << self.stored) - 1

    @property
    def shift(self) -> int:
        """Bits below the value, if the header is right about its highest bit."""
        return 0 if self.high is None else self.high + 1 - self.stored


def _check_high_bit(bits: _Bits, used: int, name: str) -> None:
    below = used & ((1 << max(0, bits.shift)) - 1)
    is_in_low_bits = not used >> bits.stored
    if 0 < bits.shift <= bits.unused and not below and not is_in_low_bits:
        return  # older files, aligned at the highest bit
    text = f"BitsStored {bits.stored} and HighBit {bits.high}, which contradict"
    if not is_in_low_bits:
        raise DataError(
            f"{name}: expected HighBit {bits.stored - 1}, one less than BitsStored. "
            f"Received: {text} each other and the pixels. Export the image again"
        )
    doubt = f"{name}: {text} each other. The lowest {bits.stored} bits are taken"
    warnings.warn(DataWarning(doubt, "contradicting bits"), stacklevel=2)


def is_left_aligned(dataset: pydicom.Dataset, words: np.ndarray) -> bool:
    bits = _Bits.of(dataset)
    return bits.shift > 0 and bool(int(np.bitwise_or.reduce(words)) >> bits.stored)


def values_of(dataset: pydicom.Dataset, words: np.ndarray) -> np.ndarray:
    """The values that lie in the lowest, or in the highest, bits of their words.

    Args:
        dataset: whose header `check_bits` has found in order.
        words: unsigned, of all bits.
    Returns: signed or unsigned (rows, columns).
    """
    bits = _Bits.of(dataset)
    shift = bits.shift if is_left_aligned(dataset, words) else 0
    values = (words >> shift) & bits.mask
    kind = "i" if bits.is_signed else "u"
    if bits.is_signed and bits.unused:
        half = 1 << (bits.stored - 1)
        values = (values.astype(np.int64) ^ half) - half
    # In the order of the machine's bytes.
    values = values.astype(f"{kind}{bits.allocated // 8}")
    return values.reshape(dataset.Rows, dataset.Columns)


def check_sign(dataset: pydicom.Dataset, stored: np.ndarray, name: str) -> None:
    """Check that the values do not wrap around because of a wrong sign."""
    bits = _Bits.of(dataset)
    if stored.ndim != 2 or "PALETTE" in dataset.PhotometricInterpretation:
        return
    half = 1 << (bits.stored - 1)
    if bits.is_signed:
        some = _some_rows(stored)
        if _has_jumps(some, some % (2 * half), bits.stored):
            raise _wrong_sign(name, "signed", "values that wrap around below 0")
        return
    # Signed values, read as unsigned: many small and many very large ones.
    if bits.stored < 16 or stored.max() < half + half // 2:
        return
    some = _some_rows(stored)
    high = some[some >= half + half // 2]
    is_between = (some >= half // 2) & (some < half + half // 2)
    if not is_between.any() and len(np.unique(high)) >= _FEWEST_NEGATIVE:
        raise _wrong_sign(name, "unsigned", "negative values")


def _some_rows(pixels: np.ndarray) -> np.ndarray:
    """int64 (rows, columns), about `_ROWS` rows."""
    return pixels[:: max(1, len(pixels) // _ROWS)].astype(np.int64)


def _has_jumps(read: np.ndarray, other: np.ndarray, stored: int) -> bool:
    """Whether neighbours differ by half the range often, and seldom if read otherwise.

    Args:
        read: int64 (rows, columns), the values as the header says.
        other: the same values, read otherwise; they may have a larger range.
        stored: number of bits.
    """
    half = 1 << (stored - 1)
    halves = (half, max(half, (int(other.max()) + 1) // 2))
    jumps = [
        np.count_nonzero(np.abs(np.diff(values)) >= far)
        for values, far in zip((read, other), halves, strict=True)
    ]
    return jumps[0] >= _FEWEST_JUMPS and jumps[0] > 4 * jumps[1]


def _wrong_sign(name: str, stated: str, received: str) -> DataError:
    return DataError(
        f"{name}: expected {stated} pixels (PixelRepresentation). Received: "
        f"{received}. The header contradicts the pixels: export the image again"
    )
