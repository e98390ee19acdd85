"""Means over folds, seeds and backbones, and why there is none."""

import numpy as np
import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates


def test_a_task_without_test_rows(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "mdmt", without_test=["severity"])
    aggregates = Aggregates(Results.read(folder.path), resamples=0)
    value = aggregates.over_backbones("cv", "mdmt", "severity", "accuracy")
    assert value.reason == "no test rows"
    value = aggregates.over_backbones("cv", "mdmt", "prognosis", "accuracy")
    assert not value.reason
    # Nothing to show, as long as nothing can come.
    assert aggregates.validations_of("severity") == []
    assert aggregates.validations_of("prognosis") == ["cv"]
    folder.add("cv", "resnet18", 0, 0, "stl_severity", missing=True)
    aggregates = Aggregates(Results.read(folder.path), resamples=0)
    assert aggregates.validations_of("severity") == ["cv"]


def test_an_undefined_metric_is_not_averaged_away(whole):
    results = Results.read(whole)
    changed = results.metrics["figure"].eq("auc") & results.metrics["fold"].eq(1)
    results.metrics.loc[changed, "value"] = np.nan
    aggregates = Aggregates(results, resamples=0)
    value = aggregates.over_backbones("cv", "mdmt", "severity", "auc")
    assert value.reason == "undefined in 1 of 3 folds"


def test_seeds_are_averaged_within_folds(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"], seeds=[3, 5])
    for seed in (3, 5):
        for fold in range(3):
            folder.add("cv", "resnet18", seed, fold, "ft")
    results = Results.read(folder.path)
    group = Aggregates(results, 0).groups["cv", "resnet18", "ft", "prognosis"]
    values = results.metrics.query("figure == 'f1'").pivot(
        index="seed", columns="fold", values="value"
    )
    assert group.mean("f1").number == pytest.approx(values.to_numpy().mean())
    expected = values.to_numpy().std(axis=1, ddof=1).mean()
    assert group.std("f1").number == pytest.approx(expected)
