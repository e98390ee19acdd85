"""Strata of one run, whose images may be of several datasets."""

import pandas as pd

from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.predictions import labelled_rows
from mdmt_tf.statistics import fields_file
from mdmt_tf.statistics.stored import FEW_RESAMPLES
from mdmt_tf.statistics.strata import MOST_SITES, UNKNOWN, assess_strata
from mdmt_tf.tasks import Answer

# Two datasets may have images of the same name.
_BETWEEN = "\x1f"


def strata_of(
    run: RunFolder, table: pd.DataFrame, task: Answer, *, unit: str, resamples: int
) -> dict[str, dict[str, dict]]:
    """Metrics of each dataset, site, sex, age band, ...

    Args:
        run: whose `fields.csv` is read; one of an earlier version has none, and its
            strata are those of the dataset and the site.
        table: predictions of one split.
        task: the task to assess.
        unit, resamples: see `assess_strata`; 0: no intervals.
    Returns: see `assess_strata`; only the fields with two values or more in the
        labelled rows of the task.
    """
    rows = labelled_rows(table, task)
    rows = rows.assign(image_id=rows["dataset"] + _BETWEEN + rows["image_id"])
    divided = {
        field: texts
        for field, texts in _fields(run, rows).items()
        if len(set(texts.values())) > 1
    }
    found = assess_strata(
        rows, task, divided, unit=unit, resamples=max(resamples, FEW_RESAMPLES)
    )
    if not resamples:
        for strata in found.values():
            for own in strata.values():
                for entry in own["metrics"].values():
                    entry |= {"low": None, "high": None}
    return found


def _fields(run: RunFolder, rows: pd.DataFrame) -> dict[str, dict[str, str]]:
    """field -> image -> text, of the images of the rows."""
    images = rows["image_id"]
    fields = {"dataset": dict(zip(images, rows["dataset"], strict=True))}
    if rows["site"].nunique() <= MOST_SITES:
        sites = rows["site"].replace("", UNKNOWN)
        fields["site"] = dict(zip(images, sites, strict=True))
    if not run.fields.is_file():
        return fields
    table = fields_file.read(run.fields)
    table = table.assign(image_id=table["dataset"] + _BETWEEN + table["image_id"])
    table = table[table["image_id"].isin(set(images))]
    for field, own in table.groupby("field", sort=False):
        fields[field] = dict(zip(own["image_id"], own["value"], strict=True))
    return fields
