"""Labels of head phantoms: frequencies against the odds they are drawn with."""

import dataclasses
import math

import numpy as np
import pytest
from frequencies import assert_frequency
from sklearn.metrics import roc_auc_score

from mdmt_tf.phantoms.head import labels
from mdmt_tf.phantoms.head.studies import ich_csic

N = 100_000


@pytest.fixture(scope="module")
def drawn():
    return labels.draw_labels(np.random.default_rng(11), N)


@pytest.fixture(scope="module")
def deep(drawn):
    return np.array([place.deep for place in labels.PLACES.values()])[drawn.place]


@pytest.mark.parametrize(
    ("volume", "gcs", "age", "blood", "logit"),
    [
        (16, 12, 70, False, -1.3),
        (16 * math.e, 12, 70, False, -1.3 + 1.1),
        (16, 9, 70, False, -1.3 + 1.1),
        (16, 12, 84, False, -1.3 + 1.0),
        (16, 15, 56, True, -1.3 - 1.1 - 1.0 + 0.8),
    ],
)
def test_probability_is_the_stated_equation(volume, gcs, age, blood, logit):
    found = labels.DEFAULT_MODEL.probability(volume, gcs, age, blood)
    assert found == pytest.approx(1 / (1 + math.exp(-logit)))


def test_outcomes_occur_as_often_as_their_probability_says(drawn):
    edges = np.quantile(drawn.probability, np.linspace(0, 1, 11))
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        rows = (drawn.probability >= low) & (drawn.probability <= high)
        assert_frequency(drawn.poor_prognosis[rows], drawn.probability[rows])


def test_blood_in_the_ventricles_is_as_frequent_as_stated(drawn, deep):
    size = np.log(drawn.volume_ml / 16)
    expected = 1 / (1 + np.exp(1.2 - 0.9 * size - 0.9 * deep))
    for rows in (deep, ~deep, size > 0.8, size < -0.8):
        assert_frequency(drawn.intraventricular[rows], expected[rows])


def test_volumes_are_those_of_the_beta_distribution(drawn):
    assert drawn.volume_ml.min() > 2 and drawn.volume_ml.max() < 110
    part = np.log(drawn.volume_ml / 2) / math.log(55)
    for limit in (0.2, 0.5, 0.8):  # P(b < t) = 3 t^2 - 2 t^3 for Beta(2, 2)
        assert_frequency(part < limit, 3 * limit**2 - 2 * limit**3)


def test_gcs_is_lower_the_worse_the_bleeding(drawn, deep):
    """The stated slopes hold where nothing is clipped or rounded."""
    model = dataclasses.replace(labels.DEFAULT_MODEL, gcs_sd=0.0)
    rng = np.random.default_rng(0)

    def score(volume, place_deep, blood):
        return model.draw_gcs(rng, [volume], [place_deep], [blood])[0]

    assert score(16, 0, 0) == round(12.6)
    assert score(16 * math.e, 0, 0) == round(12.6 - 2.4)
    assert score(16, 0, 1) == round(12.6 - 2.4)
    assert score(16, 1, 0) == round(12.6 - 1.0)
    assert score(110, 1, 1) == round(12.6 - 2.4 * math.log(110 / 16) - 2.4 - 1.0)
    same = np.abs(np.log(drawn.volume_ml / 16)) < 0.2
    blood = drawn.intraventricular
    for more, less in (
        (drawn.volume_ml > 30, drawn.volume_ml < 10),
        (same & deep & blood, same & deep & ~blood),
        (same & deep & ~blood, same & ~deep & ~blood),
    ):
        a, b = drawn.gcs[more], drawn.gcs[less]
        spread = math.sqrt(a.var() / a.size + b.var() / b.size)
        assert b.mean() - a.mean() > 0.5 > 4.5 * spread


def test_every_class_is_common(drawn, deep):
    assert drawn.gcs.min() == 3 and drawn.gcs.max() == 15
    # The std of a fraction of 100000 is at most 0.0016.
    assert np.mean(drawn.gcs <= 8) == pytest.approx(0.24, abs=0.02)
    assert np.mean((drawn.gcs > 8) & (drawn.gcs <= 12)) == pytest.approx(0.36, abs=0.02)
    assert drawn.poor_prognosis.mean() == pytest.approx(0.39, abs=0.02)
    # 79.5 years and more of a normal distribution of 70 and 14 years.
    assert_frequency(drawn.age >= 80, 0.5 * math.erfc(9.5 / 14 / math.sqrt(2)))
    assert drawn.age.min() >= 20 and drawn.age.max() <= 97
    assert_frequency(deep, 0.55)


def test_unknown_values_are_as_rare_as_stated(drawn):
    assert_frequency(~drawn.gcs_known, 0.05)
    assert_frequency(~drawn.age_known, 0.03)


def test_attainable_accuracy_is_as_documented(drawn):
    """The standard error of an AUC of 100000 patients is about 0.0015."""
    poor = drawn.poor_prognosis
    volume = roc_auc_score(poor, drawn.volume_ml)
    everything = roc_auc_score(poor, drawn.probability)
    assert volume == pytest.approx(0.82, abs=0.01)
    assert everything == pytest.approx(0.905, abs=0.01)
    # The picture also shows the ventricles; only the record holds the age.
    seen = 1.1 * np.log(drawn.volume_ml) + 1.5 * drawn.intraventricular
    assert volume + 0.01 < roc_auc_score(poor, seen) < everything - 0.03
    assert 0.60 < roc_auc_score(poor, drawn.age) < 0.68


def test_one_at_a_time_is_the_same_model():
    """Studies draw patient by patient; the frequencies must not depend on that."""
    single = ich_csic(7, 3_000)
    probabilities = np.array([s.probability for s in single])
    assert_frequency([s.poor_prognosis for s in single], probabilities)
    together = labels.draw_labels(np.random.default_rng(8), 30_000)
    for name in ("age", "volume_ml", "gcs", "probability"):
        expected = getattr(together, name)
        spread = expected.std() * math.sqrt(1 / 3_000 + 1 / 30_000)
        mean = np.mean([getattr(s, name) for s in single])
        assert abs(mean - expected.mean()) < 4.5 * spread
    assert_frequency([s.side == "left" for s in single], 0.5)
