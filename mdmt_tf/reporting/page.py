"""The page of a benchmark: tables, plots, failures and caveats."""

from collections.abc import Sequence
from html import escape

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.drawing import Drawing
from mdmt_tf.reporting.html_page import (
    command_html,
    fill_page,
    notes_html,
    plot_html,
    table_html,
)
from mdmt_tf.reporting.marks import warnings_of
from mdmt_tf.reporting.table_files import Table

_NO_PLOTS = "<p>No fit is finished yet.</p>"
_CAVEATS = (
    "“No difference shown” does not say that there is none. The interval of the "
    "primary comparison says how large a difference may be.",
    "Backbones are not a sample of patients. A test over backbones (Table 2) supports "
    "that other networks of this kind would show the same on the same images.",
    "Folds of a cross-validation share most of their training images. Their metrics "
    "are not independent, and a test that assumes independence gives p-values that are "
    "too small.",
    "Nothing here has been tested on patients of hospitals other than those of the "
    "datasets named above.",
    "Many comparisons are made. Decide before which pair and metric counts. Holm's "
    "adjustment in Table 2 covers the family that its notes state.",
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
    links = [(table.name, table.title.split(":")[0]) for table in tables]
    links += [("plots", "Plots"), ("caveats", "Caveats"), ("again", "Again")]
    title = f"Benchmark {results.name}"
    if results.split == "validation":
        title += ", judged on validation rows"
    resamples = aggregates.resamples
    options = "" if resamples == 1000 else f" --resamples {resamples}"
    options += "" if results.split == "test" else f" --split {results.split}"
    return fill_page(
        title=title,
        marks=warnings_of(results),
        intro=[about(results), data_note(results)],
        status=status,
        is_complete=results.counts()["finished"] == len(results.cells),
        links=links,
        content=[
            _failures(results),
            *map(table_html, tables),
            '<h2 id="plots">Plots</h2>',
            *(map(plot_html, drawings) if drawings else [_NO_PLOTS]),
            notes_html("caveats", "What the statistics do not say", _CAVEATS),
            command_html(
                "Tables, plots and this page are made from the files of the folder "
                "alone:",
                f"python -m mdmt_tf.report BENCHMARK_DIR{options}",
                f"Intervals: {resamples} resamples, seed 0, so the same files give the "
                "same numbers. All metrics can be computed from runs/*/predictions.csv,"
                f" rows with split “{results.split}” and a target.",
            ),
        ],
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
        parts.append(f"baselines {', '.join(benchmark.baselines)}")
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
