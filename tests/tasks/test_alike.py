"""Which answers of models have a mean."""

import pytest

from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.alike import (
    answers_text,
    are_alike,
    head_text,
    meaningless,
)

FACTS = {"name": "grade", "kind": "ordinal", "classes": ("low", "high")}


def grade(**changed):
    return make_task(**FACTS | {"cut_points": (5.0,)} | changed)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"name": "other"}, "other (ordinal: low, high; cut points 5)"),
        ({"kind": "categorical"}, "grade (categorical: low, high; cut points 5)"),
        ({"classes": ("a", "b")}, "grade (ordinal: a, b; cut points 5)"),
        ({"cut_points": (9.5,)}, "grade (ordinal: low, high; cut points 9.5)"),
        (
            {"descending": True},
            "grade (ordinal: low, high; cut points 5, descending)",
        ),
        (
            {"permute": True},
            "grade (ordinal: low, high; cut points 5), permuted labels",
        ),
    ],
)
def test_what_makes_another_answer_is_in_the_text(changed, text):
    other = grade(**changed)
    assert are_alike([grade()], [grade()]) and not are_alike([grade()], [other])
    assert answers_text([other]) == text
    assert answers_text([grade()]) != text


def total(**terms):
    return make_task(name="total", kind="sum", terms=terms)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (total(a=(0, 1)), "total (sum; a (0, 1))"),
        (total(a=(0, 1), b=(0, 1.5)), "total (sum; a (0, 1) + b (0, 1.5))"),
        (total(a=(0, 1), b=()), "total (sum; a (0, 1) + b)"),
    ],
)
def test_a_sum_of_other_parts_is_another_answer(other, text):
    own = total(a=(0, 1), b=(0, 1))
    assert not are_alike([own], [other]) and answers_text([other]) == text
    assert are_alike([own], [total(b=(0.0, 1.0), a=(0.0, 1.0))])


def test_the_order_and_the_number_count():
    age = make_task(name="age", kind="regression")
    assert not are_alike([age, grade()], [grade(), age])
    assert not are_alike([age], [age, grade()])
    assert answers_text([age, grade()]).startswith("age (regression); grade (")


def test_cut_points_that_are_not_stated_are_not_compared():
    """An exported model of an earlier version does not state them."""
    assert are_alike([grade(cut_points=())], [grade()])


def test_outputs_of_numbers_that_are_not_standardised_are_others():
    """Other kinds have no labels to standardise."""
    sizes = [
        make_task(name="size", kind="regression", standardize=value)
        for value in (True, False)
    ]
    assert head_text(sizes[0]) == answers_text([sizes[0]])
    assert head_text(sizes[1]) == answers_text([sizes[1]]) + ", not standardised"
    assert head_text(grade()) == head_text(grade(standardize=False))


def test_a_head_that_learned_from_permuted_labels_has_the_same_outputs():
    assert head_text(grade()) == head_text(grade(permute=True))


@pytest.mark.parametrize(
    ("permuted", "trained", "found"),
    [
        ("", "abc", {}),
        ("a", "abc", {"a": "permuted", "total": "labels of a were permuted"}),
        ("", "bc", {"a": "its head", "total": "trained the head of a"}),
        # One of these suffices, and what is not a part does not matter.
        ("c", "abc", {"c": "permuted"}),
        ("ab", "c", {"a": "permuted", "b": "permuted", "total": "of a, b were"}),
    ],
)
def test_a_sum_means_nothing_where_one_of_its_parts_does(permuted, trained, found):
    tasks = [
        make_task(name=name, kind="regression", permute=name in permuted)
        for name in "abc"
    ]
    total = make_task(name="total", kind="sum", terms={"a": (), "b": ()})
    reasons = meaningless([*tasks, total], list(trained))
    assert list(reasons) == list(found)
    for name, words in found.items():
        assert words in reasons[name]
        assert reasons[name].endswith("; the answers mean nothing")
