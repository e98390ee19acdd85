"""The AUC within strata, against pairs that are counted one by one."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from mdmt_tf.statistics.within_strata import within_strata
from mdmt_tf.tasks import make_task

ICU = make_task(name="icu", kind="binary", classes=("no", "yes"))
GRADE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))


def rows_of(patients, labels, scores, fold=0):
    scores = np.asarray(scores, float)
    return pd.DataFrame(
        {
            "dataset": "ward",
            "fold": fold,
            "task": "icu",
            "image_id": [f"{fold}-{n}" for n in range(len(scores))],
            "patient_id": [f"{fold}-{name}" for name in patients],
            "target": np.asarray(labels, float),
            "prediction": (scores > 0.5).astype(int),
            "p_0": 1 - scores,
            "p_1": scores,
        }
    )


def confounded(generator, folds=3, patients=40, images=1, distance=1.0, shift=1.5):
    """Views that go with the outcome, a score of both, and the view of each image."""
    tables, views = [], {}
    for fold in range(folds):
        of = np.repeat(np.arange(patients), images)
        label = (np.arange(patients) % 2)[of]
        lying = generator.random(len(of)) < np.where(label, 0.7, 0.3)
        effect = generator.normal(0, 0.8, patients)[of]
        noise = generator.normal(0, 0.6, len(of))
        score = distance * label + shift * lying + effect + noise
        tables.append(rows_of(of, label, expit(score), fold))
        views |= dict(
            zip(tables[-1]["image_id"], np.where(lying, "AP", "PA"), strict=True)
        )
    return pd.concat(tables, ignore_index=True), views


def counted(rows, views):
    """Wins and pairs, of images."""
    wins, pairs = 0.0, 0
    rows = rows.assign(view=rows["image_id"].map(views))
    for _, one in rows[rows["target"] == 1].iterrows():
        for _, zero in rows[rows["target"] == 0].iterrows():
            if one["fold"] == zero["fold"] and one["view"] == zero["view"]:
                pairs += 1
                wins += (one["p_1"] > zero["p_1"]) + (one["p_1"] == zero["p_1"]) / 2
    return wins, pairs


def test_pairs_of_the_same_stratum_and_fit_are_counted():
    rows, views = confounded(np.random.default_rng(0), folds=2, patients=16)
    found = within_strata(rows, ICU, views, unit="image", resamples=200)
    wins, pairs = counted(rows, views)
    assert (found.pairs, found.value) == (pairs, pytest.approx(wins / pairs))
    overall = counted(rows, dict.fromkeys(views, "all"))
    assert found.overall == pytest.approx(overall[0] / overall[1])
    assert found.fraction == pytest.approx(pairs / overall[1])
    means = [auc * count for auc, count in found.strata.values()]
    assert sum(means) == pytest.approx(wins) and set(found.strata) == {"AP", "PA"}


def test_by_patient_the_images_of_a_stratum_are_averaged():
    rows = rows_of(list("aabbccd"), [1, 1, 1, 1, 0, 0, 0], [7, 1, 5, 2, 4, 6, 2])
    rows["p_1"] /= 8
    rows["p_0"] = 1 - rows["p_1"]
    views = dict(zip(rows["image_id"], ["AP"] * 3 + ["PA"] + ["AP"] * 3, strict=True))
    found = within_strata(rows, ICU, views, resamples=50)
    # In AP: a 4/8 and b 5/8 against c 5/8 and d 2/8; in PA only b.
    assert found.pairs == 4 and found.value == pytest.approx((1 + 1 + 0.5) / 4)
    assert found.reason == "fewer than 5 patients of a class are in pairs"
    assert np.isnan([found.low, found.high]).all() and found.patients == 4
    # With all images, a 4/8 and b 3.5/8 against c 5/8 and d 2/8.
    assert found.overall == 0.5
    # 3 and 2 patients in strata.
    assert found.fraction == pytest.approx(4 / 6)


def test_what_knows_the_stratum_only_has_no_value_within():
    rows, views = confounded(np.random.default_rng(1), patients=30)
    known = rows["image_id"].map(views) == "AP"
    rows["p_1"] = np.where(known, 0.8, 0.3)
    rows["p_0"] = 1 - rows["p_1"]
    found = within_strata(rows, ICU, views, resamples=100)
    assert found.value == 0.5 and found.overall > 0.6
    assert found.reason == "all resamples have the same value"


def test_fits_are_averaged_and_their_scores_never_compared():
    """A second fit with other scores and the same order adds equal pairs."""
    rows, views = confounded(np.random.default_rng(2), folds=2)
    other = rows.assign(p_1=rows["p_1"] ** 4)
    both = pd.concat([rows.assign(seed=0), other.assign(seed=1)])
    options = {"unit": "image", "resamples": 300}
    one = within_strata(rows, ICU, views, **options)
    two = within_strata(both, ICU, views, **options)
    assert two.value == pytest.approx(one.value) and two.pairs == 2 * one.pairs
    # The same patients: no narrower.
    assert [two.low, two.high] == pytest.approx([one.low, one.high], abs=1e-9)


def test_unknown_strata_and_other_tasks():
    rows, views = confounded(np.random.default_rng(3), folds=1)
    nothing = within_strata(rows, ICU, {}, resamples=10)
    assert nothing.pairs == 0 and np.isnan(nothing.value)
    assert nothing.reason == "no stratum has patients of both classes"
    with pytest.raises(ValueError, match="'grade': expected two classes"):
        within_strata(rows, GRADE, views)
    mixed = rows.assign(dataset=["a", "b"] * 20)
    with pytest.raises(ValueError, match="rows of one dataset.* Received: a, b"):
        within_strata(mixed, ICU, views)


@pytest.mark.parametrize(
    "runs, least", [(40, 0.85), pytest.param(300, 0.93, marks=pytest.mark.large)]
)
def test_intervals_hold_the_truth(runs, least):
    """12 patients a fold, with three images of their own view each."""
    truth = norm.cdf(1.0 / np.sqrt(2) / 1.0)
    generator, held, given = np.random.default_rng(4), 0, 0
    for run in range(runs):
        rows, views = confounded(generator, folds=5, patients=16, images=2)
        found = within_strata(rows, ICU, views, unit="image", resamples=300, seed=run)
        if not found.reason:
            given += 1
            held += found.low <= truth <= found.high
    assert given > 0.9 * runs and held / given >= least
