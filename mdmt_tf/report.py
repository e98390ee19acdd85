"""`python -m mdmt_tf.report`: tables, plots and a page of a benchmark."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mdmt_tf import console as cli

if TYPE_CHECKING:
    from rich.console import Console

    from mdmt_tf.reporting.report import Report

DESCRIPTION = """\
Make tables (Markdown, LaTeX, CSV), plots (SVG, PNG) and a page (index.html)
from the folder of a benchmark, finished or not. They are written into that
folder and replace those of an earlier report; nothing else in it is touched.
"""
# Fits that are named in the terminal; the page has them all.
_SHOWN = 5


def main(argv: Sequence[str] | None = None) -> int:
    arguments = cli.parser("report", DESCRIPTION)
    arguments.add_argument(
        "benchmark_dir", metavar="DIR", help="folder of the benchmark"
    )
    arguments.add_argument(
        "--resamples",
        type=_count,
        default=1000,
        metavar="N",
        help="bootstrap resamples of each interval; 0 for none (default: %(default)s)",
    )
    options = arguments.parse_args(argv)

    from rich.console import Console

    from mdmt_tf.reporting.report import write_report

    # Minutes for hundreds of fits; shown on a terminal only.
    with Console(stderr=True).status("tables, intervals, plots ..."):
        report = write_report(options.benchmark_dir, resamples=options.resamples)
    console = Console(highlight=False)
    _print_tables(console, report)
    _print_gaps(console, report)
    # Not wrapped: a path is to be copied whole.
    plain = {"markup": False, "soft_wrap": True}
    console.print(report.status, markup=False)
    console.print(f"tables:  {report.folder / 'tables'}", **plain)
    console.print(f"plots: {report.folder / 'plots'}", **plain)
    console.print(f"page:    {report.page}", **plain)
    return 0


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 1000000. Received: {text!r}"
        )
    return number


def _print_tables(console: "Console", report: "Report") -> None:
    """Table 1, a block a task and validation."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    if report.results.synthetic:
        console.print("[bold]SYNTHETIC data: says nothing about patients[/]\n")
    first = report.tables[0]
    for section in first.sections:
        paper = sum(heading.startswith("paper: ") for heading in section.headings)
        own = len(section.headings) - paper
        table = Table(
            title=escape(section.title + (", in brackets: paper" if paper else "")),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for index, heading in enumerate(section.headings[:own]):
            table.add_column(escape(heading), justify="right" if index else "left")
        for row in section.rows:
            texts = [entry.text for entry in row]
            for place in range(paper):
                if row[own + place].number is not None:
                    texts[own - paper + place] += f" ({texts[own + place]})"
            table.add_row(*map(escape, texts[:own]))
        console.print(table)
    for note in first.notes:
        if note.startswith(("paper:", "The paper's")):
            console.print(note, markup=False)
    console.print()


def _print_gaps(console: "Console", report: "Report") -> None:
    """Which experiments lack how many cells, and the first errors."""
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
    failures = report.results.failures()
    for failure in failures.head(_SHOWN).itertuples():
        error = " ".join(failure.error.split())
        short = error if len(error) <= 200 else error[:199] + "…"
        console.print(f"failed: {failure.fit}: {short}", markup=False)
    if len(failures) > _SHOWN:
        console.print(f"failed: {len(failures) - _SHOWN} more fits, see the page")


if __name__ == "__main__":
    cli.run(main)
