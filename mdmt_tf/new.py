"""`python -m mdmt_tf.new`: write the configuration of a dataset of your own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console

DESCRIPTION = """\
Look at a table and a folder of images, and write a commented configuration
that prepares the dataset and trains on it. Every guess has its reason.

  python -m mdmt_tf.new ward --table ward.xlsx --images films --out ward.yaml
  python -m mdmt_tf.prepare ward.yaml --data-dir DATA
  python -m mdmt_tf.train --config ward.yaml data_dir=DATA

In a terminal it asks about its guesses, unless --yes is given.
"""


def main(argv: Sequence[str] | None = None) -> None:
    options = _parse(argv)

    from mdmt_tf.planning import draft, questions, terminal
    from mdmt_tf.planning.inspection import Given

    given = Given(
        image=options.image_column,
        patient=options.patient,
        site=options.site,
        labels=questions.parse_labels(options.label),
        fields=tuple(options.field),
        unknown=tuple(options.unknown),
        preprocess=options.preprocess,
        has_gpu=console.has_gpu(),
    )
    names = ("name", "tables", "on", "images", "out", "join")
    order = draft.Order(**{name: getattr(options, name) for name in names})
    asks = sys.stdin.isatty() and not options.yes
    made = draft.make(order, given, questions.ask_in_terminal if asks else None)
    terminal.report(order, made)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("new", DESCRIPTION)
    add = arguments.add_argument
    add("name", metavar="NAME", help="name of the dataset")
    table = {"dest": "tables", "action": "append", "type": Path, "required": True}
    text = "CSV, TSV, XLSX or Parquet with one row per image; more of them are joined"
    add("--table", metavar="FILE", help=text, **table)
    text = "column by which further tables are joined (default: a column of both)"
    add("--on", metavar="COLUMN", help=text)
    text = "folder of the images, searched with the folders below"
    add("--images", required=True, type=Path, metavar="DIR", help=text)
    text = "file to write; it is never overwritten"
    add("--out", required=True, type=Path, metavar="FILE.yaml", help=text)
    text = "configuration that the dataset joins, with its tasks and datasets"
    add("--join", metavar="NAME|PATH", help=text)
    add("--image-column", metavar="COLUMN", help="paths or names of the image files")
    text = "the patient; - if every image is a patient of its own"
    add("--patient", metavar="COLUMN", help=text)
    add("--site", metavar="COLUMN", help="the hospital or scanner; - for none")
    more = {"action": "append", "default": []}
    text = "a label to predict; may be repeated"
    add("--label", metavar="[NAME=]COLUMN", help=text, **more)
    text = "a field to keep for baselines and strata; may be repeated; - for none"
    add("--field", metavar="COLUMN", help=text, **more)
    text = "a cell that means unknown; may be repeated"
    add("--unknown", metavar="TEXT", help=text, **more)
    add("--preprocess", metavar="NAME", help="preprocessing, such as lungs_256")
    add("--yes", action="store_true", help="ask nothing, take the guesses")
    return arguments.parse_args(argv)


if __name__ == "__main__":
    console.run(main)
