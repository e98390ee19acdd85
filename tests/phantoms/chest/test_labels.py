"""Labels of phantoms: frequencies against the probabilities they are drawn with."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from frequencies import assert_frequency
from sklearn.metrics import roc_auc_score

from mdmt_tf.phantoms.chest import labels

N = 100_000
PAGE = Path(__file__).parents[3] / "datasets" / "synthetic_cxr" / "README.md"


@pytest.fixture(scope="module")
def drawn():
    return labels.draw_labels(np.random.default_rng(11), N)


def test_the_page_of_the_dataset_has_the_fractions_of_the_categories(drawn):
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    found = re.search(r"0-4, 5-8, 9-13 and 14-18 have about (.*?) % of", text)
    stated = [int(number) for number in re.findall(r"\d+", found[1])]
    bounds = ((0, 4), (5, 8), (9, 13), (14, 18))
    total = drawn.brixia_global
    counted = [100 * np.mean((low <= total) & (total <= high)) for low, high in bounds]
    np.testing.assert_allclose(stated, counted, rtol=0, atol=1)
    assert sum(stated) == 100


def logistic(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("score", "age", "logit"),
    [(8, 62, 0.0), (12, 62, 1.7), (4, 62, -1.7), (8, 77, 0.8), (16, 47, 3.4 - 0.8)],
)
def test_probability_is_the_stated_equation(score, age, logit):
    model = labels.OutcomeModel(intercept=0.0, score=1.7, age=0.8)
    assert model.probability(score, age) == pytest.approx(logistic(logit))


def test_outcomes_occur_as_often_as_their_probability_says(drawn):
    assert_frequency(drawn.severe, drawn.probability)
    edges = np.quantile(drawn.probability, np.linspace(0, 1, 11))
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        rows = (drawn.probability >= low) & (drawn.probability <= high)
        assert_frequency(drawn.severe[rows], drawn.probability[rows])


@pytest.mark.parametrize("score", range(19))
def test_image_probability_is_the_fraction_of_severe_at_a_score(drawn, score):
    rows = drawn.brixia_global == score
    assert rows.sum() > 300
    assert_frequency(drawn.severe[rows], drawn.image_probability[rows])


def test_image_probability_is_the_mean_over_ages():
    model = labels.OutcomeModel(mean_age=30.0, sd_age=25.0)  # a third is clipped
    ages = model.draw_ages(np.random.default_rng(3), 400_000)
    assert ages.min() == model.min_age and ages.max() <= model.max_age
    for score in (0, 6, 8, 18):
        mean = model.probability(score, ages).mean()
        assert model.image_probability(score) == pytest.approx(mean, abs=2e-3)


def test_attainable_accuracy_is_as_documented(drawn):
    image = roc_auc_score(drawn.severe, drawn.image_probability)
    record = roc_auc_score(drawn.severe, drawn.probability)
    assert 0.85 < image < 0.90
    assert image + 0.01 < record < 0.92
    # Both outcomes are common, and no rule beats the Bayes rule by chance.
    assert 0.42 < drawn.severe.mean() < 0.52
    right = (drawn.image_probability > 0.5) == drawn.severe
    expected = np.maximum(drawn.image_probability, 1 - drawn.image_probability)
    assert_frequency(right, expected)


@pytest.mark.parametrize("zone", range(6))
def test_grades_are_as_frequent_as_the_normal_distribution_says(drawn, zone):
    model = labels.ScoreModel()
    for grade, threshold in enumerate(model.thresholds, start=1):
        above = (drawn.zones[:, zone] >= grade).astype(float)
        fraction = 0.5 * math.erfc((threshold - model.offsets[zone]) / math.sqrt(2))
        assert_frequency(above, np.full(N, fraction))


def test_zones_of_a_patient_agree_more_with_a_higher_loading():
    disease = np.random.default_rng(0).standard_normal(20_000)

    def agreement(loading):
        model = labels.ScoreModel(loading=loading)
        zones = model.draw(np.random.default_rng(1), disease)
        return np.corrcoef(zones, rowvar=False)[0, 5]

    assert abs(agreement(0.0)) < 0.03
    assert agreement(0.0) + 0.2 < agreement(0.6) < agreement(0.9) - 0.2


def test_every_severity_category_is_common(drawn):
    category = np.digitize(drawn.brixia_global, [5, 9, 14])
    assert (np.bincount(category, minlength=4) / N > 0.1).all()


def test_one_at_a_time_is_the_same_model():
    """Studies draw patient by patient; the frequencies must not depend on that."""
    single = [
        labels.draw_labels(np.random.default_rng([7, i]), 1) for i in range(2_000)
    ]
    assert_frequency(
        np.array([s.severe[0] for s in single]),
        np.array([s.probability[0] for s in single]),
    )
    together = labels.draw_labels(np.random.default_rng(8), 20_000)
    mean = np.mean([s.brixia_global[0] for s in single])
    spread = together.brixia_global.std() / math.sqrt(2_000)
    assert abs(mean - together.brixia_global.mean()) < 4.5 * spread
