"""How often intervals of calibration metrics hold the truth, by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from mdmt_tf.metrics.computation import task_metrics, weighted_metrics
from mdmt_tf.statistics.resampling import bootstrap_intervals
from mdmt_tf.tasks import make_task

TWO = make_task(name="death", kind="binary", classes=("no", "yes"))


def drawn(generator, patients, images, temperature, shift):
    """Rows of patients whose logit is z, of a model that says T z + shift."""
    logits = generator.normal(-0.5, 1.3, patients)
    labels = np.repeat(generator.random(patients) < expit(logits), images)
    each = np.repeat(logits, images)
    if images > 1:
        each = each + generator.normal(0, 0.5, len(each))
    score = expit(temperature * each + shift)
    return pd.DataFrame(
        {
            "dataset": "ward",
            "patient_id": np.repeat(np.arange(patients), images),
            "target": labels.astype(float),
            "prediction": (score > 0.5).astype(int),
            "p_0": 1 - score,
            "p_1": score,
        }
    )


def metrics_of(rows):
    return task_metrics(TWO, rows["target"], rows[["p_0", "p_1"]].to_numpy())


def coverage(simulations, resamples, patients, images, temperature, shift):
    """Fractions of intervals that hold the value of 200,000 patients."""
    many = drawn(np.random.default_rng(0), 200_000, images, temperature, shift)
    truth = metrics_of(many)
    # The noise of the truth itself; the calibration error is not below 0.
    slack = {"ece": 0.002, "calibration_slope": 0.0, "calibration_intercept": 0.0}
    held = dict.fromkeys(slack, 0)
    for seed in range(simulations):
        generator = np.random.default_rng([1, seed])
        rows = drawn(generator, patients, images, temperature, shift)
        found = bootstrap_intervals(
            TWO,
            [rows],
            resamples=resamples,
            seed=seed,
        )
        for name, more in slack.items():
            interval = found[name]
            held[name] += interval.low - more <= truth[name] <= interval.high
    return {name: count / simulations for name, count in held.items()}


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_intervals_hold_the_truth_of_100_patients(temperature):
    # Binomial: 0.95 within 3 standard errors of 100 simulations is 0.88 or more.
    found = coverage(100, 150, 100, 1, temperature, 0.0)
    assert min(found.values()) >= 0.85 and found["ece"] >= 0.88


def test_a_percentile_interval_would_not_hold_0():
    """Why the calibration error has an interval of its own."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(40):
        rows = drawn(generator, 100, 1, 1.0, 0.0)
        weights = generator.multinomial(100, [0.01] * 100, 150)
        chances = rows[["p_0", "p_1"]].to_numpy()
        values = weighted_metrics(TWO, rows["target"], chances, weights)["ece"]
        held += np.quantile(values, 0.025) < 0.02
    assert held == 0


@pytest.mark.large
@pytest.mark.parametrize("temperature, shift", [(1, 0), (1.3, 0), (2.5, 0), (1, 1)])
@pytest.mark.parametrize("patients, images", [(50, 1), (100, 1), (300, 1), (60, 3)])
def test_intervals_hold_the_truth(patients, images, temperature, shift):
    found = coverage(400, 400, patients, images, temperature, shift)
    print(patients, images, temperature, shift, found)
    # Nominal 0.95. 400 simulations have a standard error of 0.011.
    assert found["ece"] >= 0.90 and found["calibration_slope"] >= 0.88
