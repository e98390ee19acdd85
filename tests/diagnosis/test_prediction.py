"""Cross-validated predictions of a label by what is not the anatomy."""

import numpy as np
import pytest
from made_material import made_dataset, made_material, made_task
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from mdmt_tf.diagnosis.prediction import (
    concordance,
    cross_predict,
    enough,
    frequencies,
    null_error,
    ridge,
)
from mdmt_tf.diagnosis.shortcuts import SURE
from mdmt_tf.diagnosis.targets import targets_of

N = 60


def target_of(labels, patients=None, **options):
    dataset = made_dataset(labels, patients=patients, images=None)
    material = made_material(dataset, tasks=[made_task(**options)])
    ((_, target),) = targets_of(material.tasks, material.tables)
    return target


def test_concordance_of_two_classes_is_the_auc_within_folds():
    generator = np.random.default_rng(0)
    scores = np.round(generator.random(50), 1)  # with ties
    values = generator.integers(0, 2, 50).astype(float)
    one_fold = np.zeros(50, int)
    assert concordance(scores, values, one_fold) == pytest.approx(
        roc_auc_score(values, scores)
    )
    # Pairs of different folds do not count: here all pairs of one fold are right.
    assert (
        concordance(
            np.array([1, 2, -9, -8]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
        )
        == 1.0
    )


def test_concordance_counts_pairs_of_different_values():
    # Pairs (0, 1), (0, 2), (1, 2): right, tie, wrong.
    assert concordance(np.array([1.0, 2.0, 1.0]), np.arange(3.0), np.zeros(3)) == 0.5
    assert np.isnan(concordance(np.arange(3.0), np.ones(3), np.zeros(3)))


def test_ridge_is_that_of_scikit_learn():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(40, 3)) * [1, 50, 0.1] + 7
    matrix = generator.normal(size=(30, 2))
    train, test = np.arange(30), np.arange(30, 40)
    scaler = StandardScaler().fit(features[train])
    model = Ridge(alpha=30).fit(scaler.transform(features[train]), matrix)
    expected = model.predict(scaler.transform(features[test]))
    np.testing.assert_allclose(ridge(features)(train, test, matrix), expected)
    # With more features than rows, by the other form of the same equations.
    few = np.arange(2)
    scaler = StandardScaler().fit(features[few])
    model = Ridge(alpha=2).fit(scaler.transform(features[few]), matrix[few])
    expected = model.predict(scaler.transform(features[test]))
    np.testing.assert_allclose(ridge(features)(few, test, matrix[few]), expected)


def test_frequencies_need_five_patients_of_a_value():
    values = np.array(["a"] * 6 + ["b"] * 6 + ["a", "b", "c"])
    patients = np.array([*range(6), 6, 6, 6, 7, 7, 7, 20, 21, 22])
    matrix = np.array([[1.0]] * 6 + [[0.0]] * 6)
    predict = frequencies(values, patients)
    found = predict(np.arange(12), np.array([12, 13, 14]), matrix)[:, 0]
    # a: (6 + 0.5) / 7; b has two patients and c none: the mean of all.
    np.testing.assert_allclose(found, [6.5 / 7, 0.5, 0.5])


def test_a_field_that_is_the_label_predicts_it():
    labels = np.arange(N) % 2
    target = target_of(labels)
    found = cross_predict(target, frequencies(labels.astype(str), target.patients))
    assert found.by == "patient"
    for score in (found.image, found.patient):
        assert (score.auc, score.balanced_accuracy, score.accuracy) == (1, 1, 1)
        assert score.n == N
    # 30 and 30 patients: sqrt(61 / (12 x 900)), and 1.3 for cross-validation.
    assert found.z == pytest.approx(0.5 / np.sqrt(61 / 10800) / 1.3)


def test_scores_by_image_and_by_patient_differ():
    """Patient 0 has 20 images, all predicted wrongly."""
    labels = np.array([0] * 20 + [0, 1] * 29)
    patients = np.array([0] * 20 + list(range(1, 59)))
    values = np.array(["x"] * 20 + ["y", "x"] * 29)
    target = target_of(labels, patients)
    found = cross_predict(target, frequencies(values, target.patients))
    assert (found.image.n, found.patient.n) == (78, 59)
    assert found.image.accuracy == pytest.approx(58 / 78)
    assert found.patient.accuracy == pytest.approx(58 / 59)
    assert found.image.balanced_accuracy == pytest.approx((29 / 49 + 1) / 2)


def test_nothing_of_a_patient_is_known_when_it_is_predicted():
    """Six images of each patient tell the patient, not the label."""
    generator = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 6)
    labels = generator.permutation(np.arange(40) % 2)[patients]
    features = generator.normal(size=(40, 5))[patients]
    found = cross_predict(target_of(labels, patients), ridge(features))
    assert abs(found.z) < 3


def test_labels_that_are_permuted_raise_no_alarm():
    generator = np.random.default_rng(0)
    target = target_of(np.arange(N) % 2)
    z = []
    for _ in range(50):
        z.append(cross_predict(target, ridge(generator.normal(size=(N, 4)))).z)
        texts = generator.choice(["a", "b", "c"], N)
        z.append(cross_predict(target, frequencies(texts, target.patients)).z)
    assert abs(np.mean(z)) < 0.5
    assert 0.7 < np.std(z) < 1.2
    assert np.mean(np.array(z) >= SURE) <= 0.02


def test_the_null_error_of_ordered_classes_is_that_of_permutations():
    generator = np.random.default_rng(0)
    labels = np.array([0] * 8 + [1] * 12 + [2] * 5 + [3] * 5)
    target = target_of(labels, kind="ordinal", classes=("a", "b", "c", "d"))
    scores, fold = np.arange(30.0), np.zeros(30, int)
    found = [
        concordance(scores, generator.permutation(labels).astype(float), fold)
        for _ in range(2000)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.01)
    assert null_error(target) == pytest.approx(np.std(found), rel=0.06)


def test_numbers_and_nominal_classes_are_predicted():
    generator = np.random.default_rng(5)
    hidden = generator.normal(size=N)
    numbers = target_of(
        np.round(hidden, 3).astype(np.float32), kind="regression", classes=()
    )
    found = cross_predict(numbers, ridge(hidden[:, None]))
    assert found.patient.auc == 1.0 and np.isnan(found.patient.accuracy)
    labels = np.arange(N) % 3
    nominal = target_of(labels, kind="categorical", classes=("a", "b", "c"))
    assert not nominal.ordered
    found = cross_predict(nominal, frequencies(labels.astype(str), nominal.patients))
    assert found.patient.auc == found.patient.balanced_accuracy == 1.0


def test_few_patients_are_not_enough():
    assert enough(target_of(np.arange(N) % 2))
    assert not enough(target_of(np.arange(18) % 2))
    assert not enough(target_of(np.array([1] * 4 + [0] * 50)))
    # Many images of few patients.
    assert not enough(target_of(np.arange(N) % 2, patients=np.arange(N) % 6))
