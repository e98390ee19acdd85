"""`python -m mdmt_tf.card`: the model card of a finished run, or of an ensemble."""

from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console

DESCRIPTION = """\
Write the model card of a finished run: what it is, its data and their licences,
the flow of patients, metrics with intervals, calibration, strata, limits and
hashes. Training writes model_card.json and model_card.md itself; this writes
them again, for example of a run of an earlier version, and adds a page.

  python -m mdmt_tf.card RUN
  python -m mdmt_tf.card RUN --doctor doctor/EXPERIMENT

Several models, such as folds or seeds, whose answers are averaged:

  python -m mdmt_tf.card RUN RUN RUN --out FOLDER

What the files do not show, such as the intended use, comes from the section
`card` of the configuration. What is stated nowhere is "not stated".
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("card", DESCRIPTION)
    arguments.add_argument(
        "models",
        nargs="+",
        type=Path,
        metavar="MODEL",
        help="folder of a finished run, or of an exported model",
    )
    text = "folder to write to (default: the folder of the model, if there is one)"
    arguments.add_argument("--out", metavar="DIR", type=Path, help=text)
    text = "folder that mdmt_tf.doctor has written: its findings are limits of the run"
    arguments.add_argument("--doctor", metavar="DIR", type=Path, help=text)
    options = arguments.parse_args(argv)
    if len(options.models) > 1 and options.doctor is not None:
        arguments.error("--doctor is for one run; give it to each, then the ensemble")
    if len(options.models) > 1 and options.out is None:
        arguments.error("several models need --out DIR, the folder of their card")

    from mdmt_tf.reporting.model_card import write_pages

    written = write_pages(options.models, options.out, options.doctor)
    for path in written:
        print(path)
    return 0


if __name__ == "__main__":
    console.run(main)
