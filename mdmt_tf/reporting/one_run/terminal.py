"""The report of a run in the terminal."""

from rich.console import Console

from mdmt_tf.reporting.one_run.page import RunReport
from mdmt_tf.reporting.one_run.tables import summary_table
from mdmt_tf.screen.tables import print_table


def print_report(report: RunReport, note: str = "") -> None:
    """Print what came out, the leading metric of every answer, and where the files are.

    Args:
        report: of a run.
        note: what was done about saliency.
    """
    console = Console(highlight=False)
    for text in report.results.marks:
        console.print(f"{text}\n", style="bold", markup=False)
    console.print(f"{report.results.sentence}\n", style="bold", markup=False)
    if len(report.results.table):
        (section,) = summary_table(report.results).sections
        rows = [[entry.text for entry in row] for row in section.rows]
        print_table(console, section.title, section.headings, rows)
    if note:
        console.print(note, markup=False)
    # Not wrapped, so that a path can be copied as a whole.
    plain = {"markup": False, "soft_wrap": True}
    console.print(f"tables:  {report.folder / 'tables'}", **plain)
    console.print(f"plots:   {report.folder / 'plots'}", **plain)
    console.print(f"page:    {report.page}", **plain)
