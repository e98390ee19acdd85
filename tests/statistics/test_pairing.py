"""Pairs of experiments, and why they cannot be paired."""

import numpy as np
import pytest
from compared import DEATH, fits

from mdmt_tf.statistics.pairing import joined, paired, paired_by_site

MODELS = (("a", 0), ("b", 0))


def test_patients_with_several_images_have_one_row_for_each_fit():
    rows = fits(0, patients=20, images=3, models=MODELS, repeats=2)
    pair = paired(rows, rows, DEATH, 5)
    assert (pair.unit, pair.patients, pair.fits) == ("patient", 20, 2 * 2 * 5)
    assert len(pair.candidate) == 20 * 2 * 2
    assert sorted(pair.candidate["repeat"].unique()) == [0, 1]
    one = rows[(rows["patient_id"] == "p004") & (rows["backbone"] == "b")]
    found = pair.candidate[
        (pair.candidate["patient"] == 4) & (pair.candidate["backbone"] == "b")
    ]
    expected = one.groupby("fold")["p_1"].mean().tolist()
    assert found.sort_values("fold")["p_1"].tolist() == pytest.approx(expected)


def test_labels_that_contradict_each_other_are_compared_by_image():
    rows = fits(0, patients=20, images=2)
    rows["target"] = np.arange(len(rows)) % 2.0
    pair = paired(rows, rows, DEATH, 5)
    assert (pair.unit, len(pair.candidate), pair.patients) == ("image", 40, 20)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda rows: rows[:0], "no labelled test row"),
        (lambda rows: rows[rows["fold"] != 3], "4 of 5 folds of a with seed 0"),
        (lambda rows: rows[rows["patient_id"] != "p007"], "different test rows"),
        (lambda rows: rows.drop(index=rows.index[3]), "have different test rows"),
        (lambda rows: rows.replace({"backbone": {"b": "c"}}), "no fit of b"),
    ],
)
def test_a_reason_says_why_rows_cannot_be_paired(change, reason):
    rows = fits(0, models=MODELS)
    pair = paired(rows, change(rows), DEATH, 5)
    assert reason in pair.reason


def test_a_baseline_has_no_backbone():
    rows = fits(0, models=MODELS)
    baseline = fits(1).assign(backbone=None)
    assert paired(rows, baseline, DEATH, 5).reason is None
    assert paired(rows, baseline, DEATH, 5).fits == 10


def test_sites_have_their_own_patients():
    rows = fits(0, patients=30).assign(fold=lambda rows: (rows["site"] == "B") * 1)
    _, sites = paired_by_site(rows, rows, DEATH, 2)
    assert {site: own.patients for site, own in sites.items()} == {"A": 10, "B": 20}


def test_sites_that_are_left_out_together_are_one():
    rows = fits(0, patients=30)
    site = np.array(["A", "B", "C", "D", "E"])[rows["fold"]]
    rows = rows.assign(site=site, fold=np.array([0, 1, 0, 2, 1])[rows["fold"]])
    pair, sites = paired_by_site(rows, rows, DEATH, 3)
    found = {site: own.patients for site, own in sites.items()}
    assert found == {"A + C": 12, "B + E": 12, "D": 6} and pair.fits == 3


def test_rows_of_one_model_and_repeat():
    rows = fits(0, patients=20, models=MODELS, repeats=2)
    one = paired(rows, rows, DEATH, 5).rows_of_one
    assert sorted(one["patient"]) == list(range(20))
    assert one["backbone"].unique().tolist() == ["a"]


def test_joined_sites_count_each_patient_and_each_fit_once():
    # With two datasets left out, folds test a site of each: A in 0 and 1, X in 0.
    rows = fits(0, patients=30, folds=2, models=MODELS)
    rows = rows.assign(dataset=np.where(rows["fold"] == 0, "ward", "clinic"))
    rows["site"] = np.where(rows["patient_id"] < "p010", "A", "B")
    rows.loc[(rows["site"] == "B") & (rows["fold"] == 0), "site"] = "X"
    _, sites = paired_by_site(rows, rows, DEATH, 2)
    pair = joined([sites["A"], sites["X"]])
    kept = rows[rows["site"].isin(["A", "X"])]
    patients = kept[["dataset", "patient_id"]].drop_duplicates()
    assert (pair.patients, pair.fits) == (len(patients), 2 * len(MODELS))
    numbers = pair.candidate.groupby(["dataset", "patient_id"])["patient"].nunique()
    assert (numbers == 1).all()
    assert set(pair.candidate["patient"]) == set(range(len(patients)))
