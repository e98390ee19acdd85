"""The flow of patients as a table: found, left out, taken, by split, labelled."""

from collections.abc import Sequence

import pandas as pd

from mdmt_tf.reporting.table_files import Entry, Table, TableSection
from mdmt_tf.runs.flow import Count, DatasetFlow, PatientFlow
from mdmt_tf.splits.files import SPLITS

_NOT_KNOWN = "not known"
# Rows of the first table that are not of a split.
_LEFT_OUT = "left out: "


def flow_table(flow: PatientFlow, splits: Sequence[str] = SPLITS) -> Table | None:
    """Images and patients from what was found to what has a label.

    Args:
        flow: of a run or of prepared datasets.
        splits: those whose labels are shown.
    Returns: a table of the steps, with a column for each dataset, and one of the
        labels; None without a dataset. Steps that no dataset has are left out.
    """
    if not flow.datasets:
        return None
    steps = [
        (name, cells)
        for name, cells in _steps(flow)
        if any(cell is not None for cell in cells)
    ]
    headings = ("step", *(one.name for one in flow.datasets))
    rows = [(Entry(name), *map(_entry, cells)) for name, cells in steps]
    sections = [TableSection("Images (patients)", headings, rows)]
    if labels := _labels(flow, splits):
        headings = ("answer", "dataset", *splits)
        title = "Images (patients) with a label that was used, and those of each class"
        sections.append(TableSection(title, headings, labels))
    notes = [
        "A patient is in one split only. Images in no split were left out of this fold "
        "or have no label.",
    ]
    if any(one.taken.images is None for one in flow.datasets):
        notes.append(
            "What was left out in the preparation is not known where the prepared data "
            "are gone and the run is of an earlier version."
        )
    title = "Flow of patients"
    return Table("flow", title, sections, notes, _data(flow, steps))


def _steps(flow: PatientFlow):
    """Names of steps, and the cell of each dataset; None where it has no such step."""
    datasets = flow.datasets
    yield "rows found", [one.rows for one in datasets]
    reasons = dict.fromkeys(reason for one in datasets for reason in one.left_out)
    for reason in reasons:
        yield f"{_LEFT_OUT}{reason}", [one.left_out.get(reason) for one in datasets]
    rest = [one.unexplained for one in datasets]
    yield f"{_LEFT_OUT}no stated reason", [n if n > 0 else None for n in rest]
    files = [one.files_without_row or None for one in datasets]
    yield "files that no row names", files
    yield "taken", [_known(one.taken) for one in datasets]
    for split in SPLITS:
        yield split, [_known(one.splits.get(split, Count())) for one in datasets]
    excluded = [one.splits.get("excluded", Count()) for one in datasets]
    yield "in no split", [own if own.images else None for own in excluded]


def _known(count: Count) -> Count | None:
    return None if count.images is None else count


def _entry(cell: Count | int | None) -> Entry:
    if cell is None:
        return Entry("")
    return Entry(_text(cell), cell if isinstance(cell, int) else cell.images)


def _text(cell: Count | int) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    patients = "?" if cell.patients is None else f"{cell.patients:,}"
    return f"{cell.images:,} ({patients})" if cell.images else "0"


def _labels(flow: PatientFlow, splits: Sequence[str]) -> list[tuple[Entry, ...]]:
    return [
        (
            Entry(answer),
            Entry(one.name),
            *(Entry(_label(one, answer, split)) for split in splits),
        )
        for one in flow.datasets
        for answer in one.labelled
    ]


def _label(one: DatasetFlow, answer: str, split: str) -> str:
    count = one.labelled[answer].get(split)
    if count is None or count.images is None:
        return _NOT_KNOWN
    text = _text(count)
    classes = one.classes.get(answer, {}).get(split, {})
    parts = ", ".join(f"{name}: {own.images or 0:,}" for name, own in classes.items())
    return f"{text}; {parts}" if parts and count.images else text


def _data(flow: PatientFlow, steps) -> pd.DataFrame:
    rows = []
    for name, cells in steps:
        for one, cell in zip(flow.datasets, cells, strict=True):
            count = cell if isinstance(cell, Count) else Count(cell)
            rows.append(
                {
                    "dataset": one.name,
                    "step": name,
                    "answer": "",
                    "class": "",
                    "images": count.images,
                    "patients": count.patients,
                }
            )
    for one in flow.datasets:
        for answer, of_split in one.labelled.items():
            for split, count in of_split.items():
                classes = one.classes.get(answer, {}).get(split, {})
                for name, own in {"": count, **classes}.items():
                    rows.append(
                        {
                            "dataset": one.name,
                            "step": split,
                            "answer": answer,
                            "class": name,
                            "images": own.images,
                            "patients": own.patients,
                        }
                    )
    return pd.DataFrame(rows).astype({"images": "Int64", "patients": "Int64"})
