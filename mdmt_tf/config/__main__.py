"""`python -m mdmt_tf.config`: look up configurations and keys, copy configurations."""

import argparse
import sys
from collections.abc import Sequence

from mdmt_tf import console

DESCRIPTION = """\
Look up configurations and their keys.

  python -m mdmt_tf.config list
  python -m mdmt_tf.config show mdmt
  python -m mdmt_tf.config copy mdmt my.yaml
  python -m mdmt_tf.config keys learning
"""


def main(argv: Sequence[str] | None = None) -> None:
    arguments = console.parser("config", DESCRIPTION)
    actions = arguments.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the configurations that come with the package")
    show = actions.add_parser("show", help="a configuration with its bases' settings")
    copy = actions.add_parser("copy", help="copy a configuration to a file of your own")
    keys = actions.add_parser("keys", help="all keys, or those that match a word")
    for action in (show, copy):
        action.add_argument("name", metavar="NAME", help="name or path of a YAML file")
    copy.add_argument("path", metavar="PATH", help="the new file, such as my.yaml")
    keys.add_argument("word", nargs="?", metavar="WORD", help="in a key or its meaning")
    keys.add_argument("--markdown", action="store_true", help="the reference page")
    options = arguments.parse_args(argv)
    _ACTIONS[options.action](options)


def _list(options: argparse.Namespace) -> None:
    from mdmt_tf.config import terminal

    console.print_table(terminal.table_of_configurations())


def _show(options: argparse.Namespace) -> None:
    from mdmt_tf.config import shown

    sys.stdout.write(shown.resolve(options.name))


def _copy(options: argparse.Namespace) -> None:
    from mdmt_tf.config import shown

    path = shown.copy(options.name, options.path)
    print(f"{path}\nuse it: {console.command('train', '--config', path)}")


def _keys(options: argparse.Namespace) -> None:
    from mdmt_tf.config import reference, slips, terminal
    from mdmt_tf.errors import ConfigError

    if options.markdown:
        sys.stdout.write(reference.markdown())
        return
    tables = list(terminal.tables_of_keys(options.word or ""))
    if not tables:
        near = slips.write_instead(options.word)
        question = f" Did you mean {near!r}?" if near else ""
        raise ConfigError(f"keys: none matches {options.word!r}.{question}")
    for table in tables:
        console.print_table(table)


_ACTIONS = {"list": _list, "show": _show, "copy": _copy, "keys": _keys}

if __name__ == "__main__":
    console.run(main)
