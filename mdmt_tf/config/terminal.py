"""Configurations and keys as tables in the terminal."""

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from mdmt_tf.config import files, reference
from mdmt_tf.config.keys import Key


def table_of_configurations() -> Table:
    """Print the configurations that come with the package, with their summaries."""
    table = Table(box=None, padding=(0, 2, 1, 0), show_header=False)
    for _ in ("name", "summary"):
        table.add_column(overflow="fold")
    for name in files.names():
        table.add_row(f"[bold]{name}[/]", escape(files.summary(name)))
    return table


def tables_of_keys(word: str = "") -> Iterator[Table]:
    """Print the keys of each section: name, values and default, meaning.

    Args:
        word: prints only keys with this word in their full name or their description,
            in any case.
    """
    word = word.lower()
    groups = list(reference.groups())
    longest = max(len(key.name) for group in groups for key in group.keys)
    for group in groups:
        found = [k for k in group.keys if word in f"{k.full} {k.description}".lower()]
        about = group.about
        if group.same_as and not word:
            about = f"The keys of {group.same_as}."
        elif not found:
            continue
        table = Table(title_justify="left", title_style="", box=None, show_header=False)
        table.title = f"[bold]{group.title or 'top level'}[/]  {escape(about)}"
        table.padding = (0, 2, 0, 0)
        table.add_column(width=longest, overflow="fold")
        table.add_column(width=20, overflow="fold")
        table.add_column(overflow="fold")
        for key in found:
            table.add_row(key.name, escape(_values(key)), escape(key.description))
        yield table


def _values(key: Key) -> str:
    is_required = key.default == "required"
    return f"{key.values}\n{'required' if is_required else f'default: {key.default}'}"
