"""The tables that `train` prints at the end, in a terminal of 80 columns."""

import types

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.runs import predictions, summary
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.statistics.assessment import assess_splits
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.storage import write_json
from mdmt_tf.tasks import make_task


def table_of(task, split, images, generator, labels_change=False):
    """20 patients with 1 to `images` images; all of a class, or each of its own."""
    patients = 20
    of = np.repeat(np.arange(patients), 1 + np.arange(patients) % images)
    labels = (np.arange(len(of)) if labels_change else of) % task.n_classes
    chances = generator.dirichlet(np.ones(task.n_classes), len(of))
    chances = (chances + 0.7 * np.eye(task.n_classes)[labels]) / 1.7
    rows = pd.DataFrame({"dataset": "ward", "split": split, "fold": 0, "site": ""}, of)
    rows = rows.assign(patient_id=of.astype(str), image_id=np.arange(len(of)))
    return predictions.prediction_table(task, rows, labels, chances)


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A function that makes a run with one, or up to three images a patient."""
    monkeypatch.setenv("COLUMNS", "80")

    def finished(images, labels_change=False, splits=("train", "validation", "test")):
        settings = config.load("phantom")
        tasks = settings.build_tasks()
        run = RunFolder(tmp_path)
        files.write(settings.to_plain(), run.config, "made")
        generator = np.random.default_rng(0)
        table = pd.concat(
            table_of(task, split, images, generator, labels_change)
            for split in splits
            for task in tasks
        )
        write_json(run.manifest, {"synthetic": True})
        write_json(run.metrics, predictions.metrics_of(table, tasks))
        write_json(run.assessment, assess_splits(table, tasks, resamples=200))
        return run

    return finished


def printed(run, capsys, calibrations=types.MappingProxyType({})):
    summary.print_metrics(run, calibrations)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80 and not any("…" in line for line in lines)
    return lines


def below(lines, title):
    """First words of the rows of the table with this title."""
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    block = lines[start + 1 :]
    if "" in block[3:]:
        block = block[: block.index("", 3)]
    names = ("train", "validation", "test", "95% low", "95% high")
    return [
        next((n for n in names if line.strip().startswith(n)), "") for line in block
    ]


def test_by_image_where_every_patient_has_one(finished, capsys):
    lines = printed(finished(images=1), capsys)
    assert "prognosis by image: 20 test images of 20 patients" in lines
    assert not any("by patient" in line for line in lines)
    rows = [name for name in below(lines, "prognosis by image") if name]
    assert rows == ["train", "validation", "test", "95% low", "95% high"]
    assert any(line.startswith("SYNTHETIC") for line in lines)


def test_the_title_of_a_number_has_its_unit():
    task = make_task(kind="regression", name="stay", unit="days")
    assert summary.image_title(task, {}) == "stay (days)"


def test_the_patient_comes_first_where_patients_have_several_images(finished, capsys):
    run = finished(images=3)
    lines = printed(run, capsys)
    titles = [line for line in lines if " by " in line and line.startswith("prognosis")]
    assert titles == [
        "prognosis by patient (mean of the patient's images)",
        "prognosis by image: 39 test images of 20 patients",
    ]
    rows = [name for name in below(lines, titles[0]) if name]
    assert rows == ["validation", "test", "95% low", "95% high"]
    entry = run.read_json(run.assessment)["test"]["prognosis"]["by_patient"]
    start = lines.index(titles[0])
    judged = [line.split() for line in lines[start:] if line.strip()][4:7]
    # The first metric is the accuracy.
    accuracy = entry["metrics"]["accuracy"]
    assert judged[0][:3] == ["test", "20", f"{accuracy['value']:.3f}"]
    assert judged[1][:3] == ["95%", "low", f"{accuracy['low']:.3f}"]
    assert judged[2][:3] == ["95%", "high", f"{accuracy['high']:.3f}"]


@pytest.mark.parametrize("width", ["40", "60"])
def test_no_number_is_broken_in_a_window_of_another_width(
    finished, capsys, monkeypatch, width
):
    run = finished(images=3)
    monkeypatch.setenv("COLUMNS", width)
    lines = printed(run, capsys)
    assert max(map(len, lines)) <= int(width)
    words = {word for line in lines for word in line.split()}
    entries = run.read_json(run.assessment)["test"]["prognosis"]["by_patient"]
    for name in ("accuracy", "auc", "npv"):
        assert f"{entries['metrics'][name]['value']:.3f}" in words
    assert {"validation", "test", "low", "high"} <= words


def test_labels_that_change_are_judged_by_image(finished, capsys):
    lines = printed(finished(images=3, labels_change=True), capsys)
    start = lines.index("severity by image: 39 test images of 20 patients,")
    assert lines[start + 1] == "13 of them with labels that change between images"
    assert not any("by patient" in line for line in lines)


def test_without_a_test_split_validation_is_judged(finished, capsys):
    lines = printed(finished(images=1, splits=("train", "validation")), capsys)
    assert "prognosis by image: 20 validation images of 20 patients" in lines
    rows = [name for name in below(lines, "prognosis by image") if name]
    assert rows == ["train", "validation", "95% low", "95% high"]


def test_a_run_of_an_earlier_version_has_its_metrics(finished, capsys):
    run = finished(images=3)
    run.assessment.unlink()
    lines = printed(run, capsys)
    rows = [name for name in below(lines, "prognosis") if name]
    assert rows == ["train", "validation", "test"]
    assert not any("95%" in line for line in lines)


def test_lines_of_huge_slopes_fit_into_80_characters():
    metrics = {
        "ece": {"value": 0.241, "low": 0.0, "high": 0.24},
        "calibration_slope": {"value": 29456.7, "low": -1481756.99, "high": 816931.1},
    }
    own = {"unit": "image", "by_image": {"metrics": metrics}}
    lines = summary.calibration_lines(own | {"calibrated": own})
    assert "slope 29457 [-1481757, 816931]" in lines[1]
    assert "ECE 0.241 [0.000, 0.240]" in lines[1]
    assert max(map(len, lines)) <= 80


def test_a_calibration_that_changes_nothing_has_no_lines(finished, capsys):
    """As one that was not fitted; a huge slope changes with rounding alone."""
    run = finished(images=1)
    assessed = run.read_json(run.assessment)
    of_task = assessed["test"]["prognosis"]
    slope = {"value": -2817.0, "low": None, "high": None}
    again = {"metrics": {"calibration_slope": slope}}
    of_task["calibrated"] = {"by_image": again, "by_patient": again}
    write_json(run.assessment, assessed)
    heading = "Calibration on test, with 95% intervals:"
    for changes, temperature, ratio in (
        (False, 1.0, (2.0, 2.0)),
        (True, 1.5, (1.0, 1.0)),
        (True, 1.0, (3.0, 1.0)),
    ):
        known = Calibration(temperature=temperature, prior_ratio=ratio)
        lines = printed(run, capsys, {"prognosis": known})
        assert (heading in lines) == changes
    assert heading not in printed(run, capsys, {})


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("mae", 0.00042, "0.000420"),
        ("r2", -0.0002, "0.000"),
        ("r2", None, "–"),
        ("mae", 1234.567, "1234.6"),
        ("accuracy", 0.98765, "0.988"),
    ],
)
def test_numbers_have_the_digits_that_they_need(capsys, metric, value, text):
    rows = [summary.Row("test", "9", {metric: value})]
    summary.print_table(Console(width=80, highlight=False), "stay", [metric], rows)
    assert capsys.readouterr().out.splitlines()[-2].split() == ["test", "9", text]


def test_one_image_is_no_images(finished):
    run = finished(images=1)
    (task, *_) = run.read_answers(run.settings())
    assessed = run.read_json(run.assessment)["test"][task.name]
    assessed["by_image"] |= {"n": 1, "patients": 1}
    title = summary.image_title(task, {"test": assessed})
    assert title == f"{task.name} by image: 1 test image of 1 patient"
