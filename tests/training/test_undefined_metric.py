"""What is said before training where the validation labels can choose no epoch."""

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.errors import collected_warnings
from mdmt_tf.tasks import make_task
from mdmt_tf.training.undefined_metric import warn_of_undefined

pytestmark = pytest.mark.filterwarnings("ignore::mdmt_tf.errors.DataWarning")

NAN = float("nan")
KINDS = {
    "death": make_task(kind="binary", name="death", classes=("no", "yes")),
    "grade": make_task(kind="ordinal", name="grade", classes=("a", "b", "c")),
    "age": make_task(kind="regression", name="age"),
    "findings": make_task(kind="multilabel", name="findings", classes=("x", "y")),
}


def warning_of(task, metric, labels, weight_by="image"):
    """The warning; "" for none. Two images of each patient."""
    task, labels = KINDS[task], np.array(labels)
    n = len(labels)
    columns = {"dataset": "ward", "site": "", "image_id": [f"i{k}" for k in range(n)]}
    rows = pd.DataFrame(columns | {"patient_id": [f"p{k // 2}" for k in range(n)]})

    @dataclasses.dataclass
    class Rows:
        rows: pd.DataFrame

        def __len__(self):
            return n

        def labels_of(self, answer):
            assert answer is task
            return labels

    inputs = types.SimpleNamespace(
        tasks=(task,),
        derived=(),
        answers=(task,),
        samples={"validation": Rows(rows)},
        split=types.SimpleNamespace(fold=0),
    )
    select_on = types.SimpleNamespace(task=task.name, metric=metric)
    settings = types.SimpleNamespace(
        training=types.SimpleNamespace(select_on=select_on),
        pipeline=types.SimpleNamespace(weight_by=weight_by),
    )
    with collected_warnings() as found:
        warn_of_undefined(settings, inputs)
    return "".join(map(str, found))


@pytest.mark.parametrize(
    ("task", "metric", "labels", "reason"),
    [
        ("death", "auc", [0, 0, -1], "(labels of 2 images, all no)"),
        ("death", "balanced_accuracy", [0, 0, 0], "(labels of 3 images, all no)"),
        ("death", "g_mean", [1, 1, 1], "(labels of 3 images, all yes)"),
        ("death", "f1", [0, 0, 0], "(labels of 3 images, all no)"),
        ("grade", "f1_macro", [0, 1, 1], "(labels of 3 images, none c)"),
        ("grade", "uoc", [0, 1, 1], "(labels of 3 images, none c)"),
        ("death", "npv", [-1, -1], "(no label)"),
        ("death", "loss", [-1, -1], "Set training.select_on.task to another task"),
        ("grade", "auc", [0, 1, 1], "(labels of 3 images, none c)"),
        ("age", "r2", [7.0, 7.0, NAN], "(labels of 2 images, all 7)"),
        ("findings", "auc", [[0, 1], [0, 0]], "x: labels of 2 images, all"),
    ],
)
def test_labels_that_define_no_metric_are_named(task, metric, labels, reason):
    text = warning_of(task, metric, labels)
    assert reason in text and f"training.select_on.metric = {metric}:" in text
    assert "the last epoch is kept" in text


@pytest.mark.parametrize(
    ("task", "metric", "labels"),
    [
        ("death", "auc", [0, 1]),
        ("death", "loss", [0]),
        # Defined for a model that predicts such a class.
        ("death", "precision", [0, 0]),
        ("death", "npv", [1]),
        ("grade", "auc", [0, 1, 2]),
        ("grade", "kappa", [1, 1]),
        ("age", "r2", [7.0, 8.0]),
        ("age", "mae", [7.0]),
        ("findings", "auc", [[0, 1], [1, 0]]),
    ],
)
def test_nothing_is_said_where_the_metric_may_be_defined(task, metric, labels):
    assert warning_of(task, metric, labels) == ""


def test_it_is_the_metric_of_patients_where_they_count():
    labels = [0, 0, 1, 1]
    assert warning_of("death", "auc", labels, "patient") == ""
    assert "all no" in warning_of("death", "auc", [0] * 4, "patient")
