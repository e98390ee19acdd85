"""Tasks from labels."""

import pytest

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import make_label
from mdmt_tf.planning.tasks import choose_selection, make_task_of, make_tasks


def a_label(name, cells):
    return make_label(
        name, Column(name, tuple(cells)), [str(n) for n in range(len(cells))]
    )


FLAGS = [a_label(f"f{n}", ["0", "1"] * 50) for n in range(4)]
NUMBER = a_label("score", [str(n) for n in range(100)])


def test_a_task_of_each_label_can_be_built():
    grade = a_label("grade", ["1", "2", "3"] * 30)
    rare = a_label("rare", ["0"] * 90 + ["1"] * 30)
    tasks = make_tasks([grade, rare, NUMBER], "ward")
    assert [task.value for task in tasks] == [
        {"kind": "ordinal", "classes": ["1", "2", "3"], "from": {"ward": "grade"}},
        {
            "kind": "binary",
            "classes": ["no", "yes"],
            "from": {"ward": "rare"},
            "class_weights": "balanced",
        },
        {"kind": "regression", "from": {"ward": "score"}},
    ]
    assert [list(make_task_of(task).problems()) for task in tasks] == [[], [], []]


def test_four_labels_of_yes_and_no_are_one_task():
    assert [t.name for t in make_tasks(FLAGS[:3], "ward")] == ["f0", "f1", "f2"]
    score, findings = make_tasks([NUMBER, *FLAGS], "ward")
    assert score.name == "score" and findings.name == "findings"
    assert findings.value["from"] == {"ward": ["f0", "f1", "f2", "f3"]}
    assert list(make_task_of(findings).problems()) == []


@pytest.mark.parametrize(
    ("negative", "positive", "metric"),
    [
        (500, 500, "loss"),  # nothing is balanced, so the loss is of probabilities
        (500, 50, "auc"),  # a fifth of 50 are 10 validation patients
        (500, 49, "loss"),
    ],
)
def test_selection_is_by_auc_where_it_can_be_measured(negative, positive, metric):
    label = a_label("died", ["0"] * negative + ["1"] * positive)
    (task,) = make_tasks([label], "ward")
    setting = choose_selection(task, 5)
    assert setting.value == {"task": "died", "metric": metric} and setting.reason


def test_selection_of_numbers_and_findings_is_by_the_loss():
    for labels in ([NUMBER], FLAGS):
        chief = make_tasks(labels, "ward")[0]
        assert choose_selection(chief, 5).value["metric"] == "loss"
