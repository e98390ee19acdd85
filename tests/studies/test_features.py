"""Simulated features: what they show, and what an oracle reaches."""

import numpy as np
import pytest
from frequencies import assert_frequency
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score

from mdmt_tf.phantoms.chest.labels import DEFAULT_SCORES, OutcomeModel, draw_labels
from mdmt_tf.studies.features import Imaging, draw_findings, draw_patients

CLEAN = Imaging(seed=0, size=48, noise=0.0, detector=0.5)


def patients(n=4000, imaging=CLEAN, seed=1, **options):
    options = {"correlation": 0.5} | options
    return draw_patients(np.random.default_rng(seed), n, imaging, **options)


def test_features_show_score_and_heart():
    findings, labels, heart = draw_findings(np.random.default_rng(0), 6000)
    features = CLEAN.features(np.random.default_rng(1), findings)
    for target, least in ((labels.brixia_global, 0.9), (heart, 0.5)):
        model = LinearRegression().fit(features[:4000], target[:4000])
        assert model.score(features[4000:], target[4000:]) > least


def test_features_of_the_first_detector_are_standard():
    features = patients().features
    assert features.dtype == np.float32
    assert abs(features.mean(axis=0)).max() < 0.12
    assert abs(features.std(axis=0) - 1).max() < 0.12


def test_noise_has_the_std_that_is_stated():
    noisy = Imaging(seed=0, size=48, noise=0.7, detector=0.5)
    one, two = (patients(imaging=imaging).features for imaging in (CLEAN, noisy))
    assert (two - one).std() == pytest.approx(0.7, rel=0.02)


def test_another_detector_maps_the_same_findings_differently():
    findings, *_ = draw_findings(np.random.default_rng(0), 3000)
    for fraction in (0.0, 0.5):
        imaging = Imaging(seed=0, size=48, noise=0.0, detector=fraction)
        own = imaging.features(np.random.default_rng(1), findings)
        other = imaging.features(np.random.default_rng(1), findings, other=True)
        if fraction == 0.0:
            np.testing.assert_allclose(own, other, atol=1e-5)
        else:
            correlations = [
                np.corrcoef(own[:, k], other[:, k])[0, 1] for k in range(48)
            ]
            # Maps that share half of their variance agree at sqrt(0.5).
            assert np.mean(correlations) == pytest.approx(0.5**0.5, abs=0.1)
            assert abs(other.mean(axis=0)).max() > 0.3


def test_a_shortcut_makes_the_outcome_easy_inside_and_only_there():
    tied, free = (patients(shortcut=f, seed=s) for f, s in ((0.9, 1), (0.0, 2)))
    model = LogisticRegression(max_iter=2000).fit(tied.features, tied.severe)
    scores = [
        roc_auc_score(made.severe, model.decision_function(made.features))
        for made in (patients(shortcut=0.9, seed=3), free)
    ]
    # The oracle without the projection reaches 0.86.
    assert scores[0] > 0.9 > 0.8 > scores[1]


def test_label_noise_is_in_the_record_alone():
    made = patients(label_noise=0.3)
    assert_frequency(made.recorded != made.severe, np.full(4000, 0.3))
    assert_frequency(patients().recorded != patients().severe, np.full(4000, 1e-9))


def oracle_auc(correlation, n):
    """AUC of the oracle in the population, which knows score and heart.

    It ranks patients by P(severe | score, heart), of which the AUC is exact up to a
    sample of n patients.
    """
    rng = np.random.default_rng(0)
    outcome = OutcomeModel(correlation=correlation, scores=DEFAULT_SCORES)
    total = draw_labels(rng, n, outcome=outcome)
    order = np.argsort(total.image_probability, kind="stable")
    chance = total.image_probability[order]
    # P(pair is right) = sum over pairs p_i (1 - p_j) [i above j], ties half.
    _, start, count = np.unique(chance, return_index=True, return_counts=True)
    below = np.concatenate([[0.0], np.cumsum(1.0 - chance)])
    negatives = below[start] + 0.5 * (below[start + count] - below[start])
    positives = np.add.reduceat(chance, start)
    return float((positives * negatives).sum() / (chance.sum() * (1 - chance).sum()))


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_oracle_is_that_of_many_draws(correlation):
    outcome = OutcomeModel(correlation=correlation)
    labels = draw_labels(np.random.default_rng(3), 20_000, outcome=outcome)
    drawn = roc_auc_score(labels.severe, labels.image_probability)
    assert oracle_auc(correlation, n=20_000) == pytest.approx(drawn, abs=0.012)
