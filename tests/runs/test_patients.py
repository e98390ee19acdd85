"""From predictions of images to predictions of patients, by hand."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.runs.patients import (
    by_patient,
    labelled,
    metrics_for_patients,
    unit_of,
)
from mdmt_tf.tasks import make_task

TWO = make_task(name="outcome", kind="binary", classes=("home", "icu"))
GRADE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
STAY = make_task(name="stay", kind="regression")
SIGNS = make_task(name="signs", kind="multilabel", classes=("edema", "effusion"))


def rows_of(patients, targets, *columns, **others):
    """Rows of two classes or more, given the columns of their probabilities."""
    chances = np.array(columns, float).T
    table = pd.DataFrame(
        {
            "dataset": "ward",
            "task": "outcome",
            "patient_id": patients,
            "target": targets,
        }
    )
    table["prediction"] = chances.argmax(axis=1)
    for index, column in enumerate(columns):
        table[f"p_{index}"] = column
    return table.assign(**others)


def of_two_classes(patients, targets, icu, **others):
    return rows_of(patients, targets, 1 - np.array(icu), icu, **others)


def test_the_probability_of_a_patient_is_the_mean_of_its_images():
    rows = of_two_classes(
        ["b", "a", "b", "b"], [1, 0, 1, 1], [0.25, 0.125, 0.75, 0.875]
    )
    patients = by_patient(rows, TWO)
    assert patients["patient_id"].tolist() == ["a", "b"]
    assert patients["images"].tolist() == [1, 3]
    assert patients["target"].tolist() == [0, 1]
    assert patients["p_1"].tolist() == [0.125, 0.625]
    assert patients["p_0"].tolist() == [0.875, 0.375]
    # Two of three images of b are icu, but so is the mean.
    assert patients["prediction"].tolist() == [0, 1]


def test_the_prediction_is_that_of_the_mean_and_not_of_the_majority():
    rows = of_two_classes(["a"] * 3, [1] * 3, [0.55, 0.55, 0.1])
    assert by_patient(rows, TWO)["prediction"].tolist() == [0]
    # The median class of the mean distribution (0.45, 0.1, 0.45) is the middle one.
    rows = rows_of(["a"] * 2, [2, 2], [0.9, 0.0], [0.1, 0.1], [0.0, 0.9])
    assert by_patient(rows, GRADE)["prediction"].tolist() == [1]


def test_the_value_of_a_patient_is_the_mean_value():
    rows = pd.DataFrame(
        {
            "dataset": "ward",
            "patient_id": ["a", "a", "b"],
            "target": [4.0, 4.0, 9.5],
            "prediction": [3.0, 6.0, 9.0],
        }
    )
    patients = by_patient(rows, STAY)
    assert patients["prediction"].tolist() == [4.5, 9.0]
    assert patients["target"].tolist() == [4.0, 9.5]
    assert list(patients).count("prediction") == 1


def test_a_patient_whose_labels_differ_has_none():
    rows = of_two_classes(["a", "a", "b", "b"], [0, 1, 1, 1], [0.2, 0.6, 0.7, 0.9])
    patients = by_patient(rows, TWO)
    np.testing.assert_array_equal(patients["target"], [np.nan, 1])
    assert patients["images"].tolist() == [2, 2]
    assert labelled(patients)["patient_id"].tolist() == ["b"]


def test_the_same_id_in_two_datasets_is_two_patients():
    rows = of_two_classes(["a", "a"], [0, 1], [0.2, 0.6], dataset=["ward", "clinic"])
    patients = by_patient(rows, TWO)
    assert patients["dataset"].tolist() == ["clinic", "ward"]
    assert patients["target"].tolist() == [1, 0]


def test_each_label_of_a_multilabel_task_has_its_own_images():
    edema = of_two_classes(["a", "a", "b"], [1, 1, 0], [0.5, 1.0, 0.25])
    effusion = of_two_classes(["a", "b", "b"], [1, 0, 1], [0.75, 0.25, 0.5])
    rows = pd.concat(
        [edema.assign(task="signs/edema"), effusion.assign(task="signs/effusion")]
    )
    patients = by_patient(rows, SIGNS)
    assert patients["task"].tolist() == ["signs/edema"] * 2 + ["signs/effusion"] * 2
    assert patients["images"].tolist() == [2, 1, 1, 2]
    np.testing.assert_array_equal(patients["target"], [1, 0, 1, np.nan])
    assert patients["p_1"].tolist() == [0.75, 0.25, 0.75, 0.375]


def test_the_order_of_rows_does_not_matter():
    generator = np.random.default_rng(0)
    rows = of_two_classes(generator.integers(0, 5, 60), [1] * 60, generator.random(60))
    expected = by_patient(rows, TWO)
    for seed in range(5):
        mixed = rows.sample(frac=1, random_state=seed)
        pd.testing.assert_frame_equal(
            by_patient(mixed, TWO), expected, check_exact=True
        )


@pytest.mark.parametrize("task", [TWO, STAY, SIGNS], ids=lambda task: task.kind)
def test_no_rows_are_no_patients(task):
    columns = {"dataset": [], "task": [], "patient_id": [], "target": [], "p_0": []}
    rows = pd.DataFrame(columns | {"p_1": [], "prediction": []})
    patients = by_patient(rows, task)
    assert len(patients) == 0 and unit_of(patients) == "image"


def units(contradictory, agreeing, single):
    """Patients with two images, some of them with two labels, and with one image."""
    pairs = contradictory + agreeing
    names = np.r_[np.repeat(np.arange(pairs), 2), pairs + np.arange(single)]
    targets = np.zeros(len(names), int)
    targets[: 2 * contradictory : 2] = 1
    return unit_of(by_patient(of_two_classes(names, targets, 0.5 + 0 * names), TWO))


@pytest.mark.parametrize(
    "contradictory, agreeing, single, unit",
    [
        (0, 0, 9, "image"),
        (0, 1, 9, "patient"),
        (1, 19, 0, "patient"),  # 5 %
        (1, 18, 900, "image"),
        (2, 0, 0, "image"),
    ],
)
def test_the_patient_comes_first_where_the_label_is_one_of_the_patient(
    contradictory, agreeing, single, unit
):
    assert units(contradictory, agreeing, single) == unit


def test_metrics_for_patients_are_those_of_the_means():
    rows = of_two_classes(
        ["a", "a", "b", "c", "d"], [1, 1, 1, 0, 0], [0.2, 1.0, 0.7, 0.3, 0.8]
    )
    found = metrics_for_patients(rows, TWO)
    icu = np.array([0.6, 0.7, 0.3, 0.8])
    chances = np.stack([1 - icu, icu], axis=1)
    expected = task_metrics(TWO, np.array([1, 1, 0, 0]), chances)
    assert found == pytest.approx(expected, abs=1e-12) and found["n"] == 4


def test_metrics_of_labels_that_change_count_each_patient_once():
    # a: right, wrong, right; b: wrong. 2/3 of a patient of two.
    rows = of_two_classes(["a", "a", "a", "b"], [0, 1, 1, 0], [0.1, 0.4, 0.8, 0.9])
    found = metrics_for_patients(rows, TWO)
    assert found["accuracy"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["n"] == 4
    # Weights 1/3 and 1: of the mild ones, 1/3 of 4/3 are right.
    assert found["specificity"] == pytest.approx(1 / 4)


def test_the_mean_of_equal_probabilities_is_that_probability():
    """(0.1 + 0.1 + 0.1) / 3 is above 0.1 in floats, which would break a tie."""
    task = make_task(name="tie", kind="binary", classes=("no", "yes"))
    rows = pd.DataFrame({"dataset": "d", "patient_id": list("aaab"), "target": 0.0})
    rows = rows.assign(prediction=0, p_0=0.9, p_1=0.1)
    found = by_patient(rows, task)
    assert found["p_1"].tolist() == [0.1, 0.1] and found["p_0"].tolist() == [0.9, 0.9]


def test_a_patient_with_a_prediction_that_is_no_number_has_none():
    rows = of_two_classes(["a", "a", "b"], [1, 1, 0], [0.75, np.nan, 0.25])
    patients = by_patient(rows, TWO)
    assert patients["p_1"].isna().tolist() == [True, False]
    found = metrics_for_patients(rows, TWO)
    assert found.pop("n") == 2 and np.isnan(list(found.values())).all()
