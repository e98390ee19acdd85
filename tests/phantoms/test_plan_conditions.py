"""Conditions of the radiographs: correlation, shift, shortcut, label noise."""

import dataclasses

import numpy as np
import pytest
from frequencies import assert_frequency
from sklearn.metrics import roc_auc_score

from mdmt_tf.errors import ConfigError
from mdmt_tf.phantoms.chest import detector
from mdmt_tf.phantoms.chest.labels import OutcomeModel, draw_labels
from mdmt_tf.phantoms.chest.radiograph import render
from mdmt_tf.phantoms.chest.studies import AS_ALWAYS, Conditions, aiforcovid, brixia
from mdmt_tf.phantoms.plan import PhantomPlan
from mdmt_tf.phantoms.write import write_phantoms

N = 40_000
PLAN = PhantomPlan(aiforcovid_patients=100, brixia_patients=40, seed=2)


def drawn(correlation):
    outcome = OutcomeModel(correlation=correlation)
    return outcome, draw_labels(np.random.default_rng(4), N, outcome=outcome)


def studies(dataset="AIforCOVID", **conditions):
    plan = dataclasses.replace(PLAN, **conditions)
    return [study for study in plan.studies() if study.dataset == dataset]


def test_moments_of_the_score_are_those_of_draws():
    _, labels = drawn(1.0)
    mean, std = OutcomeModel().scores.moments()
    total = labels.brixia_global
    assert abs(total.mean() - mean) < 4 * std / N**0.5
    assert total.std() == pytest.approx(std, rel=0.015)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_the_signal_is_correlated_with_score_and_heart_as_stated(correlation):
    outcome, labels = drawn(correlation)
    signal = outcome.signal(labels.brixia_global, labels.heart)
    with_score = np.corrcoef(signal, labels.brixia_global)[0, 1]
    with_heart = np.corrcoef(signal, labels.heart)[0, 1]
    assert with_score == pytest.approx(correlation, abs=4 / N**0.5)
    assert with_heart == pytest.approx((1 - correlation**2) ** 0.5, abs=4 / N**0.5)
    # The same strength at every correlation.
    assert signal.mean() == pytest.approx(outcome.scores.moments()[0], abs=0.1)
    assert signal.std() == pytest.approx(outcome.scores.moments()[1], rel=0.015)
    assert_frequency(labels.severe, labels.probability)


def test_without_correlation_the_score_says_nothing_of_the_outcome():
    outcome, labels = drawn(0.0)
    assert abs(roc_auc_score(labels.severe, labels.brixia_global) - 0.5) < 0.01
    # logit = 0.05 + 1.7 (m - 8 + d H) / 4 for a heart of H = 1 and an age of 62.
    mean, std = outcome.scores.moments()
    logit = 0.05 + 1.7 * (mean - 8 + std) / 4
    for score in (0, 7, 18):
        expected = 1 / (1 + np.exp(-logit))
        assert outcome.probability(score, 62, 1.0) == pytest.approx(expected)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 1.0])
def test_the_oracle_reaches_about_the_same_at_every_correlation(correlation):
    _, labels = drawn(correlation)
    auc = roc_auc_score(labels.severe, labels.image_probability)
    assert 0.84 < auc < 0.89
    assert auc < roc_auc_score(labels.severe, labels.probability) < 0.91


def test_all_else_of_a_patient_is_the_same_at_any_condition():
    always = studies()
    other = studies(correlation=0.3, shift="detector", shortcut=0.7, label_noise=0.2)
    changed = {"probability", "image_probability", "severe", "recorded", "heart"}
    changed |= {"appearance", "ap", "inverted", "compressed"}
    for one, two in zip(always, other, strict=True):
        own = {k: v for k, v in vars(one).items() if k not in changed}
        assert own == {k: v for k, v in vars(two).items() if k not in changed}
        assert one.heart is None and one.recorded == one.severe
    assert {study.heart for study in studies(correlation=1.0)} == {None}


def test_a_heart_stays_that_of_its_patient():
    hearts = {}
    for study in studies("BRIXIA", correlation=0.5):
        hearts.setdefault(study.patient, set()).add(study.heart)
    assert all(len(own) == 1 for own in hearts.values())
    assert len(hearts) == 40


def test_a_larger_heart_is_brighter_in_the_picture_and_changes_nothing_else():
    def picture(heart):
        rng = np.random.default_rng(0)
        return render(rng, [0] * 6, ap=False, heart=heart, matrix=64)

    small, large = picture(-1.0), picture(2.0)
    np.testing.assert_array_equal(small.lungs, large.lungs)
    # Where the left ventricle grows into the left lung.
    grown = (large.pixels - small.pixels > 0.15) & (large.lungs == 2)
    assert grown.mean() > 0.02
    assert ((large.pixels - small.pixels > 0.15) & (large.lungs == 1)).mean() < 0.02


def test_shifts_are_between_devices():
    def devices(dataset, shift):
        return {study.appearance for study in studies(dataset, shift=shift)}

    assert devices("AIforCOVID", "sites") == set(detector.HOSPITALS.values())
    assert len(devices("BRIXIA", "sites")) > 5
    for shift in ("none", "detector"):
        (own,) = {dataclasses.replace(d, bits=12) for d in devices("AIforCOVID", shift)}
        assert own == detector.ONE_DEVICE
    (same,) = {dataclasses.replace(d, bits=12) for d in devices("BRIXIA", "none")}
    assert same == detector.ONE_DEVICE
    assert devices("BRIXIA", "detector") == {detector.OTHER_DEVICE}


def test_a_shortcut_ties_the_projection_to_the_outcome():
    for fraction in (0.0, 0.6, 1.0):
        conditions = Conditions(shift="none", shortcut=fraction)
        made = aiforcovid(1, 400, conditions)
        agree = np.array([study.ap == study.severe for study in made])
        # Tied, or as likely as a coin says.
        chance = fraction + (1 - fraction) * 0.5
        if fraction == 1.0:
            assert agree.all()
        else:
            assert_frequency(agree, np.full(len(agree), chance))
    scored = brixia(1, 100, Conditions(shift="none", shortcut=1.0))
    free = brixia(1, 100, Conditions(shift="none"))
    assert [study.ap for study in scored] == [study.ap for study in free]


def test_label_noise_is_in_the_tables_and_not_in_the_truth(tmp_path):
    made = aiforcovid(1, 500, Conditions(label_noise=0.2))
    wrong = np.array([study.recorded != study.severe for study in made])
    assert_frequency(wrong, np.full(len(wrong), 0.2))
    severe = [study.severe for study in aiforcovid(1, 500, AS_ALWAYS)]
    assert [study.severe for study in made] == severe

    plan = PhantomPlan(
        aiforcovid_patients=12, matrix=64, label_noise=0.5, correlation=0.5
    )
    root = write_phantoms(tmp_path / "root", plan)
    head, *rows = (root / "phantom_truth.csv").read_text().splitlines()
    assert head.endswith(",severe,heart,recorded")
    found = [row.split(",")[-3:] for row in rows]
    for study, (true, heart, recorded) in zip(plan.studies(), found, strict=True):
        assert (int(true), int(recorded)) == (study.severe, study.recorded)
        assert float(heart) == pytest.approx(study.heart, abs=1e-6)
    assert write_phantoms(root, plan) == root


def test_plans_without_conditions_are_described_as_before():
    assert not {"correlation", "shift", "shortcut", "label_noise"} & set(
        PLAN.described()
    )
    tied = dataclasses.replace(PLAN, shortcut=0.5)
    assert tied.described() == PLAN.described() | {"shortcut": 0.5}


def test_impossible_conditions_are_refused():
    with pytest.raises(ConfigError, match=r"correlation=1.5 \(0 to 1\)"):
        dataclasses.replace(PLAN, correlation=1.5)
    with pytest.raises(ConfigError, match=r"shift='moon' \(one of sites, none"):
        dataclasses.replace(PLAN, shift="moon")
