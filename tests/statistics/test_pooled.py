"""Metrics of the rows of all folds together, against scikit-learn and scipy."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn import metrics

from mdmt_tf.statistics.pooled import pooled_metrics, pooled_test
from mdmt_tf.tasks import make_task

TASK = make_task(kind="categorical", name="prognosis", classes=("mild", "severe"))
BACKBONES = ("resnet18", "mobilenet_v2")


def rows_of(folds=3, seeds=(0,), backbones=BACKBONES, n=12):
    generator = np.random.default_rng(0)
    tables = []
    for backbone in backbones:
        for seed in seeds:
            for fold in range(folds):
                p = generator.random(n)
                tables.append(
                    pd.DataFrame(
                        {
                            "backbone": backbone,
                            "seed": seed,
                            "fold": fold,
                            "task": TASK.name,
                            "image_id": [f"i{fold}_{k}" for k in range(n)],
                            # The folds differ in size of their classes.
                            "target": (np.arange(n) < 2 + 3 * fold).astype(float),
                            "p_0": 1 - p,
                            "p_1": p,
                        }
                    )
                )
    return pd.concat(tables, ignore_index=True)


def test_the_metrics_of_all_rows_of_a_backbone():
    rows = rows_of()
    found = pooled_metrics(rows, TASK)
    assert list(found.index) == list(BACKBONES)
    for backbone in BACKBONES:
        own = rows[rows["backbone"] == backbone]
        predicted = (own["p_1"] > 0.5).astype(int)
        expected = {
            "accuracy": metrics.accuracy_score(own["target"], predicted),
            "f1": metrics.f1_score(own["target"], predicted),
            "auc": metrics.roc_auc_score(own["target"], own["p_1"]),
        }
        for name, value in expected.items():
            assert found.loc[backbone, name] == pytest.approx(value, abs=1e-15)
    by_fold = rows.groupby(["backbone", "fold"]).apply(
        lambda own: metrics.f1_score(own["target"], own["p_1"] > 0.5),
        include_groups=False,
    )
    of_folds = by_fold.groupby("backbone").mean()
    assert (found["f1"] - of_folds).abs().min() > 0.005


def test_seeds_and_repeats_are_pooled_each_by_itself():
    rows = rows_of(folds=6, seeds=(0, 1), backbones=BACKBONES[:1])
    found = pooled_metrics(rows, TASK, folds=3)
    values = [
        metrics.f1_score(own["target"], own["p_1"] > 0.5)
        for _, own in rows.groupby(["seed", rows["fold"] // 3])
    ]
    assert len(values) == 4
    assert found["f1"].to_dict() == pytest.approx({"resnet18": np.mean(values)})
    together = pooled_metrics(rows, TASK)["f1"]["resnet18"]
    assert together != pytest.approx(np.mean(values), abs=1e-3)


def test_a_metric_that_one_repeat_does_not_define_has_no_mean():
    rows = rows_of(folds=2, backbones=BACKBONES[:1])
    rows.loc[rows["fold"] == 1, "target"] = 0.0
    assert np.isnan(pooled_metrics(rows, TASK, folds=1)["auc"]["resnet18"])
    assert not np.isnan(pooled_metrics(rows, TASK)["auc"]["resnet18"])


def test_the_test_is_that_of_scipy_over_backbones_in_the_expected_direction():
    names = [f"b{number}" for number in range(18)]
    one, other = np.random.default_rng(1).normal([[0.7], [0.68]], 0.02, (2, 18))
    candidate = dict(zip(names, one, strict=True))
    # In another order: pairs are of the same backbone.
    others = dict(zip(reversed(names), other[::-1], strict=True))
    for metric, alternative in (("g_mean_weighted", "greater"), ("brier", "less")):
        test = pooled_test(candidate, others, metric)
        expected = scipy.stats.ttest_rel(one, other, alternative=alternative)
        assert test.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert (test.n, test.unit, test.alternative) == (18, "backbone", alternative)
