"""Calibrated predictions of several runs together. No TensorFlow."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mdmt_tf.runs.predictions import mean_of_runs
from mdmt_tf.statistics.calibration import (
    Calibration,
    Calibrations,
    calibrate_table,
    components_with_classes,
)
from mdmt_tf.tasks import Task


def mean_calibrated(
    tables: Sequence[pd.DataFrame],
    calibrations: Sequence[Calibrations],
    tasks: Sequence[Task],
) -> tuple[pd.DataFrame, dict[str, Calibration]]:
    """The mean of the calibrated predictions of one run or several.

    Each run is calibrated by itself, since its probabilities are its own. The mean is
    not calibrated again: that would need rows that none of the runs has seen.

    Args:
        tables: raw predictions of each run, with equal rows in equal order.
        calibrations: of each run, by component.
        tasks: tasks of the tables.
    Returns: predictions of the components that all runs have calibrated; and for each
        of them a `Calibration` that changes nothing, with the operating points that all
        runs have, at the mean of their thresholds.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> row = {"task": "death", "prediction": 0, "p_0": 0.5, "p_1": 0.5}
        >>> table, first = pd.DataFrame([row]), Calibration(prior_ratio=(3.0, 1.0))
        >>> second = Calibration(prior_ratio=(1.0, 1.0))
        >>> known = [{"death": first}, {"death": second}]
        >>> mean_calibrated([table, table], known, [death])[0]["p_0"].tolist()
        [0.625]
    """
    identities = {}
    for component in components_with_classes(tasks):
        own = [of_run.get(component.name) for of_run in calibrations]
        if None in own:
            continue
        identities[component.name] = Calibration(
            prior_ratio=(1.0,) * component.n_classes,
            operating_points=mean_operating_points(own),
        )
    made = []
    for table, of_run in zip(tables, calibrations, strict=True):
        known = {name: own for name, own in of_run.items() if name in identities}
        made.append(calibrate_table(table, tasks, known))
    whole = made[0] if len(made) == 1 else mean_of_runs(made, tasks)
    return whole, identities


def mean_operating_points(calibrations: Sequence[Calibration]) -> dict[str, float]:
    """The operating points that all calibrations have, at the mean of the thresholds.

    Example:
        >>> first = Calibration(prior_ratio=(1, 1), operating_points={"a": 0.25})
        >>> more = {"a": 0.75, "b": 0.5}
        >>> second = Calibration(prior_ratio=(1, 1), operating_points=more)
        >>> mean_operating_points([first, second])
        {'a': 0.5}
    """
    return {
        name: float(np.mean([own.operating_points[name] for own in calibrations]))
        for name in calibrations[0].operating_points
        if all(name in own.operating_points for own in calibrations)
    }
