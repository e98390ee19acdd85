"""Names of charts: their order, their number, and what they say."""

import pytest

from mdmt_tf import config
from mdmt_tf.metrics.table import names_of
from mdmt_tf.screen.line import Line
from mdmt_tf.tasks import SumOfTasks, make_task
from mdmt_tf.training.progress_lines import ProgressLines
from mdmt_tf.training.tensorboard.charts import Charts, describe, without_paths

ZONES = [
    make_task(kind="ordinal", name=name, classes=("0", "1", "2"))
    for name in ("za", "zb")
]
DEATH = make_task(kind="binary", name="death", classes=("no", "yes"))
TOTAL = SumOfTasks(name="total", terms={"za": (0, 1, 2), "zb": (0, 1, 2)})


def test_the_most_important_come_first():
    charts = Charts([*ZONES, DEATH, TOTAL], "death", "auc")
    names = [charts.tag(answer.name, "x") for answer in charts.answers]
    assert names == ["1 death/x", "2 total/x", "3 za/x", "4 zb/x"]
    assert [task.name for task in charts.tasks] == ["death", "za", "zb"]
    # What selects is next to the loss.
    place = charts.place("validation/death/auc")
    assert place == ("validation", "1 death/2 auc")
    assert charts.place("train/death/loss") == ("train", "1 death/1 loss")
    # A derived answer that selects comes first, too.
    assert Charts([*ZONES, TOTAL], "total", "mae").answers[0] is TOTAL


@pytest.mark.parametrize("answer", [*ZONES, DEATH, TOTAL], ids=lambda a: a.name)
def test_an_answer_has_six_charts_at_most(answer):
    charts = Charts([*ZONES, DEATH, TOTAL], "death", "brier")
    keys = [f"validation/{answer.name}/{metric}" for metric in names_of(answer)]
    tags = [charts.place(key)[1] for key in keys if charts.place(key)]
    assert 4 <= len(tags) <= 6
    assert sorted(tag.rpartition("/")[2][0] for tag in tags) == [
        str(place + 1) for place in range(len(tags))
    ]


@pytest.mark.parametrize("metric", ["loss", "mae", "brier", "kappa"])
def test_the_first_two_are_those_of_the_terminal(metric):
    answers = [*ZONES, DEATH, TOTAL]
    charts = Charts(answers, "za", metric)
    shown = ProgressLines(answers, 5, 7, "za", metric, Line(str, is_terminal=False))
    for group in shown._groups:
        folder, tag = charts.place(f"validation/{group.name}/{group.metric}")
        assert folder == "validation" and tag.endswith(f"/2 {group.metric}")


def test_what_is_about_no_answer_comes_last():
    charts = Charts([DEATH], "death", "loss")
    found = [charts.place(key) for key in ("learning_rate", "train/loss", "selected")]
    assert found == [
        ("train", "run/learning_rate"),
        ("train", "run/loss"),
        ("train", "run/selected"),
    ]
    assert charts.place("weight/death") == ("train", "weight/death")
    assert "1 death/1 loss" < "run/loss" < "weight/death"


def test_a_chart_says_what_is_better():
    assert "lower is better" in describe("validation/death/loss")
    assert describe("validation/death/auc").startswith("AUC of death; higher is")
    assert "ideal is 1" in describe("validation/death/calibration_slope")
    for key in ("train/loss", "learning_rate", "seconds", "selected", "weight/death"):
        assert describe(key)


def test_settings_are_shown_without_paths():
    settings = config.load(
        "phantom", ["data_dir=/home/zebrastein/data", "run_dir=~/runs/a"]
    )
    shown = without_paths(settings.to_plain())
    assert shown["data_dir"] == ".../data" and shown["run_dir"] == ".../a"
    assert "zebrastein" not in str(shown) and shown["tasks"]["severity"]["cut_points"]
    assert without_paths({r"C:\data\ann": ["C:\\x\\y", 1, None, True]}) == {
        ".../ann": [".../y", 1, None, True]
    }
    # A fraction of weights is a number; a task may have a / in a label.
    assert without_paths(["and/or", 0.5]) == ["and/or", 0.5]
