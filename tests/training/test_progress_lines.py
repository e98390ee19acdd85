"""The table of epochs, in windows of any width."""

import re

import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.screen.line import Line
from mdmt_tf.tasks import Property, make_task
from mdmt_tf.tasks.regression import Regression
from mdmt_tf.training.progress_lines import ProgressLines

PROGNOSIS = make_task(name="prognosis", kind="categorical", classes=("mild", "severe"))
GRADE = make_task(name="grade", kind="ordinal", cut_points=(5, 9))
AGE = make_task(name="age", kind="regression")


@pytest.fixture(autouse=True)
def eighty(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def progress_of(answers, epochs=300, task="prognosis", metric="loss", terminal=False):
    """The callback, and the texts that it writes."""
    written = []
    line = Line(written.append, is_terminal=terminal)
    return ProgressLines(answers, epochs, 7, task, metric, line), written


def table(answers, logs, **more):
    """The lines of the header, and that of an epoch."""
    progress, written = progress_of(answers, **more)
    progress.on_epoch_begin(9)
    progress.on_epoch_end(9, {"seconds": 12.3, "selected": 1} | logs)
    (line,) = written
    *meanings, names, columns = progress.header().splitlines()
    return meanings, names, columns, line.rstrip("\n")


def logs_of(answers):
    logs = {}
    for answer in answers:
        logs[f"train/{answer.name}/loss"] = 0.61234
        for metric in ("loss", "balanced_accuracy", "mae"):
            logs[f"validation/{answer.name}/{metric}"] = 11.51234
    return logs


def test_three_tasks_fit_and_their_columns_stand_below_their_headings():
    answers = (PROGNOSIS, make_task(name="severity", kind="binary"), AGE)
    logs = logs_of(answers) | {"validation/prognosis/balanced_accuracy": 0.71234}
    meanings, names, columns, line = table(answers, logs)
    assert max(map(len, (*meanings, names, columns, line))) <= 80
    headings = list(re.finditer(r"train|valid|BAcc|MAE", columns))
    assert len(headings) == 9
    ends = [heading.end() for heading in headings]
    assert [line[:end].split()[-1] for end in ends[:3]] == ["0.612", "11.512", "0.712"]
    assert all(line[end : end + 1] in ("", " ") for end in ends)
    # Nothing has been timed, so no time is left.
    assert line.split()[:3] == ["10/300*", "12s", "-"]


RECIPE = config.load("phantom_start", ["model.weights=null"])
EIGHT = (*RECIPE.build_tasks(), *RECIPE.build_derived())


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_many_answers_fit_the_most_important_first(monkeypatch, width):
    """The eight answers of the recipe of phantoms, six of them trained."""
    monkeypatch.setenv("COLUMNS", str(width))
    by = RECIPE.training.select_on.task
    meanings, names, columns, line = table(EIGHT, logs_of(EIGHT), epochs=5, task=by)
    assert len(EIGHT) == 8
    assert max(map(len, (*meanings, names, columns, line))) <= width
    # The answer that selects comes first, with its error and its loss where they fit.
    assert "MAE" in columns
    assert width == 200 or names.split()[0].startswith("sever")
    if 40 <= width < 200:
        assert columns.split()[3:5] == ["valid", "MAE"]
    assert len(columns.split()) == len(line.replace("*", " ").split())
    text = " ".join(meanings)
    shown = [answer.name for answer in EIGHT if f" {answer.name} " in f"{names} "]
    missing = re.search(r"no room for (.*), which history.csv has", text)
    named = missing[1].split(", ") if missing else []
    assert len(set(shown) | set(named) | {by, "severity_from_zones"}) == 8
    assert not set(shown) & set(named)
    assert bool(named) == (width < 100)


def test_the_selecting_task_has_its_losses_in_a_narrow_window(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    answers = (AGE, GRADE, PROGNOSIS)
    _, names, columns, line = table(answers, logs_of(answers), epochs=16)
    assert names.split() == ["prognosis"]
    assert columns.split() == ["epoch", "time", "left", "train", "valid", "BAcc"]
    assert max(map(len, (names, columns, line))) <= 40


@pytest.mark.parametrize("metric", ["kappa", "mae", "rmse", "brier"])
def test_each_task_shows_what_it_has(metric):
    """A metric of one task may select while the others do not have it."""
    tasks = (PROGNOSIS, GRADE, AGE)
    logs = {}
    for task in tasks:
        classes = np.arange(2) if task.n_classes else np.array([0.5, 2.0])
        predicted = np.full((2, max(task.n_classes, 1)), 1 / max(task.n_classes, 1))
        logs[f"train/{task.name}/loss"] = 1.0
        for name, value in task_metrics(task, classes, predicted).items():
            logs[f"validation/{task.name}/{name}"] = value
    _, names, columns, line = table(tasks, logs, epochs=10, metric=metric)
    assert names.split() == ["prognosis", "grade", "age"]
    assert len(columns.split()) == len(line.split()) == 3 + 9


@pytest.mark.parametrize(
    ("properties", "shown"), [({Property.NUMBER}, "R2"), (set(), "loss")]
)
def test_a_task_without_classes_and_errors(properties, shown):
    """A new kind has some metric of the terminal, or its loss alone."""
    hazard = type("Hazard", (Regression,), {"properties": frozenset(properties)})
    progress, _ = progress_of((hazard(name="time"),), task="time", metric="auc")
    assert progress.header().splitlines()[-1].split()[-1] == shown


def test_the_line_counts_steps_and_says_how_long_the_training_takes(monkeypatch):
    monkeypatch.setattr("mdmt_tf.screen.line._REDRAWN", 0.0)
    progress, written = progress_of((PROGNOSIS,), epochs=3, terminal=True)
    now = 0.0
    progress._left._clock = lambda: now
    progress.on_epoch_begin(0)
    for batch in range(7):
        now += 10 if batch else 60
        progress.on_train_batch_end(batch)
    lines = [text.strip("\r").removesuffix("\033[K").strip() for text in written]
    assert lines[0] == "1/3  step 1/7"
    assert lines[1] == "1/3  step 2/7, 3 min left"  # 5 + 14 steps of 10 s
    assert lines[-1] == "1/3  validating, 2 min left"  # 14 steps
    now += 30
    logs = logs_of((PROGNOSIS,)) | {"seconds": 120.0, "selected": 0}
    progress.on_epoch_end(0, logs)
    # 14 steps of 10 s, two validations of 30 s.
    assert written[-1].split()[:3] == ["1/3", "2.0m", "3.3m"]
