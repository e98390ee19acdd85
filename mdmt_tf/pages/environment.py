"""Fill a template."""

import base64
import functools
import math
import re
from collections.abc import Sequence
from importlib.resources import files

import jinja2
from markupsafe import Markup, escape

# Templates of text, in which `<` is no markup.
_PLAIN = (".md", ".txt")


def render(template: str, **values) -> Markup:
    """A filled template.

    Args:
        template: `base.html`, or the path of a template in the package, such as
            `reporting/model_card.html`.
        values: what its names stand for. Text is escaped, unless the template is one of
            plain text.
    Returns: a str; other templates do not escape it again.
    Raises: jinja2.UndefinedError for a name without a value, jinja2.TemplateNotFound.
    """
    return Markup(_environment().get_template(template).render(**values))


@functools.cache
def _environment() -> jinja2.Environment:
    package = files("mdmt_tf")
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(
            [str(package / "pages" / "templates"), str(package)]
        ),
        autoescape=lambda name: name is None or not name.endswith(_PLAIN),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["base64"] = _base64
    found.filters["with_code"] = with_code
    found.filters["text"] = text_of
    found.filters["number"] = number_of
    found.globals["numeric_columns"] = numeric_columns
    return found


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def with_code(text: str) -> Markup:
    """Text for a page, in which `a word in backticks` is code.

    Example:
        >>> print(with_code("`explain RUN` makes maps of 1 < n images"))
        <code>explain RUN</code> makes maps of 1 &lt; n images
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def number_of(cell) -> float | None:
    """The number that a cell is sorted by; None for text.

    Args:
        cell: a text, a number, or an object with the attributes `text` and `number`,
            such as `reporting.table_files.Entry`.
    """
    number = cell.number if hasattr(cell, "number") else cell
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return None if not is_number or math.isnan(number) else number


def text_of(cell) -> str:
    """What is shown of a cell."""
    return cell.text if hasattr(cell, "number") else str(cell)


def numeric_columns(rows: Sequence[Sequence], count: int) -> list[bool]:
    """Whether each of `count` columns holds numbers anywhere.

    Example:
        >>> numeric_columns([["train", 120], ["test", "none"]], 2)
        [False, True]
    """
    return [
        any(number_of(row[column]) is not None for row in rows)
        for column in range(count)
    ]
