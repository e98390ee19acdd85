"""Metrics by site, sex, age band and so on."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mdmt_tf.statistics.strata import age_band, assess_strata, stratum_fields
from mdmt_tf.tasks import make_task

TASK = make_task(name="death", kind="binary", classes=("no", "yes"))


def texts(*values):
    return np.array(values, object)


def test_fields_with_few_values_are_strata_and_the_known_ones_come_first():
    n = 26
    table = {
        "image_id": texts(*(f"i{i}" for i in range(n))),
        "ward": texts(*("ab"[i % 2] for i in range(n))),
        "note": texts(*(f"note {i}" for i in range(n))),
        "scores": np.zeros((n, 6), int),
        "crp": np.arange(n, dtype=np.float32) % 3,
        "outcome": texts(*("xy"[i % 2] for i in range(n))),
        "Manufacturer": texts(*("S", "P")[:1] * 13, *("", "P") * 6, "P"),
        "view_position": np.arange(n) % 2 + 1,
        "patient_age": np.where(np.arange(n) == 3, np.nan, np.arange(n) * 4.0),
        "gender": np.where(np.arange(n) == 0, np.nan, np.arange(n) % 2),
        "site": texts(*(f"s{i:02d}" for i in range(n))),
        "patient_id": texts(*(f"p{i % 5}" for i in range(n))),
        "unit": texts(*["the only one"] * n),
    }
    found = stratum_fields(table, leave_out=["outcome"])
    assert list(found) == [
        *("site", "gender", "patient_age", "view_position", "Manufacturer", "ward")
    ]
    assert found["gender"][:3].tolist() == ["unknown", "1", "0"]
    assert found["patient_age"][[0, 3, 10, 15, 20]].tolist() == [
        *("<40", "unknown", "40-59", "60-79", ">=80")
    ]
    assert set(found["Manufacturer"]) == {"S", "P", "unknown"}
    assert found["view_position"][:2].tolist() == ["1", "2"]


@pytest.mark.parametrize("ages", [[-1.0, 50.0, 61.0], [19400101.0, 19500101.0, 1.0]])
def test_numbers_that_are_no_ages_make_no_bands(ages):
    assert stratum_fields({"age": np.array(ages)}) == {}


def test_names_are_read_word_by_word():
    table = {"dosage": np.array([1.0, 50.0]), "stage": np.arange(2)}
    assert stratum_fields(table) == {}
    assert list(stratum_fields({"PatientAge": np.array([1.0, 50.0])})) == ["PatientAge"]


def test_bands_have_inclusive_lower_bounds():
    ages = (0, 39.99, 40, 59.99, 60, 79.99, 80, 120)
    bands = ("<40", "<40", "40-59", "40-59", "60-79", "60-79", ">=80", ">=80")
    assert tuple(map(age_band, ages)) == bands


def made(n=240, per_patient=2):
    generator = np.random.default_rng(4)
    target = np.repeat(generator.integers(0, 2, n // per_patient), per_patient)
    chance = 0.2 * target + generator.uniform(0, 0.7, n)
    return pd.DataFrame(
        {
            "dataset": "ward",
            "task": "death",
            "image_id": [f"i{i}" for i in range(n)],
            "patient_id": [f"p{i // per_patient}" for i in range(n)],
            "target": target.astype(float),
            "prediction": (chance > 0.5).astype(int),
            "p_0": 1 - chance,
            "p_1": chance,
        }
    )


def by_image(table, values):
    return dict(zip(table["image_id"], values, strict=True))


def test_a_stratum_has_the_metrics_of_its_own_patients():
    table = made()
    site = np.where(np.arange(len(table)) < 100, "A", "B")
    table.loc[3, "target"] = np.nan
    found = assess_strata(
        table, TASK, {"site": by_image(table, site)}, unit="patient", resamples=200
    )
    assert list(found) == ["site"] and list(found["site"]) == ["A", "B"]
    for value, stratum in found["site"].items():
        rows = table[(site == value) & table["target"].notna()]
        patients = rows.groupby("patient_id")[["target", "p_1"]].mean()
        assert stratum["patients"] == stratum["n"] == len(patients)
        auc = stratum["metrics"]["auc"]
        expected = roc_auc_score(patients["target"], patients["p_1"])
        assert auc["value"] == pytest.approx(expected)
        assert auc["low"] < auc["value"] <= auc["high"]
        assert stratum["small"] is False
    of_images = assess_strata(
        table, TASK, {"site": by_image(table, site)}, unit="image", resamples=50
    )
    assert [s["n"] for s in of_images["site"].values()] == [99, 140]


def test_metrics_of_all_classes_are_undefined_where_a_class_is_missing():
    table = made(per_patient=1)
    sex = np.where(table["target"] == 1, "m", "f")
    sex[:60] = "m"
    found = assess_strata(
        table, TASK, {"sex": by_image(table, sex)}, unit="image", resamples=50
    )["sex"]
    assert found["f"]["missing_classes"] == ["yes"] and found["f"]["small"]
    metrics = found["f"]["metrics"]
    for name in ("auc", "balanced_accuracy", "g_mean", "f1"):
        ends = [metrics[name][key] for key in ("value", "low", "high")]
        assert np.isnan(ends).all() and metrics[name]["reason"].endswith("class yes")
    rows = table[sex == "f"]
    expected = (rows["prediction"] == 0).mean()
    assert metrics["accuracy"]["value"] == pytest.approx(expected)
    assert metrics["specificity"]["value"] == pytest.approx(expected)
    assert "missing_classes" not in found["m"] and not found["m"]["small"]


def test_small_strata_are_marked_and_empty_ones_are_there():
    table = made(per_patient=1)
    ward = np.array(["large"] * 210 + ["few"] * 19 + ["empty"] * 11)
    table.loc[229:, "target"] = np.nan
    found = assess_strata(
        table, TASK, {"ward": by_image(table, ward)}, unit="image", resamples=50
    )["ward"]
    assert [stratum["small"] for stratum in found.values()] == [True, True, False]
    assert found["empty"] == {"n": 0, "patients": 0, "small": True, "metrics": {}}
    # Enough patients, but only four of one class.
    rare = table.head(60).assign(target=[1.0] * 4 + [0.0] * 56)
    field = {"ward": by_image(rare, ["one"] * 60)}
    assert assess_strata(rare, TASK, field, unit="image", resamples=10)["ward"]["one"][
        "small"
    ]


def test_values_are_in_their_order():
    table = made(per_patient=1)
    values = ["10", "9", "unknown", "b", ">=80", "<40"] * 40
    field = {"mixed": by_image(table, values)}
    found = assess_strata(table, TASK, field, unit="image", resamples=5)
    assert list(found["mixed"]) == ["<40", ">=80", "9", "10", "b", "unknown"]


def test_the_order_of_the_fields_is_not_that_of_the_table():
    values = np.array(["a", "b", "a"], object)
    names = ["zone", "manufacturer", "modality", "sex"]
    tables = [dict.fromkeys(order, values) for order in (names, names[::-1])]
    first, second = (list(stratum_fields(table)) for table in tables)
    assert first == second and first[0] == "sex" and first[-1] == "zone"
