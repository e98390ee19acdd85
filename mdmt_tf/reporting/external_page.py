"""The page of an external validation, made from its folder alone."""

import dataclasses
import os

from mdmt_tf.metrics.table import compared
from mdmt_tf.metrics.text import plural
from mdmt_tf.pages import render
from mdmt_tf.reporting.assessed_calibration import unusual
from mdmt_tf.reporting.blocks import for_page
from mdmt_tf.reporting.external_plots import draw_all
from mdmt_tf.reporting.external_results import (
    ExternalResults,
    check_metrics_of,
    sentence,
)
from mdmt_tf.reporting.external_tables import build_tables
from mdmt_tf.reporting.marks import SYNTHETIC
from mdmt_tf.reporting.table_files import Table, TableSection, write_table
from mdmt_tf.reporting.trimming import trimmed
from mdmt_tf.runs.manifest import synthetic_note
from mdmt_tf.screen.commands import portable
from mdmt_tf.storage import write_bytes
from mdmt_tf.tasks import Answer

_PERMUTED = "the training labels were permuted; the answers mean nothing"
_CAVEATS = (
    "Intervals are about other patients like these. They say nothing about patients of "
    "other hospitals, and nothing about training again.",
    "Labels of two hospitals may mean different things. A difference to the own test "
    "split may come from the labels, the patients, the scanners or the model.",
    "Strata are read one at a time, and there are many. A stratum that looks different "
    "is a reason to look at more patients, not a result.",
    "A model that is changed after this page was read has seen these patients.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExternalReport:
    """A written page.

    Attributes:
        results: what it was made from.
        marks: warnings to read before.
        sentence: what came out.
        tables: in the order of the page, with empty columns; the first has the metrics.
    """

    results: ExternalResults
    marks: list[str]
    sentence: str
    tables: list[Table]


def write_page(folder: str | os.PathLike) -> ExternalReport:
    """Write `tables/`, `plots/` and `index.html`; equal inputs give equal bytes.

    Args:
        folder: with the files that `mdmt_tf.serving.external.write` has written.
    Raises: DataError when one of them is missing or damaged, or contradicts the
        predictions.
    """
    results = ExternalResults.read(folder)
    check_metrics_of(results)
    tables = build_tables(results)
    shown = [trimmed(table) for table in tables]
    drawings = list(draw_all(results))
    first = sentence(results)
    marks = _marks(results)
    out = results.folder
    for name in ("tables", "plots"):
        (out / name).mkdir(exist_ok=True)
    for table in shown:
        write_table(table, out / "tables", " ".join([*marks, first]))
    for drawing in drawings:
        write_bytes(out / "plots" / f"{drawing.name}.svg", drawing.svg)
        write_bytes(out / "plots" / f"{drawing.name}.png", drawing.png)
    links = [(table.name, table.title.split(",")[0].split(":")[0]) for table in tables]
    links += [("plots", "Plots"), ("caveats", "Caveats"), ("again", "Again")]
    page = render(
        "reporting/external.html",
        title=f"{_names(results)} on {results.dataset}",
        marks=marks,
        lead=[first],
        intro=[_about(results)],
        status=_labelled(results),
        links=links,
        tables=list(map(for_page, shown)),
        drawings=drawings,
        caveats=[*_CAVEATS, *unusual(results)],
        command=_command(results),
    )
    write_bytes(out / "index.html", page.encode("utf-8"))
    return ExternalReport(results=results, marks=marks, sentence=first, tables=tables)


def brief_sections(report: ExternalReport) -> list[TableSection]:
    """The compared metrics by the first unit, and the own test split, in 80 columns."""
    sections = []
    for section, task in zip(
        report.tables[0].sections, report.results.tasks, strict=True
    ):
        rows = section.rows[: 1 + len(compared(task))]
        sections.append(
            TableSection(
                section.title,
                (*section.headings[:3], section.headings[-1]),
                [(*row[:3], row[-1]) for row in rows],
            )
        )
    return sections


def _marks(results: ExternalResults) -> list[str]:
    # As `predict` says it, first. Evaluations by earlier versions do not have it, or a
    # list of the answers of permuted labels.
    found = results.manifest.get("meaningless", ())
    if not isinstance(found, dict):
        found = dict.fromkeys(found, _PERMUTED)
    marks = [f"{name}: {text}." for name, text in found.items()]
    return [*marks, *_synthetic_marks(results)]


def _synthetic_marks(results: ExternalResults) -> list[str]:
    if results.manifest["dataset"]["synthetic"]:
        return [SYNTHETIC]
    notes = dict.fromkeys(filter(None, map(synthetic_note, results.runs)))
    marks = [
        f"The model was {note}. These numbers are of real images." for note in notes
    ]
    # Evaluations by earlier versions do not state the images.
    if not marks and results.manifest["synthetic"]:
        marks = ["The model was trained on SYNTHETIC data."]
    return marks


def _names(results: ExternalResults) -> str:
    runs = results.runs
    return runs[0]["name"] if len(runs) == 1 else plural(len(runs), "run")


def _about(results: ExternalResults) -> str:
    facts = results.manifest["dataset"]
    words = [facts["config"], facts["version"], plural(facts["examples"], "image")]
    runs = ", ".join(run["path"] for run in results.runs)
    # Evaluations by earlier versions do not have them.
    read = results.manifest.get("numbers_read", {})
    labels = "; ".join(
        f"{task.name} from {_labels_text(task, results.dataset)}"
        + (f" (numbers read as {read[task.name]})" if task.name in read else "")
        for task in results.tasks
    )
    used = dict.fromkeys(run.get("statistics", "") for run in results.runs)
    normalised = "".join(f" Normalised by the {text}." for text in used if text)
    return (
        f"Data: {results.dataset} ({', '.join(filter(None, words))}). Model: {runs}. "
        f"Labels: {labels}.{normalised}"
    )


def _labels_text(task: Answer, dataset: str) -> str:
    return task.fields_text(dataset) or _field(task.sources[dataset])


def _field(field) -> str:
    return field if isinstance(field, str) else ", ".join(field)


def _labelled(results: ExternalResults) -> str:
    images = results.manifest["dataset"]["examples"]
    parts = []
    for task in results.tasks:
        names = [component.name for component in task.components]
        rows = results.table[results.table["task"].isin(names)]
        known = rows.loc[rows["target"].notna(), "image_id"].nunique()
        verb = "has" if known == images == 1 else "have"
        text = f"{known} of {plural(images, 'image')}"
        parts.append(f"{text} {verb} a label of {task.name}")
    # Evaluations by earlier versions do not say it.
    left = results.manifest.get("not_judged", {}).get("text", "")
    return f"{'; '.join(parts)}. {left}".rstrip()


def _command(results: ExternalResults) -> str:
    labels = [
        f"{task.name}={_field(task.sources[results.dataset]).replace(', ', ',')}"
        for task in results.tasks
    ]
    runs = [run["path"] for run in results.runs]
    chosen = results.manifest.get("statistics_of")
    words = [*runs, "--on", results.dataset, "--data-dir", "DATA", "--labels", *labels]
    return portable(
        "evaluate", *words, *(["--statistics-of", chosen] if chosen else [])
    )
