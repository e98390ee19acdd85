"""Calibrated predictions of several runs together."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.calibration_of_runs import mean_calibrated
from mdmt_tf.tasks import make_task

DEATH = make_task(name="death", kind="binary", classes=("no", "yes"))
GRADE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
STAY = make_task(name="stay", kind="regression")
TASKS = (DEATH, GRADE, STAY)


def table(p, seed):
    """Predictions of three tasks for the same two images."""
    grades = np.random.default_rng(seed).dirichlet([1, 1, 1], 2)
    death = pd.DataFrame({"task": "death", "image_id": ["i", "j"], "p_0": 1 - p})
    death["p_1"] = p
    grade = pd.DataFrame(grades, columns=["p_0", "p_1", "p_2"])
    stay = pd.DataFrame({"prediction": [3.0, 4.0]})
    tables = [death, grade.assign(task="grade"), stay.assign(task="stay")]
    return pd.concat(tables, ignore_index=True).assign(target=1.0, fold=2)


def calibrations(ratio, points, of_grade=True):
    made = {"death": Calibration(prior_ratio=(ratio, 1.0), operating_points=points)}
    if of_grade:
        made["grade"] = Calibration(temperature=2.0, prior_ratio=(1.0, 1.0, 1.0))
    return made


@pytest.fixture
def of_two():
    tables = [table(np.array([0.5, 0.8]), 0), table(np.array([0.25, 0.5]), 1)]
    known = [
        calibrations(3.0, {"youden": 0.2, "other": 0.7}),
        calibrations(1.0, {"youden": 0.4}),
    ]
    return tables, known


def test_each_run_is_calibrated_by_itself(of_two):
    tables, known = of_two
    whole, identities = mean_calibrated(tables, known, TASKS)
    death = whole[whole["task"] == "death"]
    # 0.5 / (0.5 + 3 * 0.5) and 0.8 / (0.8 + 3 * 0.2); the second run stays.
    expected = [(0.25 + 0.25) / 2, (0.8 / 1.4 + 0.5) / 2]
    np.testing.assert_allclose(death["p_1"], expected)
    np.testing.assert_allclose(death["p_0"], 1 - np.array(expected))
    assert death["prediction"].tolist() == [0, 1] and set(death["fold"]) == {-1}
    grade = whole.loc[whole["task"] == "grade", ["p_0", "p_1", "p_2"]].to_numpy()
    roots = [
        np.sqrt(t.loc[t["task"] == "grade", ["p_0", "p_1", "p_2"]].to_numpy())
        for t in tables
    ]
    means = np.mean([r / r.sum(axis=1, keepdims=True) for r in roots], axis=0)
    np.testing.assert_allclose(grade, means)
    assert set(identities) == {"death", "grade"} and "stay" not in set(whole["task"])


def test_thresholds_that_all_runs_have_are_averaged(of_two):
    _, identities = mean_calibrated(*of_two, TASKS)
    assert identities["death"].operating_points == pytest.approx({"youden": 0.3})
    p = np.array([[0.3, 0.7], [0.9, 0.1]])
    np.testing.assert_allclose(identities["death"].apply(p), p)


def test_what_one_run_has_not_calibrated_is_left_out(of_two):
    tables, known = of_two
    known[1] = calibrations(1.0, {}, of_grade=False)
    whole, identities = mean_calibrated(tables, known, TASKS)
    assert set(identities) == set(whole["task"]) == {"death"}
    nothing, none = mean_calibrated(tables, [{}, {}], TASKS)
    assert none == {} and nothing.empty


def test_one_run_keeps_its_fold(of_two):
    tables, known = of_two
    whole, _ = mean_calibrated(tables[:1], known[:1], TASKS)
    assert set(whole["fold"]) == {2}
    death = whole[whole["task"] == "death"]
    np.testing.assert_allclose(death["p_1"], [0.25, 0.8 / 1.4])
