"""A self-contained page with sortable tables, plots, failures and caveats.

The page loads nothing: it contains its styles, script and plots, and a content security
policy forbids anything else. Every text that comes from a file is escaped.
"""

import base64
import importlib.resources
import string
from collections.abc import Sequence
from html import escape

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.marks import warnings_of
from mdmt_tf.reporting.plots import Drawing
from mdmt_tf.reporting.table_files import Table, TableSection, numeric_columns

_CAVEATS = (
    "Backbones are not a sample of patients. A test over backbones supports that other "
    "networks of this kind would show the same on the same images.",
    "Folds of a cross-validation share most of their training images. Their metrics "
    "are not independent, and a test that assumes independence gives p-values that are "
    "too small.",
    "Bootstrap intervals resample the patients of the judged sets and keep the fitted "
    "models. They do not include the variation from training again.",
    "Nothing here has been tested on patients of hospitals other than those of the "
    "datasets named above.",
    "Many comparisons are made. Read the p-values after Holm's adjustment, which "
    "covers the family that the notes of Table 2 state.",
)


def build_page(
    aggregates: Aggregates,
    tables: Sequence[Table],
    drawings: Sequence[Drawing],
    status: str,
) -> str:
    """The page as HTML.

    Args:
        aggregates: for the facts at the top of the page.
        tables: those written to `tables/`.
        drawings: those written to `plots/`.
        status: a sentence on the finished, failed and missing cells.
    """
    results = aggregates.results
    template = importlib.resources.files("mdmt_tf.reporting") / "page.html"
    links = [(table.name, table.title.split(":")[0]) for table in tables]
    links += [("plots", "Plots"), ("caveats", "Caveats"), ("again", "Again")]
    counts = results.counts()
    title = f"Benchmark {results.name}"
    if results.split == "validation":
        title += ", judged on validation rows"
    marks = warnings_of(results)
    resamples = aggregates.resamples
    options = "" if resamples == 1000 else f" --resamples {resamples}"
    options += "" if results.split == "test" else f" --split {results.split}"
    return string.Template(template.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        banner="".join(f'<p class="banner">{escape(text)}</p>' for text in marks),
        about=escape(about(results)),
        data=escape(data_note(results)),
        status=escape(status),
        status_class="" if counts["finished"] == len(results.cells) else " open",
        navigation=" ".join(
            f'<a href="#{escape(name)}">{escape(text)}</a>' for name, text in links
        ),
        failures=_failures(results),
        tables="\n".join(_table(table) for table in tables),
        plots="\n".join(_plot(drawing) for drawing in drawings)
        or "<p>No fit is finished yet.</p>",
        caveats="".join(f"<li>{escape(text)}</li>" for text in _CAVEATS),
        options=options,
        again=escape(
            f"Intervals: {resamples} resamples, seed 0, so the same files give the "
            "same numbers. All metrics can be computed from "
            f"runs/*/predictions.csv, rows with split “{results.split}” and a target."
        ),
    )


def about(results: Results) -> str:
    """The axes of the grid, in one sentence."""
    benchmark = results.benchmark
    parts = [
        f"Experiments {', '.join(benchmark.experiments)}",
        f"backbones {', '.join(benchmark.backbones)}",
        f"validation {', '.join(benchmark.cross_validation)}",
        f"seeds {', '.join(map(str, benchmark.seeds))}",
        f"tasks {', '.join(results.tasks)}",
    ]
    if benchmark.baselines:
        parts.append(f"baselines without images {', '.join(benchmark.baselines)}")
    return "; ".join(parts) + "."


def data_note(results: Results) -> str:
    """The datasets, with their versions and numbers of images."""
    if not results.datasets:
        return "Data: not known yet, no fit is finished."
    parts = []
    for name, facts in results.datasets.items():
        words = [str(facts[key]) for key in ("config", "version") if facts.get(key)]
        if facts.get("examples"):
            words.append(f"{facts['examples']} images")
        if facts.get("synthetic"):
            words.append("SYNTHETIC")
        parts.append(f"{name} ({', '.join(words)})" if words else name)
    return f"Data: {'; '.join(parts)}."


def _failures(results: Results) -> str:
    failures = results.failures()
    if failures.empty:
        return ""
    rows = "".join(
        f"<tr><td>{escape(row.fit)}</td><td>{row.cells}</td>"
        f'<td class="error">{escape(row.error)}</td></tr>'
        for row in failures.itertuples()
    )
    return (
        '<h2 id="failures">Fits that failed</h2><div class="scroll" tabindex="0">'
        '<table><thead><tr><th scope="col">fit</th><th scope="col">cells</th>'
        f'<th scope="col">error</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _table(table: Table) -> str:
    parts = [f'<h2 id="{escape(table.name)}">{escape(table.title)}</h2>']
    for number, section in enumerate(table.sections):
        parts.append(_section(f"{table.name}-{number}", section))
    if table.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
        parts.append(f'<ul class="notes">{notes}</ul>')
    files = ", ".join(
        f'<a href="tables/{escape(table.name)}.{suffix}">{suffix}</a>'
        for suffix in ("csv", "md", "tex")
    )
    parts.append(f'<p class="notes">As a file: {files}</p>')
    return "\n".join(parts)


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


def _plot(drawing: Drawing) -> str:
    data = base64.b64encode(drawing.svg).decode("ascii")
    caption = escape(drawing.caption)
    return (
        f'<figure id="{escape(drawing.name)}">'
        f'<img alt="{caption}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
