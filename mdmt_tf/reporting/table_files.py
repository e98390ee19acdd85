"""Tables, and their files in Markdown, LaTeX and CSV."""

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.metrics.text import in_percent, p_text
from mdmt_tf.pages.environment import numeric_columns
from mdmt_tf.reporting.latex import latex
from mdmt_tf.storage import write_text


class Entry(NamedTuple):
    """One cell of a table.

    Attributes:
        text: the shown text.
        number: the sort key; None for text.
    """

    text: str
    number: float | None = None


@dataclasses.dataclass(frozen=True)
class TableSection:
    """One block of rows under its own heading.

    Attributes:
        folded: whether it is a detail, see `Folded`.
        keys: how many of the first columns name a row. Where a table is too wide, each
            block of the others has them.
    """

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[Entry, ...]]
    folded: bool = False
    keys: int = 1


@dataclasses.dataclass(frozen=True)
class Folded:
    """Details that a page folds away and a terminal leaves out; files have them.

    Attributes:
        title: what they are, in one line.
        lead: sentences that belong to them.
    """

    title: str
    lead: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table to read, and its data.

    Attributes:
        name: name of the files.
        title: one line.
        sections: the shown rows.
        notes: whole sentences below the table.
        data: content of the CSV file, fractions from 0 to 1 with every digit.
        lead: whole sentences above the table: what it shows, in words.
        folded: about the sections that are folded; None if there are none.
    """

    name: str
    title: str
    sections: list[TableSection]
    notes: list[str]
    data: pd.DataFrame
    lead: tuple[str, ...] = ()
    folded: Folded | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """`lead`, and what belongs to the folded sections."""
        return self.lead + (self.folded.lead if self.folded else ())


def heading(metric: str) -> str:
    """Name of a metric with its unit."""
    return plain_heading(metric) + (" (%)" if in_percent(metric) else "")


def plain_heading(metric: str) -> str:
    """Name of a metric without its unit; its key, if this version does not know it."""
    return METRICS[metric].title if metric in METRICS else metric


def titled(title: str, block: int, blocks: int) -> str:
    """The title of a table, with the number of the block when there are several."""
    return title if blocks < 2 else f"{title}, part {block + 1} of {blocks}"


def numbered(text: str, number: float) -> Entry:
    """An entry that sorts by its number, unless it is NaN."""
    return Entry(text, None if math.isnan(number) else number)


def p_value(p: float) -> Entry:
    """A p-value, see `mdmt_tf.metrics.text.p_text`."""
    return numbered(p_text(p), p)


def markdown(table: Table, status: str) -> str:
    """The table in GitHub's Markdown, with `status` below the title."""
    lines = [f"# {_md(table.title)}", "", _md(status), ""]
    if table.sentences:
        lines += [*(f"- {_md(text)}" for text in table.sentences), ""]
    for section in table.sections:
        numeric = numeric_columns(section.rows, len(section.headings))
        lines += [
            f"## {_md(section.title)}",
            "",
            _md_row(section.headings),
            _md_row(["---:" if number else "---" for number in numeric], plain=True),
            *(_md_row([entry.text for entry in row]) for row in section.rows),
            "",
        ]
    lines += [f"- {_md(note)}" for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


def _md_row(cells, plain: bool = False) -> str:
    return "| " + " | ".join(cell if plain else _md(cell) for cell in cells) + " |"


def _md(text: str) -> str:
    """Escape Markdown and HTML, and join lines."""
    text = " ".join(str(text).split())
    for mark in "\\`*_|[]~":
        text = text.replace(mark, "\\" + mark)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def csv(table: Table) -> str:
    """The data with every digit; missing values are empty."""
    return table.data.to_csv(index=False, lineterminator="\n")


def write_table(table: Table, folder: Path, status: str) -> list[Path]:
    """Write `<name>.md`, `.tex` and `.csv`."""
    texts = {
        "md": markdown(table, status),
        "tex": latex(table, status),
        "csv": csv(table),
    }
    paths = []
    for suffix, text in texts.items():
        path = folder / f"{table.name}.{suffix}"
        write_text(path, text)
        paths.append(path)
    return paths
