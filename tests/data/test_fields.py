"""Which values a task's `from` stands for."""

import numpy as np
import pytest

from mdmt_tf.data.fields import field_values, task_labels
from mdmt_tf.errors import DataError
from mdmt_tf.tasks import Kind, Task

TABLE = {
    "image_id": np.array(["a", "b"], object),
    "score": np.array([3, -1]),
    "scores": np.array([[1, 2, 3], [4, 5, 6]]),
    "outcome": np.array(["mild", "dead"], object),
}


@pytest.mark.parametrize(
    "field, expected",
    [("score", [3, -1]), ("scores[0]", [1, 4]), ("scores[2]", [3, 6])],
)
def test_values(field, expected):
    assert field_values("own", TABLE, field).tolist() == expected


@pytest.mark.parametrize(
    "field, message",
    [
        (
            "scroe",
            r"dataset 'own' has no field 'scroe'\. Did you mean 'score'\? Its fields: "
            r"image_id, outcome, score, scores\.",
        ),
        ("none[0]", r"has no field 'none'"),
        (
            "score[0]",
            r"'score\[0\]' asks for an element, but 'score' is a single value",
        ),
        ("scores", r"'scores' holds 3 values; expected .*scores\[0\] to scores\[2\]"),
        ("scores[3]", r"scores\[0\] to scores\[2\]\. Received: 'scores\[3\]'"),
    ],
)
def test_wrong_field(field, message):
    with pytest.raises(DataError, match=message):
        field_values("own", TABLE, field)


def test_label_that_is_no_class_says_where():
    task = Task(
        name="prognosis",
        kind=Kind.BINARY,
        classes=("mild", "severe"),
        sources={"own": "outcome"},
    )
    with pytest.raises(
        DataError,
        match=r"tasks\.prognosis\.from\.own = 'outcome': .*'dead' in row 1",
    ):
        task_labels("own", TABLE, task)


def test_missing_field_says_where():
    task = Task(
        name="prognosis", kind=Kind.BINARY, classes=("a", "b"), sources={"own": "x"}
    )
    with pytest.raises(
        DataError, match=r"tasks\.prognosis\.from\.own = 'x': .*no field"
    ):
        task_labels("own", TABLE, task)
