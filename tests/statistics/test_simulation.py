"""Simulated comparisons: metrics in closed form, and what the scenarios promise."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from compared import DEATH
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from mdmt_tf.statistics.influence import leave_one_out
from mdmt_tf.statistics.simulation import (
    ALTERNATIVES,
    METRICS,
    NULLS,
    Scenario,
    measure,
    of_sites,
    simulate,
)

SMALL = Scenario("small", patients=30, backbones=2, repeats=2, folds=3)


def rows_of(drawn, arm, backbone, repeat):
    chance = 1 / (1 + np.exp(-drawn.scores[arm, backbone, repeat]))
    return pd.DataFrame(
        {
            "fold": drawn.fold[repeat],
            "patient": range(len(chance)),
            "target": drawn.labels,
            "p_0": 1 - chance,
            "p_1": chance,
        }
    )


@pytest.mark.parametrize("images", [(1,), (1, 2, 5)])
def test_metrics_without_each_patient_are_those_of_the_rows(images):
    scenario = dataclasses.replace(SMALL, images=images, prevalence=0.3)
    drawn = simulate(scenario, np.random.default_rng(0))
    found = measure(drawn)
    backbone, repeat = 1, 0
    a, b = (
        leave_one_out(DEATH, rows_of(drawn, arm, backbone, repeat), METRICS, 30)
        for arm in (0, 1)
    )
    for name in METRICS:
        difference = a[name].value - b[name].value
        assert found[name].values[backbone, repeat] == pytest.approx(difference)
        # Row backbone * repeats + repeat.
        left_out = a[name].left_out - b[name].left_out
        assert found[name].left_out[2] == pytest.approx(left_out)
        of_folds = a[name].folds_left_out - b[name].folds_left_out
        assert found[name].folds_left_out[2] == pytest.approx(of_folds)


def test_metrics_of_folds():
    drawn = simulate(SMALL, np.random.default_rng(0))
    found = measure(drawn)
    rows = rows_of(drawn, 1, 0, 1)
    rows = rows[rows["fold"] == 2]
    predictions = rows["p_1"] > 0.5
    assert found["auc"].of_folds[1, 0, 1, 2] == pytest.approx(
        roc_auc_score(rows["target"], rows["p_1"])
    )
    assert found["balanced_accuracy"].of_folds[1, 0, 1, 2] == pytest.approx(
        balanced_accuracy_score(rows["target"], predictions)
    )
    assert found["accuracy"].of_folds[1, 0, 1, 2] == pytest.approx(
        (rows["target"] == predictions).mean()
    )


def test_folds_are_stratified_and_tested_by_models_of_the_others():
    drawn = simulate(SMALL, np.random.default_rng(0))
    assert drawn.fold.shape == (2, 30)
    for fold in drawn.fold:
        for label in (0, 1):
            assert np.bincount(fold[drawn.labels == label]).tolist() == [5, 5, 5]


def test_sites_change_the_difference_only_where_they_differ():
    sizes = (200, 200, 200, 200)
    sites = Scenario("sites", patients=800, backbones=1, folds=4, sites=sizes)
    spread = []
    for between in (0.0, 1.0):
        scenario = dataclasses.replace(sites, between=between)
        drawn = simulate(scenario, np.random.default_rng(0))
        means = [site.correct[:, 0, 0].mean(axis=1) for site in of_sites(drawn)]
        spread.append(np.ptp([candidate - other for candidate, other in means]))
    # The std of the difference of two fractions of 200 is at most 0.05.
    assert spread[0] < 0.15 < spread[1]


def test_a_useless_model_is_not_better_than_chance():
    # A leak of tested rows into training would raise the AUC above 0.5.
    scenario = dataclasses.replace(SMALL, signal=0.0, shrinkage=0.1)
    areas = [
        measure(simulate(scenario, np.random.default_rng(seed)))["auc"].of_folds.mean()
        for seed in range(60)
    ]
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas) / np.sqrt(60)


def test_null_scenarios_have_no_difference_and_alternatives_have_one():
    for scenario in (*NULLS, *ALTERNATIVES):
        if scenario.patients > 1000:  # slow, and the same but for that
            continue
        few = dataclasses.replace(scenario, backbones=1)
        count = 60
        differences = [
            measure(simulate(few, np.random.default_rng(seed)))["auc"].values.mean()
            for seed in range(count)
        ]
        z = np.mean(differences) / (np.std(differences, ddof=1) / np.sqrt(count))
        assert z > 3 if scenario.gain else abs(z) < 3
