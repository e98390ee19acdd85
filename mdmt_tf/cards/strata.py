"""Strata and shortcuts for the card of a run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mdmt_tf.metrics.table import headline
from mdmt_tf.runs.patients import PATIENT
from mdmt_tf.runs.predictions import labelled_rows
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.statistics.strata import (
    RARE_CLASS,
    assess_strata,
    is_small,
    labels_of_dataset,
    stratum_fields,
)
from mdmt_tf.statistics.suspect_fields import suspect_fields
from mdmt_tf.tasks import Answer

if TYPE_CHECKING:
    from mdmt_tf.data.inputs import Inputs

# Site, sex, age, projection and scanner come first.
_MOST_FIELDS = 5
# Values with fewer patients are counted together: a card names no single patient.
_RARE = "rare values"


def strata_of_run(
    table: pd.DataFrame,
    answers: Sequence[Answer],
    units: Mapping[str, str],
    fields: pd.DataFrame | None = None,
    *,
    resamples: int = RESAMPLES,
) -> dict[str, dict]:
    """Metrics of the judged rows for each value of the fields of a dataset.

    Args:
        table: predictions of the judged split, in the columns of `predictions.csv`.
        answers: tasks of the model, and derived answers.
        units: answer -> "patient" or "image", what it is judged by.
        fields: rows of `fields.csv`, see `fields_file`; None: only the site, which the
            predictions have.
        resamples: number of bootstrap resamples.
    Returns: {dataset: {answer: {field: [{"value", "images", "patients", "small",
        "metrics"}]}}}. Small strata have no metrics: they could not be read. Values of
        fewer than 5 patients are one entry. Fields of one value are left out.
    """
    result = {}
    for dataset in dict.fromkeys(table["dataset"]):
        rows = table[table["dataset"] == dataset]
        texts = _fields(rows, dataset, fields)
        found = {
            answer.name: _of_answer(
                rows, answer, texts, units[answer.name], resamples=resamples
            )
            for answer in answers
            if dataset in answer.sources
        }
        result[dataset] = {name: own for name, own in found.items() if own}
    return {dataset: own for dataset, own in result.items() if own}


def _fields(
    rows: pd.DataFrame, dataset: str, fields: pd.DataFrame | None
) -> dict[str, dict[str, str]]:
    """field -> image_id -> text, of the fields that come first."""
    if fields is None:
        images = rows.drop_duplicates("image_id")
        table = {
            name: images[name].astype(str).to_numpy(object)
            for name in ("image_id", "site")
        }
        found = stratum_fields(table)
        names = table["image_id"]
        return {f: dict(zip(names, own, strict=True)) for f, own in found.items()}
    own = fields[fields["dataset"] == dataset]
    return {
        field: dict(zip(of["image_id"], of["value"], strict=True))
        for field, of in list(own.groupby("field", sort=False))[:_MOST_FIELDS]
    }


def _of_answer(rows, answer, fields, unit, *, resamples: int) -> dict[str, list]:
    own = labelled_rows(rows, answer)
    result = {}
    for field, text_of in fields.items():
        texts = own["image_id"].map(text_of)
        if texts.nunique() < 2:
            continue
        entries = list(_entries(own, texts, answer, unit, resamples))
        result[field] = entries
    return result


def _entries(own, texts, answer, unit, resamples) -> Iterator[dict]:
    patients = own[PATIENT].assign(text=texts).drop_duplicates().groupby("text").size()
    rare = sorted(patients.index[patients < RARE_CLASS])
    common = [text for text in patients.index if text not in rare]
    chosen = {
        text: rows
        for text in common
        if not is_small(rows := own[texts == text], answer, int(patients[text]))
    }
    of_image = dict(zip(own["image_id"], texts, strict=True))
    readable = {image: text for image, text in of_image.items() if text in chosen}
    found = {}
    if readable:
        found = assess_strata(
            own[texts.isin(list(chosen))],
            answer,
            {"field": readable},
            unit=unit,
            resamples=resamples,
        )["field"]
    # The order of `assess_strata` for those with metrics, then the others by name.
    for text in [*found, *(text for text in common if text not in found)]:
        metrics = {
            name: found[text]["metrics"][name]
            for name in headline(answer)
            if text in found
        }
        yield _entry(text, own[texts == text], metrics)
    if rare:
        text = f"{len(rare)} {_RARE}"
        yield _entry(text, own[texts.isin(rare)], {})


def _entry(text: str, rows: pd.DataFrame, metrics: Mapping) -> dict:
    return {
        "value": text,
        "images": int(rows["image_id"].nunique()),
        "patients": len(rows[PATIENT].drop_duplicates()),
        "small": not metrics,
        "metrics": dict(metrics),
    }


def shortcuts_of_inputs(inputs: "Inputs") -> dict[str, dict[str, dict[str, float]]]:
    """The fields that alone predict a task, without any image.

    Args:
        inputs: of a fit; only its training patients are looked at.
    Returns: {dataset: {task: {field: balanced accuracy}}}, see `suspect_fields`; of the
        judged datasets, and without tasks whose labels are permuted.
    """
    result: dict[str, dict] = {}
    for dataset in inputs.datasets:
        if dataset.name not in inputs.judged:
            continue
        images = inputs.split.datasets[dataset.name]["train"]
        labels = labels_of_dataset(
            dataset.name, inputs.answers, dataset.declared_labels
        )
        for task in inputs.tasks:
            is_class = task.class_names and not task.label_shape
            if dataset.name in task.sources and is_class and not task.permute:
                found = suspect_fields(
                    dataset.name, dataset.table, task, images, labels
                )
                known = {f: v for f, v in found.items() if not np.isnan(v)}
                result.setdefault(dataset.name, {})[task.name] = known
    return result
