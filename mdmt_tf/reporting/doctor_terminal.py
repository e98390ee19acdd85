"""A diagnosis in the terminal: its findings, and where the files are."""

import textwrap

from rich.console import Console

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING
from mdmt_tf.reporting.doctor_page import TITLES, DoctorReport

_STYLES = {SERIOUS: "bold red", WARNING: "bold yellow", NOTE: "bold"}


def print_doctor(report: DoctorReport) -> None:
    """Print every finding, with the advice unless it is a note."""
    console = Console(highlight=False)
    plain = {"markup": False, "soft_wrap": True}
    for mark in report.marks:
        console.print(f"\n{mark}", style="bold", markup=False)
    level = None
    for finding in report.diagnosis.findings:
        if finding.level != level:
            level = finding.level
            console.print(f"\n{TITLES[level]}", style=_STYLES[level], markup=False)
        parts = [f"{finding.where}: {finding.text}"]
        if level != NOTE and finding.advice:
            parts.append(finding.advice)
        for number, text in enumerate(parts):
            lines = textwrap.wrap(
                text,
                max(40, min(console.width, 100)) - 1,
                initial_indent="  " if number == 0 else "    -> ",
                subsequent_indent="  " if number == 0 else "       ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            console.print("\n".join(lines), **plain)
    console.print(f"\n{report.sentence}", style="bold", markup=False)
    console.print(f"findings: {report.json}", **plain)
    console.print(f"page:     {report.page}", **plain)
