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
        if _has_jumps(words & bits.mask, words, dataset, bits.stored):
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


def left_aligned(dataset: pydicom.Dataset, words: np.ndarray) -> np.ndarray:
    """Values that lie in the highest bits of their words."""
    bits = _Bits.of(dataset)
    values = (words >> bits.shift) & bits.mask
    if bits.is_signed:
        half = 1 << (bits.stored - 1)
        values = (values.astype(np.int64) ^ half) - half
        values = values.astype(f"i{bits.allocated // 8}")
    else:
        values = values.astype(f"u{bits.allocated // 8}")  # in the machine's order
    return values.reshape(dataset.Rows, dataset.Columns)


def check_sign(dataset: pydicom.Dataset, stored: np.ndarray, name: str) -> None:
    """Check that the values do not wrap around because of a wrong sign."""
    bits = _Bits.of(dataset)
    if stored.ndim != 2 or "PALETTE" in dataset.PhotometricInterpretation:
        return
    half = 1 << (bits.stored - 1)
    if bits.is_signed:
        if stored.min() >= 0 or stored.max() < 0:
            return
        unsigned = stored.astype(np.int64) % (2 * half)
        if _has_jumps(stored, unsigned, dataset, bits.stored):
            raise _wrong_sign(name, "signed", "values that wrap around below 0")
        return
    # Signed values, read as unsigned: many small and many very large ones.
    if bits.stored < 16 or stored.max() < half + half // 2:
        return
    some = stored[:: max(1, len(stored) // _ROWS)]
    high = some[some >= half + half // 2]
    is_between = (some >= half // 2) & (some < half + half // 2)
    if not is_between.any() and len(np.unique(high)) >= _FEWEST_NEGATIVE:
        raise _wrong_sign(name, "unsigned", "negative values")


def _has_jumps(
    read: np.ndarray, other: np.ndarray, dataset: pydicom.Dataset, stored: int
) -> bool:
    """Whether neighbours differ by half the range often, and seldom if read otherwise.

    Args:
        read: the values as the header says.
        other: the same values, read otherwise.
        dataset: of the shape.
        stored: number of bits.
    """
    shape = (int(dataset.Rows), int(dataset.Columns))
    rows = slice(None, None, max(1, shape[0] // _ROWS))
    half = 1 << (stored - 1)
    # Values read otherwise may have a larger range.
    halves = (half, max(half, (int(other.max()) + 1) // 2))
    jumps = [
        int(
            (np.abs(np.diff(values.reshape(shape)[rows].astype(np.int64))) >= far).sum()
        )
        for values, far in zip((read, other), halves, strict=True)
    ]
    return jumps[0] >= _FEWEST_JUMPS and jumps[0] > 4 * jumps[1]


def _wrong_sign(name: str, stated: str, received: str) -> DataError:
    return DataError(
        f"{name}: expected {stated} pixels (PixelRepresentation). Received: "
        f"{received}. The header contradicts the pixels: export the image again"
    )
