"""Samples whose labels are permuted or left out, on the prepared datasets."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.data.samples import all_samples, fit_tasks, split_samples
from mdmt_tf.data.training_set import build_training_set, count_steps
from mdmt_tf.errors import DataError
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split
from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.derived import divide


@pytest.fixture(scope="module")
def of_tasks(alpha, beta):
    """split -> samples of tasks on alpha and beta, of the first of 3 folds."""
    tables = {"alpha": alpha.table, "beta": beta.table}

    def of_tasks(*tasks, seed=0):
        split = make_split(tables, divide(tasks)[0], SplitSettings(folds=3))
        return split_samples(all_samples([alpha, beta], tasks), split, seed)

    return of_tasks


OUTCOME = make_task(
    name="outcome",
    kind="categorical",
    classes=("mild", "severe"),
    sources={"alpha": "outcome"},
)
GRADE = make_task(
    name="grade", kind="ordinal", cut_points=(1, 2, 3), sources={"beta": "grade"}
)
AGE = make_task(name="age", kind="regression", sources={"alpha": "age"})
FINDINGS = make_task(
    name="findings",
    kind="multilabel",
    classes=("one", "other"),
    sources={"alpha": ("severe", "severe")},
)


def changed(task, **facts):
    return dataclasses.replace(task, **facts)


@pytest.mark.parametrize("task", [OUTCOME, GRADE, AGE, FINDINGS], ids=lambda t: t.name)
def test_permuted_labels_are_the_same_ones_at_other_images(of_tasks, task):
    before, after = of_tasks(task), of_tasks(changed(task, permute=True))
    name = task.name
    for split in ("train", "validation"):
        one, other = before[split], after[split]
        assert one.rows.equals(other.rows)
        np.testing.assert_array_equal(
            one.known[name].reshape(len(one), -1).any(axis=1),
            other.known[name].reshape(len(one), -1).any(axis=1),
        )
        # Targets and indicators go with the labels.
        for labels, target in ((s.labels[name], s.targets[name]) for s in (one, other)):
            for label in np.unique(labels[one.known[name].reshape(len(one), -1)[:, 0]]):
                of_label = target[(labels == label).reshape(len(one), -1)[:, 0]]
                assert (of_label == of_label[0]).all()
        assert (one.labels[name] != other.labels[name]).any()
    test = [s["test"].labels[name] for s in (before, after)]
    np.testing.assert_array_equal(*test)


def test_images_keep_the_counts_of_classes_in_each_split(of_tasks):
    before, after = of_tasks(GRADE), of_tasks(changed(GRADE, permute=True))
    for split in ("train", "validation"):
        counts = [np.bincount(s[split].labels["grade"] + 1) for s in (before, after)]
        np.testing.assert_array_equal(*counts)


def test_patients_with_one_label_are_permuted_whole(of_tasks):
    # Image i is of patient i % 25; i % 5 is the same for all images of a patient.
    train = of_tasks(changed(OUTCOME, permute=True))["train"]
    labels = train.labels["outcome"]
    for patient in np.unique(train.patient):
        assert len(set(labels[train.patient == patient])) == 1


def test_other_tasks_keep_their_labels(of_tasks):
    before = of_tasks(OUTCOME, GRADE, AGE)
    after = of_tasks(OUTCOME, changed(GRADE, permute=True), changed(AGE, fraction=0))
    for split in ("validation", "test"):
        for name in ("outcome", "age"):
            np.testing.assert_array_equal(
                before[split].labels[name], after[split].labels[name]
            )


def test_a_permutation_depends_on_the_seed(of_tasks):
    task = changed(GRADE, permute=True)
    labels = [of_tasks(task, seed=s)["train"].labels["grade"] for s in (0, 0, 1)]
    np.testing.assert_array_equal(labels[0], labels[1])
    assert (labels[0] != labels[2]).any()


def test_only_training_labels_are_left_out(of_tasks):
    whole, half = of_tasks(GRADE), of_tasks(changed(GRADE, fraction=0.5))
    n = len(whole["train"])
    # beta has one image a patient. Rows without any label are not trained with.
    assert len(half["train"]) == int(n * 0.5 + 0.5)
    assert set(half["train"].rows["image_id"]) < set(whole["train"].rows["image_id"])
    for split in ("validation", "test"):
        np.testing.assert_array_equal(
            whole[split].labels["grade"], half[split].labels["grade"]
        )


def test_an_image_stays_for_its_other_tasks(of_tasks):
    whole = of_tasks(OUTCOME, AGE)["train"]
    train = of_tasks(OUTCOME, changed(AGE, fraction=0))["train"]
    assert not train.known["age"].any() and np.isnan(train.labels["age"]).all()
    assert not train.targets["age"].any()
    assert train.known["outcome"].sum() == whole.known["outcome"].sum()
    assert len(train) == train.known["outcome"].sum() < len(whole)


@pytest.mark.parametrize("weight_by", ["image", "patient"])
def test_with_fraction_0_a_dataset_is_not_drawn_and_its_head_not_trained(
    of_tasks, weight_by
):
    balanced = changed(GRADE, fraction=0, class_weights="balanced")
    train = of_tasks(OUTCOME, balanced)["train"]
    assert set(train.rows["dataset"]) == {"alpha"}
    options = {"weight_by": weight_by, "untrained": ["grade"]}
    training = build_training_set(train, "balanced", **options)
    alone = build_training_set(of_tasks(OUTCOME)["train"], weight_by=weight_by)
    assert training.draws.total == alone.draws.total
    assert not training.weights["grade"].any()
    assert training.class_counts["grade"].tolist() == [0, 0, 0, 0]
    np.testing.assert_array_equal(training.weights["outcome"], alone.weights["outcome"])
    # Without any label for another reason, it is a mistake.
    with pytest.raises(DataError, match="no image in the training split"):
        build_training_set(train)


def test_a_fraction_without_a_class_says_why_its_weight_is_not_known(of_tasks):
    task = changed(OUTCOME, fraction=0.01, class_weights="balanced")
    message = r"only those of 0.01 of the patients are used \(tasks.outcome.fraction\)"
    with pytest.raises(DataError, match=message):
        build_training_set(of_tasks(task)["train"])


def test_mean_and_std_are_of_the_labels_that_are_kept(alpha, beta):
    tables = {"alpha": alpha.table, "beta": beta.table}
    for fraction in (0.3, 1.0):
        task = changed(AGE, fraction=fraction)
        split = make_split(tables, [task], SplitSettings(folds=3))
        (fitted,) = fit_tasks([task], [alpha, beta], split, seed=4)
        train = split_samples(all_samples([alpha, beta], [task]), split, 4)["train"]
        assert fitted.mean == pytest.approx(train.labels["age"].mean())
        assert fitted.std == pytest.approx(train.labels["age"].std())
    (unfitted,) = fit_tasks([changed(AGE, fraction=0)], [alpha, beta], split)
    assert (unfitted.mean, unfitted.std, unfitted.is_fitted) == (0, 1, False)


def test_steps_of_an_epoch_count_oversampled_rows(of_tasks):
    train = of_tasks(OUTCOME)["train"]
    counts = np.bincount(train.labels["outcome"])
    assert count_steps(train, 4) == -(-counts.sum() // 4)
    train = of_tasks(changed(OUTCOME, oversample=True))["train"]
    assert count_steps(train, 4) == -(-2 * counts.max() // 4)


def test_tasks_with_the_same_labelled_images_are_permuted_together(alpha):
    split = make_split({"alpha": alpha.table}, [], SplitSettings(folds=3))

    def of_tasks(*tasks):
        return split_samples(all_samples([alpha], tasks), split)

    zones = [
        make_task(
            name=name,
            kind="regression",
            sources={"alpha": f"scores[{number}]"},
            permute=True,
        )
        for number, name in enumerate(("upper", "lower"))
    ]
    # Score k of image i is i + k, and every fourth age is unknown.
    age = changed(AGE, permute=True)
    together = of_tasks(*zones, age)
    first, second, third = (of_tasks(task) for task in (*zones, age))
    for split_name in ("train", "validation"):
        labels = together[split_name].labels
        np.testing.assert_array_equal(labels["upper"] + 1, labels["lower"])
        # The first is permuted as it would be alone.
        np.testing.assert_array_equal(
            labels["upper"], first[split_name].labels["upper"]
        )
        assert (labels["lower"] != second[split_name].labels["lower"]).any()
    # One of other images has a permutation of its own.
    own = together["train"].known["age"]
    np.testing.assert_array_equal(
        together["train"].labels["age"][own], third["train"].labels["age"]
    )


def test_labels_of_a_derived_answer_follow_from_those_that_a_fit_is_given(of_tasks):
    """Unknown where a label is left out, permuted where one is."""
    severe = make_task(
        name="severe",
        kind="binary",
        classes=("no", "yes"),
        sources={"alpha": "severe"},
    )

    def labels(**facts):
        terms = {"severe": (0.0, 1.0), "age": ()}
        total = make_task(name="total", kind="sum", terms=terms)
        tasks = (changed(severe, **facts), AGE)
        train = of_tasks(*tasks, total.fed_as(tasks))["train"]
        assert train.derived[0].name not in train.labels
        parts = train.labels["severe"].astype(float), train.labels["age"]
        return train.labels_of(train.derived[0]), parts

    for facts in ({}, {"fraction": 0.5}, {"permute": True}):
        found, (yes, age) = labels(**facts)
        expected = np.where(yes < 0, np.nan, yes) + age
        np.testing.assert_array_equal(found, expected)
    everything, half = (labels(**f)[0] for f in ({}, {"fraction": 0.5}))
    assert 0 < np.isfinite(half).sum() < np.isfinite(everything).sum()
