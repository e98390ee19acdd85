"""Targets, indicators and probabilities of every kind of task, by arithmetic."""

import dataclasses
import math

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.tasks import label_is_known, make_task

SEVERITY = make_task(name="severity", kind="categorical", cut_points=(5, 9, 14))
PROGNOSIS = make_task(name="prognosis", kind="binary", classes=("mild", "severe"))
COMA = make_task(name="coma", kind="ordinal", classes=("mild", "moderate", "severe"))
AGE = make_task(name="age", kind="regression")


def test_equation_4_lower_bounds_are_inclusive():
    scores = np.array([0, 4, 5, 8, 9, 13, 14, 18])
    expected = [0, 0, 1, 1, 2, 2, 3, 3]
    assert SEVERITY.encode(scores).tolist() == expected


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        (np.array([3, -1, 0]), [True, False, True]),
        (np.array([0.0, np.nan, -1.0]), [True, False, True]),
        (np.array(["severe", "", "mild"], object), [True, False, True]),
        (np.array([True, False]), [True, True]),
    ],
)
def test_unknown_is_minus_one_nan_or_empty_by_type(labels, known):
    assert label_is_known(labels).tolist() == known


@pytest.mark.parametrize(
    ("task", "labels", "targets"),
    [
        (SEVERITY, np.array([14, -1, 5]), [3, 0, 1]),
        (PROGNOSIS, np.array(["severe", "", "mild"], object), [[1.0], [0.0], [0.0]]),
        (COMA, np.array([2, -1, 1]), [[1, 1], [0, 0], [1, 0]]),
        (AGE, np.array([71.5, np.nan, 30.0]), [[71.5], [0.0], [30.0]]),
    ],
)
def test_targets_are_finite_placeholders_where_the_indicator_is_zero(
    task, labels, targets
):
    target, known = task.targets(labels)
    assert target.tolist() == targets
    assert known.tolist() == [True, False, True]


def test_widths_follow_the_kind():
    assert [t.n_outputs for t in (SEVERITY, PROGNOSIS, COMA, AGE)] == [4, 1, 2, 1]
    assert [t.n_classes for t in (SEVERITY, PROGNOSIS, COMA, AGE)] == [4, 2, 3, 0]


def test_class_names_come_from_cut_points():
    assert SEVERITY.class_names == ("<5", "5 to <9", "9 to <14", ">=14")


# Three classes of the Glasgow coma score, the worst last: Cobo et al. 2024, model B.
GCS = make_task(
    name="gcs",
    kind="ordinal",
    classes=("mild", "moderate", "severe"),
    cut_points=(9, 13),
    descending=True,
)


def test_descending_classes_count_from_the_highest_labels_down():
    scores = np.array([15, 13, 12, 9, 8, 3, -1])
    assert GCS.encode(scores).tolist() == [0, 0, 1, 1, 2, 2, -1]
    unnamed = dataclasses.replace(GCS, classes=())
    assert unnamed.class_names == (">=13", "9 to <13", "<9")
    binary = make_task(name="gcs", kind="binary", cut_points=(9,), descending=True)
    assert binary.encode(scores).tolist() == [0, 0, 0, 0, 1, 1, -1]
    assert binary.class_names == (">=9", "<9")


def test_ordinal_targets_of_the_coma_score():
    """[0, 0] mild, [1, 0] moderate, [1, 1] severe; unknown: a placeholder, weight 0."""
    target, known = GCS.targets(np.array([14, 10, 5, -1]))
    assert target.tolist() == [[0, 0], [1, 0], [1, 1], [0, 0]]
    assert known.tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (PROGNOSIS, np.array([0, 2, 1])),
        (PROGNOSIS, np.array([0.0, 0.5, 1.0])),
        (PROGNOSIS, np.array([0, -2, 1])),
        (PROGNOSIS, np.array(["mild", "dead", "severe"], object)),
    ],
)
def test_a_label_that_is_no_class_is_refused_with_its_row(task, labels):
    with pytest.raises(DataError, match=r"'prognosis'.*row 1.*mild, severe.*1 such"):
        task.encode(labels)


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        (np.array(["3", "severe", ""], object), "'severe'"),
        (np.array(["mild", "severe"]), "'mild'"),
    ],
)
def test_text_is_refused_where_cut_points_need_numbers(labels, wrong):
    expected = rf"'severity'.*numbers for cut_points.*{wrong}.*`from`.*`classes`"
    with pytest.raises(DataError, match=expected):
        SEVERITY.encode(labels)


def test_numbers_as_text_are_cut():
    assert SEVERITY.encode(np.array(["4", "", "9.5"], object)).tolist() == [0, -1, 2]


def test_probabilities_of_a_softmax():
    probabilities = SEVERITY.probabilities(np.log([[1.0, 2.0, 3.0, 4.0]]) + 1000)
    np.testing.assert_allclose(probabilities, [[0.1, 0.2, 0.3, 0.4]], rtol=1e-12)


def test_probabilities_of_a_logit():
    # sigmoid(log 3) = 3 / 4, and a logit of -1000 must not overflow.
    probabilities = PROGNOSIS.probabilities(np.array([[math.log(3)], [-1000.0]]))
    np.testing.assert_allclose(probabilities, [[0.25, 0.75], [1.0, 0.0]], atol=1e-12)


def test_probabilities_of_cumulative_logits_are_differences():
    # P(class > 0) = 3/4, P(class > 1) = 1/4.
    logits = np.log([[3.0, 1 / 3]])
    np.testing.assert_allclose(COMA.probabilities(logits), [[0.25, 0.5, 0.25]])


def test_rising_cumulative_logits_still_give_a_distribution():
    probabilities = COMA.probabilities(np.array([[-2.0, 2.0]]))
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(), 1.0)


def test_ordinal_prediction_is_the_median_not_the_mode():
    # The mode is class 0, but P(class > 0) = 0.6 says that it is more likely above.
    assert COMA.prediction([[0.4, 0.3, 0.3]]).tolist() == [1]
    assert SEVERITY.prediction([[0.4, 0.3, 0.2, 0.1]]).tolist() == [0]
    assert AGE.prediction([[71.5]]).tolist() == [71.5]
