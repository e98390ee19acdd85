"""`mdmt-tf`, or `python -m mdmt_tf`: one command for all command lines."""

import importlib
import sys
from collections.abc import Sequence

import mdmt_tf
from mdmt_tf import console

# Command -> its summary. Each is the function `main` of the module of its name.
COMMANDS = {
    "new": "write the configuration of a dataset of your own",
    "prepare": "prepare a dataset for training",
    "doctor": "examine prepared data before training",
    "train": "train one model on several datasets and tasks",
    "evaluate": "compute the metrics of a finished run again",
    "predict": "predict image files with finished runs",
    "serve": "answer files on a local page and by an API",
    "explain": "make saliency maps of a finished run",
    "benchmark": "train a grid of experiments",
    "report": "make tables, plots and a page of a benchmark",
    "card": "write the model card of a finished run or an ensemble",
    "folds": "convert published fold lists to files for split.file",
    "study": "measure when a second dataset helps, on synthetic data",
    "convert": "convert a PyTorch checkpoint to weights of a backbone",
    "config": "look up configurations and their keys",
}
_LINES = "".join(f"\n  {name:10} {text}" for name, text in COMMANDS.items())
DESCRIPTION = f"""\
Train one model on many small medical-imaging datasets whose labels differ.

commands:{_LINES}

`python -m mdmt_tf.COMMAND --help` explains each command.
"""


def main(argv: Sequence[str] | None = None) -> int | None:
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = console.parser("", DESCRIPTION)
    version = f"mdmt_tf {mdmt_tf.__version__}"
    arguments.add_argument("--version", action="version", version=version)
    arguments.add_argument(
        "command", choices=COMMANDS, metavar="COMMAND", help="one of those above"
    )
    # The other arguments belong to the command.
    command = arguments.parse_args(words[:1]).command
    name = "config.__main__" if command == "config" else command
    return importlib.import_module(f"mdmt_tf.{name}").main(words[1:])


def command() -> None:
    """The console command."""
    console.run(main)


if __name__ == "__main__":
    command()
