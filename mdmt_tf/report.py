"""`python -m mdmt_tf.report`: tables, plots and a page of a benchmark or a run."""

import argparse
from collections.abc import Sequence

from mdmt_tf import console
from mdmt_tf.metrics.text import plural
from mdmt_tf.statistics.interval import RESAMPLES

DESCRIPTION = """\
Make tables (Markdown, LaTeX, CSV), plots (SVG, PNG) and a page (index.html)
from the folder of a benchmark, finished or not, or of one finished run. They
are written to that folder (of a run: to report/ in it) and replace those of
an earlier report. Other files are not changed.

  python -m mdmt_tf.report RUN
  python -m mdmt_tf.report RUN --saliency 4

The page of a run shows the saliency maps that `explain` or `train` have left
in it, of images of the judged split. With --saliency, maps of N images are
made if there are none of this split.

To choose a setting without looking at test rows, judge by validation rows.
This report is marked, and written to DIR/validation (of a run:
RUN/report_validation):

  python -m mdmt_tf.report DIR --split validation
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("report", DESCRIPTION)
    arguments.add_argument(
        "folder", metavar="DIR", help="folder of the benchmark or run"
    )
    arguments.add_argument(
        "--resamples",
        type=_count,
        default=RESAMPLES,
        metavar="N",
        help="bootstrap resamples of each interval; 0 for none (default: %(default)s)",
    )
    arguments.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="rows to judge by (default: %(default)s); validation reads no test rows",
    )
    arguments.add_argument(
        "--out",
        metavar="DIR",
        help="folder to write to (default: as above)",
    )
    arguments.add_argument(
        "--saliency",
        type=console.positive,
        metavar="N",
        help="of a run: make saliency maps of N images of the split if there are none",
    )
    options = arguments.parse_args(argv)

    from mdmt_tf import storage
    from mdmt_tf.runs.folder import RunFolder

    if options.saliency is None:
        storage.require_folder(options.folder, storage.BENCHMARK, storage.RUN)
        if not RunFolder(options.folder).config.is_file():
            return _report_benchmark(options)
    return _report_run(RunFolder.open(options.folder), options)


def _report_benchmark(options: argparse.Namespace) -> int:
    from mdmt_tf.reporting import terminal
    from mdmt_tf.reporting.report import write_report

    # This takes minutes for hundreds of fits; shown only on a terminal.
    with console.working("tables, intervals, plots ..."):
        report = write_report(
            options.folder,
            options.out,
            resamples=options.resamples,
            split=options.split,
        )
    terminal.print_report(report)
    return 0


def _report_run(run, options: argparse.Namespace) -> int:
    from pathlib import Path

    from mdmt_tf.reporting.one_run import page, terminal
    from mdmt_tf.reporting.one_run.results import RunResults
    from mdmt_tf.saliency.methods import TABLE

    run.require_finished()
    chosen = None if options.out is None else Path(options.out)
    out = page.folder_of(run, options.split) if chosen is None else chosen
    with console.working("intervals ..."):
        results = RunResults.read(run, options.split, options.resamples)
    # A run of another person may be read-only. Maps of another split are not replaced.
    makes_own = chosen is not None or (run.saliency / TABLE).is_file()
    maps, note = _saliency(
        results,
        (run.saliency, out / "saliency"),
        out / "saliency" if makes_own else run.saliency,
        options.saliency,
    )
    with console.working("tables, plots ..."):
        report = page.write_results(results, out, maps)
    terminal.print_report(report, note)
    return 0


def _saliency(results, folders, new, most: int | None):
    """The folder of the maps to show, and a note.

    Args:
        results: of the run; the maps are of its judged split.
        folders: where they may be.
        new: where they are made if there are none and they were requested.
        most: requested number of images.
    """
    from mdmt_tf.reporting.one_run.pictures import has_maps

    of = f"of the {results.split} split"
    for folder in folders:
        if has_maps(folder, results.run, results.split):
            return folder, f"saliency: that of {folder}; nothing was made"
    if most is None:
        return None, f"saliency: none {of}; --saliency N makes maps of N images"
    console.load_tensorflow()
    from mdmt_tf.saliency import explanation

    with console.progress_bar("explaining") as progress:
        made = explanation.explain_finished(
            results.run,
            explanation.Chosen(split=results.split, most=most),
            folder=new,
            progress=progress,
        )
    count, images = len(made.rows), plural(made.n_images, "image")
    return new, f"saliency: made {plural(count, 'map')} of {images} {of}: {new}"


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 1000000. Received: {text!r}"
        )
    return number


if __name__ == "__main__":
    console.run(main)
