"""Parsers of the command lines, and the arguments that several of them have."""

import argparse
import itertools
import os
import sys
from pathlib import Path

from mdmt_tf.errors import nearest
from mdmt_tf.screen.commands import as_called, below

DEFAULT_CONFIG = "phantom"


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests corrections.

    Options may stand before, among and after the other arguments. What follows `--` is
    no option.
    """

    takes_settings = False

    def parse_args(self, args=None, namespace=None):
        words = list(sys.argv[1:] if args is None else args)
        end = words.index("--") if "--" in words else len(words)
        self._refuse_files(words[:end])
        if self.takes_settings:
            self._refuse_flags(words[:end])
        words[end + 1 :] = map(_NoOption, words[end + 1 :])
        if self._subparsers is not None:  # argparse cannot mix these
            return super().parse_args(words, namespace)
        return super().parse_intermixed_args(words, namespace)

    def _parse_optional(self, arg_string):
        # Mixed arguments are parsed twice, the second time without the `--`.
        if isinstance(arg_string, _NoOption):
            return None
        return super()._parse_optional(arg_string)

    def _get_value(self, action, arg_string):
        return super()._get_value(action, str(arg_string))

    def _refuse_files(self, words: list[str]) -> None:
        """Explain how to write the name of a file that begins with `-`."""
        for word in words:
            name = word.partition("=")[0]
            known = self._option_string_actions
            if (
                self._parse_optional(word) is not None
                and not any(option.startswith(name) for option in known)
                and os.path.lexists(word)
            ):
                self.error(
                    f"{word}: a name that begins with - is taken for an option. Write "
                    f"./{word}, or all files at the end, after --"
                )

    def _refuse_flags(self, words: list[str]) -> None:
        """Explain how to write a setting that is given as an option, `--epochs 3`."""
        for word, following in itertools.pairwise([*words, "-"]):
            name, equals, value = word.partition("=")
            known = self._option_string_actions
            if any(option.startswith(name) for option in known) or name[:2] != "--":
                continue
            # Loads the schema, so it is imported only when needed.
            from mdmt_tf.config import slips

            key = slips.write_instead(name.strip("-").replace("-", "_"))
            if key is None:
                self.error(f"{name}: unknown option. `--help` lists the options.")
            if not equals:
                value = "VALUE" if following.startswith("-") else following
            self.error(f"{name}: settings are written without --: {key}={value}")

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            known = list(action.choices)
            text = f"{value!r}: expected one of {', '.join(known)}."
            raise argparse.ArgumentError(action, text + nearest(value, known))


class _NoOption(str):
    """A word after `--`."""


def parser(command: str, description: str) -> Parser:
    """An argument parser for one of our commands.

    Args:
        command: its name; "" for the command that contains all others.
        description: text with commands as `python -m mdmt_tf.<command>`. They are shown
            as the user writes them.
    """
    start = below()
    program = f"{start}{command}" if command else start.rstrip(" .")
    return Parser(
        prog=program,
        description=as_called(description),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_config_arguments(
    arguments: Parser, default: str | None = DEFAULT_CONFIG
) -> None:
    """Add `--config NAME|PATH` and any number of `key.path=value`.

    Args:
        default: the configuration without `--config`; None: `--config` is required.
    """
    arguments.takes_settings = True
    text = as_called(
        "a name that `python -m mdmt_tf.config list` shows, or the path of a YAML file"
    )
    arguments.add_argument(
        "--config",
        default=default,
        required=default is None,
        metavar="NAME|PATH",
        help=f"{text} (default: {default})" if default else text,
    )
    arguments.add_argument(
        "overrides",
        nargs="*",
        metavar="key.path=value",
        help=as_called(
            "settings that replace those of the file, e.g. training.batch_size=16; "
            "`python -m mdmt_tf.config keys` explains all of them"
        ),
    )


def add_limit_argument(arguments: Parser) -> None:
    """Add `--limit NAME=NUMBER`, for commands that read originals; see `use_limits`."""
    arguments.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="how large files may be: max_pixels of an image, max_voxels of a volume, "
        "max_bytes of a file, max_ratio of its packing, max_table_bytes and max_cells "
        "of a table (docs/reference/data.md); may be repeated",
    )


def add_preprocessing_argument(arguments: Parser) -> None:
    """Add `--preprocessing NAME`, for commands that prepare files as a run did."""
    arguments.add_argument(
        "--preprocessing",
        metavar="NAME",
        help="preprocessing of the files, such as lungs_256; only needed if the "
        "datasets of the run have different ones",
    )


def add_statistics_argument(arguments: Parser) -> None:
    """Add `--statistics-of DATASET`, for commands that predict unseen images."""
    arguments.add_argument(
        "--statistics-of",
        metavar="DATASET",
        help="normalise the images as those of this dataset of the run, for runs with "
        "model.batch_norm per_dataset (default: as model.unseen_dataset says)",
    )


def use_limits(options: argparse.Namespace) -> None:
    """Let the limits of the command line hold; ConfigError for others than numbers."""
    from mdmt_tf.imaging import limits

    limits.use(limits.parse(options.limit))


def words(text: str) -> list[str]:
    """An argument that lists words: "a,b" is ["a", "b"]."""
    return [word for word in text.split(",") if word]


def positive(text: str) -> int:
    """An argument that is an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def png_file(text: str) -> Path:
    """An argument that names a PNG file to write, in an existing folder."""
    path = Path(text)
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"expected a file .png in an existing folder, received {text}"
        )
    return path
