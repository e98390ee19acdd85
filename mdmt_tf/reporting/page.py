"""The page of a benchmark: what came out first, details folded away."""

import dataclasses
from collections.abc import Iterable, Sequence

from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.text import plural
from mdmt_tf.pages import render
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.blocks import for_page
from mdmt_tf.reporting.drawing import Drawing
from mdmt_tf.reporting.marks import warnings_of
from mdmt_tf.reporting.opening import opening
from mdmt_tf.reporting.table_files import Table
from mdmt_tf.screen.commands import portable
from mdmt_tf.statistics.interval import RESAMPLES

# Tables that are details, folded away at the end.
_DETAILS = (
    "equivalence",
    "gains",
    "loss_shares",
    "features_probe",
    "table_2",
    "pooled",
    "table_s1",
    "runs",
    "correlations",
)
# Kind of a plot -> the table that it stands with.
_WITH = {"gains": "label_worth", "box": "table_1", "slopes": "table_1"}
# Heading of a part that has plots alone, and their kinds.
_PLOTS = {
    "Predictions": ("roc", "calibration", "decision", "confusion"),
    "Training": ("curves",),
}
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


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the page under one heading.

    Attributes:
        name: its id.
        title: its heading.
        table: None for plots alone.
        drawings: below the table.
        is_told: whether the opening says what its lead says.
    """

    name: str
    title: str
    table: Table | None = None
    drawings: Sequence[Drawing] = ()
    is_told: bool = False

    @property
    def short(self) -> str:
        """Its title in the list of parts."""
        return self.title.split(":")[0]


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
    title = f"Benchmark {results.name}"
    if results.split == "validation":
        title += ", judged on validation rows"
    shown = [for_page(table) for table in tables]
    parts = parts_of(shown, drawings)
    details = [table for table in shown if table.name in _DETAILS]
    failures = results.failures()
    links = [(part.name, part.short) for part in parts]
    links += [("details", "Details")] if details else []
    links += [("caveats", "Caveats"), ("again", "Again")]
    return render(
        "reporting/benchmark.html",
        title=title,
        marks=warnings_of(results),
        lead=opening(aggregates),
        status=status,
        is_complete=results.counts()["finished"] == len(results.cells),
        links=[("failures", "Failures"), *links] if len(failures) else links,
        facts=facts_of(results),
        failures=[
            (row.fit, row.cells, row.error) for row in failures.itertuples(index=False)
        ],
        parts_of_page=parts,
        has_results=results.counts()["finished"] > 0,
        details=details,
        caveats=_CAVEATS,
        command=_command(results, aggregates.resamples),
        resamples=aggregates.resamples,
        split=results.split,
    )


def parts_of(tables: Iterable[Table], drawings: Sequence[Drawing]) -> list[Part]:
    """The tables that are no details, with their plots, and the plots of their own."""
    of_kind: dict[str, list[Drawing]] = {}
    for drawing in drawings:
        of_kind.setdefault(drawing.name.split("_")[0], []).append(drawing)
    parts = []
    for table in tables:
        if table.name in _DETAILS:
            continue
        kinds = [kind for kind, name in _WITH.items() if name == table.name]
        own = [d for kind in kinds for d in of_kind.pop(kind, [])]
        is_told = table.name == "primary"
        parts.append(Part(table.name, table.title, table, own, is_told))
    for title, kinds in _PLOTS.items():
        own = [d for kind in kinds for d in of_kind.pop(kind, [])]
        if own:
            parts.append(Part(title.lower(), title, drawings=own))
    left = [drawing for own in of_kind.values() for drawing in own]
    return [*parts, Part("plots", "Plots", drawings=left)] if left else parts


def facts_of(results: Results) -> list[tuple[str, str]]:
    """The axes of the grid and the data, as (name, value)."""
    benchmark = results.benchmark
    facts = [
        ("Data", data_note(results)),
        ("Tasks", ", ".join(results.tasks)),
        ("Experiments", ", ".join(benchmark.experiments)),
        ("Baselines", ", ".join(benchmark.baselines)),
        ("Backbones", ", ".join(benchmark.backbones)),
        ("Validation", ", ".join(benchmark.cross_validation)),
        ("Seeds", ", ".join(map(str, benchmark.seeds))),
    ]
    return [(name, value) for name, value in facts if value]


def data_note(results: Results) -> str:
    """The datasets, with their versions and numbers of images."""
    if not results.datasets:
        return "not known yet, no fit is finished"
    parts = []
    for name, facts in results.datasets.items():
        words = [str(facts[key]) for key in ("config", "version") if facts.get(key)]
        if facts.get("examples"):
            words.append(plural(facts["examples"], "image"))
        if facts.get("synthetic"):
            words.append("SYNTHETIC")
        parts.append(f"{name} ({', '.join(words)})" if words else name)
    return "; ".join(parts)


def _command(results: Results, resamples: int) -> str:
    options = [] if resamples == RESAMPLES else ["--resamples", resamples]
    options += [] if results.split == "test" else ["--split", results.split]
    return portable("report", "BENCHMARK_DIR", *options)
