"""Unusable images and rows, and doubtful ones, with their reasons."""

import collections
import csv
import dataclasses
import logging
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger(__name__)

FILE_NAME = "rejected.csv"
WARNINGS_FILE_NAME = "warnings.csv"

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
    """The rejections and warnings of a dataset; each is logged when it is added."""

    def __init__(self):
        self._list: list[Rejection] = []
        # A dictionary: each once, in order.
        self._warnings: dict[Rejection, None] = {}
        # Kind of a doubt -> each fact and what it is about.
        self._notes: dict[str, list[tuple[str, Rejection]]] = {}

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

    def warn(
        self, file: str, row: str, kind: str, detail: str, is_logged: bool = True
    ) -> None:
        """Add and log a doubtful image or row, which is taken.

        Args:
            file: image file, or its name in the table; "" if it is about a table.
            row: table and row, or "" if there is none.
            kind: short description without details, for counting.
            detail: the rest of the reason, or "".
            is_logged: whether to log it; many of one kind have one message.
        """
        warning = Rejection(file, row, kind, detail)
        if warning in self._warnings:
            return
        self._warnings[warning] = None
        place = f"{file} ({row})" if file and row else file or row
        text = f"{place}: {warning.reason}" if place else warning.reason
        logger.log(logging.WARNING if is_logged else logging.DEBUG, "%s", text)

    def note(self, file: str, row: str, kind: str, detail: str, fact: str) -> None:
        """Keep a `DataNote` for `compare_notes`; the arguments are as of `warn`."""
        about = Rejection(file, row, kind, detail)
        self._notes.setdefault(kind, []).append((fact, about))

    def compare_notes(self) -> None:
        """Warn of what has another fact than most of what was noted."""
        for kind, found in self._notes.items():
            (usual, count), *others = collections.Counter(
                fact for fact, _ in found
            ).most_common()
            if not others:
                continue
            most = f"{usual} in {count} of {len(found)}"
            for fact, one in found:
                if fact != usual:
                    detail = f"{one.detail}; {most}"
                    self.warn(one.file, one.row, kind, detail, is_logged=False)
            counts = ", ".join(f"{fact} in {number}" for fact, number in others)
            logger.warning("%s: %s, %s. They are in warnings.csv.", kind, most, counts)
        self._notes.clear()

    def warnings_by_kind(self) -> dict[str, int]:
        """Number of warnings by kind, the most frequent first."""
        kinds = (warning.kind for warning in self._warnings)
        return dict(collections.Counter(kinds).most_common())

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
        """Write `rejected.csv` with the columns file, row and reason.

        Likewise `warnings.csv`, if there are warnings.
        """
        _write(folder / FILE_NAME, self._list)
        if self._warnings:
            _write(folder / WARNINGS_FILE_NAME, self._warnings)


def _write(path: Path, items: Iterable[Rejection]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "row", "reason"])
        writer.writerows([item.file, item.row, item.reason] for item in items)
