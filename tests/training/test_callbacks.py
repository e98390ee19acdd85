"""Selection, patience, history and resuming, on a model of a few weights."""

import csv
import re

import numpy as np
import pytest
from small_networks import small_model

from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.tasks import Property, make_task
from mdmt_tf.tasks.regression import Regression
from mdmt_tf.training import callbacks

NAN = float("nan")
TASK = make_task(name="prognosis", kind="categorical", classes=("mild", "severe"))


def select(values, tmp_path, metric="loss", warmup=0, patience=None):
    """The selection after a run whose validation metric takes these values."""
    model = small_model()
    model.stop_training = False
    selection = callbacks.Selection("prognosis", metric, warmup, patience)
    selection.set_model(model)
    kept = []
    for epoch, value in enumerate(values):
        model.get_layer("hidden").bias.assign(np.full(4, epoch))
        logs = {f"validation/prognosis/{metric}": value}
        selection.on_epoch_end(epoch, logs)
        kept.append(logs["selected"])
        if model.stop_training:
            break
    best = small_model()
    if selection.best is not None:
        selection.write_best(model, tmp_path / "best.weights.h5")
        best.load_weights(tmp_path / "best.weights.h5")
        assert best.get_layer("hidden").bias[0] == selection.progress["best_epoch"]
    return selection.progress, kept


def test_the_lowest_loss_is_kept(tmp_path):
    progress, kept = select([3.0, 1.0, 2.0], tmp_path)
    assert (progress["best"], progress["best_epoch"]) == (1.0, 1)
    assert kept == [1, 1, 0]


def test_the_highest_auc_is_kept(tmp_path):
    progress, _ = select([0.6, 0.9, 0.7], tmp_path, metric="auc")
    assert (progress["best"], progress["best_epoch"]) == (0.9, 1)


def test_nothing_is_selected_or_stopped_in_the_warm_up(tmp_path):
    progress, kept = select([0.1, 0.2, 3.0, 2.0], tmp_path, warmup=2, patience=1)
    assert (progress["best"], progress["best_epoch"]) == (2.0, 3)
    assert kept == [0, 0, 1, 1] and not progress["stopped"]


def test_patience_counts_epochs_without_improvement(tmp_path):
    progress, kept = select([5.0, 4.0, 4.0, 4.5, 1.0], tmp_path, patience=2)
    assert progress["stopped"] and len(kept) == 4
    assert progress["best_epoch"] == 1


def test_an_undefined_metric_keeps_the_last_epoch_until_one_is_defined(tmp_path):
    progress, _ = select([NAN, NAN], tmp_path, metric="auc")
    assert progress["best_epoch"] == 1 and progress["best"] is None
    progress, _ = select([NAN, 0.6, NAN], tmp_path, metric="auc")
    assert progress["best_epoch"] == 1 and progress["best"] == 0.6


def test_history_has_a_row_an_epoch_and_gaps_for_nan(tmp_path):
    history = callbacks.History(tmp_path / "history.csv")
    history.on_epoch_end(0, {"a": 1.5, "b": NAN})
    history.on_epoch_end(1, {"a": 2.5, "b": 3.0})
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"epoch": "0", "a": "1.5", "b": ""},
        {"epoch": "1", "a": "2.5", "b": "3.0"},
    ]


def test_progress_fits_a_terminal_and_its_columns_stand_below_their_headings():
    written = []
    severity = make_task(name="severity", kind="categorical", cut_points=(5, 9, 14))
    age = make_task(name="age", kind="regression")
    progress = callbacks.ProgressLines(
        (TASK, severity, age), 300, 7, "loss", written.append, False
    )
    progress.on_epoch_begin(9)
    logs = {"seconds": 12.3, "selected": 1}
    for task in ("prognosis", "severity", "age"):
        logs[f"train/{task}/loss"] = 0.61234
        logs[f"validation/{task}/loss"] = 11.51234
        logs[f"validation/{task}/balanced_accuracy"] = 0.71234
        logs[f"validation/{task}/mae"] = 4.0
    progress.on_epoch_end(9, logs)
    (line,) = written
    legend, names, columns = progress.header().splitlines()
    assert max(map(len, (line.rstrip("\n"), legend, names, columns))) <= 80
    ends = [match.end() for match in re.finditer(r"train|valid|BAcc|MAE", columns)]
    assert [line[:end].split()[-1] for end in ends[:3]] == ["0.612", "11.512", "0.712"]
    assert all(line[end] == " " for end in ends)
    assert line.split()[:2] == ["10/300", "12s"] and line.rstrip().endswith("*")


@pytest.mark.parametrize("metric", ["kappa", "mae", "rmse", "brier"])
def test_progress_shows_what_each_task_has(metric):
    """A metric of one task may select while the others do not have it."""
    written = []
    tasks = (
        TASK,
        make_task(name="grade", kind="ordinal", cut_points=(5, 9)),
        make_task(name="age", kind="regression"),
    )
    progress = callbacks.ProgressLines(tasks, 3, 7, metric, written.append, False)
    progress.on_epoch_begin(0)
    logs = {"seconds": 1.0, "selected": 0}
    for task in tasks:
        classes = np.arange(2) if task.n_classes else np.array([0.5, 2.0])
        said = np.full((2, max(task.n_classes, 1)), 1 / max(task.n_classes, 1))
        logs[f"train/{task.name}/loss"] = 1.0
        for name, value in task_metrics(task, classes, said).items():
            logs[f"validation/{task.name}/{name}"] = value
    progress.on_epoch_end(0, logs)
    assert len(written) == 1 and len(progress.header().splitlines()[2]) <= 80


@pytest.mark.parametrize(
    ("properties", "shown"), [({Property.NUMBER}, "R2"), (set(), "loss")]
)
def test_progress_shows_a_task_without_classes_and_errors(properties, shown):
    """A new kind has some metric of the terminal, or its loss alone."""

    hazard = type("Hazard", (Regression,), {"properties": frozenset(properties)})
    progress = callbacks.ProgressLines(
        (hazard(name="time"),), 3, 7, "auc", [].append, False
    )
    assert progress.header().splitlines()[2].split()[-1] == shown
