"""Images and rows that could not be used, each with its reason."""

import collections
import csv
import dataclasses
import logging
from pathlib import Path

logger = logging.getLogger(__name__)

FILE_NAME = "rejected.csv"

# What is left out by design, as opposed to a fault of the data.
_EXPECTED = frozenset({"not in the table", "listed as unusable"})


@dataclasses.dataclass(frozen=True)
class Rejection:
    """One image or row.

    Attributes:
        file: image file, or its name in the table.
        row: table and row, or "" where there is none.
        kind: reason in words that many can share, for counting.
        detail: the rest of the reason, or "".
    """

    file: str
    row: str
    kind: str
    detail: str

    @property
    def reason(self) -> str:
        """The reason in full."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class Rejections:
    """A list that grows while a dataset is prepared, logged as it grows."""

    def __init__(self):
        self._list: list[Rejection] = []

    def __len__(self) -> int:
        return len(self._list)

    def add(self, file: str, row: str, kind: str, detail: str) -> None:
        """Add one; see `Rejection`."""
        rejection = Rejection(file, row, kind, detail)
        self._list.append(rejection)
        level = logging.INFO if kind in _EXPECTED else logging.WARNING
        place = f" ({row})" if row else ""
        logger.log(level, "%s%s: %s", file, place, rejection.reason)

    def by_kind(self) -> dict[str, int]:
        """Number of rejections of each kind, the most frequent first."""
        return dict(collections.Counter(item.kind for item in self._list).most_common())

    def examples(self, limit: int = 5) -> list[str]:
        """The first few, a line each."""
        return [
            f"{item.file or item.row}: {item.reason}" for item in self._list[:limit]
        ]

    def write(self, folder: Path) -> None:
        """Write `rejected.csv`: the columns file, row, reason; a line each."""
        with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "row", "reason"])
            writer.writerows([item.file, item.row, item.reason] for item in self._list)
