"""The columns of a run's main files are those of the reference page."""

import re
from pathlib import Path

import pandas as pd
import pytest

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.training import trainer

PAGE = Path(__file__).parents[2] / "docs/reference/runs.md"
# Only some runs have these.
SOMETIMES = {"changed"}


def described(file):
    """The names in the first column of the table of a file."""
    (table,) = re.findall(
        rf"^### `{file}`\n.*?^\|---\|---\|\n(.*?)\n\n",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    cells = [row.split("|")[1] for row in table.splitlines()]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.fixture(scope="module")
def run(settings):
    """One with a task or an answer for every kind of column."""
    tasks = (
        "tasks={"
        "outcome: {kind: categorical, classes: [mild, severe], from: {alpha: outcome}},"
        "grade: {kind: ordinal, classes: ['0', '1', '2', '3'], cut_points: [1, 2, 3],"
        "from: {beta: grade}},"
        "late: {kind: binary, cut_points: [9], from: {beta: total}},"
        "age: {kind: regression, from: {alpha: age}}}"
    )
    derived = "derived={both: {sum: [grade, late], cut_points: [1.5]}}"
    short = ("training.epochs=1", "training.warmup_epochs=0")
    short += ("training.tensorboard=false", "training.weighting=uncertainty")
    return trainer.train(settings(tasks, derived, *short))


def test_predictions(run):
    columns = list(pd.read_csv(run.predictions).columns)
    classes = [name for name in columns if re.fullmatch(r"p_\d+", name)]
    assert classes == [f"p_{number}" for number in range(4)]
    *others, last = [name for name in columns if name not in classes[2:]]
    names = described("predictions.csv")
    assert sorted(names) == sorted([*others, last])
    assert names[-3:] == [*classes[:2], last]


def test_history(run):
    answers = r"(outcome|grade|late|age|both|both_sum)"
    patterns = {
        name: name.replace("TASK", answers).replace("METRIC", r"\w+")
        for name in described("history.csv")
    }
    found = {}
    for column in pd.read_csv(run.history).columns:
        (name,) = [n for n, own in patterns.items() if re.fullmatch(own, column)]
        found.setdefault(name, []).append(column)
    assert list(found) == list(patterns)
    metrics = {column.split("/")[-1] for column in found["validation/TASK/METRIC"]}
    assert metrics <= {"n", "loss", *METRICS}
    assert pd.read_csv(run.history)["epoch"].tolist() == [0]


def test_manifest(run):
    keys = set(run.read_json(run.manifest))
    assert set(described("manifest.json")) - SOMETIMES == keys
