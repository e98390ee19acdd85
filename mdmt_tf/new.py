"""`python -m mdmt_tf.new`: write the configuration of a dataset of your own."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console

DESCRIPTION = """\
Look at a table and a folder of images, and write a commented configuration
that prepares the dataset and trains on it. Every guess has its reason.

  python -m mdmt_tf.new ward --table outcomes.xlsx --images films --out ward.yaml
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
    order = draft.Order(
        name=options.name,
        tables=tuple(options.table),
        on=options.on,
        images=options.images,
        out=options.out,
        join=options.join,
    )
    ask = None
    if sys.stdin.isatty() and not options.yes:
        ask = questions.ask_in_terminal
    terminal.report(order, draft.make(order, given, ask))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("new", DESCRIPTION)
    add = arguments.add_argument
    add("name", type=_name, metavar="NAME", help="name of the dataset")
    text = "CSV, TSV, XLSX or Parquet with one row per image; more of them are joined"
    more = {"action": "append", "default": []}
    table = {"action": "append", "type": Path, "metavar": "FILE", "required": True}
    add("--table", help=text, **table)
    text = "column by which further tables are joined (default: a column of both)"
    add("--on", metavar="COLUMN", help=text)
    text = "folder of the images, searched with the folders below"
    add("--images", required=True, type=Path, metavar="DIR", help=text)
    text = "file to write; it is never overwritten"
    add("--out", required=True, type=Path, metavar="FILE.yaml", help=text)
    text = "configuration that the dataset joins, with its tasks and datasets"
    add("--join", metavar="NAME|PATH", help=text)
    add("--image-column", metavar="COLUMN", help="paths or names of the image files")
    add("--patient", metavar="COLUMN", help="the patient")
    add("--site", metavar="COLUMN", help="the hospital or scanner")
    add(
        "--label",
        metavar="[NAME=]COLUMN",
        help="a label to predict; repeatable",
        **more,
    )
    text = "a field to keep for baselines and strata; repeatable"
    add("--field", metavar="COLUMN", help=text, **more)
    text = "text of a cell that means unknown; repeatable"
    add("--unknown", metavar="TEXT", help=text, **more)
    add("--preprocess", metavar="NAME", help="preprocessing, such as lungs_256")
    add("--yes", action="store_true", help="ask nothing, take the guesses")
    return arguments.parse_args(argv)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise argparse.ArgumentTypeError(
            f"expected lower-case letters, digits and _, a letter first: {text!r}"
        )
    return text


if __name__ == "__main__":
    console.run(main)
