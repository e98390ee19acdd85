"""Means over folds, seeds and backbones, and why there is none."""

import numpy as np
import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.tables import build_tables


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


def test_fits_of_several_seeds_are_not_called_folds(benchmark_folder, tmp_path):
    folder = benchmark_folder(
        tmp_path / "b", {"history": False}, backbones=["resnet18"], seeds=[0, 1]
    )
    for seed in (0, 1):
        for fold in range(3):
            lacking = {"without_class": 3} if fold == 1 else {}
            folder.add("cv", "resnet18", seed, fold, "stl_severity", **lacking)
    aggregates = Aggregates(Results.read(folder.path), resamples=0)
    value = aggregates.over_backbones("cv", "stl_severity", "severity", "auc")
    assert value.reason == "undefined in 2 of 6 folds x seeds"


@pytest.mark.parametrize("unit", ["image", "patient"])
def test_a_fold_without_a_class_does_not_raise_the_mean(
    benchmark_folder, tmp_path, unit
):
    run = {"of_patients": True, "history": False}
    folder = benchmark_folder(tmp_path / "b", run, backbones=["resnet18"])
    for fold in range(3):
        lacking = {"without_class": 3} if fold == 1 else {}
        folder.add("cv", "resnet18", 0, fold, "stl_severity", **run, **lacking)
    aggregates = Aggregates(Results.read(folder.path), resamples=0)
    group = aggregates.group("cv", "resnet18", "stl_severity", "severity", unit)
    for metric in ("balanced_accuracy", "g_mean", "f1", "auc"):
        assert group.mean(metric).reason == "undefined in 1 of 3 folds"
    assert group.mean("accuracy").number > 0


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


@pytest.fixture(scope="module")
def of_patients(benchmark_folder, tmp_path_factory):
    """All images of a patient have one label, and some patients have two images."""
    folder = benchmark_folder(
        tmp_path_factory.mktemp("patients") / "b",
        {"of_patients": True, "history": False},
        backbones=["resnet18"],
    )
    return Aggregates(Results.read(folder.add_all().path), resamples=20)


def test_patients_come_first_where_they_have_several_images(of_patients, whole):
    assert of_patients.units("prognosis") == ("patient", "image")
    # There, the labels of a patient differ from image to image.
    assert Aggregates(Results.read(whole), 0).units("prognosis") == ("image",)


def test_a_patient_counts_once(of_patients):
    group = of_patients.group("cv", "resnet18", "ft", "prognosis")
    assert group.unit == "patient"
    accuracies = []
    for fold in range(3):
        fit = f"ft-resnet18-s0-cv{fold}"
        rows = of_patients.results.labelled(fit, "prognosis")
        means = rows.groupby("patient_id")[["target", "p_1"]].mean()
        accuracies.append(((means["p_1"] > 0.5) == means["target"]).mean())
    assert group.mean("accuracy").number == pytest.approx(np.mean(accuracies))
    assert group.mean("accuracy").number != pytest.approx(
        of_patients.group("cv", "resnet18", "ft", "prognosis", "image")
        .mean("accuracy")
        .number
    )
    # 30 patients of each fold; every third has two images, the last image no label.
    assert group.count() == (3 * 29, 3 * 39, 3 * 29)
    interval = of_patients.intervals(group)["accuracy"]
    assert interval.low < np.mean(accuracies) < interval.high


def test_tables_have_both_units_patients_first(of_patients):
    without_intervals = Aggregates(of_patients.results, 0)
    tables = {table.name: table for table in build_tables(without_intervals)}
    titles = [section.title.split(",")[0] for section in tables["table_1"].sections]
    assert list(dict.fromkeys(titles)) == [
        *("prognosis by patient", "prognosis by image"),
        *("severity by patient", "severity by image"),
    ]
    data = tables["table_s1"].data.query("task == 'prognosis' and experiment == 'ft'")
    of_unit = data.groupby("unit")[["predictions", "patients"]].first()
    assert of_unit.loc["patient"].tolist() == [3 * 29, 3 * 29]
    assert of_unit.loc["image"].tolist() == [3 * 39, 3 * 29]
    cell = tables["runs"].data.query("experiment == 'ft' and fold == 0").iloc[0]
    assert cell["prognosis/n"] == 29
    metrics = of_patients.metrics.query(
        "experiment == 'ft' and fold == 0 and task == 'prognosis' and figure == 'f1'"
    )
    assert cell["prognosis/f1"] == metrics["value"].item()
    assert tables["table_2"].sections[0].title.startswith("prognosis by patient, cv")
    notes = " ".join(tables["table_1"].notes)
    assert "prognosis: 117 test images of 87 patients" in notes
