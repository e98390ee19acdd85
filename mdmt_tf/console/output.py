"""What a command prints on standard output."""

import sys
from typing import TYPE_CHECKING

from mdmt_tf.screen import line

if TYPE_CHECKING:
    from rich.table import Table


def write(text: str) -> None:
    """Print a text at once, without a line break."""
    line.erase_all()
    sys.stdout.write(text)
    sys.stdout.flush()


def print_table(table: "Table") -> None:
    """Print a `rich` table without highlighting its numbers and names."""
    from rich.console import Console

    Console(highlight=False).print(table)
