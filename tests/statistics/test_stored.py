"""Stored assessments and calibrations must follow from the predictions."""

import json

import numpy as np
import pandas as pd
import pytest

from mdmt_tf import storage
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.statistics.assessment import assess_splits
from mdmt_tf.statistics.calibration_fit import fit_calibrations
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.statistics.stored import differences, other_stored
from mdmt_tf.tasks import make_task

TASK = make_task(kind="binary", name="death", classes=("no", "yes"))


@pytest.fixture(scope="module")
def table():
    """60 patients in validation and in test; the scores say something."""
    generator, tables = np.random.default_rng(0), []
    for split in ("validation", "test"):
        target = generator.integers(0, 2, 60)
        p = 1 / (1 + np.exp(-generator.normal(2 * target - 1)))
        names = [f"{split}{number}" for number in range(60)]
        rows = pd.DataFrame({"image_id": names, "patient_id": names})
        rows = rows.assign(dataset="ward", split=split, fold=0, site="A")
        chances = np.stack([1 - p, p], axis=1)
        tables.append(predictions.prediction_table(TASK, rows, target, chances))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def run(table, tmp_path):
    """With the files that training writes."""
    run = RunFolder(tmp_path)
    known = fit_calibrations(table[table["split"] == "validation"], [TASK])
    stored = {name: own.to_plain() for name, own in known.items()}
    storage.write_json(run.calibration, stored)
    found = assess_splits(table, [TASK], resamples=40)
    tested = table[table["split"] == "test"]
    sections = calibration_sections(tested, [TASK], known, resamples=40)
    found["test"]["death"] |= sections["death"]
    storage.write_json(run.assessment, found)
    return run


def change(path, *keys, value):
    plain = json.loads(path.read_text())
    inner = plain
    for key in keys[:-1]:
        inner = inner[key]
    assert inner[keys[-1]] != value
    inner[keys[-1]] = value
    storage.write_json(path, plain)


def test_what_training_writes_follows(run, table):
    assert other_stored(run, table, [TASK]) == []


@pytest.mark.parametrize(
    ("file", "keys", "value"),
    [
        ("calibration", ("death", "temperature"), 1.5),
        ("calibration", ("death", "patients"), 59),
        ("calibration", ("death", "operating_points", "youden"), 0.99),
        ("assessment", ("test", "death", "unit"), "patient"),
        ("assessment", ("test", "death", "by_patient", "patients"), 61),
        ("assessment", ("test", "death", "by_image", "metrics", "auc", "value"), 0.99),
        ("assessment", ("validation", "death", "by_image", "n"), None),
        (
            "assessment",
            ("test", "death", "calibrated", "by_image", "metrics", "ece", "value"),
            0.001,
        ),
        (
            "assessment",
            ("test", "death", "operating_points", "death", "youden", "metrics")
            + ("sensitivity", "value"),
            1.0,
        ),
        (
            "assessment",
            ("test", "death", "decision_curve", "death", "model", 3),
            0.123,
        ),
    ],
)
def test_a_changed_value_is_named(run, table, file, keys, value):
    path = getattr(run, file)
    change(path, *keys, value=value)
    lines = other_stored(run, table, [TASK])
    # A changed threshold also moves what is computed at it.
    words = [key for key in keys if isinstance(key, str)]
    assert any(line.startswith(path.name) and " ".join(words) in line for line in lines)


def test_runs_of_earlier_versions_lack_the_files(table, tmp_path):
    assert other_stored(RunFolder(tmp_path), table, [TASK]) == []


def test_earlier_versions_stored_metrics_over_the_classes_present():
    stored = {"metrics": {"g_mean": {"value": 1.0}, "recall": {"value": 1.0}}}
    nothing = {"value": float("nan")}
    lines = list(differences(stored, {"metrics": dict.fromkeys(METRICS, nothing)}))
    assert len(lines) == 1 and lines[0].startswith("metrics recall value = 1,")


def test_only_what_is_stored_is_compared():
    found = {"auc": {"value": 0.8, "low": 0.1}, "new": 1}
    assert list(differences({"auc": {"value": 0.8, "low": 0.7}}, found)) == []
    assert list(differences({"auc": None}, {"auc": float("nan")})) == []
    (line,) = differences({"old": 2}, found)
    assert line == "old = 2, but predictions.csv gives nothing"
    (line,) = differences({"curve": [1.0, 2.0]}, {"curve": [1.0, 2.5]})
    assert line == "curve[1] = 2, but predictions.csv gives 2.5"
    # Neither is a number for the other.
    for stored, other in ((0.5, "half"), ("half", 0.5), (True, None)):
        (line,) = differences({"kind": stored}, {"kind": other})
        assert line.startswith("kind = ")
