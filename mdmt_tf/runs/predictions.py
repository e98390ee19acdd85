"""Predictions of a fitted model as a table, and metrics from the table."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mdmt_tf.data.samples import Samples
from mdmt_tf.metrics.computation import metrics_of_answers
from mdmt_tf.storage import replacing
from mdmt_tf.tasks import Task, label_is_known

ROW_KEYS = ["dataset", "split", "fold", "task", "image_id", "patient_id", "site"]


def prediction_table(
    task: Task, rows: pd.DataFrame, targets: np.ndarray, probabilities: np.ndarray
) -> pd.DataFrame:
    """One row per image and component of the task, as in `predictions.csv`.

    Args:
        task: the predicted task.
        rows: dataset, split, fold, image_id, patient_id, site; (n,) rows.
        targets: (n, *label_shape), see `Task.encode`.
        probabilities: (n, n_classes), or (n, 1) values.
    """
    tables = []
    probabilities = _as_written(probabilities)
    for component, labels, chances in task.answers(targets, probabilities):
        table = rows.assign(task=component.name)[ROW_KEYS].reset_index(drop=True)
        known = label_is_known(labels)
        table["target"] = np.where(known, labels, np.nan)
        table["prediction"] = component.prediction(chances)
        for index, column in enumerate(component.probability_columns):
            table[column] = chances[:, index]
        tables.append(table)
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def _as_written(values: np.ndarray) -> np.ndarray:
    """float64 of the digits that a file gets, which for float32 are fewer.

    So metrics of the table are those of the file.
    """
    if values.dtype == np.float64:
        return values
    digits = [float(str(value)) for value in values.ravel()]
    return np.array(digits, np.float64).reshape(values.shape)


def write(table: pd.DataFrame, path: Path) -> None:
    """Write integer classes and every digit of values; unknown targets are empty."""
    text = table.copy()
    for column in ("target", "prediction"):
        text[column] = [_shortest(value) for value in text[column]]
    with replacing(path) as partial:
        text.to_csv(partial, index=False, lineterminator="\n")


def read(path: Path, split: str | None = None) -> pd.DataFrame:
    """Read the table; ids and sites that look like numbers stay text.

    Args:
        path: of the file.
        split: the rows to read; the values of other rows are never looked at. None: all
            rows.
    Raises: ValueError for a file that is no such table.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "predictions.csv")
        ...     done = path.write_text("image_id,target\\n007,1\\n8,\\n")
        ...     table = read(path)
        >>> table["image_id"].tolist(), table["target"].tolist()
        (['007', '8'], [1.0, nan])
    """
    text = dict.fromkeys([key for key in ROW_KEYS if key != "fold"], str)
    with path.open(encoding="utf-8", newline="") as file:
        header = file.readline().strip().split(",")
        file.seek(0)
        source = file if split is None else _rows_of_split(file, header, split)
        return _parse(source, header, text)


def _rows_of_split(file, header: list[str], split: str) -> io.StringIO:
    """The lines of one split below the header, as a file."""
    place = header.index("split") if "split" in header else len(header)
    kept = io.StringIO()
    write_row = csv.writer(kept, lineterminator="\n").writerow
    for number, row in enumerate(csv.reader(file)):
        if number == 0 or row[place : place + 1] == [split]:
            write_row(row)
    kept.seek(0)
    return kept


def _parse(source, header: list[str], text: dict) -> pd.DataFrame:
    numbers = [name for name in header if name not in (*text, "fold")]
    return pd.read_csv(
        source,
        dtype=text,
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
        float_precision="round_trip",
    )


def mean_of_runs(tables: Sequence[pd.DataFrame], tasks: Sequence[Task]) -> pd.DataFrame:
    """The mean prediction of several models for the same rows.

    Args:
        tables: one for each model, with equal rows in equal order.
        tasks: the predicted tasks.
    Returns: mean probabilities or values, and the prediction that follows from them;
        the fold is -1. Other columns that one of the tables may have are left out.
    """
    # Nothing of the first model may stay where the mean belongs.
    result = tables[0][[name for name in tables[0] if name in (*ROW_KEYS, "target")]]
    result = result.assign(fold=-1, prediction=np.nan)
    for component in (c for task in tasks for c in task.components):
        own = (result["task"] == component.name).to_numpy()
        if not own.any():
            continue
        columns = list(component.probability_columns)
        means = np.mean([probabilities_of(t[own], component) for t in tables], axis=0)
        result.loc[own, "prediction"] = component.prediction(means)
        result.loc[own, columns] = means
    return result


def metrics_of(table: pd.DataFrame, tasks: Sequence[Task]) -> dict[str, dict]:
    """{split: {task: metrics}} from a table of predictions, labelled rows only.

    Args:
        table: rows as of `predictions.csv`, see `read`.
        tasks: the predicted tasks.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> task = make_task(name="died", kind="binary", classes=("no", "yes"),
        ...                  sources={"ward": "died"})
        >>> rows = pd.DataFrame({"dataset": "ward", "split": "test", "fold": 0,
        ...                      "image_id": ["a", "b"], "patient_id": ["1", "2"],
        ...                      "site": ""})
        >>> chances = np.array([[0.8, 0.2], [0.6, 0.4]])
        >>> table = prediction_table(task, rows, np.array([0, 1]), chances)
        >>> (found,) = metrics_of(table, [task])["test"].values()
        >>> found["accuracy"], found["auc"]
        (0.5, 1.0)
    """
    result: dict[str, dict] = {}
    for split in dict.fromkeys(table["split"]):
        rows = table[table["split"] == split]
        result[split] = {
            task.name: metrics_of_rows(labelled_rows(rows, task), task)
            for task in tasks
        }
    return result


def metrics_of_rows(rows: pd.DataFrame, task: Task) -> dict[str, float]:
    """All metrics of a task from its labelled rows, see `metrics_of_answers`."""
    return metrics_of_answers(
        (component, own["target"].to_numpy(), probabilities_of(own, component))
        for component, own in rows_of_components(rows, task)
    )


def labelled_rows(table: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The rows of a task, with all of its components, whose target is known."""
    names = [component.name for component in task.components]
    return table[table["task"].isin(names) & table["target"].notna()]


def rows_of_components(
    rows: pd.DataFrame, task: Task
) -> Iterator[tuple[Task, pd.DataFrame]]:
    """Each component of a task, with its rows."""
    if len(task.components) == 1:
        yield *task.components, rows
        return
    for component in task.components:
        yield component, rows[rows["task"] == component.name]


def probabilities_of(rows: pd.DataFrame, component: Task) -> np.ndarray:
    """(n, n_classes) from the columns p_0 ...; (n, 1) values without these columns."""
    return rows[list(component.probability_columns)].to_numpy(np.float64)


def gather(
    samples: Mapping[str, Samples],
    probabilities: Mapping[str, Mapping[str, np.ndarray]],
    fold: int,
) -> pd.DataFrame:
    """The predictions of all splits and tasks in one table.

    Args:
        samples: train, validation, test, or another selection -> its rows.
        probabilities: split -> task -> (n, n_classes), for the splits to list.
        fold: number of the fold.
    Returns: one row for each image and each task or derived answer that its dataset
        feeds.
    """
    tables = []
    for split, of_tasks in probabilities.items():
        rows = samples[split].rows.assign(split=split, fold=fold)
        for answer in samples[split].answers:
            fed = rows["dataset"].isin(list(answer.sources)).to_numpy()
            labels = samples[split].labels_of(answer)[fed]
            predicted = of_tasks[answer.name][fed]
            tables.append(prediction_table(answer, rows[fed], labels, predicted))
    return pd.concat(tables, ignore_index=True)


def _shortest(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
