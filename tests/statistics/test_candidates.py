"""Type-I error and power of the primary comparison and of the paper's tests.

`tools/simulate_comparisons.py` measures them with more simulations.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.statistics.candidates import PAPER, PRIMARY, p_across_sites, p_values
from mdmt_tf.statistics.comparisons import MEASURED_TYPE_I, compare
from mdmt_tf.statistics.primary import compare_metrics
from mdmt_tf.statistics.simulation import (
    ALTERNATIVES,
    METRICS,
    NULLS,
    SITES,
    Scenario,
    measure,
    simulate,
)
from mdmt_tf.statistics.sites import across_sites
from mdmt_tf.tasks import make_task

DEATH = make_task(name="death", kind="binary", classes=("no", "yes"))
BY_NAME = {scenario.name: scenario for scenario in (*NULLS, *ALTERNATIVES)}
LUCK = BY_NAME["luck, 100 patients"]


def rejected(scenario, simulations, metrics=METRICS):
    """{(metric, test): fraction of p < 0.05}."""
    counts: dict = {}
    for seed in range(simulations):
        found = measure(simulate(scenario, np.random.default_rng([3, seed])))
        for metric in metrics:
            for test, p in p_values(found[metric], scenario.folds).items():
                key = metric, test
                counts[key] = counts.get(key, 0) + (p < 0.05) / simulations
    return counts


def rows_of(drawn, arm):
    """Predicted rows of an arm, numbered over repeats."""
    _, backbones, repeats, patients = drawn.scores.shape
    tables = []
    for backbone, repeat in np.ndindex(backbones, repeats):
        chance = 1 / (1 + np.exp(-drawn.scores[arm, backbone, repeat]))
        table = pd.DataFrame({"patient_id": [f"p{i:03}" for i in range(patients)]})
        table = table.assign(image_id=table["patient_id"], dataset="d")
        fold = drawn.fold[repeat] + 5 * repeat
        table = table.assign(task="death", backbone=f"b{backbone}", seed=0)
        table = table.assign(fold=fold, target=drawn.labels)
        table = table.assign(prediction=(chance > 0.5).astype(int))
        tables.append(table.assign(p_0=1 - chance, p_1=chance))
    return pd.concat(tables, ignore_index=True)


def test_p_values_are_those_of_the_comparisons():
    scenario = dataclasses.replace(LUCK, patients=40, backbones=3, repeats=2)
    drawn = simulate(scenario, np.random.default_rng(0))
    found = p_values(measure(drawn)["accuracy"], 5)
    arms, metrics = [], []
    for arm, name in enumerate(("candidate", "other")):
        arms.append(rows_of(drawn, arm))
        right = arms[-1]["target"] == arms[-1]["prediction"]
        of_fits = right.groupby([arms[-1]["backbone"], arms[-1]["fold"]]).mean()
        own = of_fits.rename("value").reset_index()
        metrics.append(own.assign(experiment=name))
    primary = compare_metrics(*arms, DEATH, ["accuracy"], folds=5)["accuracy"]
    assert found[PRIMARY] == pytest.approx(primary.p)
    rows = pd.concat(metrics).assign(validation="cv", seed=0, task="death")
    tests = compare(
        rows.assign(figure="accuracy"),
        task="death",
        metric="accuracy",
        candidate="candidate",
        other="other",
        validation="cv",
    )
    assert [found[name] for name in PAPER] == pytest.approx([t.test.p for t in tests])


def test_p_across_sites_is_that_of_the_comparison():
    sizes = (40, 30, 24)
    scenario = Scenario("three", patients=94, backbones=2, folds=3, sites=sizes)
    drawn = simulate(scenario, np.random.default_rng(0))
    assert np.bincount(drawn.fold[0]).tolist() == list(sizes)
    arms = [rows_of(drawn, arm) for arm in (0, 1)]
    arms = [rows.assign(site="site " + rows["fold"].astype(str)) for rows in arms]
    found = p_across_sites(drawn)
    for metric in METRICS:
        expected = across_sites(*arms, DEATH, metric, folds=3)
        assert found[metric] == pytest.approx(expected.p)


def test_the_primary_holds_its_level_where_t_over_backbones_does_not():
    scenario = dataclasses.replace(LUCK, backbones=6)
    found = rejected(scenario, 100, ["accuracy"])
    # 0.05 of 100: at most 12 within three standard errors.
    assert found["accuracy", PRIMARY] <= 0.12
    assert found["accuracy", "t, mean, backbones"] >= 0.15


def test_each_test_of_the_paper_has_a_measured_error():
    pairs = np.array([0.1, 0.2, 0.4])
    measured = [
        (statistic, unit, test(pairs, 0 * pairs, alternative="less", unit=unit).name)
        for statistic, unit, test in PAPER.values()
    ]
    assert measured == list(MEASURED_TYPE_I)


@pytest.mark.large
def test_the_measured_errors_of_the_papers_tests():
    luck, noise = (
        rejected(BY_NAME[name], 300)
        for name in ("luck, 100 patients", "noise of fits, 100")
    )
    for name, (low, high) in zip(PAPER, MEASURED_TYPE_I.values(), strict=True):
        for metric in METRICS:
            # Within three standard errors of 300 simulations.
            assert 100 * luck[metric, name] <= high + 8
            assert low - 4 <= 100 * noise[metric, name] <= low + 5
        assert 100 * max(luck[metric, name] for metric in METRICS) >= high - 8


@pytest.mark.large
@pytest.mark.parametrize("name", [s.name for s in NULLS if s.patients < 1000])
@pytest.mark.parametrize("repeats", [1, 5])
def test_type_i_error(name, repeats):
    scenario = dataclasses.replace(BY_NAME[name], repeats=repeats)
    found = rejected(scenario, 400)
    # At most 0.07, within two standard errors of 0.011.
    for metric in METRICS:
        assert found[metric, PRIMARY] <= 0.092


@pytest.mark.large
def test_power():
    found = rejected(BY_NAME["gain, 100 patients"], 200)
    for metric in METRICS:
        assert found[metric, PRIMARY] >= 0.65
        assert found[metric, PRIMARY] > found[metric, "corrected t"] + 0.2


@pytest.mark.large
@pytest.mark.parametrize("scenario", SITES, ids=[s.name for s in SITES])
def test_type_i_error_across_sites(scenario):
    few = dataclasses.replace(scenario, backbones=6)
    found = dict.fromkeys(METRICS, 0.0)
    for seed in range(300):
        drawn = simulate(few, np.random.default_rng([3, seed]))
        for metric, p in p_across_sites(drawn).items():
            found[metric] += (p < 0.05) / 300
    # At most 0.07, within two standard errors of 0.0126.
    assert max(found.values()) <= 0.095
