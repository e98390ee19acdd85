"""`python -m mdmt_tf.report`: tables, plots and a page of a benchmark."""

import argparse
from collections.abc import Sequence

from mdmt_tf import console

DESCRIPTION = """\
Make tables (Markdown, LaTeX, CSV), plots (SVG, PNG) and a page (index.html)
from the folder of a benchmark, finished or not. They are written to that
folder and replace those of an earlier report. Other files are not changed.

To choose a setting without looking at test rows, judge by validation rows.
This report is marked, and written to DIR/validation:

  python -m mdmt_tf.report DIR --split validation
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("report", DESCRIPTION)
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
    arguments.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="rows to judge by (default: %(default)s); validation reads no test rows",
    )
    options = arguments.parse_args(argv)

    from mdmt_tf.reporting import terminal
    from mdmt_tf.reporting.report import write_report

    # This takes minutes for hundreds of fits; shown only on a terminal.
    with console.working("tables, intervals, plots ..."):
        report = write_report(
            options.benchmark_dir, resamples=options.resamples, split=options.split
        )
    terminal.print_report(report)
    return 0


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 1000000. Received: {text!r}"
        )
    return number


if __name__ == "__main__":
    console.run(main)
