"""`python -m mdmt_tf.evaluate`: a finished run, again or on data it has not seen."""

import argparse
from collections.abc import Sequence

from mdmt_tf import console

DESCRIPTION = """\
Predict the images of a finished run again with its SavedModel (or its weights)
and compare with predictions.csv, row by row to 1e-5. metrics.json must follow
from that file, and so must calibration.json and the values of assessment.json.
The exit status is 1 when something differs.

  python -m mdmt_tf.evaluate RUN

External validation: predict a dataset that the run has not seen. Writes
predictions, metrics with intervals, strata (site, sex, age, scanner, ...) and
a page. Several runs (folds, seeds): each, and their mean prediction. The data
of the training are not needed.

  python -m mdmt_tf.evaluate RUN --on ward --data-dir DATA --labels outcome=died
  python -m mdmt_tf.evaluate RUN RUN RUN --on ward.yaml --data-dir DATA
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    console.use_limits(options)

    from mdmt_tf.runs.folder import RunFolder

    runs = [RunFolder.open(path) for path in options.runs]
    for run in runs:
        run.require_finished()
    if options.on is not None:
        return _evaluate_on(runs, options)
    return _reproduce(runs[0], options.data_dir)


def _reproduce(run, data_dir: str | None) -> int:
    console.load_tensorflow()
    from mdmt_tf.runs import summary
    from mdmt_tf.serving import evaluation
    from mdmt_tf.statistics import calibration

    lines = evaluation.reproduce(run, data_dir=data_dir)
    # Of predictions that differ, nothing else can follow.
    lines = lines or evaluation.unfounded(run)
    summary.print_metrics(run, calibration.read(run))
    print(f"\n{evaluation.conclusion(run, lines)}")
    return int(bool(lines))


def _evaluate_on(runs, options: argparse.Namespace) -> int:
    from rich.console import Console

    from mdmt_tf.runs.external import make_request

    request = make_request(
        runs,
        options.on,
        options.data_dir,
        manual_dir=options.manual_dir,
        labels=options.labels,
        out=options.out,
        overwrite=options.overwrite,
        statistics_of=options.statistics_of,
        allow_identical=options.allow_identical_images,
    )
    console.load_tensorflow()
    from mdmt_tf.data.label_notes import label_notes
    from mdmt_tf.datasets._shared import summary
    from mdmt_tf.reporting import external_page, terminal
    from mdmt_tf.serving import external

    made = []
    with console.progress_bar(f"preparing {request.dataset}") as progress:
        dataset = external.open_unseen(request, progress, made.append)
    for folder in made:
        summary.print_summary(Console(highlight=False), folder)
    with console.progress_bar("predicting") as progress:
        result = external.evaluate_runs(request, dataset, progress)
    with console.working("metrics, intervals, strata ..."):
        report = external.write_folder(result, external_page.write_page)
    terminal.print_external(report, request.out)
    for text in label_notes(result.tasks, [dataset]):
        print(text)
    for task, text in result.fields_read.items():
        print(f"labels of {task}: {text}")
    if left := result.not_judged:
        print(left["text"])
    for text in result.statistics:
        print(f"normalised by the {text}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("evaluate", DESCRIPTION)
    console.add_limit_argument(arguments)
    add = arguments.add_argument
    add("runs", nargs="+", metavar="RUN_DIR", help="folder of a run, or of several")
    text = "folder of the prepared data (default: the folder used in training)"
    add("--data-dir", metavar="DIR", help=text)
    text = "a prepared dataset, or the file that declares one; prepared if need be"
    add("--on", metavar="DATASET|FILE.yaml", help=text)
    text = "folder of the tables and images of FILE.yaml (default: that of the file)"
    add("--manual-dir", metavar="DIR", help=text)
    text = "label field of the dataset for each task to evaluate (default: as the file "
    text += "declares, or by equal names)"
    add("--labels", nargs="+", default=[], metavar="TASK=FIELD", help=text)
    text = "folder to write to (default: RUN_DIR/external/DATASET)"
    add("--out", metavar="DIR", help=text)
    console.add_statistics_argument(arguments)
    add("--overwrite", action="store_true", help="replace an existing --out")
    text = "only warn of images that are equal, in every pixel, to training images"
    add("--allow-identical-images", action="store_true", help=text)
    options = arguments.parse_args(argv)
    of_other = options.labels or options.out or options.overwrite or options.manual_dir
    of_other = of_other or options.statistics_of or options.allow_identical_images
    if options.on is None and (len(options.runs) > 1 or of_other):
        options_of_on = "--manual-dir, --labels, --out, --overwrite, --statistics-of"
        options_of_on += ", --allow-identical-images"
        arguments.error(f"several runs, {options_of_on} need --on")
    return options


if __name__ == "__main__":
    console.run(main)
