"""Answers of models to files, as rows of a CSV file or as JSON.

One row per file, with these columns for each task (`<task>/<label>` of a multilabel
task):

<task>               predicted class, or the value in the units of the label
<task>_probability   calibrated probability, of the second of two classes, otherwise of
                     the predicted class; not for values
<task>_p_<class>     calibrated probability of each class
<task>_raw_<class>   probability as in the `predictions.csv` of the run
<task>_std           std over the models of `<task>_probability`, or of the value

and `file`, `model` (digests of the models), `box_source` (see `imaging.crop`),
`warnings` ("code: text; code: text") and `error`. What is not known is empty.
"""

import contextlib
import csv
import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from mdmt_tf import storage
from mdmt_tf.errors import ConfigError
from mdmt_tf.tasks import Task

SUFFIXES = (".csv", ".json")

# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnsweredTask:
    """The answer for one component of a task.

    Attributes:
        prediction: the predicted class, or the value.
        probability: see the module; None for a value.
        calibrated: class -> calibrated probability; empty for a value.
        raw: class -> probability as the model was trained to give it.
        std: over the models; NaN for one model.
    """

    prediction: str | float
    probability: float | None
    calibrated: Mapping[str, float]
    raw: Mapping[str, float]
    std: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnsweredFile:
    """The answer to one file.

    Attributes:
        file: the path as given.
        tasks: component of a task -> its answer; empty if there is an error.
        model: digests of the models.
        box_source: source of the crop; "" if nothing is cropped.
        warnings: code -> text.
        error: why there is no answer; "" if there is.
    """

    file: str
    tasks: Mapping[str, AnsweredTask] = dataclasses.field(default_factory=dict)
    model: str = ""
    box_source: str = ""
    warnings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    error: str = ""


def combine(
    task: Task, raw: Sequence[np.ndarray], calibrated: Sequence[np.ndarray]
) -> AnsweredTask:
    """The mean answer of one or more models to one image, for one component.

    Args:
        task: the component.
        raw: probabilities (n_classes,) of each model, or values (1,).
        calibrated: likewise, calibrated.
    """
    mean = np.mean(np.asarray(calibrated, np.float64), axis=0)
    predicted = task.prediction(mean[np.newaxis])[0]
    names = task.class_names
    if not names:
        return AnsweredTask(
            prediction=float(predicted),
            probability=None,
            calibrated={},
            raw={},
            std=_std(calibrated, 0),
        )
    chosen = 1 if len(names) == 2 else int(predicted)
    raw_mean = np.mean(np.asarray(raw, np.float64), axis=0)
    # A derived answer has its value in one more column; its sum is an answer, too.
    count = len(names)
    return AnsweredTask(
        prediction=names[int(predicted)],
        probability=float(mean[chosen]),
        calibrated=dict(zip(names, mean[:count].tolist(), strict=True)),
        raw=dict(zip(names, raw_mean[:count].tolist(), strict=True)),
        std=_std(calibrated, chosen),
    )


def _std(values: Sequence[np.ndarray], index: int) -> float:
    """std of one number over the models, n - 1 in its denominator; NaN for one."""
    if len(values) < 2:
        return math.nan
    return float(np.std([value[index] for value in values], ddof=1))


def columns(components: Sequence[Task]) -> list[str]:
    """The columns of the CSV file.

    Raises: ConfigError when a task is named like another column.
    """
    names = ["file"]
    for task in components:
        names.append(task.name)
        if task.class_names:
            names.append(f"{task.name}_probability")
        for kind in ("p", "raw"):
            names += [f"{task.name}_{kind}_{name}" for name in task.class_names]
        names.append(f"{task.name}_std")
    names += ["model", "box_source", "warnings", "error"]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"the answers would have two columns named {name!r}, because a task of "
                "the model has that name. Write JSON, which is nested: --out "
                "answers.json."
            )
    return names


def row(answer: AnsweredFile) -> dict[str, str]:
    """The answer as a row of the CSV file; columns that are missing are empty."""
    cells = {
        "file": answer.file,
        "model": answer.model,
        "box_source": answer.box_source,
        "warnings": "; ".join(f"{code}: {t}" for code, t in answer.warnings.items()),
        "error": answer.error,
    }
    for name, one in answer.tasks.items():
        cells[name] = one.prediction
        cells[f"{name}_probability"] = one.probability
        cells[f"{name}_std"] = one.std
        for kind, values in (("p", one.calibrated), ("raw", one.raw)):
            cells |= {f"{name}_{kind}_{key}": value for key, value in values.items()}
    return {name: _cell(value) for name, value in cells.items()}


def _cell(value: str | float | None) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.9g}"
    # Line breaks are allowed in CSV, but few readers of lines expect them.
    text = " ".join(value.splitlines())
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def check_output(path: Path, overwrite: bool) -> None:
    """Make sure that answers can be written to a file.

    Raises: ConfigError for another suffix, an existing file or a missing folder.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"--out {path}: expected a name that ends in {' or '.join(SUFFIXES)}."
        )
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: the folder {path.parent} does not exist.")
    if path.is_dir() or (path.exists() and not overwrite):
        raise ConfigError(
            f"--out {path} exists and is not overwritten. Choose another name, or "
            "add --overwrite."
        )


@contextlib.contextmanager
def writing(path: Path, components: Sequence[Task], about: Mapping) -> Iterator:
    """Write answers to a file one after another; it appears whole or not at all.

    Args:
        path: ends in .csv or .json.
        components: of the tasks.
        about: description of the models, for JSON.
    Yields: a function to call with each answer.
    """
    # A file name that is not UTF-8 must not lose the answers.
    options = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
    try:
        with storage.replacing(path) as partial, partial.open("w", **options) as file:
            if path.suffix.lower() == ".json":
                yield from _writing_json(file, about)
            else:
                yield csv_writer(file, components)
    except OSError as error:
        raise ConfigError(f"--out {path}: cannot be written: {error}.") from error


def csv_writer(
    file: TextIO, components: Sequence[Task]
) -> Callable[[AnsweredFile], object]:
    """Write the header of the CSV file.

    Returns: a function to call with each answer.
    Raises: ConfigError as `columns`.
    """
    header = columns(components)
    writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
    writer.writeheader()
    known = set(header)
    return lambda answer: writer.writerow(
        {key: text for key, text in row(answer).items() if key in known}
    )


def _writing_json(file, about: Mapping) -> Iterator:
    head = json.dumps(storage.without_nan(dict(about)), indent=1, ensure_ascii=False)
    # Without its last bracket, to which the answers are added.
    file.write(head.removesuffix("\n}") + ',\n "answers": [')
    separator = "\n"

    def write(answer: AnsweredFile) -> None:
        nonlocal separator
        plain = storage.without_nan(dataclasses.asdict(answer))
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
        file.write(separator + text)
        separator = ",\n"

    yield write
    file.write("\n]}\n")
