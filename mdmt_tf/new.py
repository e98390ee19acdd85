"""`python -m mdmt_tf.new`: write the configuration of a dataset of your own."""

import argparse
import dataclasses
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

For a folder that has the images and one table, the folder is enough. Training
prepares what is not prepared yet:

  python -m mdmt_tf.new ward --weights phantoms
  python -m mdmt_tf.train --config ward.yaml data_dir=DATA

In a terminal it asks about its guesses, unless --yes is given.
"""


def main(argv: Sequence[str] | None = None) -> None:
    arguments, options = _parse(argv)
    console.use_limits(options)

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
        weights=options.weights,
    )
    names = ("name", "tables", "on", "images", "out", "join")
    wanted = {name: getattr(options, name) for name in names}
    if options.tables and options.images and options.out:
        order = draft.Order(**wanted)
    elif Path(options.name).is_dir():
        order = draft.order_of_folder(Path(options.name), options.tables)
        more = {key: value for key, value in wanted.items() if value and key != "name"}
        order = dataclasses.replace(order, **more)
    else:
        arguments.error(
            "--table, --images and --out are required, unless NAME is a folder with a "
            f"table and images. {options.name!r} is no folder."
        )
    asks = sys.stdin.isatty() and not options.yes
    made = draft.make(order, given, questions.ask_in_terminal if asks else None)
    terminal.report(order, made)


def _parse(
    argv: Sequence[str] | None,
) -> tuple[console.Parser, argparse.Namespace]:
    arguments = console.parser("new", DESCRIPTION)
    console.add_limit_argument(arguments)
    add = arguments.add_argument
    text = "name of the dataset, or a folder with its images and one table"
    add("name", metavar="NAME|FOLDER", help=text)
    table = {"dest": "tables", "action": "append", "type": Path}
    text = "CSV, TSV, XLSX or Parquet with one row per image; more of them are joined"
    add("--table", metavar="FILE", help=text, **table)
    text = "column by which further tables are joined (default: a column of both)"
    add("--on", metavar="COLUMN", help=text)
    text = "folder of the images, searched with the folders below"
    add("--images", type=Path, metavar="DIR", help=text)
    text = "file to write; it is never overwritten"
    add("--out", type=Path, metavar="FILE.yaml", help=text)
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
    text = "what the network starts from: imagenet, phantoms (trained on synthetic "
    text += "radiographs of the chest), or random (default: a guess)"
    choices = ("imagenet", "phantoms", "random")
    add("--weights", choices=choices, metavar="NAME", help=text)
    add("--yes", action="store_true", help="ask nothing, take the guesses")
    options = arguments.parse_args(argv)
    if options.weights and options.join:
        arguments.error("--weights: with --join, those of the base are taken")
    return arguments, options


if __name__ == "__main__":
    console.run(main)
