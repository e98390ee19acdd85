"""Labels, targets and indicators of the union, and the rows of each split."""

import dataclasses

import numpy as np

from mdmt_tf.data.samples import all_samples, split_samples, spread
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split
from mdmt_tf.tasks import make_task


def test_rows_are_those_of_the_lists(samples, alpha, beta, two_tasks):
    tables = {"alpha": alpha.table, "beta": beta.table}
    split = make_split(tables, two_tasks, SplitSettings(folds=3))
    for name in ("validation", "test"):
        rows = samples[name].rows
        for dataset in tables:
            images = rows["image_id"][rows["dataset"] == dataset]
            assert sorted(images) == split.datasets[dataset][name]
    assert list(samples) == ["train", "validation", "test"]


def test_numbers_of_images_count_through_the_datasets(samples, alpha, beta):
    stored = np.concatenate([alpha.table["image_id"], beta.table["image_id"]])
    for chosen in samples.values():
        assert (stored[chosen.image] == chosen.rows["image_id"]).all()
        names = np.array(["alpha", "beta"])[chosen.dataset]
        assert (names == chosen.rows["dataset"]).all()


def test_a_row_counts_where_its_dataset_feeds_the_task_and_the_label_is_known(samples):
    for chosen in samples.values():
        of_alpha = (chosen.rows["dataset"] == "alpha").to_numpy()
        number = chosen.rows["image_id"].str[1:].astype(int).to_numpy()
        outcome = np.array([0, 1, -1])[number % 5 // 2]
        outcome[~of_alpha] = -1
        np.testing.assert_array_equal(chosen.labels["outcome"], outcome)
        np.testing.assert_array_equal(chosen.known["outcome"], outcome >= 0)
        assert chosen.targets["outcome"].dtype == np.int32
        np.testing.assert_array_equal(chosen.targets["outcome"], np.maximum(outcome, 0))
        # grade is -1, 0, 1, 2, 3 in turn; the cut points are 1, 2, 3.
        grade = np.where(of_alpha, -1, number % 5 - 1)
        np.testing.assert_array_equal(chosen.labels["grade"], grade)
        np.testing.assert_array_equal(chosen.known["grade"], grade >= 0)
        np.testing.assert_array_equal(
            chosen.targets["grade"], grade[:, None] > np.arange(3)
        )


def test_unlabelled_rows_are_not_trained_with_but_predicted(samples):
    assert samples["train"].is_labelled.all()
    for name in ("validation", "test"):
        rows, known = samples[name].rows, samples[name].known
        expected = known["outcome"] | known["grade"]
        np.testing.assert_array_equal(samples[name].is_labelled, expected)
        assert len(rows) > expected.sum()


def _train(alpha, beta, task):
    tables = {"alpha": alpha.table, "beta": beta.table}
    split = make_split(tables, [task], SplitSettings(folds=3))
    return split_samples(all_samples([alpha, beta], [task]), split)["train"]


def test_regression(alpha, beta):
    task = make_task(name="age", kind="regression", sources={"alpha": "age"})
    train = _train(alpha, beta, task)
    number = train.rows["image_id"].str[1:].astype(int).to_numpy()
    assert (number % 4 != 0).all()
    np.testing.assert_array_equal(train.targets["age"][:, 0], 40 + number)
    np.testing.assert_array_equal(train.labels["age"], 40.0 + number)
    assert train.known["age"].all()


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
    assert train.known["score"].all()


def test_all_rows_of_any_tasks(alpha, beta):
    """Without a split; a task that no dataset feeds is known of nobody."""
    task = make_task(name="other", kind="binary", classes=("no", "yes"))
    samples = all_samples([beta, alpha], [task])
    stored = np.concatenate([beta.table["image_id"], alpha.table["image_id"]])
    np.testing.assert_array_equal(samples.rows["image_id"], stored)
    assert samples.rows["dataset"].tolist() == ["beta"] * 23 + ["alpha"] * 40
    assert not samples.known["other"].any() and not samples.is_labelled.any()
    assert samples.targets["other"].shape == (63, 1)


def test_a_row_is_labelled_when_any_element_of_a_label_is_known(samples):
    train = samples["train"].take(np.arange(3))
    known = np.array([[False, True], [False, False], [True, True]])
    several = dataclasses.replace(train, known={"findings": known})
    np.testing.assert_array_equal(several.is_labelled, [True, False, True])
    np.testing.assert_array_equal(
        several.take(np.array([2, 1])).known["findings"], known[[2, 1]]
    )


def test_rows_are_spread():
    assert spread(10, 3) == [0, 4, 9]
    assert spread(3, 8) == [0, 1, 2]
    assert spread(5, 1) == [0]
    assert spread(0, 4) == []
