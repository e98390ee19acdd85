"""Correlation of each table field with the outcome. No TensorFlow.

This is association in the sample at hand, not causation. No other field is held
constant.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments.baselines import as_column
from mdmt_tf.statistics.comparisons import holm
from mdmt_tf.storage import write_text
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table, field_values, task_labels

SPEARMAN, PEARSON, CRAMER = "Spearman's rho", "Pearson's r", "Cramer's V"
_TEXTS = ["baseline", "task", "dataset", "field", "measure"]
COLUMNS = [*_TEXTS[:4], "n", "measure", "value", "p", "p_holm"]


def correlate(
    name: str, section: BaselineSection, task: Task, tables: Mapping[str, Table]
) -> pd.DataFrame:
    """Correlate each field of a baseline with the class of its task, over all patients.

    Args:
        name: of the baseline.
        section: its fields, dataset by dataset.
        task: with classes. Fields are correlated with the class index, so the order of
            more than two classes matters.
        tables: dataset -> fields. The first image of each patient counts.
    Returns: `COLUMNS`. n: patients whose field and class are known. Numbers have two
        rows: Spearman's rho with its p, and Pearson's r, the point-biserial one for two
        classes, without a p, so that every field is tested once. Texts have Cramer's V,
        sqrt(chi2 / (n (min(values, classes) - 1))), with the p of the chi-square test
        without Yates' correction. p_holm: Holm's adjustment over the fields of the
        baseline. NaN where field or class is constant, or known for fewer than three.
    Raises: DataError for a field that is missing.
    """
    rows = []
    for dataset, fields in section.fields.items():
        table = tables[dataset]
        _, first = np.unique(np.asarray(table["patient_id"], str), return_index=True)
        classes = task.encode(task_labels(dataset, table, task))[first]
        for field in fields:
            column = as_column(field_values(dataset, table, field))[first]
            is_text = column.dtype.kind == "O"
            known = classes >= 0
            known &= (column != "") if is_text else ~np.isnan(column)
            measured = _of_texts if is_text else _of_numbers
            facts = (name, task.name, dataset, field, int(known.sum()))
            rows += [
                (*facts, *found) for found in measured(column[known], classes[known])
            ]
    result = pd.DataFrame(rows, columns=COLUMNS[:-1])
    return result.assign(p_holm=holm(result["p"]))


def _of_numbers(values: np.ndarray, classes: np.ndarray) -> list[tuple]:
    """(measure, value, p)."""
    nan = float("nan")
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(classes) == 0:
        return [(SPEARMAN, nan, nan), (PEARSON, nan, nan)]
    rho, p = scipy.stats.spearmanr(values, classes)
    r = np.corrcoef(values, classes)[0, 1]
    return [(SPEARMAN, float(rho), float(p)), (PEARSON, float(r), nan)]


def _of_texts(values: np.ndarray, classes: np.ndarray) -> list[tuple]:
    """(measure, value, p)."""
    counts = pd.crosstab(values, classes).to_numpy()
    smaller = min(counts.shape, default=0)
    if len(values) < 3 or smaller < 2:
        return [(CRAMER, float("nan"), float("nan"))]
    test = scipy.stats.chi2_contingency(counts, correction=False)
    v = np.sqrt(test.statistic / (len(values) * (smaller - 1)))
    return [(CRAMER, float(v), float(test.pvalue))]


def write(table: pd.DataFrame, path: Path) -> None:
    """Write `correlations.csv` with every digit; undefined values are empty."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read(path: Path) -> pd.DataFrame:
    """Raises: DataError when it is damaged."""
    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(_TEXTS, str),
            keep_default_na=False,
            na_values={name: [""] for name in ("value", "p", "p_holm")},
            float_precision="round_trip",
        )
        if list(table.columns) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(table.columns)}")
        return table.astype({"n": int, "value": float, "p": float, "p_holm": float})
    except ValueError as error:  # also what pandas' parser raises
        raise DataError(
            f"{path}: expected the columns {', '.join(COLUMNS)}; {error}. The file is "
            "damaged: remove it and run the benchmark again."
        ) from error
