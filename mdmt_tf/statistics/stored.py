"""Whether stored assessments and calibrations follow from the predictions.

Intervals are not drawn again. Everything else is computed from the rows and compared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.prediction_checks import (
    EXACT,
    Expected,
    check_metrics,
    is_of_some_classes,
    read_checked,
)
from mdmt_tf.splits.split import Split
from mdmt_tf.statistics import calibration
from mdmt_tf.statistics.assessment import assess_splits
from mdmt_tf.statistics.calibration_fit import fit_calibrations
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.tasks import Answer

# What resampling and the tables of the data give, which are not at hand.
_NOT_COMPARED = ("low", "high", "undefined", "reason", "note", "strata", "runs")
# Resamples of intervals that nobody looks at.
FEW_RESAMPLES = 2
# A temperature is found by a search.
_OF_SEARCH = 1e-4


def check_run(run: RunFolder) -> None:
    """Make sure that the numbers of a finished run follow from its predictions.

    Raises: DataError that names the file and the key or the row.
    """
    config = run.settings()
    answers, split = run.read_answers(config), Split.read(run.split)
    remedy = f"Restore the run {run.path}, or train it again."
    facts = run.read_json(run.manifest).get("datasets", {})
    expected = Expected(
        answers=answers,
        fold=split.fold,
        lists=split.datasets,
        examples={name: own["examples"] for name, own in facts.items()},
    )
    table = read_checked(run.predictions, expected, remedy)
    metrics = run.read_json(run.metrics)
    for name, found in predictions.metrics_of(table, answers).items():
        labelled = {task: own for task, own in found.items() if own.get("n")}
        check_metrics(metrics.get(name, {}), labelled, f"{run.metrics}: {name}", remedy)
    for line in other_stored(run, table, answers):
        raise DataError(f"{run.path}: {line}. {remedy}")


def other_stored(
    run: RunFolder, table: pd.DataFrame, answers: Sequence[Answer]
) -> list[str]:
    """What in `calibration.json` and `assessment.json` does not follow, in lines.

    Args:
        run: a finished run; one of an earlier version may lack the files.
        table: its predictions.
        answers: of the run.
    """
    stored = calibration.read(run)
    validation = table[table["split"] == "validation"]
    ratios = {name: own.prior_ratio for name, own in stored.items()}
    found = fit_calibrations(validation, answers, ratios)
    lines = [
        f"{run.calibration.name}: {text}"
        for text in differences(
            {name: own.to_plain() for name, own in stored.items()},
            {name: own.to_plain() for name, own in found.items()},
            tolerance=_OF_SEARCH,
        )
    ]
    if run.assessment.is_file():
        made = assess_splits(table, answers, resamples=FEW_RESAMPLES)
        tested = table[table["split"] == "test"]
        if len(tested):
            sections = calibration_sections(
                tested, answers, stored, resamples=FEW_RESAMPLES
            )
            for name, own in sections.items():
                made["test"][name] |= own
        lines += [
            f"{run.assessment.name}: {text}"
            for text in differences(run.read_json(run.assessment), made)
        ]
    return lines


def differences(
    stored: object, found: object, where: str = "", tolerance: float = EXACT
) -> Iterator[str]:
    """Where stored plain values differ from those found, as texts.

    Args:
        stored: of a JSON file; null stands for NaN. What it lacks is not compared, and
            neither are the ends of intervals.
        found: computed.
        where: keys above.
        tolerance: largest difference of numbers, times their size if above 1.

    Example:
        >>> stored = {"auc": {"value": 0.8, "low": 0.7}, "n": 3}
        >>> list(differences(stored, {"auc": {"value": 0.9, "low": 0.8}, "n": 3}))
        ['auc value = 0.8, but predictions.csv gives 0.9']
    """
    if isinstance(stored, Mapping) and isinstance(found, Mapping):
        for key, value in stored.items():
            if key not in _NOT_COMPARED and not _is_of_some_classes(key, found):
                place = f"{where} {key}".strip()
                yield from differences(value, found.get(key), place, tolerance)
        return
    if isinstance(stored, (list, tuple)) and isinstance(found, (list, tuple)):
        if len(stored) == len(found):
            for number, pair in enumerate(zip(stored, found, strict=True)):
                yield from differences(*pair, f"{where}[{number}]", tolerance)
            return
    elif _is_number(stored) and _is_number(found):
        one, other = (math.nan if v is None else float(v) for v in (stored, found))
        if math.isnan(one) and math.isnan(other):
            return
        if abs(one - other) <= tolerance * max(1.0, abs(other)):
            return
    elif stored == found:
        return
    yield f"{where} = {_text(stored)}, but predictions.csv gives {_text(found)}"


def _is_number(value: object) -> bool:
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or is_one


def _is_of_some_classes(metric: str, found: Mapping) -> bool:
    entry = found.get(metric)
    value = entry.get("value") if isinstance(entry, Mapping) else None
    return value is not None and is_of_some_classes(metric, value)


def _text(value: object) -> str:
    if value is None:
        return "nothing"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
