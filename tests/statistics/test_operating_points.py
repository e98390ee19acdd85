"""Calibrated probabilities on other rows, against scikit-learn and by hand."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
from sklearn import metrics as sklearn

from mdmt_tf.statistics.assessment import assess
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.draws import PatientDraws, resampled_metrics
from mdmt_tf.statistics.operating_points import (
    CALIBRATED,
    calibrated_section,
    calibration_sections,
    decision_curve,
    indistinct,
    operating_points,
)
from mdmt_tf.statistics.resampling import ratio_intervals
from mdmt_tf.storage import write_json
from mdmt_tf.tasks import make_task

TWO = make_task(name="death", kind="binary", classes=("no", "yes"))
GRADE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
AGE = make_task(name="age", kind="regression")
SIGNS = make_task(name="signs", kind="multilabel", classes=("x", "y"))

SAME = Calibration(prior_ratio=(1.0, 1.0), operating_points={"youden": 0.45})


def table_of(seed=0, patients=40, images=2, task="death", temperature=1.0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(-0.5, 1.5, patients)
    labels = (generator.random(patients) < scipy.special.expit(logits)).astype(float)
    each = np.repeat(logits, images) + generator.normal(0, 0.3, patients * images)
    score = scipy.special.expit(temperature * each)
    return pd.DataFrame(
        {
            "dataset": "ward",
            "patient_id": np.repeat(np.arange(patients), images),
            "task": task,
            "target": np.repeat(labels, images),
            "prediction": (score > 0.5).astype(int),
            "p_0": 1 - score,
            "p_1": score,
        }
    )


def values_of(point):
    return {name: own["value"] for name, own in point["metrics"].items()}


def test_operating_points_are_those_of_scikit_learn():
    table = table_of()
    found = operating_points(table, [TWO], {"death": SAME}, resamples=100)
    called = table["p_1"] >= 0.45
    of = table["target"], called
    assert found["death"]["youden"]["threshold"] == 0.45
    assert values_of(found["death"]["youden"]) == pytest.approx(
        {
            "sensitivity": sklearn.recall_score(*of),
            "specificity": sklearn.recall_score(*of, pos_label=0),
            "ppv": sklearn.precision_score(*of),
            "npv": sklearn.precision_score(*of, pos_label=0),
            "fraction_positive": called.mean(),
        }
    )


def test_thresholds_are_of_calibrated_probabilities():
    table = table_of()
    own = Calibration(
        temperature=2.0, prior_ratio=(3.0, 1.0), operating_points={"a": 0.3}
    )
    calibrated = own.apply(table[["p_0", "p_1"]].to_numpy())[:, 1]
    found = operating_points(table, [TWO], {"death": own}, resamples=50)
    metric = values_of(found["death"]["a"])["fraction_positive"]
    assert metric == pytest.approx((calibrated >= 0.3).mean())


def test_intervals_are_those_of_hard_predictions():
    """The bootstrap of the metrics of the same name at a threshold of 1/2."""
    table = table_of(1)
    half = Calibration(prior_ratio=(1.0, 1.0), operating_points={"half": 0.5})
    found = operating_points(table, [TWO], {"death": half}, resamples=300, seed=4)
    # The quantile of Student's t for the patients of the rarer class.
    n = table.groupby("target")["patient_id"].nunique().min()
    t = scipy.stats.t.ppf(0.975, n - 1) * np.sqrt(n / (n - 1))
    tail = scipy.stats.norm.sf(t)
    drawn = resampled_metrics(TWO, table, PatientDraws(300, seed=4)).metrics
    for name, metric in (
        ("sensitivity", "recall"),
        ("specificity", "specificity"),
        ("ppv", "precision"),
        ("npv", "npv"),
    ):
        entry = found["death"]["half"]["metrics"][name]
        ends = np.quantile(drawn[metric], [tail, 1 - tail])
        assert [entry["low"], entry["high"]] == pytest.approx(ends, abs=1e-12)


def test_points_that_a_model_cannot_tell_apart_are_named():
    thresholds = {"a": 0.4971, "b": 0.4971 + 1e-9, "c": 0.4971001, "d": 0.4971}
    points = {name: {"threshold": own} for name, own in thresholds.items()}
    found = [text.split(" are ")[0] for text in indistinct("death", points)]
    # a and d are one threshold.
    assert found == [
        "death: the thresholds of a and b",
        "death: the thresholds of b and d",
    ]
    assert indistinct("death", {"a": {"threshold": None}}) == []


def test_few_patients_have_no_interval():
    table = table_of(2, patients=4)
    found = operating_points(table, [TWO], {"death": SAME})["death"]["youden"]
    assert all(np.isnan(own["low"]) for own in found["metrics"].values())


def test_a_patient_with_most_images_is_not_many():
    # 12 patients with the event, one of whom has 15 of the 26 images: as 2.9 patients.
    table = table_of(2, patients=40, images=1)
    images = np.where(table["target"] == 1, 1, 2)
    (first, *_) = np.flatnonzero(table["target"] == 1)
    images[first] = 15
    table = table.loc[np.repeat(table.index, images)]
    found = operating_points(table, [TWO], {"death": SAME}, resamples=50)
    metrics = found["death"]["youden"]["metrics"]
    assert np.isnan(metrics["sensitivity"]["low"])
    assert not np.isnan(metrics["fraction_positive"]["low"])


def test_what_is_not_defined_is_nan():
    table = table_of(3).assign(target=0.0)
    found = values_of(
        operating_points(table, [TWO], {"death": SAME}, resamples=50)["death"]["youden"]
    )
    assert np.isnan(found["sensitivity"]) and found["ppv"] == 0.0


def test_a_decision_curve_by_hand():
    """Ten images, four positive: at 0.25 a false positive costs a third."""
    labels = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.3, 0.3, 0.2, 0.1, 0.1, 0.1])
    table = pd.DataFrame(
        {"task": "death", "target": labels, "p_0": 1 - score, "p_1": score}
    )
    found = decision_curve(table, [TWO], {"death": SAME}, thresholds=[0.25, 0.5, 0.95])[
        "death"
    ]
    assert found["n"] == 10
    expected = [4 / 10 - 2 / 10 / 3, 3 / 10 - 1 / 10, 0.0]
    assert found["model"] == pytest.approx(expected)
    assert found["treat_all"] == pytest.approx(
        [4 / 10 - 6 / 10 / 3, 4 / 10 - 6 / 10, 4 / 10 - 6 / 10 * 19]
    )
    assert found["treat_none"] == [0.0, 0.0, 0.0]


def test_a_calibrated_model_is_never_worse_than_treating_all_or_none():
    table = table_of(4, patients=30_000, images=1)
    found = decision_curve(table, [TWO], {"death": SAME})["death"]
    assert len(found["threshold"]) == 99
    best = np.maximum(found["treat_all"], 0)
    # Calibration is by patient; an image adds noise of its own.
    assert (np.array(found["model"]) > best - 0.01).all()
    assert max(np.array(found["model"]) - best) > 0.05


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, float("nan")])
def test_thresholds_lie_between_0_and_1(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        decision_curve(table_of(), [TWO], {"death": SAME}, thresholds=[0.5, wrong])


def test_calibration_puts_right_what_the_section_reports():
    table = table_of(5, patients=400, images=1, temperature=2.5)
    own = Calibration(temperature=2.5, prior_ratio=(1.0, 1.0))
    raw = assess(table, [TWO], resamples=200)["death"]["by_image"]["metrics"]
    found = calibrated_section(table, [TWO], {"death": own}, resamples=200)
    by_image = found["death"]["by_image"]
    assert list(by_image["metrics"]) == list(CALIBRATED)
    assert by_image["n"] == 400 and found["death"]["unit"] == "image"
    assert raw["calibration_slope"]["high"] < 0.7
    slope, ece = (by_image["metrics"][name] for name in ("calibration_slope", "ece"))
    assert slope["low"] < 1 < slope["high"] and ece["low"] == 0.0
    assert raw["ece"]["low"] > 0.03
    assert by_image["metrics"]["loss"]["value"] < raw["loss"]["value"]


def test_all_sections_of_all_kinds(tmp_path):
    two = table_of(6)
    signs = [
        table_of(seed, task=f"signs/{name}") for seed, name in ((7, "x"), (8, "y"))
    ]
    grade = table_of(9, task="grade").assign(p_2=0.0)
    age = pd.DataFrame({"task": ["age"], "target": [50.0], "prediction": [40.0]})
    table = pd.concat([two, *signs, grade, age], ignore_index=True)
    calibrations = dict.fromkeys(("death", "signs/x", "signs/y"), SAME)
    calibrations["grade"] = Calibration(prior_ratio=(1.0, 1.0, 1.0))
    tasks = [AGE, TWO, SIGNS, GRADE]
    found = calibration_sections(table, tasks, calibrations, resamples=50)
    assert list(found) == ["death", "signs", "grade"]
    assert set(found["death"]) == {"calibrated", "operating_points", "decision_curve"}
    assert set(found["signs"]["operating_points"]) == {"signs/x", "signs/y"}
    assert set(found["signs"]["decision_curve"]) == {"signs/x", "signs/y"}
    assert set(found["grade"]) == {"calibrated"}
    assert (
        "calibration_slope" not in found["grade"]["calibrated"]["by_image"]["metrics"]
    )
    write_json(tmp_path / "found.json", found)
    assert json.loads((tmp_path / "found.json").read_text())
    # A task without all of its calibrations has no section.
    del calibrations["signs/y"]
    assert "signs" not in calibration_sections(table, tasks, calibrations, resamples=9)


def test_rows_without_a_label_do_not_count():
    table = table_of(10)
    more = pd.concat([table, table.assign(target=np.nan, patient_id="z")])
    both = [
        calibration_sections(t, [TWO], {"death": SAME}, resamples=50)
        for t in (table, more)
    ]
    assert json.dumps(both[0]) == json.dumps(both[1])


def test_ratio_intervals_copy_patients():
    rows = pd.DataFrame(
        {"dataset": "ward", "patient_id": list("aabbbcdd"), "value": np.arange(8.0)}
    )
    above, below = rows["value"].to_numpy(), np.r_[np.ones(7), 0.0]
    found = ratio_intervals(rows, {"x": (above, below)}, resamples=40, seed=5)["x"]
    draws = np.random.default_rng([5, 0]).integers(0, 4, (40, 4))
    members = [np.flatnonzero(rows["patient_id"] == name) for name in "abcd"]
    values = []
    for draw in draws:
        drawn = np.concatenate([members[place] for place in draw])
        values.append(above[drawn].sum() / below[drawn].sum())
    expected = np.quantile(values, [0.025, 0.975])
    assert [found.low, found.high] == pytest.approx(expected)
