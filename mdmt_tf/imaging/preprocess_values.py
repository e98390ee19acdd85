"""Checks of the values of a preprocessing, and their text in its name.

All checks raise ValueError, with what was expected.
"""

from collections.abc import Sequence
from typing import Any

_DECIMALS = 4
_DIRECTIONS = ("RL", "AP", "SI")


def check_sizes(key: str, sizes: Any, largest: int, count: int = 1) -> None:
    """Check `count` integers from 1 to `largest`."""
    listed = isinstance(sizes, list | tuple)
    if (
        not listed
        or len(sizes) != count
        or not all(type(size) is int and 1 <= size <= largest for size in sizes)
    ):
        expected = f"{count} integers" if count > 1 else "an integer"
        raise ValueError(
            f"expected {key} to be {expected} from 1 to {largest}. Received: "
            f"{_shown(sizes, count)}"
        )


def numbers(
    key: str, values: Any, count: int, lowest: float, highest: float
) -> tuple[float, ...]:
    """`count` numbers from `lowest` to `highest`, with few enough decimals for a name.

    Example:
        >>> numbers("spacing_mm", [5, 0.75, 0.75], 3, 0.01, 1000)
        (5.0, 0.75, 0.75)
    """
    listed = isinstance(values, list | tuple)
    if (
        not listed
        or len(values) != count
        or not all(
            type(value) in (int, float)
            and lowest <= value <= highest
            and round(value, _DECIMALS) == value
            for value in values
        )
    ):
        expected = f"{count} numbers" if count > 1 else "a number"
        raise ValueError(
            f"expected {key} to be {expected} from {text_of(lowest)} to "
            f"{text_of(highest)}, with at most {_DECIMALS} decimals. Received: "
            f"{_shown(values, count)}"
        )
    return tuple(float(value) for value in values)


def limits(key: str, values: Any, lowest: float, highest: float) -> tuple[float, float]:
    """A low and a high number."""
    low, high = numbers(key, values, 2, lowest, highest)
    if low >= high:
        raise ValueError(
            f"expected {key} to be [LOW, HIGH], with LOW below HIGH. Received: "
            f"[{text_of(low)}, {text_of(high)}]"
        )
    return low, high


def check_orientation(axes: Any) -> None:
    """Check three letters, one of each pair of opposite directions."""
    found = [pair for pair in _DIRECTIONS for letter in str(axes) if letter in pair]
    if not isinstance(axes, str) or len(axes) != 3 or len({*found}) != 3:
        raise ValueError(
            "expected orientation to be three letters, one of each of R or L (the "
            "patient's right or left), A or P (front or back), S or I (up or down), "
            f"such as SPL. Received: {axes!r}"
        )


def text_of(number: float) -> str:
    """The shortest text of a number.

    Example:
        >>> [text_of(number) for number in (5.0, 0.5, -100.0, -0.0)]
        ['5', '0.5', '-100', '0']
    """
    text = f"{number:.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _shown(values: Any, count: int) -> str:
    """The values for a message; a single one without its list."""
    single = count == 1 and isinstance(values, Sequence) and len(values) == 1
    return repr(values[0] if single else values)
