"""Damaged, merged and edited predictions are refused with file, line and column."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.prediction_checks import (
    Expected,
    check_metrics,
    other_values,
    read_checked,
)
from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.derived import CategoryOfSum

LEFT = make_task(kind="ordinal", name="left", classes=("0", "1", "2"))
RIGHT = make_task(kind="ordinal", name="right", classes=("0", "1", "2"))
AGE = make_task(kind="regression", name="age")
GRADES = {"left": (0.0, 1.0, 2.0), "right": (0.0, 1.0, 2.0)}
TOTAL = CategoryOfSum(name="total", terms=GRADES, cut_points=(1.0, 3.0))
ANSWERS = (LEFT, RIGHT, AGE, TOTAL)
LISTS = {"ward": {"train": ["z"], "validation": [], "test": ["a", "b", "c", "d"]}}
AGAIN = "Train again."


def made():
    """Four images of three patients; the label of the last is unknown."""
    rows = pd.DataFrame(
        {
            "dataset": "ward",
            "split": "test",
            "fold": 1,
            "image_id": list("abcd"),
            "patient_id": ["p", "p", "q", "r"],
            "site": "A",
        }
    )
    chances = {
        "left": np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [1, 0, 0]])
    }
    chances["right"] = chances["left"][::-1].copy()
    labels = {"left": np.array([0, 1, 2, -1]), "right": np.array([1, 0, 2, 1])}
    labels["total"] = TOTAL.labels_from(labels)
    chances["total"] = TOTAL.predicted_from(chances)
    labels["age"], chances["age"] = (
        np.array([50.0, 60.5, 70.0, np.nan]),
        np.array([[51.0], [60.0], [72.5], [40.0]]),
    )
    tables = [
        predictions.prediction_table(one, rows, labels[one.name], chances[one.name])
        for one in ANSWERS
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def path(tmp_path):
    """A file with one more row, of the training split, before the others."""
    table = made()
    other = table[(table["task"] == "left") & (table["image_id"] == "a")]
    other = other.assign(split="train", image_id="z", patient_id="s")
    predictions.write(
        pd.concat([other, table], ignore_index=True), tmp_path / "predictions.csv"
    )
    return tmp_path / "predictions.csv"


def expected(**changes):
    facts = {"answers": ANSWERS, "fold": 1, "lists": LISTS, "examples": {"ward": 6}}
    return Expected(**facts | changes)


def test_what_was_written_is_right(path):
    assert len(read_checked(path, expected(), AGAIN)) == 17
    table = read_checked(path, expected(splits=["test"]), AGAIN, "test")
    assert len(table) == 16
    others = expected(splits=["test"], answers=[AGE], others=True)
    read_checked(path, others, AGAIN, "test")


# The first test row, of image a and task left, is in line 3; then b, c, d, the four
# rows of right from line 7, of age from 11, of total from 15.
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({(3, "p_0"): "0.8"}, "line 3 (ward test left a): p_0 to p_2: expected prob"),
        ({(4, "p_1"): "1.6"}, "line 4 (ward test left b): p_1 = 1.6: expected a prob"),
        ({(4, "p_1"): "-0.6"}, "p_1 = -0.6: expected a probability in [0, 1]"),
        ({(4, "p_1"): ""}, "p_1 = nan: expected a number"),
        ({(4, "p_1"): "inf"}, "p_1 = inf: expected a number"),
        ({(4, "p_1"): "half"}, "line 4 (ward test left b): p_1 = 'half': expected a n"),
        ({(5, "target"): "3"}, "target = 3: expected a class of left, 0 to 2"),
        ({(5, "target"): "0.5"}, "target = 0.5: expected a class of left"),
        ({(5, "target"): "severe"}, "target = 'severe': expected a number"),
        ({(5, "prediction"): "1"}, "prediction = 1: the probabilities of the row give"),
        ({(5, "prediction"): ""}, "prediction = nan: expected a class of left"),
        ({(12, "prediction"): "nan"}, "prediction = 'nan': expected a number"),
        ({(11, "target"): "inf"}, "(ward test age a): target = inf: expected a number"),
        ({(11, "p_0"): "1"}, "p_0: expected nothing, because age has no such column"),
        ({(3, "value"): "1"}, "value: expected nothing, because left has no such col"),
        ({(15, "value"): "0.41"}, "(ward test total a): value = 0.41: the predictions"),
        ({(15, "target"): "0"}, "target = 0: the labels of its tasks give 1"),
        ({(18, "target"): "1"}, "target = 1: the labels of its tasks give nan"),
        ({(4, "image_id"): "a"}, "line 4 (ward test left a): image_id: there is anot"),
        ({(7, "patient_id"): "q"}, "patient_id = 'q': a row above has 'p' for it"),
        ({(7, "site"): "B"}, "site = 'B': a row above has 'A' for it"),
        ({(7, "patient_id"): ""}, "line 7 (ward test right a): patient_id: is empty"),
        ({(7, "split"): "tset"}, "split = 'tset': expected one of train, validation"),
        ({(7, "fold"): "2"}, "fold = 2: expected 1, the fold of this run"),
        ({(7, "task"): "rigth"}, "task = 'rigth': expected one of left, right, age, t"),
        ({(7, "image_id"): "e"}, "image_id = 'e': is not in the test list of ward"),
        ({(7, "dataset"): "other"}, "dataset = 'other': manifest.json has no such"),
        ({(2, "split"): "test"}, "image_id = 'z': is not in the test list of ward"),
    ],
)
def test_a_changed_cell_is_named(path, changes, message):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for (line, column), value in changes.items():
        table.loc[line - 2, column] = value
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        read_checked(path, expected(), AGAIN)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(AGAIN)


def test_a_predicted_class_follows_from_the_value_of_a_sum(path):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    # 0.4 + 0.4 is below the first cut point, 1.
    assert table.loc[13, "task"] == "total"
    table.loc[13, "prediction"] = "2"
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"line 15 .*prediction = 2: the probabilities"):
        read_checked(path, expected(), AGAIN)


def test_lines_count_also_where_one_split_is_read(path):
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(",test,", ",test,", 1).replace(",0.6,", ",0.7,")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"line 4 \(ward test left b\): p_0 to p_2"):
        read_checked(path, expected(splits=["test"]), AGAIN, "test")


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda n: n != 12, "no rows of age for 1 of the test images of ward that"),
        (lambda n: n < 16, "no rows of total for 2 of the test images of ward that"),
        (lambda n: not 3 <= n <= 6, "task = 'total': there is no row of left of this"),
    ],
)
def test_missing_rows_are_named(path, keep, message):
    lines = path.read_text().splitlines()
    kept = [line for number, line in enumerate(lines, 1) if keep(number)]
    if "2 of the test" in message:
        kept.append(lines[16])
    path.write_text("\n".join(kept) + "\n")
    with pytest.raises(DataError, match=re.escape(message)):
        read_checked(path, expected(), AGAIN)


def test_a_column_that_is_missing_and_no_table_at_all(path):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.drop(columns=["p_2", "site"]).to_csv(path, index=False)
    with pytest.raises(DataError, match="the columns site, p_2 are missing"):
        read_checked(path, expected(), AGAIN)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a table of predictions"):
        read_checked(path, expected(), AGAIN)
    path.unlink()
    with pytest.raises(DataError, match="missing, although the run is finished"):
        read_checked(path, expected(), AGAIN)


def test_more_images_than_the_dataset_has(path):
    with pytest.raises(DataError, match="the file has 5 images of it; by manifest.js"):
        read_checked(path, expected(examples={"ward": 4}), AGAIN)


def test_metrics_that_do_not_follow_are_named():
    found = {"left": {"n": 3, "auc": 0.75, "npv": math.nan}}
    check_metrics({"left": {"n": 3, "auc": 0.75, "npv": None}}, found, "m", AGAIN)
    for wrong, message in (
        (
            {"n": 3, "auc": 0.76},
            "m.json: test left auc = 0.76: predictions.csv gives",
        ),
        ({"n": 4}, "left n = 4: predictions.csv gives 3"),
        ({"npv": 0.5}, "left npv = 0.5: predictions.csv gives nan"),
        ({"auc": None}, "left auc = nan"),
        ({"auc": "0.75"}, "left auc = '0.75'"),
        ({"unheard_of": 0.5}, "left unheard_of = 0.5"),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            check_metrics({"left": wrong}, found, "m.json: test", AGAIN)
    with pytest.raises(DataError, match="or another version of mdmt_tf computed") as no:
        check_metrics({"left": {"n": 4}}, found, "m.json: test", AGAIN)
    assert str(no.value).endswith(AGAIN)
    for wrong, message in (({}, "has no left"), ({"left": [1]}, "expected metrics")):
        with pytest.raises(DataError, match=message):
            check_metrics(wrong, found, "m.json: test", AGAIN)


def test_earlier_versions_stored_metrics_over_the_classes_present():
    found = {"balanced_accuracy": math.nan, "recall": math.nan}
    assert list(other_values({"balanced_accuracy": 1.0}, found, 1e-9)) == []
    assert len(list(other_values({"recall": 1.0}, found, 1e-9))) == 1
    found = {"balanced_accuracy": 0.5}
    assert len(list(other_values({"balanced_accuracy": 1.0}, found, 1e-9))) == 1


def test_rounding_is_allowed_in_proportion():
    assert list(other_values({"loss": 1000.0}, {"loss": 1000.0000005}, 1e-9)) == []
    assert len(list(other_values({"loss": 1.0}, {"loss": 1.0000005}, 1e-9))) == 1
