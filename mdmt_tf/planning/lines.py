"""Lines of YAML with comments."""

import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

WIDTH = 88


class Lines:
    """Lines of YAML with comments of at most WIDTH columns."""

    def __init__(self):
        self._lines: list[str] = []

    def add(self, indent: int, text: str, comment: str = "") -> None:
        """Add a line; a comment that does not fit behind it stands above it."""
        comment = one_line(comment)
        line = " " * indent + text
        if comment and len(line) + 4 + len(comment) <= WIDTH:
            line = (
                f"{line:<25} # {comment}" if len(line) < 24 else f"{line}  # {comment}"
            )
            if len(line) > WIDTH:
                line = f"{' ' * indent}{text}  # {comment}"
        elif comment:
            self.comment(indent, comment)
        self._lines.append(line)

    def key(self, indent: int, key: str, value: Any, comment: str = "") -> None:
        """Add `key: value`; the value is in flow style, on several lines if long."""
        shown = flow(value)
        if indent + len(key) + 2 + len(shown) > WIDTH and isinstance(value, Mapping):
            self.add(indent, f"{flow(key)}:", comment)
            for name, below in value.items():
                self.key(indent + 2, name, below)
            return
        if indent + len(key) + 2 + len(shown) > WIDTH and isinstance(value, list):
            self.add(indent, f"{flow(key)}:", comment)
            for item in value:
                self.add(indent + 2, f"- {flow(item)}")
            return
        self.add(indent, f"{flow(key)}: {shown}", comment)

    def comment(self, indent: int, text: str, hang: int = 0) -> None:
        """Add a comment of its own, wrapped."""
        start = " " * indent + "# "
        self._lines += textwrap.wrap(
            one_line(text),
            WIDTH,
            initial_indent=start,
            subsequent_indent=start + " " * hang,
            break_on_hyphens=False,
        )

    def literal(self, text: str) -> None:
        """Add a comment that is not wrapped, such as a command."""
        self._lines.append(f"# {one_line(text)}".rstrip())

    def space(self) -> None:
        self._lines.append("")

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"


def one_line(text: str) -> str:
    """A text without line breaks and what else would end a comment."""
    return "".join(c if c.isprintable() else " " for c in text)


def flow(value: Any) -> str:
    """A value as YAML in one line.

    Example:
        >>> flow({"0": "no", "1": "yes"}), flow(["", "n/a"]), flow(None)
        ("{'0': 'no', '1': 'yes'}", "['', n/a]", 'null')
    """
    text = yaml.safe_dump(
        value,
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=float("inf"),
    )
    return text.removesuffix("\n").removesuffix("\n...")
