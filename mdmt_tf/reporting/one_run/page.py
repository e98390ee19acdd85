"""The page of one run, with its tables and plots as files."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf.errors import DataError
from mdmt_tf.pages import render
from mdmt_tf.reporting.assessed import clause
from mdmt_tf.reporting.assessed_calibration import unusual
from mdmt_tf.reporting.drawing import DPI, Drawing
from mdmt_tf.reporting.one_run.pictures import Pictures, pictures_of
from mdmt_tf.reporting.one_run.plots import draw_learning, draw_task
from mdmt_tf.reporting.one_run.results import RunResults
from mdmt_tf.reporting.one_run.tables import (
    effort_facts,
    files_of,
    flow_of,
    summary_table,
    tables_of,
)
from mdmt_tf.reporting.table_files import Table, write_table
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.screen.commands import portable
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.storage import write_bytes

FOLDER = "report"
# Tasks whose details are open; those of the others are folded away.
_OPEN = 3
# Inches; two plots of this width are side by side.
_HALF = 7.0
_PARTS = {
    "metrics": "",
    "discrimination": "Predictions and truth",
    "calibration": "Calibration and decision curve",
    "strata": "Strata",
}
_CAVEATS = (
    "This is one training run. Another seed or fold gives other numbers; the intervals "
    "are about other patients, not about other runs. A benchmark compares methods.",
    "The patients are of the datasets named above. Patients of another hospital may "
    "differ; an external validation tells (evaluate RUN --on DATASET).",
    "Strata are read one at a time, and there are many. A stratum that looks different "
    "is a reason to look at more patients, not a result.",
    "A model that is changed after this page was read has seen these patients.",
    "Not for diagnosis.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskPart:
    """What the page shows of one task.

    Attributes:
        id, name: of its section.
        clause: what came out for it.
        is_open: whether its details are not folded away.
        parts: (title, tables, plots); title "" for the first.
    """

    id: str
    name: str
    clause: str
    is_open: bool
    parts: tuple[tuple[str, Sequence[Table], Sequence[Drawing]], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunReport:
    """A written page.

    Attributes:
        results: what it was made from.
        folder: holds `tables/`, `plots/` and `index.html`.
        pictures: the example images.
    """

    results: RunResults
    folder: Path
    pictures: Pictures

    @property
    def page(self) -> Path:
        return self.folder / "index.html"


def write_page(
    run: str | os.PathLike | RunFolder,
    out: str | os.PathLike | None = None,
    *,
    resamples: int = RESAMPLES,
    split: str = "test",
    saliency: Path | None = None,
) -> RunReport:
    """Write `tables/`, `plots/` and `index.html`; equal inputs give equal bytes.

    Args:
        run: a finished run.
        out: folder to write to; None: `report` in that of the run, or
            `report_validation` for the validation split.
        resamples: of the intervals that are not in `assessment.json`; 0: no intervals.
        split: the split to judge by. With validation, no number and no picture is of
            test rows.
        saliency: folder of saliency maps; None: that of the run, if there is one.
    Raises: DataError for a run that is not finished or is damaged, or a folder that
        cannot be written.
    """
    results = RunResults.read(run, split, resamples)
    out = Path(out) if out is not None else folder_of(results.run, split)
    return write_results(results, out, saliency)


def write_results(
    results: RunResults, out: Path, saliency: Path | None = None
) -> RunReport:
    """As `write_page`, of results that are read already."""
    pictures = pictures_of(results, saliency)
    tables, said = files_of(results), set()
    tasks = [
        _part(results, task, number < _OPEN, said)
        for number, task in enumerate(results.tasks)
    ]
    learning = draw_learning(results)
    page = _render(results, tasks, learning, pictures, tables)
    drawings = [plot for task in tasks for _, _, own in task.parts for plot in own]
    drawings += learning
    in_files = " ".join([*results.marks, results.sentence])
    try:
        for name in ("tables", "plots"):
            (out / name).mkdir(parents=True, exist_ok=True)
        for table in tables:
            write_table(table, out / "tables", in_files)
        for drawing in drawings:
            write_bytes(out / "plots" / f"{drawing.name}.svg", drawing.svg)
            write_bytes(out / "plots" / f"{drawing.name}.png", drawing.png)
        write_bytes(out / "index.html", page.encode("utf-8"))
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: cannot be written: {error.strerror}. Choose "
            "another folder (--out DIR)."
        ) from error
    return RunReport(results=results, folder=out, pictures=pictures)


def folder_of(run: RunFolder, split: str) -> Path:
    """Where the report of a split is written to, unless another folder is chosen."""
    return run.path / (FOLDER if split == "test" else f"{FOLDER}_{split}")


def _part(results: RunResults, task, is_open: bool, said: set[str]) -> TaskPart:
    """One task; a note that an earlier one has said is left out."""
    plots = draw_task(results, task)
    tables = {
        part: [_without_notes(table, said) for table in own]
        for part, own in tables_of(results, task).items()
    }
    return TaskPart(
        id=f"task-{task.name}",
        name=task.title,
        clause=clause(results, task),
        is_open=is_open,
        parts=tuple(
            (title, tables.get(part, ()), plots.get(part, ()))
            for part, title in _PARTS.items()
            if part in tables or part in plots
        ),
    )


def _without_notes(table: Table, said: set[str]) -> Table:
    notes = [note for note in table.notes if note not in said]
    said.update(notes)
    return dataclasses.replace(table, notes=notes)


def _is_wide(drawing: Drawing) -> bool:
    """Whether a plot needs the whole width of the page; by the header of its PNG."""
    return int.from_bytes(drawing.png[16:20], "big") / DPI > _HALF


def _render(results: RunResults, tasks, learning, pictures, tables) -> str:
    config, folder = results.config, results.run.path
    flow = flow_of(results)
    links = [("summary", "What came out")]
    links += [("flow", "Patients")] if flow is not None else []
    links += [(task.id, task.name) for task in tasks]
    links += [("images", "Example images")]
    links += [("learning", "Learning curves")] if learning else []
    links += [("effort", "Effort"), ("caveats", "Caveats"), ("again", "Again")]
    return render(
        "reporting/one_run/page.html",
        title=f"Run {folder.name}",
        marks=results.marks,
        lead=[results.sentence],
        intro=[
            f"Experiment {config.experiment}, fold {config.split.fold} "
            f"({config.split.kind}). Data: {data_note(results.manifest)}."
        ],
        links=links,
        summary=summary_table(results),
        flow=flow,
        tasks=tasks,
        pictures=pictures,
        learning=learning,
        open_plots=_OPEN,
        effort=effort_facts(results),
        caveats=[*_CAVEATS, *unusual(results)],
        tables=tables,
        command=_command(results),
        resamples=results.resamples,
        is_wide=_is_wide,
    )


def _command(results: RunResults) -> str:
    usual = results.resamples == RESAMPLES
    options = [] if usual else ["--resamples", results.resamples]
    options += [] if results.judges_test else ["--split", "validation"]
    return portable("report", "RUN", *options)
