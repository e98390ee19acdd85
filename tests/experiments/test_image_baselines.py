"""Ridge on images: against scikit-learn on the same columns, and its stored columns."""

import json
import types

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments.baselines import fit_baseline, row_weights
from mdmt_tf.experiments.image_baselines import STRENGTH, ImageColumns, ImageModel
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split
from mdmt_tf.tasks import make_task

THUMBNAIL = BaselineSection(task="t", model="thumbnail")
KINDS = {
    "two": {"kind": "binary", "classes": ("no", "yes"), "sources": {"cxr": "severe"}},
    "ordinal": {"kind": "ordinal", "cut_points": (1, 2), "sources": {"cxr": "grade"}},
    "number": {"kind": "regression", "sources": {"cxr": "age"}},
    "several": {
        "kind": "multilabel",
        "classes": ("a", "b"),
        "sources": {"cxr": ("severe", "late")},
    },
}


@pytest.fixture(scope="module")
def table():
    """120 images of 60 patients; the labels follow the columns with noise."""
    generator = np.random.default_rng(1)
    values = generator.normal(size=(120, 6))
    values[:, 5] = 1.0  # constant
    noise = generator.normal(size=120)
    ids = np.array([f"i{row:03d}" for row in range(120)], object)
    patients = np.array([f"p{row // 2:02d}" for row in range(120)], object)
    return values.astype(np.float32), {
        "image_id": ids,
        "patient_id": patients,
        "site": np.full(120, "A", object),
        "severe": (values[:, 0] + noise > 0).astype(int),
        "late": np.where(np.arange(120) % 7 == 0, -1, (values[:, 1] > 0).astype(int)),
        "grade": np.clip(np.round(values[:, 1] + 1), 0, 2).astype(int),
        "age": 60 + 9 * values[:, 2] + noise,
    }


def fitted(table, kind, path, **options):
    values, fields = table
    task = make_task(name="t", **KINDS[kind])
    split = make_split({"cxr": fields}, [task], SplitSettings())
    run = RunFolder(path)
    model = ImageModel(THUMBNAIL, {"cxr": values}, **options)
    fit_baseline(model, task, {"cxr": fields}, split, run, {"synthetic": True})
    train = np.isin(fields["image_id"], split.datasets["cxr"]["train"])
    return run, train


def columns_of(values, train):
    values = values.astype(np.float64)[:, :5]
    standard = (values - values[train].mean(0)) / values[train].std(0)
    # The sixth is constant, but counts as a column.
    return standard / np.sqrt(6)


def in_order(rows, of_image, fields):
    found = dict(zip(fields["image_id"], of_image, strict=True))
    return np.array([found[image] for image in rows["image_id"]])


@pytest.mark.parametrize("kind, field", [("two", "severe"), ("ordinal", "grade")])
def test_classes_are_scikit_learns_regression_on_the_training_split(
    table, tmp_path, kind, field
):
    run, train = fitted(table, kind, tmp_path / "run")
    values, fields = table
    columns = columns_of(values, train)
    model = LogisticRegression(C=STRENGTH, max_iter=5000, tol=1e-9)
    expected = model.fit(columns[train], fields[field][train]).predict_proba(columns)
    rows = predictions.read(run.predictions)
    found = rows[[f"p_{c}" for c in range(expected.shape[1])]].to_numpy()
    np.testing.assert_allclose(found, in_order(rows, expected, fields), atol=2e-4)
    assert json.loads(run.manifest.read_text())["baseline"] == {
        "task": "t",
        "model": "thumbnail",
    }


def test_numbers_are_ridge_regression(table, tmp_path):
    run, train = fitted(table, "number", tmp_path / "run")
    values, fields = table
    columns, age = columns_of(values, train), fields["age"]
    mean, std = age[train].mean(), age[train].std()
    model = Ridge(alpha=1 / STRENGTH).fit(columns[train], (age[train] - mean) / std)
    rows = predictions.read(run.predictions)
    expected = in_order(rows, mean + std * model.predict(columns), fields)
    np.testing.assert_allclose(rows["prediction"], expected, rtol=1e-6)
    metrics = json.loads(run.metrics.read_text())["test"]["t"]
    # The noise is 1 year, the std of the labels 9.
    assert 0.5 < metrics["mae"] < 1.5


def test_each_of_several_labels_has_a_regression_on_its_known_rows(table, tmp_path):
    run, train = fitted(table, "several", tmp_path / "run")
    values, fields = table
    columns = columns_of(values, train)
    rows = predictions.read(run.predictions)
    for name, field in (("t/a", "severe"), ("t/b", "late")):
        own = rows[rows["task"] == name]
        known = train & (fields[field] >= 0)
        model = LogisticRegression(C=STRENGTH, max_iter=5000, tol=1e-9)
        model.fit(columns[known], fields[field][known])
        chances = model.predict_proba(columns)[:, 1]
        expected = in_order(own, chances, fields)
        # Columns are standardised by all rows of the training split.
        np.testing.assert_allclose(own["p_1"], expected, atol=2e-4)


def test_a_patient_counts_once_if_the_networks_are_trained_so(table, tmp_path):
    """One patient with its images copied changes nothing."""
    values, fields = table
    # Three of the images of a patient instead of one of them.
    of = np.r_[np.arange(120), 0, 0]
    more = {key: value[of] for key, value in fields.items()}
    more["image_id"] = np.array([f"i{row:03d}" for row in range(122)], object)
    rows = pd.DataFrame({"dataset": "cxr", "patient_id": more["patient_id"]})
    rows["split"] = "train"
    two = make_task(name="t", **KINDS["two"])
    columns = pd.DataFrame(values[of])
    found = {}
    for by_patient in (False, True):
        model = ImageModel(THUMBNAIL, {"cxr": values[of]}, by_patient)
        weights = row_weights(rows, np.full(122, True), by_patient)
        assert weights.mean() == pytest.approx(1)
        found[by_patient] = weights
        chances = model.probabilities(two, rows, columns, more["severe"])
        assert chances.shape == (122, 2)
    of_patient = pd.Series(found[True]).groupby(more["patient_id"]).sum()
    np.testing.assert_allclose(of_patient, 122 / 60)
    np.testing.assert_array_equal(found[False], 1)


def test_a_single_class_is_an_error_with_its_split(table, tmp_path):
    values, fields = table
    single = fields | {"severe": np.ones(120, int)}
    with pytest.raises(DataError, match=r"kfold.* of t: the training .* than two cla"):
        fitted((values, single), "two", tmp_path / "run")


def config_of(tasks, **pipeline):
    return types.SimpleNamespace(
        tasks={"t": types.SimpleNamespace(sources=tasks)},
        image_shape=(16, 16),
        pipeline=types.SimpleNamespace(weight_by="image", **pipeline),
    )


def test_features_are_computed_once_and_named_by_what_they_depend_on(
    alpha, beta, tiny_backbone, tmp_path, monkeypatch
):
    section = BaselineSection(
        task="t", model="features", backbone=tiny_backbone, weights=None
    )
    config = config_of({"alpha": "outcome", "beta": "total"})
    columns = ImageColumns(tmp_path, [alpha, beta], config)
    first = columns.model(section).of_dataset
    assert {name: own.shape for name, own in first.items()} == {
        "alpha": (40, 8),
        "beta": (23, 8),
    }
    assert columns.facts(section) == {"initial_weights": "random values"}
    files = sorted(path.name for path in tmp_path.iterdir())
    assert [name.rsplit("-", 1)[0] for name in files] == [
        "alpha-features",
        "beta-features",
    ]
    # Another process reads the files.
    monkeypatch.setattr(ImageColumns, "_compute", None)
    again = ImageColumns(tmp_path, [alpha, beta], config).model(section).of_dataset
    for name, own in first.items():
        np.testing.assert_array_equal(again[name], own)
    # Images of another size are other files.
    config.image_shape = (24, 24)
    with pytest.raises(TypeError):
        ImageColumns(tmp_path, [alpha, beta], config).model(section)


def test_thumbnails_do_not_depend_on_the_size_of_the_networks_images(alpha, tmp_path):
    config = config_of({"alpha": "outcome"})
    ImageColumns(tmp_path, [alpha], config).model(THUMBNAIL)
    config.image_shape = (24, 24)
    found = ImageColumns(tmp_path, [alpha], config).model(THUMBNAIL)
    assert found.of_dataset["alpha"].shape == (40, 256)
    assert len(list(tmp_path.iterdir())) == 1 and not found.by_patient
