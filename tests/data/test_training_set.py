"""Class counts and weights of the rows to train with."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.data.samples import Samples, all_samples
from mdmt_tf.data.training_set import (
    build_training_set,
    check_classes,
    oversampled_classes,
    patient_weights,
)
from mdmt_tf.errors import DataError
from mdmt_tf.statistics.calibration_fit import prior_ratios
from mdmt_tf.tasks import make_task


def test_balanced_class_weights_are_counted_on_the_rows(samples):
    train = samples["train"]
    rows = build_training_set(train)
    counts, labels = rows.class_counts["outcome"], train.labels["outcome"]
    assert counts.tolist() == [(labels == 0).sum(), (labels == 1).sum()]
    for c in (0, 1):
        weights = rows.weights["outcome"][labels == c]
        np.testing.assert_allclose(weights, counts.sum() / (2 * counts[c]), 1e-6)
    np.testing.assert_array_equal(rows.weights["outcome"][labels < 0], 0)
    np.testing.assert_allclose(rows.weights["outcome"].sum(), counts.sum())
    # No class weights: the indicator.
    np.testing.assert_array_equal(rows.weights["grade"], train.known["grade"])
    assert rows.weights["grade"].dtype == np.float32
    assert rows.draws.total == len(train)


TASK = make_task(name="t", kind="categorical", classes=("a", "b", "c"))


def test_rows_of_a_regression(alpha):
    task = make_task(name="age", kind="regression", sources={"alpha": "age"})
    samples = all_samples([alpha], [task])
    rows = build_training_set(samples)
    # Every fourth of 40 ages is unknown.
    assert rows.class_counts["age"].tolist() == [30]
    number = samples.rows["image_id"].str[1:].astype(int)
    np.testing.assert_array_equal(rows.weights["age"], number % 4 != 0)


def test_oversampled_classes(alpha, beta):
    """Of the task that asks for it, where it is known."""
    task = make_task(
        name="outcome",
        kind="categorical",
        classes=("mild", "severe"),
        sources={"alpha": "outcome"},
        oversample=True,
    )
    samples = all_samples([alpha, beta], [task])
    number = samples.rows["image_id"].str[1:].astype(int).to_numpy()
    expected = np.array([0, 1, -1])[number % 5 // 2]
    expected[samples.rows["dataset"] == "beta"] = -1
    np.testing.assert_array_equal(oversampled_classes(samples), expected)
    plain = dataclasses.replace(
        samples, tasks=(dataclasses.replace(task, oversample=False),)
    )
    assert (oversampled_classes(plain) == -1).all()


def test_task_without_a_known_label(alpha, beta):
    task = make_task(
        name="never",
        kind="categorical",
        classes=("a", "b"),
        sources={"beta": "none"},
    )
    beta = dataclasses.replace(beta, table={**beta.table, "none": np.full(23, -1)})
    with pytest.raises(
        DataError, match=r"'never': no image in the training .* \(from beta\.none\)"
    ):
        build_training_set(all_samples([alpha, beta], [task]))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_training_split_without_rows(alpha):
    task = make_task(name="age", kind="regression", sources={"alpha": "age"})
    nothing = all_samples([alpha], [task]).take(np.array([], int))
    with pytest.raises(DataError, match="no image in the training split has a known"):
        build_training_set(nothing)


@pytest.mark.parametrize("kind", ["categorical", "ordinal", "binary"])
def test_labels_of_one_class(alpha, kind):
    task = make_task(
        name="death", kind=kind, classes=("no", "yes"), sources={"alpha": "none"}
    )
    alpha = dataclasses.replace(alpha, table={**alpha.table, "none": np.ones(40, int)})
    rows = build_training_set(all_samples([alpha], [task]))
    message = r"'death': all 40 labelled images .* of the class 'yes' \(from alpha.none"
    with pytest.raises(DataError, match=message):
        check_classes(rows, ["death"])
    # Of those that are not named, one class may have been drawn.
    check_classes(rows, [])


# Weights by patient.


def made(labels, patients, datasets=None, **settings):
    """Rows of a task with the classes a, b, c, or of another one."""
    labels = np.asarray(labels)
    names = np.zeros(len(labels), int) if datasets is None else np.asarray(datasets)
    task = settings.pop("task", TASK)
    task = dataclasses.replace(task, sources={"ward": "x", "clinic": "x"}, **settings)
    targets, known = task.targets(labels)
    rows = pd.DataFrame({"dataset": np.array(["ward", "clinic"])[names]})
    rows = rows.assign(patient_id=np.array(list(patients)), site="")
    rows["image_id"] = [str(index) for index in range(len(rows))]
    return Samples(
        tasks=(task,),
        rows=rows,
        image=np.arange(len(rows)),
        dataset=names,
        labels={task.name: task.encode(labels)},
        targets={task.name: targets},
        known={task.name: known},
    )


def weights_of(samples, *sampling, **settings):
    (task,) = samples.tasks
    rows = build_training_set(samples, *sampling, weight_by="patient", **settings)
    assert rows.weights[task.name].dtype == np.float32
    return rows.weights[task.name]


def totals(weights, *keys):
    return pd.Series(weights).groupby(list(keys)).sum().tolist()


def test_each_patient_has_the_same_weight_and_the_mean_is_one():
    samples = made([0, 0, 1, -1, 2, 2, 1], "aaabbcd")
    # The labelled rows are 3 of a, 1 of b, 1 of c, 1 of d.
    expected = [6 / 4 / 3] * 3 + [0] + [6 / 4] * 3
    np.testing.assert_allclose(weights_of(samples), expected, rtol=1e-6)


def test_with_one_image_a_patient_nothing_changes():
    samples = made([0, 1, 2, -1], "abcd", class_weights="balanced")
    expected = build_training_set(samples).weights["t"]
    np.testing.assert_array_equal(weights_of(samples), expected)


def test_one_id_in_two_datasets_is_two_patients():
    samples = made([0, 1, 2], "aab", datasets=[0, 1, 1])
    np.testing.assert_allclose(weights_of(samples), 1.0)


@pytest.mark.parametrize("class_weights", [None, "balanced", (1.0, 2.0, 0.5)])
def test_more_images_of_a_patient_do_not_change_the_mean_loss(class_weights):
    """If the predictions for the images of a patient are alike."""
    labels, patients = np.array([0, 1, 1, 2, 0]), np.array(list("abcde"))
    losses = np.array([0.3, 1.1, 0.2, 2.0, 0.7])

    def mean_loss(times):
        chosen = np.repeat(np.arange(5), times)
        samples = made(labels[chosen], patients[chosen], class_weights=class_weights)
        weights = weights_of(samples)
        return (weights * losses[chosen]).sum() / len(weights)

    assert mean_loss([4, 1, 2, 1, 7]) == pytest.approx(mean_loss([1] * 5), rel=1e-6)
    by_image = build_training_set(made(labels[[0, 0, 1]], list("aab"))).weights["t"]
    assert by_image.tolist() == [1, 1, 1]


def test_balanced_class_weights_count_patients():
    # 4 images of a and 1 of b in class 0; c in class 1; d, e, f in class 2.
    labels, patients = [0] * 5 + [1] + [2] * 3, "aaaabcdef"
    weights = weights_of(made(labels, patients, class_weights="balanced"))
    # 9 rows, 3 classes: each class has 3; the two patients of class 0 share it.
    assert totals(weights, labels) == pytest.approx([3, 3, 3])
    assert totals(weights, list(patients)) == pytest.approx([1.5, 1.5, 3, 1, 1, 1])
    assert weights.mean() == pytest.approx(1)


def test_row_weights_are_the_weights_without_those_of_classes():
    labels, patients = [0] * 5 + [1] + [2] * 3, "aaaabcdef"
    samples = made(labels, patients, class_weights="balanced")
    balanced = build_training_set(samples, weight_by="patient").row_weights["t"]
    plain = made(labels, patients)
    expected = build_training_set(plain, weight_by="patient").weights["t"]
    np.testing.assert_array_equal(balanced, expected)
    # 9 rows of 6 patients: 1.5 for each patient.
    assert totals(balanced, list(patients)) == pytest.approx([1.5] * 6)


def test_oversampling_does_not_change_the_weights_of_rows():
    """So the prior is that of the patients, whatever training draws."""
    samples = made([0, 0, 0, 0, 1, 1], "aaaabc", oversample=True)
    found = build_training_set(samples, weight_by="patient")
    row_weights = found.row_weights["t"]
    patients = samples.rows["patient_id"].tolist()
    assert totals(row_weights, patients) == pytest.approx([2, 2, 2])
    # One of three patients has class 0; both classes are drawn alike.
    ratios = prior_ratios(found)["t"]
    assert ratios[1] / ratios[0] == pytest.approx(2, rel=1e-5)


def test_a_patient_of_two_classes_counts_for_each_by_its_images():
    labels, patients = [0, 0, 0, 1, 0, 1, 2], "aaaabcd"
    weights = weights_of(made(labels, patients))
    assert totals(weights, list(patients)) == pytest.approx([7 / 4] * 4)
    assert totals(weights, labels) == pytest.approx([7 / 4 * 1.75, 7 / 4 * 1.25, 7 / 4])


def test_oversampling_keeps_its_balance_between_the_classes():
    samples = made([0, 0, 0, 0, 1, 1, 2], "aaabcde", oversample=True)
    weights, draws = weights_of(samples), build_training_set(samples).draws
    times = (draws.counts / np.bincount(draws.stream))[draws.stream]
    labels = samples.labels["t"]
    assert totals(weights * times, labels) == pytest.approx([4, 4, 4])
    patients = samples.rows["patient_id"].tolist()
    assert totals(weights * times, patients) == pytest.approx([2, 2, 2, 2, 4])


@pytest.mark.parametrize("sampling", [("balanced",), ("temperature", 2.0)])
def test_sampling_keeps_its_balance_between_the_datasets(sampling):
    datasets = [0] * 6 + [1] * 2
    samples = made([0, 1] * 4, "aaaabcde", datasets=datasets)
    weights = weights_of(samples, *sampling)
    assert totals(weights, datasets) == pytest.approx([6, 2])
    assert totals(weights, datasets, list("aaaabcde")) == pytest.approx([2, 2, 2, 1, 1])
    # Each row once: patients of both datasets count alike.
    once = weights_of(samples, "temperature", 1.0)
    assert totals(once, datasets) == pytest.approx([8 * 3 / 5, 8 * 2 / 5])


def test_each_label_of_a_vector_has_weights_of_its_own():
    task = make_task(name="t", kind="multilabel", classes=("edema", "effusion"))
    labels = np.array([[0, 1], [1, -1], [0, 0], [-1, -1]])
    weights = weights_of(made(labels, "aabb", task=task))
    # Edema: 3 labels of 2 patients; effusion: 2 labels of 2 patients.
    expected = np.array([[0.75, 1], [0.75, 0], [1.5, 1], [0, 0]])
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_values_of_a_regression_are_weighted():
    task = make_task(name="age", kind="regression")
    weights = weights_of(made([30.0, 30.0, np.nan, 50.0], "aabb", task=task))
    np.testing.assert_allclose(weights, [0.75, 0.75, 0, 1.5], rtol=1e-6)


def test_weights_of_many_random_rows():
    """Whatever is known and however patients are grouped."""
    generator = np.random.default_rng(0)
    known = generator.random((300, 3)) < 0.6
    known[:, 2] = False
    patient, group = generator.integers(0, 40, 300), generator.integers(0, 3, 300)
    weights = patient_weights(known, patient, group)
    assert not weights[~known].any() and (weights[known] > 0).all()
    for column in (0, 1):
        for one in range(3):
            chosen = known[:, column] & (group == one)
            own = weights[chosen, column]
            assert own.mean() == pytest.approx(1)
            assert np.ptp(totals(own, patient[chosen])) == pytest.approx(0, abs=1e-9)
