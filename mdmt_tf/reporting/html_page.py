"""A self-contained page of tables and plots.

The page loads nothing: it contains its styles, script and plots, and a content security
policy forbids anything else. Every text that comes from a file is escaped.
"""

import base64
import importlib.resources
import string
from collections.abc import Sequence
from html import escape

from mdmt_tf.reporting.drawing import Drawing
from mdmt_tf.reporting.table_files import Table, TableSection, numeric_columns


def fill_page(
    *,
    title: str,
    marks: Sequence[str],
    intro: Sequence[str],
    status: str,
    is_complete: bool,
    links: Sequence[tuple[str, str]],
    content: Sequence[str],
) -> str:
    """A page as HTML. All texts but those of `content` are escaped here.

    Args:
        title: one line.
        marks: warnings that stand above everything.
        intro: paragraphs.
        status: a sentence in a box, which has another colour if not `is_complete`.
        links: (id of a heading, text).
        content: pieces of HTML, see `table_html` and `plot_html`.
    """
    template = importlib.resources.files("mdmt_tf.reporting") / "page.html"
    return string.Template(template.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        banner="".join(f'<p class="banner">{escape(text)}</p>' for text in marks),
        intro="\n".join(f"<p>{escape(text)}</p>" for text in intro),
        status=escape(status),
        status_class="" if is_complete else " open",
        navigation=" ".join(
            f'<a href="#{escape(name)}">{escape(text)}</a>' for name, text in links
        ),
        content="\n".join(content),
    )


def notes_html(name: str, title: str, notes: Sequence[str]) -> str:
    """A heading and a list of sentences."""
    items = "".join(f"<li>{escape(text)}</li>" for text in notes)
    return (
        f'<h2 id="{escape(name)}">{escape(title)}</h2>\n<ul class="notes">{items}</ul>'
    )


def command_html(made_from: str, command: str, notes: str) -> str:
    """How to make the page again."""
    return (
        '<h2 id="again">How to compute this again</h2>\n'
        f"<p>{escape(made_from)}</p>\n<pre>{escape(command)}</pre>\n"
        f"<p>{escape(notes)}</p>"
    )


def table_html(table: Table) -> str:
    parts = [f'<h2 id="{escape(table.name)}">{escape(table.title)}</h2>']
    sections = [
        (section, _section(f"{table.name}-{number}", section))
        for number, section in enumerate(table.sections)
    ]
    parts += _lead(table.lead)
    parts += [text for section, text in sections if not section.folded]
    if table.folded is not None:
        parts.append(f"<details><summary>{escape(table.folded.title)}</summary>")
        parts += _lead(table.folded.lead)
        parts += [text for section, text in sections if section.folded]
        parts.append("</details>")
    if table.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
        parts.append(f'<ul class="notes">{notes}</ul>')
    files = ", ".join(
        f'<a href="tables/{escape(table.name)}.{suffix}">{suffix}</a>'
        for suffix in ("csv", "md", "tex")
    )
    parts.append(f'<p class="notes">As a file: {files}</p>')
    return "\n".join(parts)


def _lead(sentences: Sequence[str]) -> list[str]:
    items = "".join(f"<li>{escape(text)}</li>" for text in sentences)
    return [f'<ul class="lead">{items}</ul>'] if items else []


# Sections with more rows get a filter box.
_FILTERED = 30


def _section(name: str, section: TableSection) -> str:
    numeric = numeric_columns(section)
    head = "".join(
        f'<th scope="col"{_class(number)}><button type="button">{escape(text)}</button>'
        "</th>"
        for text, number in zip(section.headings, numeric, strict=True)
    )
    rows = []
    for row in section.rows:
        cells = []
        for entry, number in zip(row, numeric, strict=True):
            value = "" if entry.number is None else f' data-value="{entry.number!r}"'
            cells.append(f"<td{_class(number)}{value}>{escape(entry.text)}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    box = ""
    if len(section.rows) > _FILTERED:
        box = (
            f'<label for="{name}-box">Show rows with</label>'
            f'<input id="{name}-box" type="search" data-filter="{name}" '
            'placeholder="words, e.g. mdmt failed"> '
            f'<span id="{name}-count" aria-live="polite">{len(rows)} rows</span>'
        )
    return (
        f"<h3>{escape(section.title)}</h3>{box}"
        f'<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(section.title)}">'
        f'<table id="{name}"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{chr(10).join(rows)}</tbody></table></div>"
    )


def _class(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


def plot_html(drawing: Drawing) -> str:
    data = base64.b64encode(drawing.svg).decode("ascii")
    caption = escape(drawing.caption)
    return (
        f'<figure id="{escape(drawing.name)}">'
        f'<img alt="{caption}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
