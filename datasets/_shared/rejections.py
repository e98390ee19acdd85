"""Unusable images and rows, with their reasons."""

import collections
import csv
import dataclasses
import logging
from pathlib import Path

logger = logging.getLogger(__name__)

FILE_NAME = "rejected.csv"

# Kinds that are left out by design, not because of a fault in the data.
_EXPECTED = frozenset(
    {"not in the table", "listed as unusable", "no row in the first table"}
)


@dataclasses.dataclass(frozen=True)
class Rejection:
    """One rejected image or row.

    Attributes:
        file: image file, or its name in the table.
        row: table and row, or "" if there is none.
        kind: short reason without details, for counting.
        detail: the rest of the reason, or "".
        is_left_out: whether a condition of the declaration leaves the row out; `kind`
            is the condition.
    """

    file: str
    row: str
    kind: str
    detail: str
    is_left_out: bool = False

    @property
    def reason(self) -> str:
        """The reason in full."""
        text = f"{self.kind}: {self.detail}" if self.detail else self.kind
        return f"left out: {text}" if self.is_left_out else text


class Rejections:
    """The rejections of a dataset; each is logged when it is added."""

    def __init__(self):
        self._list: list[Rejection] = []

    def __len__(self) -> int:
        """Number of rejections, without rows that a condition leaves out."""
        return sum(not item.is_left_out for item in self._list)

    def add(
        self, file: str, row: str, kind: str, detail: str, is_left_out: bool = False
    ) -> None:
        """Add and log a `Rejection`."""
        rejection = Rejection(file, row, kind, detail, is_left_out)
        self._list.append(rejection)
        expected = is_left_out or kind in _EXPECTED
        level = logging.INFO if expected else logging.WARNING
        place = f" ({row})" if row else ""
        logger.log(level, "%s%s: %s", file, place, rejection.reason)

    def by_kind(self) -> dict[str, int]:
        """Number of rejections by kind, the most frequent first."""
        return self._count(is_left_out=False)

    def left_out(self) -> dict[str, int]:
        """Number of rows that each condition leaves out, likewise."""
        return self._count(is_left_out=True)

    def _count(self, is_left_out: bool) -> dict[str, int]:
        kinds = (i.kind for i in self._list if i.is_left_out == is_left_out)
        return dict(collections.Counter(kinds).most_common())

    def examples(self, limit: int = 5) -> list[str]:
        """The first `limit` rejections, one line each."""
        return [
            f"{item.file or item.row}: {item.reason}" for item in self._list[:limit]
        ]

    def write(self, folder: Path) -> None:
        """Write `rejected.csv` with the columns file, row and reason."""
        with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "row", "reason"])
            writer.writerows([item.file, item.row, item.reason] for item in self._list)
