"""The callback: one chart for two splits, undefined values, when pictures are drawn."""

import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.tasks import make_task
from mdmt_tf.training.tensorboard import callback as module
from mdmt_tf.training.tensorboard.callback import TensorBoard
from mdmt_tf.training.tensorboard.charts import Charts

DEATH = make_task(kind="binary", name="death", classes=("no", "yes"))
CHANCES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])


class Judged:
    """Stands for `Judge`."""

    def __init__(self, auc=0.5):
        self.answers = {"death": [(DEATH, np.array([0, 1, 1]), CHANCES)]}
        self._auc = auc

    def __call__(self):
        return {"death": {"n": 3, "loss": 9.0, "auc": self._auc}}


def example():
    images = np.zeros((3, 8, 8, 1), np.float32)
    weights = {"death": np.ones(3)}
    return images, {"death": np.ones((3, 1), np.float32)}, weights, {"death": CHANCES}


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """Drawing takes most of the time; its own tests are elsewhere."""
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    monkeypatch.setattr(module, "draw_examples", lambda *batch: picture)
    drawn = {name: lambda answers, note: picture for name in module._DRAWN}
    monkeypatch.setattr(module, "_DRAWN", drawn)


@pytest.fixture
def train(tmp_path):
    def train(epochs, judges=None):
        """Run the callback with the logs of some epochs."""
        shown = TensorBoard(
            tmp_path / "real_data",
            Charts([DEATH], "death", "loss"),
            {"data": "ward", "config": "    seed: 1\n"},
            {"validation": Judged(), **(judges or {})},
            example,
        )
        shown.on_train_begin()
        for epoch, logs in enumerate(epochs):
            shown.on_epoch_end(epoch, logs)
        shown.on_train_end()
        return read(tmp_path / "real_data")

    return train


def read(folder):
    """{folder/tag: {step: value}}; a value is None unless it is a single number."""
    found = {}
    for path in sorted(folder.rglob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                array = tf.make_ndarray(value.tensor)
                is_number = array.dtype.kind == "f" and not array.ndim
                steps = found.setdefault(f"{path.parent.name}/{value.tag}", {})
                steps[event.step] = float(array) if is_number else None
    return found


def logs(selected=0, auc=0.75, loss=0.5):
    return {
        "train/loss": 1.5,
        "train/death/loss": 1.25,
        "validation/death/loss": loss,
        "validation/death/auc": auc,
        "validation/death/brier": 0.25,
        "validation/death/n": 3,
        "learning_rate": 0.125,
        "selected": selected,
    }


def test_training_and_validation_have_the_same_chart(train):
    found = train([logs(), logs(selected=1)], {"train": Judged(auc=1.0)})
    assert found["train/1 death/1 loss"] == {1: 1.25, 2: 1.25}
    assert found["validation/1 death/1 loss"] == {1: 0.5, 2: 0.5}
    assert found["train/1 death/3 auc"] == {1: 1.0, 2: 1.0}
    assert found["validation/1 death/3 auc"] == {1: 0.75, 2: 0.75}
    assert found["train/run/loss"] == {1: 1.5, 2: 1.5}
    assert not [tag for tag in found if tag.endswith(("brier", "/n", " n"))]
    # Curves of epochs whose weights are kept.
    assert found["train/1 death/yes"].keys() == {2}
    assert found["validation/1 death/yes"].keys() == {2}


def test_without_training_images_only_its_loss_is_a_chart(train):
    found = train([logs(selected=1)])
    train_charts = [tag for tag in found if tag.startswith("train/1")]
    assert train_charts == ["train/1 death/1 loss"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_undefined_value_leaves_a_gap(train, value):
    found = train([logs(), logs(auc=value), logs(auc=0.5)])
    assert found["validation/1 death/3 auc"] == {1: 0.75, 3: 0.5}
    assert found["validation/1 death/1 loss"].keys() == {1, 2, 3}


def test_a_metric_that_is_never_defined_has_no_chart(train):
    found = train([logs(auc=float("nan"))] * 2)
    assert "validation/1 death/3 auc" not in found


def test_the_last_kept_epoch_is_drawn_in_any_case(train, monkeypatch):
    # No time for pictures before the end.
    monkeypatch.setattr(module, "_DRAWING", 0.0)
    found = train([logs(selected=1), logs(selected=1), logs()])
    assert found["validation/1 death/confusion"].keys() == {2}
    assert found["validation/1 death/reliability"].keys() == {2}
    # Those of the beginning, and of the present weights.
    assert found["train/examples"].keys() == {0, 3}


def test_with_time_every_kept_epoch_is_drawn(train, monkeypatch):
    monkeypatch.setattr(module, "_DRAWING", 1e9)
    found = train([logs(selected=1), logs(), logs(selected=1)])
    assert found["validation/1 death/confusion"].keys() == {1, 3}
    assert found["train/examples"].keys() == {0, 1, 3}


def test_a_resumed_training_adds_to_what_is_there(train):
    train([logs(selected=1)])
    found = train([logs(), logs(selected=1)])
    assert found["train/run/loss"].keys() == {1, 2}
    assert found["train/examples"].keys() >= {0, 2}
