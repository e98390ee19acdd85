"""What tasks of classes have in common: factors of the loss, and texts."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.tasks import make_task

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


def test_a_mixture_is_named_by_its_parts():
    assert TASK.mixture_text([0.0, 1.0, 0.0]) == "b"
    assert TASK.mixture_text([0.25, 0.75, 0.0]) == "0.25 a, 0.75 b"


def test_the_loss_of_a_class_between_equal_thresholds_is_that_of_the_thresholds():
    """Crossing logits give it probability 0, whose -log would outweigh all rows."""
    grade = make_task(name="g", kind="ordinal", classes=("a", "b", "c"))
    chances = grade.probabilities(np.array([[0.0, 3.0]]))
    np.testing.assert_allclose(chances, [[0.5, 0, 0.5]])
    for target in range(3):
        loss = grade.row_loss(np.array([target]), chances)
        np.testing.assert_allclose(loss, [np.log(2)], rtol=1e-12)


def test_the_loss_of_a_category_of_a_sum_is_that_of_an_ordinal_task():
    grade = make_task(name="g", kind="ordinal", cut_points=(1, 2))
    level = make_task(
        name="l", kind="category_of_sum", terms={"a": (0, 1, 2)}, cut_points=(1, 2)
    )
    chances = np.random.default_rng(0).dirichlet([1, 1, 1], 20)
    targets = np.arange(20) % 3
    np.testing.assert_array_equal(
        level.row_loss(targets, np.column_stack([chances, np.full(20, 9.0)])),
        grade.row_loss(targets, chances),
    )


GRADED = make_task(name="grade", kind="ordinal", classes=("1", "2", "3", "4"))


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["1", "2", "4", ""], object),
        np.array([1, 2, 4, -1], np.int8),
        np.array([1, 2, 4, np.nan], np.float32),
    ],
)
def test_labels_of_classes_that_are_numbers_are_these_numbers(labels):
    """Whether they are stored as text, integers or floats."""
    assert GRADED.encode(labels).tolist() == [0, 1, 3, -1]


def test_numbers_of_a_binary_task_are_its_classes_too():
    sex = make_task(name="sex", kind="binary", classes=("1", "2"))
    assert sex.encode(np.array([1, 2, -1])).tolist() == [0, 1, -1]
    with pytest.raises(DataError, match="label 0 in row 1"):
        sex.encode(np.array([1, 0]))
    back = make_task(name="died", kind="binary", classes=("1", "0"))
    assert back.encode(np.array([1, 0, -1])).tolist() == [0, 1, -1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fraction_is_its_class_in_either_precision(dtype):
    task = make_task(name="cdr", kind="ordinal", classes=("0", "0.1", "-1"))
    assert task.encode(np.array([0.1, -1.0, 0.0], dtype)).tolist() == [1, 2, 0]


@pytest.mark.parametrize("labels", [[0, 1], [1.0, 1.5], [1, 5], [True, False]])
def test_a_number_that_is_no_class_is_refused_although_it_could_be_an_index(labels):
    with pytest.raises(DataError, match=r"classes \(1, 2, 3, 4\); 1 such rows"):
        GRADED.encode(np.array(labels))


def test_a_number_that_two_classes_stand_for_is_refused():
    task = make_task(name="code", kind="categorical", classes=("1", "01", "2"))
    assert task.encode(np.array([2])).tolist() == [2]
    with pytest.raises(DataError, match=r"label 1 in row 0 .* Expected one of the"):
        task.encode(np.array([1]))


def test_numbers_that_were_read_as_indices_are_told_with_their_counts():
    text = "0 -> a: 0, 1 -> b: 2, 2 -> c: 1"
    assert TASK.numbers_text(np.array([1, 2, 1, -1])) == text
    assert TASK.numbers_text(np.array([1.0, 2.0, 1.0, np.nan])) == text


@pytest.mark.parametrize(
    ("facts", "labels"),
    [
        ({"classes": ("a", "b")}, np.array(["b", "a", ""], object)),
        ({"classes": ("1", "2")}, np.array([1, 2])),
        ({"classes": ("low", "high"), "cut_points": (5,)}, np.array([1, 7])),
    ],
)
def test_labels_that_are_no_indices_need_no_words(facts, labels):
    assert make_task(name="t", kind="ordinal", **facts).numbers_text(labels) == ""


def test_numbers_are_indices_of_classes_that_are_words():
    assert TASK.encode(np.array([2, 0, -1])).tolist() == [2, 0, -1]
    assert TASK.encode(np.array([2.0, np.nan])).tolist() == [2, -1]
    with pytest.raises(DataError, match="Expected a class index"):
        TASK.encode(np.array([3]))
