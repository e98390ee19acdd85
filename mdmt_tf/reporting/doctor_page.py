"""The files of a diagnosis: findings.json, tables, plots and a page."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.diagnosis.examination import Diagnosis
from mdmt_tf.diagnosis.findings import LEVELS, NOTE, SERIOUS, WARNING, Finding, counts
from mdmt_tf.diagnosis.timing import exclude_file, exclude_list
from mdmt_tf.metrics.text import plural
from mdmt_tf.pages import render
from mdmt_tf.reporting.blocks import for_page
from mdmt_tf.reporting.doctor_plots import draw_all
from mdmt_tf.reporting.doctor_tables import build_tables
from mdmt_tf.reporting.marks import SYNTHETIC
from mdmt_tf.reporting.table_files import write_table
from mdmt_tf.reporting.trimming import trimmed
from mdmt_tf.storage import write_bytes, write_json, write_text

TITLES = {SERIOUS: "Serious findings", WARNING: "Warnings", NOTE: "Notes"}
_CAVEATS = (
    "What predicts a label here need not be what a network learns. It is what the "
    "network has to be compared with.",
    "No finding does not mean no problem: only what the tables and the coarse pixels "
    "show is looked at.",
    "Fields are read one at a time. Two fields together may tell more.",
    "All patients are used, those of the test splits, too, but for the associations. "
    "Correct the data and choose baselines by the findings, but no models.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoctorReport:
    """The written files.

    Attributes:
        diagnosis: what they were made from.
        folder: of the files.
        sentence: the number of findings.
        marks: warnings to read before.
    """

    diagnosis: Diagnosis
    folder: Path
    sentence: str
    marks: list[str]

    @property
    def page(self) -> Path:
        return self.folder / "index.html"

    @property
    def json(self) -> Path:
        return self.folder / "findings.json"


def write_doctor(
    diagnosis: Diagnosis, folder: str | os.PathLike, *, title: str, command: str
) -> DoctorReport:
    """Write `findings.json`, `tables/`, `plots/`, `index.html`, and lists of images.

    Args:
        diagnosis: what was found.
        folder: to write to; files of an earlier diagnosis are replaced.
        title: name of the configuration.
        command: how to make the files again.
    """
    folder = Path(folder)
    for name in ("tables", "plots"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    synthetic = any(dataset.synthetic for dataset in diagnosis.material.datasets)
    report = DoctorReport(
        diagnosis=diagnosis,
        folder=folder,
        sentence=sentence(diagnosis.findings),
        marks=[SYNTHETIC] if synthetic else [],
    )
    write_json(report.json, diagnosis.to_plain())
    _write_lists(diagnosis, folder)
    tables = [trimmed(table) for table in build_tables(diagnosis)]
    drawings = list(draw_all(diagnosis))
    for table in tables:
        write_table(table, folder / "tables", " ".join(report.marks))
    for drawing in drawings:
        write_bytes(folder / "plots" / f"{drawing.name}.svg", drawing.svg)
        write_bytes(folder / "plots" / f"{drawing.name}.png", drawing.png)
    found = counts(diagnosis.findings)
    levels = [
        (level, TITLES[level], [f for f in diagnosis.findings if f.level == level])
        for level in LEVELS
        if found[level]
    ]
    page = render(
        "reporting/doctor.html",
        title=f"Data of {title}",
        marks=report.marks,
        lead=[report.sentence],
        intro=[_about(diagnosis)],
        links=[
            *((level, text) for level, text, _ in levels),
            ("plots", "Plots"),
            *((table.name, table.title.split(",")[0]) for table in tables),
            ("caveats", "Caveats"),
            ("again", "Again"),
        ],
        levels=levels,
        tables=list(map(for_page, tables)),
        drawings=drawings,
        caveats=_CAVEATS,
        command=command,
    )
    write_bytes(report.page, page.encode("utf-8"))
    return report


def sentence(findings: Sequence[Finding]) -> str:
    """The number of findings of each level, as a sentence."""
    found = counts(findings)
    parts = [
        f"{found[level] or 'no'} {name}{'' if found[level] == 1 else 's'}"
        for level, name in (
            (SERIOUS, "serious finding"),
            (WARNING, "warning"),
            (NOTE, "note"),
        )
    ]
    text = f"{parts[0]}, {parts[1]}, {parts[2]}."
    return text[0].upper() + text[1:]


def _about(diagnosis: Diagnosis) -> str:
    material = diagnosis.material
    parts = [
        f"{dataset.name} ({plural(len(dataset.pictures), 'image')} of "
        f"{plural(len(np.unique(dataset.ids('patient_id'))), 'patient')})"
        for dataset in material.datasets
    ]
    tasks = ", ".join(task.name for task in material.tasks)
    folds = f"{len(material.folds)} fold" + ("" if len(material.folds) == 1 else "s")
    text = f"Datasets: {', '.join(parts)}. Tasks: {tasks}. Split: {folds}."
    if material.left_out:
        text += f" Not examined, because drawn: {', '.join(material.left_out)}."
    return text


def _write_lists(diagnosis: Diagnosis, folder: Path) -> None:
    """Files for `prepare --exclude`: the images whose outcome is in the past."""
    datasets = {dataset.name: dataset for dataset in diagnosis.material.datasets}
    last = {(one.task, one.dataset): one for one in diagnosis.timing}
    for one in last.values():
        if one.past:
            text = exclude_list(one, datasets[one.dataset])
            write_text(folder / exclude_file(one), text)
