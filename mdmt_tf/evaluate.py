"""`python -m mdmt_tf.evaluate`: compute the metrics of a finished run again."""

from collections.abc import Sequence

from mdmt_tf import console

DESCRIPTION = """\
Predict the images of a finished run again with its SavedModel (or its weights,
if it has none), compute the metrics and compare them with metrics.json. The
exit status is 1 when they differ.
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("evaluate", DESCRIPTION)
    arguments.add_argument("run_dir", metavar="RUN_DIR", help="folder of the run")
    arguments.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the prepared data (default: the folder used in training)",
    )
    options = arguments.parse_args(argv)

    from mdmt_tf.runs import summary
    from mdmt_tf.runs.folder import RunFolder

    run = RunFolder.open(options.run_dir)
    run.require_finished()

    console.load_tensorflow()
    from mdmt_tf.serving import evaluation

    differences = evaluation.reproduce(run, data_dir=options.data_dir)
    summary.print_metrics(run)
    if differences:
        print(f"\n{len(differences)} metrics differ from {run.metrics}:")
        for line in differences:
            print(f"  {line}")
        return 1
    what = "SavedModel" if run.saved_model.is_dir() else "trained model"
    print(f"\nThe {what} reproduces {run.metrics}.")
    return 0


if __name__ == "__main__":
    console.run(main)
