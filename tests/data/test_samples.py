"""Targets, indicators and class weights of the union."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.config.schema import SplitSection
from mdmt_tf.data.samples import build_samples, spread
from mdmt_tf.errors import DataError, LeakageError
from mdmt_tf.splits.split import make_split
from mdmt_tf.tasks import make_task


def test_rows_are_those_of_the_lists(samples, alpha, beta, two_tasks):
    tables = {"alpha": alpha.table, "beta": beta.table}
    split = make_split(tables, two_tasks, SplitSection(folds=3))
    for part in ("validation", "test"):
        rows = samples[part].rows
        for name in tables:
            images = rows["image_id"][rows["dataset"] == name]
            assert sorted(images) == split.datasets[name][part]
    assert list(samples) == ["train", "validation", "test"]


def test_numbers_of_images_count_through_the_datasets(samples, alpha, beta):
    stored = np.concatenate([alpha.table["image_id"], beta.table["image_id"]])
    for part in samples.values():
        assert (stored[part.image] == part.rows["image_id"]).all()
        names = np.array(["alpha", "beta"])[part.dataset]
        assert (names == part.rows["dataset"]).all()


def test_a_row_counts_where_its_dataset_feeds_the_task_and_the_label_is_known(samples):
    for part in samples.values():
        of_alpha = (part.rows["dataset"] == "alpha").to_numpy()
        number = part.rows["image_id"].str[1:].astype(int).to_numpy()
        outcome = np.array([0, 1, -1])[number % 5 // 2]
        outcome[~of_alpha] = -1
        np.testing.assert_array_equal(part.labels["outcome"], outcome)
        np.testing.assert_array_equal(part.weights["outcome"] > 0, outcome >= 0)
        assert part.targets["outcome"].dtype == np.int32
        np.testing.assert_array_equal(part.targets["outcome"], np.maximum(outcome, 0))
        # grade is -1, 0, 1, 2, 3 in turn; the cut points are 1, 2, 3.
        grade = np.where(of_alpha, -1, number % 5 - 1)
        np.testing.assert_array_equal(part.labels["grade"], grade)
        np.testing.assert_array_equal(part.weights["grade"], grade >= 0)
        np.testing.assert_array_equal(
            part.targets["grade"], grade[:, None] > np.arange(3)
        )


def test_unlabelled_rows_are_not_trained_with_but_predicted(samples):
    known = {
        part: np.logical_or(
            *(part_samples.weights[t] > 0 for t in ("outcome", "grade"))
        )
        for part, part_samples in samples.items()
    }
    assert known["train"].all()
    assert not known["test"].all()


def test_balanced_class_weights_are_counted_on_the_training_rows(samples):
    counts = samples["train"].class_counts["outcome"]
    labels = samples["train"].labels["outcome"]
    assert counts.tolist() == [(labels == 0).sum(), (labels == 1).sum()]
    for part in samples.values():
        for c in (0, 1):
            weights = part.weights["outcome"][part.labels["outcome"] == c]
            np.testing.assert_allclose(weights, counts.sum() / (2 * counts[c]), 1e-6)
    np.testing.assert_allclose(samples["train"].weights["outcome"].sum(), counts.sum())


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
    with pytest.raises(DataError, match="class 'b' has no image in the training part"):
        task.class_factors(np.array([1, 0, 1]))


def _train(alpha, beta, task):
    tables = {"alpha": alpha.table, "beta": beta.table}
    split = make_split(tables, [task], SplitSection(folds=3))
    return build_samples([alpha, beta], split, [task])["train"]


def test_regression(alpha, beta):
    task = make_task(name="age", kind="regression", sources={"alpha": "age"})
    train = _train(alpha, beta, task)
    number = train.rows["image_id"].str[1:].astype(int).to_numpy()
    assert (number % 4 != 0).all()
    np.testing.assert_array_equal(train.targets["age"][:, 0], 40 + number)
    np.testing.assert_array_equal(train.labels["age"], 40.0 + number)
    np.testing.assert_array_equal(train.weights["age"], 1)
    assert train.class_counts["age"].tolist() == [len(train)]


def test_one_task_from_two_datasets_and_an_element_of_a_vector(alpha, beta):
    task = make_task(
        name="score",
        kind="categorical",
        cut_points=(10, 20),
        sources={"alpha": "scores[2]", "beta": "total"},
    )
    train = _train(alpha, beta, task)
    number = train.rows["image_id"].str[1:].astype(int).to_numpy()
    value = np.where(train.rows["dataset"] == "alpha", number + 2, number)
    expected = (value >= 10).astype(int) + (value >= 20)
    np.testing.assert_array_equal(train.targets["score"], expected)
    assert train.weights["score"].all()


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
        _train(alpha, beta, task)


def test_a_split_with_a_torn_patient_is_refused(alpha, beta, two_tasks):
    tables = {"alpha": alpha.table, "beta": beta.table}
    split = make_split(tables, two_tasks, SplitSection(folds=3))
    lists = split.datasets["alpha"]
    # a00 and a25 are of one patient.
    part = next(part for part, images in lists.items() if "a00" in images)
    other = "test" if part == "train" else "train"
    lists[part].remove("a00")
    lists[other].append("a00")
    with pytest.raises(LeakageError, match="patient 'p00' of dataset 'alpha'"):
        build_samples([alpha, beta], split, two_tasks)


def test_rows_are_spread_over_a_part():
    assert spread(10, 3) == [0, 4, 9]
    assert spread(3, 8) == [0, 1, 2]
    assert spread(5, 1) == [0]
    assert spread(0, 4) == []
