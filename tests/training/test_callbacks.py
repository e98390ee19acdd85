"""Selection, patience, history and resuming, on a model of a few weights."""

import csv

import numpy as np
import pytest
from small_networks import small_model

from mdmt_tf.training import callbacks

NAN = float("nan")


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
    progress, kept = select([NAN, NAN], tmp_path, metric="auc")
    assert progress["best_epoch"] == 1 and progress["best"] is None
    assert kept == [0, 0]
    progress, kept = select([NAN, 0.6, NAN], tmp_path, metric="auc")
    assert progress["best_epoch"] == 1 and progress["best"] == 0.6
    assert kept == [0, 1, 0]


def test_patience_does_not_count_an_epoch_without_a_defined_metric(tmp_path):
    progress, kept = select([NAN] * 5, tmp_path, metric="auc", patience=2)
    assert len(kept) == 5 and not progress["stopped"]
    # Epochs 2 and 4 are without improvement.
    values = [NAN, 0.6, 0.5, NAN, 0.5, 0.9]
    progress, kept = select(values, tmp_path, metric="auc", patience=2)
    assert progress["stopped"] and kept == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_resumed_selection_ends_as_an_uninterrupted_one(cut, tmp_path):
    values = [NAN, NAN, 0.6, NAN, 0.5, NAN, 0.4, 0.9]
    whole, _ = select(values, tmp_path, metric="auc", patience=2)
    assert (whole["best_epoch"], whole["stopped"]) == (2, True)
    before, _ = select(values[:cut], tmp_path, metric="auc", patience=2)
    resumed = callbacks.Selection("prognosis", "auc", 0, 2)
    resumed.set_model(small_model())
    resumed.progress = before
    resumed.count()
    for epoch, value in enumerate(values[cut:], start=cut):
        if resumed.progress["stopped"]:
            break
        resumed.on_epoch_end(epoch, {"validation/prognosis/auc": value})
    assert resumed.progress == whole


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
