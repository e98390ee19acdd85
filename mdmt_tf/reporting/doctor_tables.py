"""The tables of a diagnosis: the numbers behind its findings."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import pandas as pd

from mdmt_tf.diagnosis.counts import Count
from mdmt_tf.diagnosis.examination import Diagnosis
from mdmt_tf.diagnosis.shortcuts import Shortcut
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, numbered, p_value

# Tables of a page show so many repeats; the file has all.
_MOST_REPEATS = 200


def build_tables(diagnosis: Diagnosis) -> list[Table]:
    """The tables that have something to show, in the order of the page."""
    tables = [
        _shortcuts(diagnosis),
        _origins(diagnosis),
        _repeats(diagnosis),
        _timing(diagnosis),
        _counts(diagnosis),
        _limits(diagnosis),
        _associations(diagnosis),
    ]
    return [table for table in tables if any(s.rows for s in table.sections)]


def _shortcuts(diagnosis: Diagnosis) -> Table:
    return Table(
        name="shortcuts",
        title="What predicts a label without the anatomy",
        sections=[
            TableSection(f"{task}, {dataset}", _SCORES, [*map(_scores, own)])
            for (task, dataset), own in by_label(diagnosis.shortcuts)
        ],
        notes=[
            "Cross-validated by patient, five folds. Fields: the frequencies of the "
            "label for each value, where the most frequent class is the majority rule; "
            "numbers in five bands. Pixels and sizes: linear regression with a ridge "
            "penalty.",
            "AUC: two classes; the concordance of ordered classes and numbers; the "
            "mean AUC of each class against the others. Pairs of the same fold only.",
            "z: how far the AUC is above 0.5 in standard errors of predictions that "
            "know nothing, for this number of patients. A finding needs 2.6.",
            "By patient, the predictions of the images are averaged; patients with "
            "contradicting labels are left out.",
        ],
        data=_frame(diagnosis.shortcuts),
    )


def _origins(diagnosis: Diagnosis) -> Table:
    return Table(
        name="origins",
        title="What tells the datasets apart",
        sections=[
            TableSection(f"{task}, {dataset}", _SCORES, [*map(_scores, own)])
            for (task, dataset), own in by_label(diagnosis.origins)
        ],
        notes=["As the table above; the label is the dataset of the image."],
        data=_frame(diagnosis.origins),
    )


_SCORES = (
    "alone",
    "about",
    "AUC, images",
    "AUC, patients",
    "balanced, images",
    "balanced, patients",
    "accuracy, images",
    "accuracy, patients",
    "z",
    "images",
    "patients",
    "thumbnail tells it, AUC",
)


def _scores(one: Shortcut) -> tuple[Entry, ...]:
    image, patient = one.predicted.image, one.predicted.patient
    pairs = [
        _number(getattr(unit, key))
        for key in ("auc", "balanced_accuracy", "accuracy")
        for unit in (image, patient)
    ]
    return (
        Entry(one.name),
        Entry(one.about),
        *pairs,
        _number(one.predicted.z, 1),
        _count(image.n),
        _count(patient.n),
        _number(one.visible),
    )


def _repeats(diagnosis: Diagnosis) -> Table:
    folds = len(diagnosis.material.folds)
    headings = (
        *("first", "patient", "second", "patient", "kind", "similarity"),
        *("mirrored", f"leaks in folds of {folds}", "labels"),
    )
    sections = []
    for title, same in (("Across patients", False), ("Within a patient", True)):
        own = [r for r in diagnosis.repeats if r.same_patient is same]
        rows = [
            (
                Entry(str(r.first)),
                Entry(r.first.patient_id),
                Entry(str(r.second)),
                Entry(r.second.patient_id),
                Entry(r.kind),
                _number(r.similarity),
                Entry("yes" if r.mirrored else "no"),
                _count(r.leaking_folds),
                Entry("differ" if r.labels_differ else "do not differ"),
            )
            for r in own[:_MOST_REPEATS]
        ]
        if rows:
            more = f", the first {len(rows)}" if len(own) > len(rows) else ""
            sections.append(
                TableSection(f"{title}: {len(own)} pairs{more}", headings, rows)
            )
    return Table(
        name="repeats",
        title="Images that are there twice",
        sections=sections,
        notes=[
            "identical: equal pixels. copy: similarity 0.95 or more. alike: 0.8 or "
            "more across patients, 0.7 within a patient: another crop, or another "
            "picture of the same person.",
            "A pair leaks in a fold if one image is trained with and the other is in "
            "validation or test.",
        ],
        data=pd.json_normalize([r.to_plain() for r in diagnosis.repeats]),
    )


def _timing(diagnosis: Diagnosis) -> Table:
    headings = ("event", "after it", "on the day", "before it", "undated", "images")
    sections = [
        TableSection(
            f"{task}, {dataset}: images of class {own[0].positive}",
            headings,
            [
                (
                    Entry(one.field),
                    *map(_count, (one.after, one.same, one.ahead)),
                    *map(_count, (one.unknown, one.n)),
                )
                for one in own
            ],
        )
        for (task, dataset), own in by_label(diagnosis.timing)
    ]
    return Table(
        name="timing",
        title="The outcome and the day of the image",
        sections=sections,
        notes=["From fields that are the time of an event relative to the image."],
        data=_frame(diagnosis.timing).drop(columns="past", errors="ignore"),
    )


def _counts(diagnosis: Diagnosis) -> Table:
    sections = []
    for (task, dataset), own in by_label(diagnosis.counts):
        names = own[0].classes or ("labelled",)
        headings = (
            *("fold", "split"),
            *(f"{name}, images" for name in names),
            *(f"{name}, patients" for name in names),
            "largest patient",
        )
        sections.append(
            TableSection(f"{task}, {dataset}", headings, [*map(_count_row, own)])
        )
    return Table(
        name="counts",
        title="Labels by fold and split",
        sections=sections,
        notes=["largest patient: images of the patient with the most."],
        data=_frame(diagnosis.counts),
    )


def _count_row(one: Count) -> tuple[Entry, ...]:
    part = f"{one.largest} ({one.dominance:.0%})"
    return (
        _count(one.fold),
        Entry(one.split),
        *map(_count, one.images),
        *map(_count, one.patients),
        Entry(part, one.largest),
    )


def _limits(diagnosis: Diagnosis) -> Table:
    headings = (
        *("tested", "metric", "patients", "assumed", "95 % interval, width"),
        "detectable difference",
    )
    sections = [
        TableSection(
            f"{task}, {dataset}",
            headings,
            [
                (
                    Entry(one.tested),
                    Entry(one.metric),
                    Entry(" + ".join(map(str, one.patients))),
                    *map(_number, (one.assumed, one.width, one.detectable)),
                )
                for one in own
            ],
        )
        for (task, dataset), own in by_label(diagnosis.limits)
    ]
    return Table(
        name="limits",
        title="What these numbers of patients can show",
        sections=sections,
        notes=[
            "The difference of two models on the same patients that is detected with "
            "80 % power, two-sided at 5 %. Assumed: the metric of the weaker model, "
            "and a correlation of 0.5 of the two estimates.",
            "AUC: Hanley and McNeil 1982, 1983. Accuracy: binomial. MAE: in std of the "
            "errors (width) and of the paired differences (detectable).",
            "A patient counts once, whatever the number of images.",
        ],
        data=_frame(diagnosis.limits),
    )


def _associations(diagnosis: Diagnosis) -> Table:
    table = diagnosis.associations
    headings = ("field", "n", "measure", "value", "p", "p (Holm)")
    sections = [
        TableSection(
            f"{task}, {dataset}",
            headings,
            [
                (
                    Entry(row.field),
                    _count(row.n),
                    Entry(row.measure),
                    _number(row.value),
                    p_value(row.p),
                    p_value(row.p_holm),
                )
                for row in rows.itertuples()
            ],
        )
        for (task, dataset), rows in table.groupby(["task", "dataset"], sort=False)
    ]
    return Table(
        name="associations",
        title=f"Fields and labels, training patients of fold {diagnosis.material.fold}",
        sections=sections,
        notes=["The first image of each patient counts. Association, not causation."],
        data=table,
    )


def by_label(rows: Sequence) -> Iterable[tuple[tuple[str, str], list]]:
    for key, own in groupby(rows, key=lambda one: (one.task, one.dataset)):
        yield key, list(own)


def _frame(rows: Sequence) -> pd.DataFrame:
    return pd.json_normalize([one.to_plain() for one in rows])


def _number(value: float, decimals: int = 2) -> Entry:
    text = "–" if value != value else f"{value:.{decimals}f}"
    return numbered(text, value)


def _count(number: int) -> Entry:
    return Entry(str(number), number)
