"""Calibrated probabilities on rows that took no part in the fit. No TensorFlow.

The functions take a table of predictions and the calibrations of a run, and return
plain values for `assessment.json`. They serve the test split and other data.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.metrics.rows import ratio
from mdmt_tf.runs.predictions import labelled_rows, probabilities_of
from mdmt_tf.statistics.assessment import assess, entry
from mdmt_tf.statistics.calibration import (
    Calibrations,
    calibrate_table,
    components_with_classes,
)
from mdmt_tf.statistics.interval import (
    FEWEST_TO_RESAMPLE,
    RESAMPLES,
    Interval,
    expanded_level,
)
from mdmt_tf.statistics.resampling import ratio_intervals
from mdmt_tf.statistics.support import effective_patients
from mdmt_tf.tasks import Task

# Metrics of calibrated probabilities.
CALIBRATED = ("loss", "brier", "ece", "calibration_slope", "calibration_intercept")
# Thresholds of a decision curve.
THRESHOLDS = tuple((np.arange(1, 100) / 100).tolist())


def calibration_sections(
    table: pd.DataFrame,
    tasks: Sequence[Task],
    calibrations: Calibrations,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict]:
    """Everything on calibration that stands beside the result of `assess`.

    Args: see `calibrated_section`.
    Returns: {task: sections} for the tasks with calibrations.
        calibrated: see `calibrated_section`.
        operating_points, decision_curve: see the functions of these names; left out
            where there are none.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> calibration_sections(pd.DataFrame({"task": ["age"]}), [age], {})
        {}
    """
    options = {"resamples": resamples, "seed": seed}
    of_component = {
        "operating_points": operating_points(table, tasks, calibrations, **options),
        "decision_curve": decision_curve(table, tasks, calibrations),
    }
    found = calibrated_section(table, tasks, calibrations, **options)
    result = {}
    for task in tasks:
        if task.name in found:
            result[task.name] = {"calibrated": found[task.name]}
            names = [component.name for component in task.components]
            for section, values in of_component.items():
                own = {name: values[name] for name in names if name in values}
                if own:
                    result[task.name][section] = own
    return result


def calibrated_section(
    table: pd.DataFrame,
    tasks: Sequence[Task],
    calibrations: Calibrations,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict]:
    """Metrics of the calibrated probabilities, with intervals.

    Args:
        table: predictions of one split, in the columns of `predictions.csv`. It must
            not be the split of the fit.
        tasks: tasks of the table.
        calibrations: by component, see `mdmt_tf.statistics.calibration`.
        resamples, seed: see `assess`.
    Returns: {task: result of `assess`} with the metrics in `CALIBRATED`, for the tasks
        all of whose components have a calibration.

    Example:
        >>> from mdmt_tf.statistics.calibration import Calibration
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> table = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "task": "death",
        ...         "patient_id": ["a", "b", "c", "d"],
        ...         "target": [0, 0, 0, 1],
        ...         "prediction": 1,
        ...         "p_0": 0.5,
        ...         "p_1": 0.5,
        ...     }
        ... )
        >>> known = {"death": Calibration(prior_ratio=(3.0, 1.0))}
        >>> found = calibrated_section(table, [death], known)["death"]["by_image"]
        >>> found["metrics"]["ece"]["value"], found["metrics"]["brier"]["value"]
        (0.0, 0.1875)
    """
    chosen = [
        task
        for task in tasks
        if all(component.name in calibrations for component in task.components)
    ]
    found = assess(
        calibrate_table(table, chosen, calibrations),
        chosen,
        resamples=resamples,
        seed=seed,
    )
    for of_task in found.values():
        for unit in ("by_patient", "by_image"):
            metrics = of_task[unit]["metrics"]
            kept = {name: metrics[name] for name in CALIBRATED if name in metrics}
            of_task[unit]["metrics"] = kept
    return found


def operating_points(
    table: pd.DataFrame,
    tasks: Sequence[Task],
    calibrations: Calibrations,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict]:
    """What the thresholds that were chosen on the validation split do on other rows.

    Args: see `calibrated_section`.
    Returns: {component: {point: {"threshold", "metrics"}}} by image, for components
        with two classes and labelled rows. The metrics are sensitivity, specificity,
        ppv, npv and fraction_positive, each {"value", "low", "high"}. The intervals
        resample patients as those of `assess`, with a level for the patients of the
        rarer class; the ends are NaN with fewer than 5 of these, or where all resamples
        have one value.

    Example:
        >>> from mdmt_tf.statistics.calibration import Calibration
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> p = np.array([0.1, 0.4, 0.6, 0.9])
        >>> table = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "task": "death",
        ...         "patient_id": ["a", "b", "c", "d"],
        ...         "target": [0, 0, 1, 1],
        ...         "p_0": 1 - p,
        ...         "p_1": p,
        ...     }
        ... )
        >>> points = {"sensitivity_90": 0.3}
        >>> known = Calibration(prior_ratio=(1.0, 1.0), operating_points=points)
        >>> found = operating_points(table, [death], {"death": known})["death"]
        >>> metrics = found["sensitivity_90"]["metrics"]
        >>> metrics["sensitivity"]["value"], metrics["specificity"]["value"]
        (1.0, 0.5)
    """
    options = {"resamples": resamples, "seed": seed}
    result = {}
    for component, rows, scores in _of_two_classes(table, tasks, calibrations):
        points = calibrations[component.name].operating_points
        if points:
            result[component.name] = {
                name: {
                    "threshold": threshold,
                    "metrics": _at(rows, scores >= threshold, options),
                }
                for name, threshold in points.items()
            }
    return result


def indistinct(component: str, points: Mapping[str, Mapping]) -> list[str]:
    """A sentence on each two points of a component that are one number in float32.

    Args:
        component: its name.
        points: of the component, see `operating_points`.

    Example:
        >>> points = {"a": {"threshold": 0.5}, "b": {"threshold": 0.5 + 1e-9}}
        >>> indistinct("death", points)[0].split(",")[0]
        'death: the thresholds of a and b are one number in float32'
    """
    single = {
        name: np.float32(point["threshold"])
        for name, point in points.items()
        if point["threshold"] is not None
    }
    return [
        f"{component}: the thresholds of {one} and {other} are one number in float32, "
        "the precision of models."
        for one, other in itertools.combinations(single, 2)
        if single[one] == single[other]
        and points[one]["threshold"] != points[other]["threshold"]
    ]


def _at(rows: pd.DataFrame, called: np.ndarray, options: dict) -> dict[str, dict]:
    """The metrics of one threshold."""
    truth = rows["target"].to_numpy() == 1
    ratios = {
        "sensitivity": (called & truth, truth),
        "specificity": (~called & ~truth, ~truth),
        "ppv": (called & truth, called),
        "npv": (~called & ~truth, ~called),
        "fraction_positive": (called, np.ones(len(rows))),
    }
    ratios = {
        name: (above.astype(np.float64), below.astype(np.float64))
        for name, (above, below) in ratios.items()
    }
    everyone = effective_patients(rows)
    rarest = min(effective_patients(rows[own]) for own in (truth, ~truth))
    entries = {}
    for patients, names in (
        (rarest, ("sensitivity", "specificity", "ppv", "npv")),
        (everyone, ("fraction_positive",)),
    ):
        own = {name: ratios[name] for name in names}
        nothing = Interval(float("nan"), float("nan"), 0.0)
        intervals = dict.fromkeys(names, nothing)
        if patients >= FEWEST_TO_RESAMPLE:
            level = expanded_level(patients)
            intervals = ratio_intervals(rows, own, level=level, **options)
        for name, (above, below) in own.items():
            value = float(ratio(above.sum(), below.sum()))
            entries[name] = entry(value, intervals[name])
    return entries


def decision_curve(
    table: pd.DataFrame,
    tasks: Sequence[Task],
    calibrations: Calibrations,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[str, dict]:
    """The net benefit of treating by the calibrated probability.

    With n images, and with t / (1 - t) false positives worth one true positive:
        model      TP / n - FP / n  t / (1 - t)
        treat_all  the same where all are called positive
        treat_none 0

    Args:
        table, tasks, calibrations: see `calibrated_section`.
        thresholds: t, each between 0 and 1; an image is treated at or above t.
    Returns: {component: {"n", "threshold", "model", "treat_all", "treat_none"}}, the
        last four as lists, by image, for components with two classes and labelled rows.
    Source: Vickers and Elkin 2006, "Decision curve analysis", Med. Decis. Making 26,
        565-574.

    Example:
        >>> from mdmt_tf.statistics.calibration import Calibration
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> p = np.array([0.1, 0.4, 0.6, 0.9])
        >>> table = pd.DataFrame(
        ...     {"task": "death", "target": [0, 0, 0, 1], "p_0": 1 - p, "p_1": p}
        ... )
        >>> known = {"death": Calibration(prior_ratio=(1.0, 1.0))}
        >>> curve = decision_curve(table, [death], known, thresholds=[0.2])["death"]
        >>> curve["model"], curve["treat_all"]  # 1/4 - 2/4 * 1/4, and 1/4 - 3/4 * 1/4
        ([0.125], [0.0625])
    """
    at = np.asarray(thresholds, np.float64)
    if not ((at > 0) & (at < 1)).all():
        raise ValueError(
            f"Expected thresholds between 0 and 1. Received: {thresholds=}"
        )
    odds = at / (1 - at)
    result = {}
    for component, rows, scores in _of_two_classes(table, tasks, calibrations):
        truth = rows["target"].to_numpy() == 1
        called = scores >= at[:, None]
        true, false = (called & truth).mean(axis=1), (called & ~truth).mean(axis=1)
        result[component.name] = {
            "n": len(rows),
            "threshold": at.tolist(),
            "model": (true - false * odds).tolist(),
            "treat_all": (truth.mean() - (~truth).mean() * odds).tolist(),
            "treat_none": [0.0] * len(at),
        }
    return result


def _of_two_classes(table, tasks, calibrations):
    """Each component of two classes with labelled rows and calibrated scores."""
    for component in components_with_classes(tasks):
        rows = labelled_rows(table, component)
        calibration = calibrations.get(component.name)
        if calibration is not None and component.n_classes == 2 and len(rows):
            chances = calibration.apply(probabilities_of(rows, component))
            yield component, rows, chances[:, 1]
