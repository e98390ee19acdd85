"""Metrics that settings, the terminal and the tables name are those computed."""

import numpy as np
import pytest

from mdmt_tf.config.checks import SELECTION_METRICS
from mdmt_tf.metrics.formulas import LOWER_IS_BETTER, task_metrics
from mdmt_tf.reporting.shown_metrics import SHOWN
from mdmt_tf.tasks import make_task
from mdmt_tf.training.callbacks import _SHORT

TASKS = {
    "categorical": make_task(name="t", kind="categorical", cut_points=(1,)),
    "binary": make_task(name="t", kind="binary", classes=("no", "yes")),
    "ordinal": make_task(name="t", kind="ordinal", cut_points=(1, 2)),
    "regression": make_task(name="t", kind="regression"),
}


def computed(kind):
    task = TASKS[kind]
    k = max(task.n_classes, 1)
    return set(task_metrics(task, np.arange(k), np.eye(k))) - {"n"}


@pytest.mark.parametrize("kind", list(Kind))
def test_what_may_select_is_computed_and_has_a_short_name(kind):
    assert set(SELECTION_METRICS[kind]) <= computed(kind)
    short = {_SHORT[name] for name in SELECTION_METRICS[kind] if name != "loss"}
    assert len(short) == len(SELECTION_METRICS[kind]) - 1
    assert all(len(word) <= 5 for word in short)


@pytest.mark.parametrize("kind", list(Kind))
def test_what_tables_show_is_computed(kind):
    shown = SHOWN[kind]
    blocks = [*shown.headline, shown.compared, *shown.detailed]
    assert {name for block in blocks for name in block} <= computed(kind)
    # A metric stands in one block only.
    for places in (shown.headline, shown.detailed):
        names = [name for block in places for name in block]
        assert len(names) == len(set(names))


def test_what_should_go_down_is_computed_somewhere():
    everything = set().union(*(computed(kind) for kind in Kind))
    assert set(LOWER_IS_BETTER) <= everything
