"""What is read from a benchmark folder, and how damage is told."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from mdmt_tf.errors import DataError
from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.storage import write_json


def test_reporting_does_not_load_tensorflow():
    code = (
        "import sys, mdmt_tf.report, mdmt_tf.reporting.report; "
        "print([n for n in ('tensorflow', 'keras', 'tensorflow_datasets') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_whole_folder(whole):
    results = Results.read(whole)
    assert results.name == "tiny"
    assert results.counts() == {"finished": 27, "failed": 0, "missing": 0}
    assert results.synthetic is True
    assert list(results.datasets) == ["aiforcovid", "brixia"]
    assert results.experiments_of("prognosis", "cv") == [
        "stl_prognosis",
        "ft",
        "mdmt",
        "age_and_sex",
    ]
    metrics = json.loads(
        (whole / "runs" / "mdmt-resnet18-s0-cv1" / "metrics.json").read_text()
    )
    table = results.metrics.set_index([*results.metrics.columns[:-1]])["value"]
    for task, own in metrics["test"].items():
        for name in set(own) - {"n"}:
            key = ("cv", "resnet18", 0, 1, "mdmt", task, name)
            assert table[key] == own[name]
    # Only labelled rows count, only those of the test set are kept.
    fit = results.rows["mdmt-resnet18-s0-cv1"]
    assert set(fit["split"]) == {"test"}
    assert fit["target"].isna().sum() == 2
    assert len(results.labelled("mdmt-resnet18-s0-cv1", "severity")) == 53


def test_states_and_errors(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "ft", missing=fold == 1)
        error = {"error": "out of memory"} if fold == 2 else {}
        folder.add("cv", "resnet18", 0, fold, "mdmt", **error)
    results = Results.read(folder.path)
    assert results.counts() == {"finished": 4, "failed": 1, "missing": 1}
    (failure,) = results.failures().itertuples(index=False)
    assert tuple(failure) == (
        "mdmt-resnet18-s0-cv2",
        1,
        "out of memory (2 attempts)",
    )


def test_a_run_that_was_finished_later_has_not_failed(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "ft")
    failures = folder.path / "failures"
    failures.mkdir()
    (failures / "ft-resnet18-s0-cv1.json").write_text('{"error": "once"}')
    assert Results.read(folder.path).counts()["failed"] == 0


def test_a_grid_that_was_cut_off_counts_what_it_lacks(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b")
    folder.add("cv", "resnet18", 0, 0, "ft")
    folder.add("cv", "resnet18", 0, 0, "stl_prognosis")
    results = Results.read(folder.path)
    # 2 backbones x 3 folds of each; the other experiments are not in the grid at all.
    assert results.counts() == {"finished": 2, "failed": 0, "missing": 10}
    aggregates = Aggregates(results, resamples=0)
    value = aggregates.over_backbones("cv", "ft", "prognosis", "accuracy")
    assert (np.isnan(value.number), value.reason) == (True, "0 of 2 backbones")


def test_folds_come_from_the_plan(benchmark_folder, tmp_path):
    folder = benchmark_folder(
        tmp_path / "b",
        backbones=["resnet18"],
        cross_validation={
            "loco": {"kind": "leave_one_site_out", "leave_out": ["brixia"]}
        },
    )
    folder.add("loco", "resnet18", 0, 0, "ft")
    assert Results.read(folder.path).counts()["missing"] == 0
    write_json(folder.path / "data.json", {"folds": {"loco": 6}})
    assert Results.read(folder.path).counts()["missing"] == 5


def test_units_come_from_the_plan(small):
    brixia = {"units": {"brixia_global": "points"}}
    write_json(small / "data.json", {"datasets": {"brixia": brixia}})
    units = {name: task.unit for name, task in Results.read(small).tasks.items()}
    assert units == {"prognosis": None, "severity": "points"}


def test_lists_that_a_split_was_read_from_may_be_gone(benchmark_folder, tmp_path):
    lists = {"own": {"kind": "file", "file": str(tmp_path / "gone.json")}}
    folder = benchmark_folder(
        tmp_path / "b", backbones=["resnet18"], cross_validation=lists
    )
    folder.add("own", "resnet18", 0, 0, "ft")
    assert Results.read(folder.path).counts()["finished"] == 1


def test_the_weights_that_fits_begin_with(benchmark_folder, tmp_path):
    folder = benchmark_folder(
        tmp_path / "b", backbones=["resnet18", "mobilenet_v2", "resnet34"],
        weights={"mobilenet_v2": None, "resnet34": "imagenet"},
    )  # fmt: skip
    folder.add("cv", "resnet18", 0, 0, "ft")
    assert Results.read(folder.path).weights == {"resnet34": "imagenet"}
    settings = yaml.safe_load((folder.path / "benchmark.yaml").read_text())
    settings["model"] = {"weights": {"a.weights.h5": 0.5, "b.weights.h5": 0.5}}
    (folder.path / "benchmark.yaml").write_text(yaml.safe_dump(settings))
    assert Results.read(folder.path).weights == {
        "resnet18": "a.weights.h5, b.weights.h5",
        "resnet34": "imagenet",
    }


def test_a_shared_fit_is_read_once_and_counts_in_each_cell(
    benchmark_folder, tmp_path, monkeypatch
):
    from mdmt_tf.runs import predictions

    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "mdmt")
        folder.add("cv", "resnet18", 0, fold, "stl_severity", fit="shared")
    read, original = [], predictions.read
    monkeypatch.setattr(
        predictions,
        "read",
        lambda path, split: read.append(path) or original(path, split),
    )
    results = Results.read(folder.path)
    assert len(read) == len(set(read)) == 4
    chosen = results.metrics[results.metrics["experiment"] == "stl_severity"]
    assert sorted(set(chosen["fold"])) == [0, 1, 2]
    aggregates = Aggregates(results, resamples=0)
    group = aggregates.groups["cv", "resnet18", "stl_severity", "severity"]
    # The same 53 images of 40 patients in each of the three.
    assert group.count() == (159, 53, 40)


@pytest.fixture
def small(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "ft")
    return folder.path


RUN = "runs/ft-resnet18-s0-cv1"


@pytest.mark.parametrize(
    "path, content, words",
    [
        ("benchmark.yaml", None, ["not the folder of a benchmark", "benchmark"]),
        ("benchmark.yaml", "a: [", ["benchmark.yaml", "not valid YAML"]),
        ("benchmark.yaml", "experiment: x\n", ["tasks, benchmark"]),
        ("grid.csv", None, ["grid.csv", "missing"]),
        ("grid.csv", "a,b\n1,2\n", ["grid.csv", "a, b", "validation"]),
        ("grid.csv", "", ["grid.csv", "damaged"]),
        (f"{RUN}/metrics.json", "{", ["metrics.json", "not valid JSON"]),
        (f"{RUN}/metrics.json", "[]", ["metrics.json", "expected a JSON object"]),
        (f"{RUN}/metrics.json", "{}", ["0 labelled test rows of prognosis", "39"]),
        (f"{RUN}/predictions.csv", None, ["predictions.csv", "missing"]),
        (f"{RUN}/predictions.csv", "a,b\n1,2\n", ["the columns dataset", "target"]),
        (f"{RUN}/predictions.csv", "", ["predictions.csv", "not a table"]),
        (f"{RUN}/manifest.json", None, ["manifest.json", "missing"]),
        (f"{RUN}/history.csv", "", ["history.csv", "not a table"]),
    ],
)
def test_damage_is_named(small, path, content, words):
    if content is None:
        (small / path).unlink()
    else:
        (small / path).write_text(content)
    with pytest.raises(DataError) as error:
        Results.read(small)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "column, value, words",
    [
        ("experiment", "other", "experiment 'other' is not in benchmark.yaml"),
        ("backbone", "vgg", "backbone 'vgg' is not in benchmark.yaml"),
        ("fit", "../../etc", "no name of a folder"),
        ("fold", "one", "seed and fold as integers"),
        ("fold", "0", "the same cell is listed above"),
        ("seed", "7", "its seed is not in benchmark.yaml"),
        ("backbone", "none", "is for baselines"),
    ],
)
def test_a_grid_of_something_else_is_refused(small, column, value, words):
    grid = pd.read_csv(small / "grid.csv", dtype=str)
    grid.loc[1, column] = value
    grid.to_csv(small / "grid.csv", index=False)
    with pytest.raises(DataError, match=words) as error:
        Results.read(small)
    assert "grid.csv" in str(error.value)


def test_predictions_cut_off_do_not_agree_with_the_metrics(small):
    path = small / RUN / "predictions.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:20]))
    with pytest.raises(DataError, match="39 labelled test rows of prognosis"):
        Results.read(small)


def test_rows_of_an_experiment_have_the_columns_of_their_cells(whole):
    results = Results.read(whole)
    rows = results.rows_of("mdmt", "cv", "severity")
    # Two backbones and three folds; the last image of a fold has no label.
    assert len(rows) == 2 * 3 * 53
    counts = rows.groupby(["backbone", "seed", "fold"]).size()
    assert counts.to_dict() == {
        (backbone, 0, fold): 53
        for backbone in ("resnet18", "mobilenet_v2")
        for fold in range(3)
    }
    own = rows[(rows["backbone"] == "resnet18") & (rows["fold"] == 2)]
    stored = pd.read_csv(whole / "runs" / "mdmt-resnet18-s0-cv2" / "predictions.csv")
    stored = stored[(stored["split"] == "test") & (stored["task"] == "severity")]
    stored = stored[stored["target"].notna()]
    assert own["p_1"].tolist() == stored["p_1"].tolist()
    baseline = results.rows_of("age_and_sex", "cv", "prognosis")
    assert set(baseline["backbone"]) == {"none"} and len(baseline) == 3 * 39


def test_rows_of_a_shared_fit_are_there_for_each_cell(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "stl_severity", fit="same")
    folder.add("cv", "resnet18", 0, 0, "mdmt", missing=True)
    results = Results.read(folder.path)
    rows = results.rows_of("stl_severity", "cv", "severity")
    assert rows.groupby("fold").size().tolist() == [53] * 3
    empty = results.rows_of("mdmt", "cv", "severity")
    assert empty.empty and {"backbone", "seed", "fold", "target"} <= set(empty)


def test_what_older_runs_do_not_have(whole, benchmark_folder, tmp_path):
    older = Results.read(whole)
    assert older.fields is None and not older.efforts and not older.probes
    effort = {"steps": 40, "images": 640, "epochs": 4, "seconds": 2.5}
    probe = {"balanced_accuracy": 0.9, "low": 0.8, "high": 0.95, "n": 40}
    folder = benchmark_folder(tmp_path / "b", {"effort": effort, "probe": probe})
    folder.add("cv", "resnet18", 0, 0, "ft")
    text = "dataset,field,image_id,value\naiforcovid,view,aiforcovid0_1,AP\n"
    (folder.path / "fields.csv").write_text(text)
    results = Results.read(folder.path)
    fit = "ft-resnet18-s0-cv0"
    assert results.efforts == {fit: effort} and results.probes == {fit: probe}
    # It is of test images.
    assert Results.read(folder.path, "validation").probes == {}
    assert results.fields.to_dict("records") == [
        {
            "dataset": "aiforcovid",
            "field": "view",
            "image_id": "aiforcovid0_1",
            "value": "AP",
        }
    ]
