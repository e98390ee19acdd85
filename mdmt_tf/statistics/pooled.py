"""Metrics of the rows of all folds together, instead of means over folds.

Ruffini et al. 2024 pool the test rows of the folds of a backbone and compute one metric
of them. It differs from the mean over folds where a metric is not a mean of its rows:
an F1 or a G-mean of small folds scatters and is undefined more easily. The AUC of
pooled rows also compares probabilities of different models with each other.
"""

from collections.abc import Mapping

import pandas as pd

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.runs.predictions import metrics_of_rows
from mdmt_tf.statistics.comparisons import Test, paired_t_test
from mdmt_tf.tasks import Task

_UNIT = "backbone"


def pooled_metrics(
    rows: pd.DataFrame, task: Task, folds: int | None = None
) -> pd.DataFrame:
    """The metrics of each backbone, of the rows of all of its folds together.

    Args:
        rows: labelled test rows of the task from all fits of an experiment: columns of
            `predictions.csv`, and backbone, seed, fold.
        task: the task of the rows.
        folds: number of folds of one division into folds; with repeats, fold numbers go
            on and each repeat is pooled by itself. None: all folds are of one division.
    Returns: the index backbone, a column for each metric: the mean over seeds and
        repeats of the metric of the pooled rows, NaN if one of them is not defined.

    Example:
        The mean accuracy of the two folds is (1 / 1 + 1 / 3) / 2 = 0.667.

        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
        >>> rows = pd.DataFrame({"target": [1, 0, 1, 1], "p_1": [0.9, 0.2, 0.3, 0.4]})
        >>> rows = rows.assign(p_0=1 - rows["p_1"], fold=[0, 1, 1, 1], seed=0)
        >>> rows = rows.assign(backbone="resnet18", task="death")
        >>> pooled_metrics(rows, death)["accuracy"].to_dict()
        {'resnet18': 0.5}
    """
    repeats = rows["fold"] // folds if folds else pd.Series(0, rows.index)
    keys = [rows["backbone"], rows["seed"], repeats.rename("repeat")]
    found = {
        key: metrics_of_rows(own, task) for key, own in rows.groupby(keys, sort=False)
    }
    table = pd.DataFrame.from_dict(found, orient="index")
    table.index = pd.MultiIndex.from_tuples(found, names=["backbone", "seed", "repeat"])
    table = table.drop(columns="n")
    return table.groupby("backbone", sort=False).agg(lambda own: own.mean(skipna=False))


def pooled_test(
    candidate: Mapping[str, float], other: Mapping[str, float], metric: str
) -> Test:
    """The paper's comparison: a one-sided paired t-test over backbones.

    It is about other backbones on the same patients: their differences share the luck
    of the data, so it rejects a true null far too often.

    Args:
        candidate, other: backbone -> pooled metric, of the same backbones.
        metric: its name, which says what is better.
    Source: `scipy.stats.ttest_rel`, as in the code of Ruffini et al. 2024.

    Example:
        >>> candidate = {"resnet18": 0.8, "resnet34": 0.8, "resnet50": 0.9}
        >>> other = {"resnet18": 0.7, "resnet34": 0.6, "resnet50": 0.6}
        >>> test = pooled_test(candidate, other, "auc")
        >>> round(test.difference, 3), round(test.p, 3)  # t = 0.2 / (0.1 / sqrt(3))
        (0.2, 0.037)
    """
    lower = METRICS[metric].lower_is_better
    return paired_t_test(
        list(candidate.values()),
        [other[backbone] for backbone in candidate],
        alternative="less" if lower else "greater",
        unit=_UNIT,
    )
