"""Which values a task's `from` stands for."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.labels import check_same_labels, field_values, task_labels

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
            r"'score\[0\]' requests an element, but 'score' is a single value",
        ),
        ("scores", r"'scores' holds 3 values; expected .*scores\[0\] to scores\[2\]"),
        ("scores[3]", r"scores\[0\] to scores\[2\]\. Received: 'scores\[3\]'"),
    ],
)
def test_wrong_field(field, message):
    with pytest.raises(DataError, match=message):
        field_values("own", TABLE, field)


def test_label_that_is_no_class_says_where():
    task = make_task(
        name="prognosis",
        kind="binary",
        classes=("mild", "severe"),
        sources={"own": "outcome"},
    )
    with pytest.raises(
        DataError,
        match=r"tasks\.prognosis\.from\.own = 'outcome': .*'dead' in row 1",
    ):
        task_labels("own", TABLE, task)


def test_missing_field_says_where():
    task = make_task(
        name="prognosis", kind="binary", classes=("a", "b"), sources={"own": "x"}
    )
    with pytest.raises(
        DataError, match=r"tasks\.prognosis\.from\.own = 'x': .*no field"
    ):
        task_labels("own", TABLE, task)


def test_sums_of_zones_are_unknown_where_one_zone_is():
    zones = np.array([[3, 3, 2, 0, 1, 0], [1, -1, 0, 2, 2, 2], [-1] * 6], np.int8)
    table = TABLE | {"zones": zones}
    right = field_values("own", table, "sum(zones[0:3])")
    left = field_values("own", table, "sum(zones[3:6])")
    assert right.tolist() == [3 + 3 + 2, -1, -1]
    assert left.tolist() == [0 + 1 + 0, 2 + 2 + 2, -1]
    measured = np.array([[0.5, 1.5], [np.nan, 1.0]])
    sums = field_values("own", TABLE | {"m": measured}, "sum(m[0:2])")
    np.testing.assert_array_equal(sums, [2.0, np.nan])


def test_sums_do_not_overflow():
    table = TABLE | {"zones": np.full((1, 3), 100, np.int8)}
    assert field_values("own", table, "sum(zones[0:3])").tolist() == [300]


@pytest.mark.parametrize(
    "field, message",
    [
        ("sum(scores[2:2])", r"adds up nothing; expected FIRST:END"),
        ("sum(scores[1:4])", r"scores\[0\] to scores\[2\]\. Received: 'scores\[3\]'"),
        ("sum(outcome[0:1])", r"'outcome' is a single value|is a single value"),
    ],
)
def test_wrong_sums(field, message):
    with pytest.raises(DataError, match=message):
        field_values("own", TABLE, field)


def test_lungs_fall_into_the_four_categories_of_the_published_code():
    """Each lung's sum, 0 to 9, cut at <= 1, <= 4, <= 7."""
    from mdmt_tf import config

    section = config.load("paper_lung", ["data_dir=."]).tasks["severity_right"]
    task = section.to_task("severity_right")
    zones = np.array([[min(3, max(0, total - 3 * z)) for z in range(3)] + [0, 0, 0]
                      for total in range(10)])  # fmt: skip
    table = {"brixia_scores": zones}
    labels = field_values("brixia", table, task.sources["brixia"])
    assert labels.tolist() == list(range(10))
    assert task.encode(labels).tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3]


def test_regions_are_the_six_scores():
    from mdmt_tf import config

    tasks = config.load("paper_regions", ["data_dir=."]).build_tasks()[1:]
    zones = np.array([[0, 1, 2, 3, 2, 1], [3, 3, 0, 0, 1, -1]])
    received = [
        task.encode(task_labels("brixia", {"brixia_scores": zones}, task))
        for task in tasks
    ]
    np.testing.assert_array_equal(np.transpose(received), zones)


def test_the_label_of_a_sum_must_be_that_of_the_task_it_is_compared_with():
    left, right = (
        make_task(
            name=name,
            kind="ordinal",
            classes=("0", "1", "2"),
            sources={"ward": name, "other": name},
        )
        for name in ("left", "right")
    )
    grade = make_task(
        name="grade", kind="ordinal", cut_points=(2, 4), sources={"ward": "score"}
    )
    answer = make_task(
        name="total",
        kind="category_of_sum",
        terms={"left": (0, 1, 2), "right": (0, 1, 2)},
        cut_points=(1.5, 3.5),
        of=grade,
    ).fed_as([left, right])
    table = {
        "image_id": np.array(["a", "b", "c"], object),
        "left": np.array([0, 2, 2]),
        "right": np.array([1, 2, -1]),
        "score": np.array([1, 4, 0]),
    }
    tasks = {"left": left, "right": right}
    # The third is unknown, and another dataset does not have the score.
    check_same_labels(answer, tasks, {"ward": table, "other": {}})
    wrong = table | {"score": np.array([1, 3, 0])}
    with pytest.raises(DataError, match="1 of 2 images differ; of 'b' .* '>=3.5', the"):
        check_same_labels(answer, tasks, {"ward": wrong})
