"""Predictions of a fitted model as a table, and metrics from the table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mdmt_tf.data.samples import Samples
from mdmt_tf.metrics.formulas import task_metrics
from mdmt_tf.tasks import Kind, Task

KEYS = ["dataset", "split", "fold", "task", "image_id", "patient_id", "site"]


def prediction_table(
    task: Task, rows: pd.DataFrame, targets: np.ndarray, probabilities: np.ndarray
) -> pd.DataFrame:
    """One row an image, in the columns of `predictions.csv`.

    Args:
        task: what was predicted.
        rows: dataset, split, fold, image_id, patient_id, site; (n,) rows.
        targets: (n,) class index (-1 unknown) or value (NaN unknown).
        probabilities: (n, n_classes), or (n, 1) values for regression.
    """
    table = rows.assign(task=task.name)[KEYS].reset_index(drop=True)
    if task.kind is Kind.REGRESSION:
        table["target"] = targets.astype(np.float64)
    else:
        table["target"] = np.where(targets < 0, np.nan, targets)
    table["prediction"] = task.to_prediction(probabilities)
    if task.kind is not Kind.REGRESSION:
        for index in range(task.n_classes):
            table[f"p_{index}"] = probabilities[:, index]
    return table


def write(table: pd.DataFrame, path: Path) -> None:
    """Classes as integers, probabilities with every digit, unknown targets empty."""
    text = table.copy()
    for column in ("target", "prediction"):
        text[column] = [_shortest(value) for value in text[column]]
    text.to_csv(path, index=False, lineterminator="\n")


def read(path: Path) -> pd.DataFrame:
    """The table as written; ids and sites stay text where they look like numbers."""
    text = dict.fromkeys([key for key in KEYS if key != "fold"], str)
    with path.open(encoding="utf-8") as file:
        header = file.readline().strip().split(",")
    numbers = [name for name in header if name not in (*text, "fold")]
    return pd.read_csv(
        path,
        dtype=text,
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
        float_precision="round_trip",
    )


def metrics_of(table: pd.DataFrame, tasks: Sequence[Task]) -> dict[str, dict]:
    """{split: {task: metrics}} from a table of predictions, labelled rows only."""
    result: dict[str, dict] = {}
    for split in dict.fromkeys(table["split"]):
        result[split] = {}
        for task in tasks:
            chosen = (table["split"] == split) & (table["task"] == task.name)
            rows = table[chosen & table["target"].notna()]
            result[split][task.name] = task_metrics(
                task, rows["target"].to_numpy(), probabilities_of(rows, task)
            )
    return result


def probabilities_of(rows: pd.DataFrame, task: Task) -> np.ndarray:
    """(n, n_classes) from the columns p_0 ...; (n, 1) values for regression."""
    if task.kind is Kind.REGRESSION:
        return rows[["prediction"]].to_numpy(np.float64)
    names = [f"p_{index}" for index in range(task.n_classes)]
    return rows[names].to_numpy(np.float64)


def gather(
    samples: Mapping[str, Samples],
    probabilities: Mapping[str, Mapping[str, np.ndarray]],
    fold: int,
) -> pd.DataFrame:
    """The predictions of all splits and tasks in one table.

    Args:
        samples: train, validation, test, or another choice of rows -> these rows.
        probabilities: split -> task -> (n, n_classes), of the splits to list.
        fold: of the split.
    Returns: a row for each image and each task that its dataset feeds.
    """
    tables = []
    for split, of_tasks in probabilities.items():
        rows = samples[split].rows.assign(split=split, fold=fold)
        for task in samples[split].tasks:
            fed = rows["dataset"].isin(list(task.sources)).to_numpy()
            labels = samples[split].labels[task.name][fed]
            predicted = of_tasks[task.name][fed]
            tables.append(prediction_table(task, rows[fed], labels, predicted))
    return pd.concat(tables, ignore_index=True)


def _shortest(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
