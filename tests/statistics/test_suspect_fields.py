"""Fields that predict the outcome alone, against counts by hand."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.statistics.suspect_fields import predictive_fields, suspect_fields
from mdmt_tf.tasks import make_task

ICU = make_task(
    name="icu", kind="binary", classes=("no", "yes"), sources={"ward": "icu"}
)


def rows_of(patients, labels):
    names = [f"i{n}" for n in range(len(patients))]
    return pd.DataFrame(
        {
            "dataset": "ward",
            "image_id": names,
            "patient_id": patients,
            "target": np.asarray(labels, float),
        }
    )


def texts(rows, values):
    return dict(zip(rows["image_id"], values, strict=True))


def test_a_patient_counts_once_and_does_not_predict_itself():
    # 4 patients of 5 with the outcome lie, 1 of 5 without; one has many images.
    labels = np.r_[np.ones(5), np.zeros(5), np.zeros(20)]
    patients = [*range(10), *[9] * 20]
    views = ["AP"] * 4 + ["PA"] + ["PA"] * 4 + ["AP"] * 21
    rows = rows_of(patients, labels)
    found = predictive_fields(rows, ICU, {"view": texts(rows, views)})
    assert found["view"] == pytest.approx(0.8)
    # A value of a single patient predicts nothing: no other patient has it.
    alone = predictive_fields(rows, ICU, {"name": texts(rows, map(str, patients))})
    assert alone["name"] == 0


def test_chance_is_no_prediction():
    generator = np.random.default_rng(0)
    rows = rows_of(np.arange(400), generator.integers(0, 2, 400))
    views = generator.choice(["AP", "PA"], 400)
    found = predictive_fields(rows, ICU, {"view": texts(rows, views)})
    assert found["view"] < 0.6


def test_a_class_without_rows_leaves_nothing_to_predict():
    rows = rows_of(np.arange(5), np.zeros(5))
    assert np.isnan(predictive_fields(rows, ICU, {"view": {}})["view"])


def test_more_classes_are_balanced():
    """The threshold grows with the number of classes above chance."""
    grade = make_task(
        name="grade",
        kind="ordinal",
        classes=("a", "b", "c"),
        sources={"ward": "grade"},
    )
    n = np.arange(90)
    names = np.array([f"i{k}" for k in n], object)
    table = {
        "image_id": names,
        "patient_id": names,
        "site": np.full(90, "A", object),
        "grade": np.array(list("abc"), object)[n % 3],
        # Right for two of three classes: 2/3 is above 1/3 + 0.4 * 2/3 = 0.6.
        "view": np.array(["x", "y", "y"], object)[n % 3],
        "sex": np.array(["m", "f"], object)[n // 3 % 2],
    }
    found = suspect_fields("ward", table, grade, names)
    assert list(found) in ([], ["view"])
    rows = rows_of(names, n % 3)
    rows["image_id"] = names
    exact = predictive_fields(rows, grade, {"view": texts(rows, table["view"])})
    # y is right for one of b and c, or for neither where they are alike.
    assert exact["view"] in (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_only_training_images_are_looked_at():
    n = np.arange(40)
    names = np.array([f"i{k}" for k in n], object)
    table = {
        "image_id": names,
        "patient_id": names,
        "site": np.full(40, "A", object),
        "icu": np.where(n < 4, -1, n % 2),
        # The first 20 images tell nothing, the others everything.
        "view": np.where(n < 20, n // 2 % 2, n % 2).astype(str).astype(object),
    }
    assert suspect_fields("ward", table, ICU, names[20:]) == {"view": 1.0}
    assert suspect_fields("ward", table, ICU, names[:20]) == {}
    # The label itself is no field.
    assert "icu" not in suspect_fields("ward", table, ICU, names)
