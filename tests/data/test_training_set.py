"""Class counts and weights of the rows to train with."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.data.samples import all_samples
from mdmt_tf.data.training_set import build_training_set, oversampled_classes
from mdmt_tf.errors import DataError
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


@pytest.mark.parametrize(
    "setting, counts, expected",
    [
        # 12 / (3 n_c)
        ("balanced", [2, 4, 6], [2.0, 1.0, 2 / 3]),
        ((1.0, 5.0, 0.5), [2, 4, 0], [1.0, 5.0, 0.5]),
        (None, [2, 4, 0], [1.0, 1.0, 1.0]),
    ],
)
def test_class_weights(setting, counts, expected):
    task = dataclasses.replace(TASK, class_weights=setting)
    weights = task.class_factors(np.array(counts))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_balanced_without_a_row_of_a_class():
    task = dataclasses.replace(TASK, class_weights="balanced")
    with pytest.raises(DataError, match="class 'b' has no image in the training split"):
        task.class_factors(np.array([1, 0, 1]))


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
