"""The probe on features that tell the datasets apart, and on features that do not."""

import numpy as np
import pytest
import scipy.stats

from mdmt_tf.statistics.probe import interval_of_mean, probe_features, subsample


def rows(patients=(30, 12), images=2):
    """Dataset and patient of each image."""
    dataset = np.repeat([0, 1], np.multiply(patients, images))
    return dataset, np.repeat(np.arange(sum(patients)), images)


def test_features_that_tell_the_datasets_apart_do_so():
    dataset, patient = rows()
    generator = np.random.default_rng(0)
    features = generator.standard_normal((len(dataset), 3))
    features[:, 1] += 100 * dataset
    found = probe_features(features, dataset, patient, ["a", "b"])
    assert found.balanced_accuracy == found.high == 1.0
    # 12 patients without a miss still leave room below.
    assert 0.8 < found.low < 1.0
    plain = found.to_plain()
    assert (plain["chance"], plain["n"], plain["datasets"]) == (0.5, 84, ["a", "b"])


def test_features_of_patients_do_not_tell_the_datasets():
    """Each patient has features of its own, which folds of images would learn."""
    dataset, patient = rows(patients=(40, 40), images=4)
    own = np.random.default_rng(1).standard_normal((80, 100))
    found = probe_features(own[patient], dataset, patient, ["a", "b"])
    assert found.low < 0.5 < found.high


def test_a_rare_dataset_counts_as_much_as_a_frequent_one():
    dataset, patient = rows(patients=(95, 5), images=1)
    found = probe_features(np.zeros((100, 1)), dataset, patient, ["a", "b"])
    # All images get one answer: right for one dataset, wrong for the other.
    assert found.balanced_accuracy == 0.5


def test_without_patients_there_is_a_reason_instead_of_a_value():
    dataset, patient = rows(patients=(30, 4))
    found = probe_features(np.ones((len(dataset), 1)), dataset, patient, ["a", "b"])
    assert np.isnan(found.balanced_accuracy) and "fewer than two" in found.reason
    # Three datasets, of which one is too small: the others are told apart.
    dataset = np.concatenate([dataset, np.full(20, 2)])
    patient = np.concatenate([patient, 100 + np.arange(20)])
    found = probe_features(dataset[:, None] / 1, dataset, patient, ["a", "b", "c"])
    assert (found.datasets, found.chance, found.n) == (("a", "c"), 0.5, 80)


def test_the_interval_of_many_single_rows_is_that_of_wilson():
    hits = np.arange(1000) < 700
    found = interval_of_mean([(hits, np.arange(1000))])
    expected = scipy.stats.binomtest(700, 1000).proportion_ci(method="wilson")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_copies_of_rows_do_not_narrow_the_interval():
    hits = np.arange(50) % 3 > 0
    one = interval_of_mean([(hits, np.arange(50))])
    ten = interval_of_mean([(np.repeat(hits, 10), np.repeat(np.arange(50), 10))])
    assert ten == pytest.approx(one, abs=1e-9)


def test_the_interval_covers():
    generator = np.random.default_rng(2)
    patient = np.repeat(np.arange(15), 3)
    covered = 0
    for _ in range(300):
        # Patients differ: some are recognised always, some seldom.
        chance = generator.beta(2.7, 0.3, size=(2, 15))
        hits = generator.random((2, 45)) < np.repeat(chance, 3, axis=1)
        low, high = interval_of_mean([(own, patient) for own in hits])
        covered += low <= 0.9 <= high
    assert covered / 300 > 0.92


def test_a_subsample_has_rows_of_each_dataset():
    dataset = np.array([0] * 30 + [1] * 3)
    chosen = subsample(dataset, most=10, seed=1)
    assert np.bincount(dataset[chosen]).tolist() == [10, 3]
    assert np.all(np.diff(chosen) > 0)
    assert subsample(dataset, most=10, seed=1).tolist() == chosen.tolist()
    assert subsample(dataset, most=10, seed=2).tolist() != chosen.tolist()
