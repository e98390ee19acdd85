"""A report in the terminal: the comparison, Table 1, and what is not finished."""

import dataclasses
from pathlib import Path

from rich.console import Console

from mdmt_tf.metrics.text import plural
from mdmt_tf.reporting import effort
from mdmt_tf.reporting.external_page import ExternalReport, brief_sections
from mdmt_tf.reporting.marks import warnings_of
from mdmt_tf.reporting.report import Report
from mdmt_tf.reporting.table_files import Table, TableSection
from mdmt_tf.screen.tables import print_table

# Number of fits named in the terminal; the page lists all of them.
_SHOWN = 5


def print_report(report: Report) -> None:
    """Print the comparison, Table 1, the unfinished cells, and where the files are."""
    console = Console(highlight=False)
    for text in warnings_of(report.results):
        console.print(f"{text}\n", style="bold", markup=False)
    _print_comparison(console, report)
    _print_first_table(console, report)
    _print_gaps(console, report)
    _print_failures(console, report)
    # Not wrapped, so that a path can be copied as a whole.
    plain = {"markup": False, "soft_wrap": True}
    console.print(report.status, markup=False)
    console.print(f"tables:  {report.folder / 'tables'}", **plain)
    console.print(f"plots:   {report.folder / 'plots'}", **plain)
    console.print(f"page:    {report.page}", **plain)


def print_external(report: ExternalReport, folder: Path) -> None:
    """Print what came out on other data, the compared metrics, and where the files are.

    Args:
        folder: where the files of the report are now.
    """
    console = Console(highlight=False)
    for text in report.marks:
        console.print(f"\n{text}", style="bold", markup=False)
    console.print(f"\n{report.sentence}", style="bold", markup=False)
    for section in brief_sections(report):
        _print_section(console, section)
    plain = {"markup": False, "soft_wrap": True}
    console.print(f"predictions: {folder / 'predictions.csv'}", **plain)
    console.print(f"tables:      {folder / 'tables'}", **plain)
    console.print(f"page:        {folder / 'index.html'}", **plain)


def _print_comparison(console: Console, report: Report) -> None:
    """Print the primary comparison in words, and what the second dataset is worth."""
    table = report.table("primary")
    console.print(f"{table.title} (95 % interval)", style="bold", markup=False)
    for text in table.lead or table.notes:
        console.print(f"- {text}", markup=False)
    _print_left_out(console, table)
    for table in report.tables:
        if table.name == "label_worth":
            console.print(f"\n{table.title}", style="bold", markup=False)
            for text in table.lead:
                console.print(f"- {text}", markup=False)
    console.print()


def _print_first_table(console: Console, report: Report) -> None:
    """Print Table 1 and the efforts, one block per task and validation.

    Not by image where patients come first, and not of fractions of the labels: the page
    has them.
    """
    first = report.table("table_1")
    for section in first.sections:
        if " by image, " not in section.title and not section.folded:
            _print_section(console, _with_all_labels(section))
    _print_left_out(console, first)
    for note in first.notes:
        if note.startswith(("paper:", "The paper's")):
            console.print(note, markup=False)
    console.print()
    for table in report.tables:
        if table.name == "effort":
            for section in table.sections:
                _print_section(console, _with_all_labels(section))


def _print_left_out(console: Console, table: Table) -> None:
    """Print where the folded sections are."""
    if table.folded is not None:
        where = f"see the page, or tables/{table.name}.md"
        console.print(f"{table.folded.title}: {where}", markup=False)


def _with_all_labels(section: TableSection) -> TableSection:
    """The rows of the experiments with all labels."""
    rows = [row for row in section.rows if "@" not in row[0].text]
    return dataclasses.replace(section, rows=rows)


def _print_section(console: Console, section: TableSection) -> None:
    """Print one block; the paper's values follow our means in brackets."""
    headings = list(section.headings)
    if tuple(headings[-len(effort.HEADINGS) :]) == effort.HEADINGS:
        # They have a table of their own, so that the lines do not get too long.
        headings = headings[: -len(effort.HEADINGS)]
    paper = sum(heading.startswith("paper: ") for heading in headings)
    own = len(headings) - paper
    rows = []
    for row in section.rows:
        texts = [entry.text for entry in row]
        for place in range(paper):
            if row[own + place].number is not None:
                texts[own - paper + place] += f" ({texts[own + place]})"
        rows.append(texts[:own])
    title = section.title + (", in brackets: paper" if paper else "")
    print_table(console, title, headings[:own], rows)


def _print_gaps(console: Console, report: Report) -> None:
    """Print how many cells each experiment lacks."""
    cells = report.results.cells
    open_cells = cells[cells["state"] != "finished"]
    keys = ["validation", "backbone", "experiment"]
    groups = list(open_cells.groupby(keys, sort=False))
    for key, rows in groups[:_SHOWN]:
        counts = rows["state"].value_counts()
        words = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
        console.print(f"not finished: {' '.join(key)}: {words}", markup=False)
    if len(groups) > _SHOWN:
        console.print(f"not finished: {len(groups) - _SHOWN} more such groups")


def _print_failures(console: Console, report: Report) -> None:
    """Print the first errors."""
    failures = report.results.failures()
    for failure in failures.head(_SHOWN).itertuples():
        error = " ".join(failure.error.split())
        short = error if len(error) <= 200 else error[:199] + "…"
        console.print(f"failed: {failure.fit}: {short}", markup=False)
    if len(failures) > _SHOWN:
        more = plural(len(failures) - _SHOWN, "more fit")
        console.print(f"failed: {more}, see the page")
