"""Numbers by which tables mark what is unknown, such as 999."""

import dataclasses
from collections.abc import Iterable, Iterator

from mdmt_tf.planning import words

_CODES = frozenset({9, 88, 99, 888, 999, 8888, 9999, 99999, -1, -9, -99, -999, -9999})


@dataclasses.dataclass(frozen=True)
class NumberCode:
    """A usual code that is far from all other numbers of its column.

    Attributes:
        number: the code.
        low: the smallest of the others.
        high: the largest of the others.
        sure: whether no other meaning is likely.
    """

    number: float
    low: float
    high: float
    sure: bool = True


def find_codes(column: str, numbers: Iterable[float]) -> Iterator[NumberCode]:
    """The numbers of a column that probably mean unknown.

    Example:
        >>> [code.number for code in find_codes("stay", [1, 4, 12, 999])]
        [999]
        >>> [code.number for code in find_codes("age", [45, 67, 81, 99])]
        []
    """
    numbers = set(numbers)
    others = numbers - _CODES
    if len(others) < 2:
        return
    low, high = min(others), max(others)
    for number in sorted(numbers & _CODES):
        distance, width = number - high, high - low
        # Days before an event may well be -1.
        may_be_negative = low < 0 or words.has(column, words.TIMES | words.DAYS)
        if number < 0 and not may_be_negative:
            yield NumberCode(number, low, high)
        elif number >= 0 and distance > 2 * width:
            sure = len(others) <= 10 or distance > 5 * width
            yield NumberCode(number, low, high, sure)
