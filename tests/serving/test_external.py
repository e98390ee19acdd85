"""External validation of one run and of several."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hashed_datasets import pictures
from sklearn.metrics import mean_absolute_error, roc_auc_score

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.errors import ConfigError, DataError, LeakageError
from mdmt_tf.models.weights import lineage
from mdmt_tf.runs import predictions
from mdmt_tf.runs.external import fed_by, make_request
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import external
from mdmt_tf.serving.evaluation import evaluate_on
from mdmt_tf.splits.split import Split
from mdmt_tf.statistics import calibration
from mdmt_tf.training import trainer

N = 48


@pytest.fixture(scope="module")
def runs(tiny_backbone, data_dir, tmp_path_factory):
    """Two folds of a classification and a regression."""
    folder = tmp_path_factory.mktemp("runs")
    outcome = {"kind": "binary", "classes": ["mild", "severe"]}
    values = {
        "experiment": "small",
        "image_size": 32,
        "data_dir": str(data_dir),
        "tasks": {
            "outcome": {**outcome, "from": {"alpha": "outcome"}},
            "age": {"kind": "regression", "from": {"alpha": "age"}},
        },
        "datasets": {"alpha": {"config": "full_256"}},
        "split": {"folds": 3, "stratify_by": ["outcome"]},
        "model": {"backbone": tiny_backbone},
        "training": {
            "epochs": 2,
            "batch_size": 8,
            "warmup_epochs": 1,
            "tensorboard": False,
            "saved_model": False,
            "select_on": {"task": "outcome"},
        },
    }
    files.write(values, folder / "settings.yaml")
    path = str(folder / "settings.yaml")
    overrides = [[f"run_dir={folder / str(k)}", f"split.fold={k}"] for k in (0, 1)]
    return [trainer.train(config.load(path, own)) for own in overrides]


def examples(stored_pixels):
    """Two images of each patient, with fields for strata."""
    return [
        {
            "image": stored_pixels(f"g{i:02d}", 32),
            "image_id": f"g{i:02d}",
            "patient_id": f"q{i // 2:02d}",
            "site": "north" if i < 30 else "south",
            "outcome": ("mild", "severe")[i // 2 % 2] if i < 40 else "",
            "years": np.float32(30 + i),
            "sex": "fm"[i // 2 % 3 // 2],
            "view": ("AP", "PA")[i % 2],
            "reader_b": "xyz"[i % 3],
        }
        for i in range(N)
    ]


@pytest.fixture(scope="module")
def gamma_dir(prepare, stored_pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gamma")
    labels = {name: {} for name in ("outcome", "years", "reader_b")}
    prepare(folder, "gamma", examples(stored_pixels), metadata={"labels": labels})
    return folder


def evaluated(runs, gamma_dir, out, labels=("outcome=outcome", "age=years")):
    request = make_request(runs, "gamma", str(gamma_dir), labels=labels, out=out)
    dataset = external.open_unseen(request)
    return external.evaluate_runs(request, dataset)


@pytest.fixture(scope="module")
def of_two(runs, gamma_dir, tmp_path_factory):
    return evaluated(runs, gamma_dir, tmp_path_factory.mktemp("out") / "two")


@pytest.fixture(scope="module")
def assessment(of_two):
    return external.assess_external(of_two, resamples=100)["external"]


def test_the_mean_prediction_is_that_of_the_mean_probability(of_two):
    first, second = (e.predictions for e in of_two.of_runs)
    whole = of_two.whole.predictions
    assert set(whole["fold"]) == {-1} and set(whole["split"]) == {"external"}
    assert first["image_id"].tolist() == whole["image_id"].tolist()
    for column in ("p_0", "p_1"):
        means = (first[column].astype(float) + second[column].astype(float)) / 2
        np.testing.assert_allclose(whole[column], means, equal_nan=True)
    outcome = whole["task"] == "outcome"
    expected = whole.loc[outcome, "p_1"] > whole.loc[outcome, "p_0"]
    assert (whole.loc[outcome, "prediction"] == expected).all()
    ages = [t.loc[t["task"] == "age", "prediction"] for t in (first, second)]
    np.testing.assert_allclose(
        whole.loc[whole["task"] == "age", "prediction"], np.mean(ages, axis=0)
    )


def test_a_dataset_is_looked_for_once_in_what_each_run_has_seen(
    runs, gamma_dir, tmp_path, monkeypatch
):
    looked, find = [], lineage.find
    monkeypatch.setattr(lineage, "find", lambda *a: looked.append(1) or find(*a))
    external.open_unseen(
        make_request(runs, "gamma", str(gamma_dir), out=tmp_path / "x")
    )
    assert len(looked) == len(runs) == 2


def test_labels_of_another_unit_than_that_of_the_run_are_refused(
    runs, gamma_dir, tmp_path
):
    run = RunFolder(shutil.copytree(runs[0].path, tmp_path / "run"))
    tasks = json.loads(run.tasks.read_text())
    for facts in tasks:
        facts["unit"] = "years" if facts["name"] == "age" else None
    run.tasks.write_text(json.dumps(tasks))
    dataset = open_dataset(gamma_dir, "gamma", "full_256")
    months = dataclasses.replace(dataset, units={"years": "months"})
    with pytest.raises(DataError, match="the run: years; years of dataset 'gamma': mo"):
        evaluate_on(run, months, {"age": "years"})
    # The other task has no unit.
    evaluate_on(run, months, {"outcome": "outcome"})


def test_the_metrics_are_those_of_the_mean_prediction(of_two, assessment):
    rows = of_two.whole.predictions
    rows = rows[(rows["task"] == "outcome") & rows["target"].notna()]
    assert assessment["outcome"]["unit"] == "patient"
    patients = rows.groupby("patient_id")[["target", "p_1"]].mean()
    entry = assessment["outcome"]["by_patient"]["metrics"]["auc"]
    expected = roc_auc_score(patients["target"], patients["p_1"])
    assert entry["value"] == pytest.approx(expected)
    assert entry["low"] < entry["value"] < entry["high"]
    stored = of_two.whole.metrics["external"]["outcome"]["auc"]
    assert stored == pytest.approx(roc_auc_score(rows["target"], rows["p_1"]))


def test_each_run_has_its_metrics(of_two, assessment):
    # No patient has two ages that agree, so these are by image.
    assert assessment["age"]["unit"] == "image"
    for name, evaluation in zip(of_two.request.run_names, of_two.of_runs, strict=True):
        table = evaluation.predictions
        rows = table[(table["task"] == "age") & table["target"].notna()]
        expected = mean_absolute_error(rows["target"], rows["prediction"])
        assert assessment["age"]["runs"][name]["mae"] == pytest.approx(expected)
    assert set(assessment["outcome"]["runs"]) == {"0", "1"}


def test_strata_are_of_fields_that_are_no_labels(assessment):
    strata = assessment["outcome"]["strata"]
    assert list(strata) == ["site", "sex", "view"]
    assert [own["n"] for own in strata["site"].values()] == [15, 5]
    assert [own["n"] for own in strata["view"].values()] == [20, 20]
    # South has 18 images, of which 8 have no outcome: 5 patients.
    assert strata["site"]["south"]["small"] is True


def test_calibrated_probabilities_are_the_mean_of_those_of_the_runs(of_two):
    means = np.zeros(N)
    for run, evaluation in zip(of_two.request.runs, of_two.of_runs, strict=True):
        table = evaluation.predictions
        raw = table.loc[table["task"] == "outcome", ["p_0", "p_1"]].to_numpy(float)
        means += calibration.read(run)["outcome"].apply(raw)[:, 1] / 2
    own = of_two.calibrated[of_two.calibrated["task"] == "outcome"]
    np.testing.assert_allclose(own["p_1"], means)
    assert set(of_two.calibrated["task"]) == {"outcome"}


def test_sections_on_calibration_are_in_the_assessment(of_two, assessment):
    own = assessment["outcome"]
    assert {"calibrated", "decision_curve"} <= set(own)
    # With so few patients a run may have no operating points.
    known = [calibration.read(run)["outcome"] for run in of_two.request.runs]
    names = set.intersection(*(set(of_run.operating_points) for of_run in known))
    assert set(own.get("operating_points", {}).get("outcome", {})) == names
    assert own["decision_curve"]["outcome"]["n"] == 40
    assert "calibrated" not in assessment["age"]


def test_files_of_several_runs(of_two, gamma_dir):
    folder = external.write_folder(of_two, lambda path: path)
    out = of_two.request.out
    assert not folder.exists() and not list(out.parent.glob(".*"))
    table = predictions.read(out / "predictions.csv")
    assert len(table) == 2 * N
    calibrated = predictions.read(out / "predictions_calibrated.csv")
    assert len(calibrated) == N
    of_runs = pd.read_csv(out / "predictions_of_runs.csv")
    assert of_runs.groupby("run").size().tolist() == [2 * N, 2 * N]
    stored = json.loads((out / "assessment.json").read_text())
    assert set(stored["external"]) == {"outcome", "age"}
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["external"]["age"]["n"] == N
    manifest = json.loads((out / "manifest.json").read_text())
    assert [run["name"] for run in manifest["runs"]] == ["0", "1"]
    # The data are not synthetic, but some of those of the training are.
    assert manifest["dataset"]["synthetic"] is False and manifest["synthetic"] is False
    for run, of in zip(manifest["runs"], of_two.request.runs, strict=True):
        images = json.loads(of.split.read_text())["datasets"]["alpha"]["train"]
        assert 0 < run["trained_with_synthetic"]["alpha"] <= len(images)
    own = json.loads((of_two.request.runs[0].assessment).read_text())["test"]
    expected = own["outcome"]["by_image"]["metrics"]["accuracy"]["value"]
    found = manifest["runs"][0]["own_test"]["outcome"]["by_image"]["accuracy"]
    assert found == expected
    with pytest.raises(ConfigError, match="cannot be written"):
        external.write_folder(of_two, lambda path: path)
    assert not list(out.parent.glob(".*"))


def test_the_manifest_says_how_numbers_were_read_as_classes(of_two):
    assert external.describe(of_two)["numbers_read"] == {}  # the labels are text
    numbers = np.array([1] * 30 + [0] * 10 + [-1] * (N - 40), np.int8)
    table = of_two.dataset.table | {"died": numbers}
    fed = fed_by(of_two.request.tasks, "gamma", {"outcome": "died", "age": "years"})
    dataset = dataclasses.replace(of_two.dataset, table=table)
    found = dataclasses.replace(of_two, dataset=dataset, tasks=fed)
    expected = {"outcome": "0 -> mild: 10, 1 -> severe: 30"}
    assert external.describe(found)["numbers_read"] == expected


def test_the_manifest_names_what_was_not_judged(of_two):
    assert external.describe(of_two)["not_judged"] == {}
    one = dataclasses.replace(of_two, tasks=of_two.tasks[:1])
    found = external.describe(one)["not_judged"]
    assert found["answers"] == ["age"] and "age" in found["text"]


def test_the_manifest_names_what_was_learned_from_permuted_labels(of_two):
    assert external.describe(of_two)["meaningless"] == {}
    tasks = [dataclasses.replace(task, permute=True) for task in of_two.request.tasks]
    request = dataclasses.replace(of_two.request, tasks=tuple(tasks))
    # Only the evaluated ones.
    one = dataclasses.replace(of_two, request=request, tasks=of_two.tasks[:1])
    assert list(external.describe(one)["meaningless"]) == ["outcome"]


def test_an_error_leaves_an_existing_folder_as_it_was(runs, gamma_dir, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("kept")
    (out / "manifest.json").write_text('{"runs": [], "dataset": {}}')
    request = make_request(runs[:1], "gamma", str(gamma_dir), out=out, overwrite=True)
    result = external.evaluate_runs(request, external.open_unseen(request))

    def fail(folder):
        raise DataError("no page")

    with pytest.raises(DataError, match="no page"):
        external.write_folder(result, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    kept = sorted(path.name for path in out.iterdir())
    assert kept == ["manifest.json", "mine.txt"]
    external.write_folder(result, lambda path: path)
    assert not (out / "mine.txt").exists()
    assert not (out / "predictions_of_runs.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_patients_that_the_run_has_seen_are_refused(
    runs, prepare, stored_pixels, tmp_path
):
    """Also by other images of them, and in the split of validation."""
    rows = predictions.read(runs[0].predictions)
    seen = rows.loc[rows["split"] == "validation", "patient_id"].iloc[0]
    (new, other) = examples(stored_pixels)[:2]
    prepare(tmp_path, "alpha", [new, {**other, "patient_id": seen}])
    request = make_request(runs, "alpha", str(tmp_path))
    with pytest.raises(LeakageError, match=f"1 of these patients.*such as '{seen}'"):
        external.open_unseen(request)


@pytest.fixture
def begun(runs, tmp_path):
    """`begun(**facts)`: a copy of a run whose manifest has other facts."""

    def begun(**facts):
        copy = RunFolder(shutil.copytree(runs[0].path, tmp_path / "begun"))
        manifest = copy.read_json(copy.manifest) | facts
        copy.manifest.write_text(json.dumps(manifest))
        return copy

    return begun


def test_data_that_the_start_of_the_run_has_seen_are_refused(runs, begun, gamma_dir):
    gamma = open_dataset(gamma_dir, "gamma", "full_256")
    start = lineage.of_lists([gamma], {"gamma": {"train": ["g03", "g07"]}})
    own = runs[0].read_json(runs[0].manifest)[lineage.NOTE]
    run = begun(**{lineage.NOTE: lineage.combined(start, own)})
    # Each patient has two images.
    with pytest.raises(LeakageError, match=f"started from, .* 4 of these {N} images"):
        external.open_unseen(make_request([run], "gamma", str(gamma_dir)))


def test_pixels_that_the_start_has_seen_are_refused_under_any_name(
    begun, write_hashed, caplog
):
    shown = pictures(3, 5)
    seen = write_hashed("before", shown[:2], ["p0", "p1"])
    new = write_hashed("ward", shown[1:], ["q0", "q1"])
    note = lineage.of_lists([seen], {"before": {"train": ["before1"]}})
    run, data_dir = begun(**{lineage.NOTE: note}), str(new.folder.parents[2])
    with pytest.raises(LeakageError, match="1 of 2 images are the same .* 'ward0'"):
        external.open_unseen(make_request([run], "ward", data_dir))
    request = make_request([run], "ward", data_dir, allow_identical=True)
    external.open_unseen(request)
    assert "(--allow-identical-images)" in caplog.text


def test_a_start_whose_data_are_unknown_has_a_warning(begun, gamma_dir, caplog):
    run = begun(**{lineage.NOTE: lineage.empty(["mine.weights.h5"])})
    request = make_request([run], "gamma", str(gamma_dir))
    result = external.evaluate_runs(request, external.open_unseen(request))
    assert caplog.text.count("data of the start mine.weights.h5 are unknown") == 1
    (facts,) = external.describe(result)["runs"]
    assert facts["unknown_starts"] == ["mine.weights.h5"]


def test_a_run_without_its_predictions_is_refused(runs, gamma_dir, tmp_path):
    copy = RunFolder(shutil.copytree(runs[0].path, tmp_path / "copy"))
    copy.predictions.unlink()
    request = make_request([copy], "gamma", str(gamma_dir))
    with pytest.raises(DataError, match="predictions.csv: missing"):
        external.open_unseen(request)


def test_progress_counts_the_images_of_all_runs(runs, gamma_dir, tmp_path):
    request = make_request(runs, "gamma", str(gamma_dir), out=tmp_path / "out")
    seen = []
    external.evaluate_runs(
        request,
        external.open_unseen(request),
        lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (2 * N, 2 * N) and [d for d, _ in seen] == sorted(
        {d for d, _ in seen}
    )


def test_images_are_compared_with_those_of_training_and_validation(
    runs, gamma_dir, monkeypatch, tmp_path, caplog
):
    seen = []
    monkeypatch.setattr(external, "check_unseen_images", lambda *a: seen.append(a))
    out = tmp_path / "out"
    request = make_request(runs, "gamma", str(gamma_dir), out=out, allow_identical=True)
    external.open_unseen(request)
    # Once for both folds.
    ((dataset, (trained,), used, allowed),) = seen
    assert (dataset.name, trained.name, allowed) == ("gamma", "alpha", True)
    lists = [Split.read(run.split).datasets["alpha"] for run in runs]
    fitted = [set(one["train"]) | set(one["validation"]) for one in lists]
    assert used == {"alpha": fitted[0] | fitted[1]}

    def gone(*_):
        raise DataError("DATA: dataset 'alpha' is not prepared")

    monkeypatch.setattr(external, "open_datasets", gone)
    external.open_unseen(request)
    assert len(seen) == 1
    assert "not compared with the images of the training of alpha: DATA" in caplog.text
