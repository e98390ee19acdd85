"""Gains over the control, with intervals over independent datasets."""

import math

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.studies.design import CELL

METRICS = ("auc", "accuracy", "auc_inside")
COLUMNS = [*CELL, "arm", "control", "metric", "n", "gain", "sd", "low", "high", "mean"]


def interval(differences) -> tuple[float, float, float, float]:
    """Mean, std, and the 95 % interval of the mean by Student's t.

    The differences are those of independent datasets, so n is their number.

    Args:
        differences: float array (n,); NaN is left out.
    Returns: mean, std, low, high; NaN where there are too few, two for an interval.

    Example:
        >>> mean, std, low, high = interval([0.0, 0.1, 0.2])
        >>> round(mean, 3), round(std, 3), round(low, 3), round(high, 3)
        (0.1, 0.1, -0.148, 0.348)
    """
    values = np.asarray(differences, float)
    values = values[~np.isnan(values)]
    mean = float(values.mean()) if values.size else math.nan
    if values.size < 2:
        return mean, math.nan, math.nan, math.nan
    std = float(values.std(ddof=1))
    t = float(scipy.stats.t.ppf(0.975, values.size - 1))
    half = t * std / math.sqrt(values.size)
    return mean, std, mean - half, mean + half


def gains_of(results: pd.DataFrame, control: str) -> pd.DataFrame:
    """Each arm minus the control in the same datasets: `COLUMNS`.

    Args:
        results: `design.COLUMNS`.
        control: the arm to compare with.
    Returns: one row per cell, arm and metric; `mean` is that of the arm itself.
    """
    rows = []
    keys = [*CELL, "arm"]
    for metric in METRICS:
        table = results.pivot_table(
            index=[*CELL, "dataset"], columns="arm", values=metric, sort=False
        )
        if control not in table.columns:
            continue
        for arm in table.columns:
            pairs = table[[arm]].assign(difference=table[arm] - table[control]).dropna()
            for cell, own in pairs.groupby(level=CELL, sort=False):
                mean, std, low, high = interval(own["difference"])
                of_cell = dict(zip(keys, (*cell, arm), strict=True))
                numbers = (len(own), mean, std, low, high, own[arm].mean())
                names = ("n", "gain", "sd", "low", "high", "mean")
                rows.append(
                    of_cell
                    | {"control": control, "metric": metric}
                    | dict(zip(names, numbers, strict=True))
                )
    return pd.DataFrame(rows, columns=COLUMNS)
