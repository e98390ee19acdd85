"""Predictions from tables alone."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments.baselines import MODELS, FieldModel, fit_baseline
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split
from mdmt_tf.tasks import make_task

TASK = make_task(
    name="outcome",
    kind="categorical",
    classes=("mild", "severe"),
    sources={"cxr": "severe"},
)


@pytest.fixture
def table():
    """AP is severe in 9 of 10, PA in 1 of 10, whatever the age."""
    n = 200
    ap = np.arange(n) % 2 == 0
    agrees = np.arange(n) // 2 % 10 != 0
    ids = np.array([f"i{row:03d}" for row in range(n)], object)
    age = 40.0 + np.arange(n) * 7 % 50
    return {
        "image_id": ids,
        "patient_id": ids,
        "site": np.full(n, "A", object),
        "severe": np.where(ap == agrees, 1, 0),
        "projection": np.array([("AP", "ap ")[r % 3 == 0] if a else "PA"
                                for r, a in enumerate(ap)], object),
        "age": np.where(np.arange(n) % 11 == 0, np.nan, age),
    }  # fmt: skip


@pytest.fixture
def fitted(table, tmp_path):
    def fitted(*fields, name="run", changed=None, model="logistic"):
        tables = {"cxr": table | (changed or {})}
        split = make_split({"cxr": table}, [TASK], SplitSettings())
        section = BaselineSection(task="outcome", model=model, fields={"cxr": fields})
        run = RunFolder(tmp_path / name)
        fit_baseline(FieldModel(section), TASK, tables, split, run, {"synthetic": True})
        return run, split

    return fitted


def test_two_columns_are_told_apart_by_their_shares(fitted):
    run, _ = fitted("projection")
    rows = predictions.read(run.predictions)
    assert len(rows) == 200 and set(rows["split"]) == {"train", "validation", "test"}
    metrics = json.loads(run.metrics.read_text())
    assert metrics["test"]["outcome"]["accuracy"] == pytest.approx(0.9, abs=0.08)
    # "ap " and "AP" are one value: two different probabilities in all.
    assert len(set(rows["p_1"].round(12))) == 2
    assert run.is_finished and run.split.is_file()
    assert json.loads(run.manifest.read_text())["synthetic"] is True


def test_it_is_scikit_learns_regression_on_the_training_split(fitted, table):
    run, split = fitted("age", name="age")
    train = np.isin(table["image_id"], split.datasets["cxr"]["train"])
    age, known = table["age"], ~np.isnan(table["age"])
    filled = np.where(known, age, np.median(age[train & known]))
    columns = np.stack([filled, ~known], axis=1).astype(float)
    mean, sd = columns[train].mean(axis=0), columns[train].std(axis=0)
    columns = (columns - mean) / sd
    model = LogisticRegression(max_iter=1000).fit(
        columns[train], table["severe"][train]
    )
    expected = dict(
        zip(table["image_id"], model.predict_proba(columns)[:, 1], strict=True)
    )
    rows = predictions.read(run.predictions)
    np.testing.assert_allclose(
        rows["p_1"], [expected[image] for image in rows["image_id"]], atol=1e-6
    )


@pytest.mark.parametrize("model", sorted(MODELS))
def test_labels_outside_the_training_part_do_not_matter(fitted, table, model):
    first, split = fitted("projection", "age", model=model)
    outside = ~np.isin(table["image_id"], split.datasets["cxr"]["train"])
    changed = {"severe": np.where(outside, 1 - table["severe"], table["severe"])}
    options = {"changed": changed, "model": model}
    second, _ = fitted("projection", "age", name="second", **options)
    columns = [predictions.read(run.predictions)["p_1"] for run in (first, second)]
    np.testing.assert_array_equal(*columns)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_fields_outside_the_training_part_do_not_matter(fitted, table, model):
    """Neither to the weights nor to the median, the mean and the deviation."""
    first, split = fitted("projection", "age", model=model)
    train = np.isin(table["image_id"], split.datasets["cxr"]["train"])
    changed = {
        "age": np.where(train, table["age"], 1e4),
        "projection": np.where(train, table["projection"], "lateral"),
    }
    options = {"changed": changed, "model": model}
    second, _ = fitted("projection", "age", name="second", **options)
    tables = [predictions.read(run.predictions) for run in (first, second)]
    parts = [rows.loc[rows["split"] == "train", "p_1"] for rows in tables]
    np.testing.assert_array_equal(*parts)


def accuracy_of(run) -> float:
    return json.loads(run.metrics.read_text())["test"]["outcome"]["accuracy"]


def test_a_perceptron_finds_what_two_fields_say_only_together(fitted, table):
    """Severe where one of two is: of the four corners a plane gets three at most."""
    a, b = np.arange(200) % 2, np.arange(200) // 2 % 2
    options = {"changed": {"severe": a ^ b, "a": a, "b": words_of(b)}}
    logistic, _ = fitted("a", "b", name="logistic", **options)
    mlp, _ = fitted("a", "b", name="mlp", model="mlp", **options)
    assert accuracy_of(mlp) == 1.0
    assert accuracy_of(logistic) < 0.75
    assert json.loads(mlp.manifest.read_text())["baseline"]["model"] == "mlp"


def words_of(values):
    return np.array(["yes" if value else "no" for value in values], object)


def test_a_perceptron_does_not_learn_noise_by_heart(fitted, table):
    generator = np.random.default_rng(0)
    names = [f"noise{number}" for number in range(20)]
    changed = {name: generator.normal(size=200) for name in names}
    run, _ = fitted(*names, model="mlp", changed=changed)
    metrics = json.loads(run.metrics.read_text())
    # log 2 for a coin; above 3 without the penalty.
    assert metrics["test"]["outcome"]["loss"] < 1.2


def test_a_perceptron_is_the_same_twice(fitted):
    with warnings.catch_warnings():
        # Nor does it stop before it has converged.
        warnings.simplefilter("error")
        first, _ = fitted("projection", "age", model="mlp")
        second, _ = fitted("projection", "age", name="second", model="mlp")
    assert first.predictions.read_bytes() == second.predictions.read_bytes()
    third, _ = fitted("projection", "age", name="third")
    assert first.predictions.read_bytes() != third.predictions.read_bytes()


def test_unknown_labels_are_predicted_and_not_counted(fitted, table):
    unknown = np.arange(200) % 4 == 0
    changed = {"severe": np.where(unknown, -1, table["severe"])}
    run, _ = fitted("projection", changed=changed)
    rows = predictions.read(run.predictions)
    assert rows["target"].isna().sum() == unknown.sum() and rows["p_1"].notna().all()


def test_wrong_fields_and_a_single_class(fitted, table):
    with pytest.raises(DataError, match="no field 'projektion'. Did you mean"):
        fitted("projektion")
    with pytest.raises(DataError, match="fewer than two classes"):
        fitted("age", changed={"severe": np.ones(200, int)})
    with pytest.raises(DataError, match="'age' is a single value"):
        fitted("age[0]")


def test_a_finished_one_is_not_written_over(fitted):
    run, _ = fitted("age")
    before = run.metrics.stat().st_mtime_ns
    fitted("age")
    assert run.metrics.stat().st_mtime_ns == before
    # Nothing half-made is left beside it.
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("model", MODELS)
def test_a_patient_with_many_images_counts_once(model):
    # In ward A, one of 11 patients is severe, and has 20 of the 30 images; in ward B
    # all ten are.
    rows = pd.DataFrame({"patient_id": [*range(10), *[10] * 20, *range(11, 21)]})
    rows = rows.assign(dataset="cxr", split="train")
    ward = np.array(["A"] * 30 + ["B"] * 10, object)
    severe = np.array([0] * 10 + [1] * 30)
    section = BaselineSection(task="outcome", model=model, fields={"cxr": ["ward"]})
    chances = {
        by_patient: FieldModel(section, by_patient).probabilities(
            TASK, rows, pd.DataFrame({"field_0": ward}), severe
        )
        for by_patient in (False, True)
    }
    # 20 of 30 images, but 1 of 11 patients.
    assert chances[True][0, 1] < 1 / 3 and chances[False][0, 1] > 1 / 2
