"""The section `derived`: its answers, and every message."""

import pytest

from mdmt_tf import config
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import alone, identity, protocol

TEXT = """\
experiment: zones
data_dir: .
tasks:
  left: {kind: ordinal, classes: ["0", "1", "2"], from: {a: "s[0]", b: left}}
  right: {kind: categorical, classes: ["0", "1", "2"], from: {a: "s[1]"}}
  effusion: {kind: binary, classes: ["no", "yes"], from: {a: e}}
  extent: {kind: regression, from: {a: x, b: x}}
  stage: {kind: ordinal, classes: [mild, severe], from: {a: stage}}
  finding: {kind: multilabel, classes: [edema, opacity], from: {a: f}}
  global: {kind: categorical, cut_points: [2, 4], from: {b: g}}
derived:
  total: {sum: [left, right, effusion], cut_points: [2, 4], of: global}
  volume: {sum: [left, extent]}
datasets: {a: {}, b: {}}
training:
  select_on: {task: total, metric: kappa}
benchmark:
  backbones: [resnet18]
  cross_validation: {cv: {folds: 3}}
  experiments:
    parts: {tasks: [left, right, effusion]}
    one: {tasks: [left, extent]}
    whole: {tasks: [global]}
  comparisons: [[parts, whole], [parts, one]]
"""


@pytest.fixture
def load(tmp_path):
    def load(*overrides):
        (tmp_path / "my.yaml").write_text(TEXT, encoding="utf-8")
        return config.load(str(tmp_path / "my.yaml"), overrides)

    return load


def test_an_answer_with_cut_points_is_a_category_and_its_sum(load):
    category, total, volume = load().build_derived()
    assert [a.name for a in (category, total, volume)] == [
        *("total", "total_sum", "volume")
    ]
    assert category.class_names == ("<2", "2 to <4", ">=4")
    assert category.of.name == "global" and total.of is volume.of is None
    grades = {"left": (0.0, 1.0, 2.0), "right": (0.0, 1.0, 2.0), "effusion": (0.0, 1.0)}
    assert category.terms == total.terms == grades
    assert volume.terms == {"left": (0.0, 1.0, 2.0), "extent": ()}


def test_other_cut_points_may_make_the_same_categories(load):
    """The value has fractions, and the nearest whole sum may be meant."""
    made = load("derived.total.cut_points=[1.5, 3.5]").build_derived()[0]
    assert made.of.cut_points == (2.0, 4.0) and made.cut_points == (1.5, 3.5)


def test_it_is_fed_by_the_datasets_that_feed_all_tasks(load):
    category, _, volume = load().build_derived()
    assert dict(category.sources) == {"a": ("s[0]", "s[1]", "e")}
    assert dict(volume.sources) == {"a": ("s[0]", "x"), "b": ("left", "x")}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "volume.sum=[left, exten]",
            r"volume.sum: 'exten' is not one of the tasks. Did",
        ),
        ("volume.sum=[left]", "derived.volume.sum = .*: expected two tasks or mo"),
        ("volume.sum=[left, left]", "'left' appears twice"),
        (
            "volume.sum=[left, stage]",
            "'stage' has the kind ordinal with the classes mi",
        ),
        (
            "volume.sum=[left, finding]",
            "'finding' has the kind multilabel with the clas",
        ),
        (
            "volume.sum=[left, global]",
            "'global' has the kind categorical. Expected a bin",
        ),
        ("volume.cut_points=[2]", "'extent' is a number without probabilities, so"),
        ("volume.classes=[low, high]", "classes = .*: has no meaning without cut_p"),
        ("volume.descending=true", "descending = true: has no meaning without cut_p"),
        ("total.cut_points=[4, 2]", r"total.cut_points = \[4.0, 2.0\]: should ascend"),
        ("total.classes=[low, high]", "2 cut points make 3 classes, but 2 are named"),
        (
            "total.cut_points=[2, 6]",
            "no sum is in the category '>=6'. The sums of its tasks are from 0 to 5",
        ),
        ("total.of=globe", "total.of: 'globe' is not one of the tasks. Did you mean"),
        ("total.of=left", r"of = 'left': is a task of the sum itself"),
        ("total.of=extent", "of = 'extent': is a regression task. Expected a task wh"),
        ("total.of=stage", r"of = 'stage': has 2 classes \(mild, severe\). Expected"),
        ("total.cut_points=[1, 4]", "put a sum of 1 into another category"),
        ("volume.of=global", "of = 'global': is a categorical task. Expected a task"),
        ("left={sum: [left, extent]}", "derived.left: this is the name of the task"),
        (
            "volume_sum={sum: [left, extent]} derived.volume={sum: [left, right], "
            "cut_points: [2]}",
            "derived.volume: volume_sum, the name of its sum, is the name of the der"
            "|derived.volume_sum: this is the name of the derived answer",
        ),
        ("left_calibrated={sum: [left, extent]}", "name of the calibrated probab"),
        ("volume.sums=[left]", "derived.volume.sums: unknown key. Did you mean"),
    ],
)
def test_what_is_wrong_is_said(load, override, message):
    with pytest.raises(ConfigError, match=message):
        load(
            *(
                f"derived.{part}"
                for part in override.replace(" derived.", "~").split("~")
            )
        )


def test_a_sum_counts_no_label_twice(load):
    message = r"sum = \['left', 'again'\]: 's\[0\]' is the field of both left and again"
    with pytest.raises(ConfigError, match=message):
        load(
            'tasks.again={kind: ordinal, classes: ["0", "1", "2"], from: {a: "s[0]"}}',
            "derived.twice={sum: [left, again]}",
        )


def test_a_sum_without_a_dataset_that_feeds_all_names_what_is_missing(load):
    with pytest.raises(ConfigError, match="no dataset feeds all of these tasks") as e:
        load("tasks.left.from={b: left}")
    assert "b does not feed right, effusion; a does not feed left" in str(e.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "select_on.task=totl",
            "'totl': is not one of the tasks. Did you mean 'total'",
        ),
        ("select_on.metric=r2", "'r2': unknown for a category_of_sum derived answer"),
    ],
)
def test_a_derived_answer_may_select_the_epoch(load, override, message):
    assert load().training.select_on.task == "total"
    assert load("training.select_on={task: total_sum, metric: mae}")
    with pytest.raises(ConfigError, match=message):
        load(f"training.{override}")


def test_an_answer_from_untrained_tasks_does_not_select(load):
    with pytest.raises(ConfigError, match="is derived from 'right', which is not tr"):
        load("tasks.right.fraction=0")


def test_an_experiment_keeps_the_answers_of_its_tasks(load):
    def derived(experiment):
        made = protocol.settings_of(load(), experiment, "resnet18")
        return list(made.derived), made.training.select_on.task

    assert derived("parts") == (["total"], "total")
    assert derived("one") == (["volume"], "left")
    assert derived("whole") == ([], "global")


@pytest.mark.parametrize("answer", ["total", "volume"])
def test_an_experiment_selects_by_an_answer_that_it_has(load, answer):
    """What it says itself is not replaced, as what it inherits is."""
    chosen = f"benchmark.experiments.whole.set={{training.select_on.task: {answer}}}"
    with pytest.raises(ConfigError, match=f"whole .*\n.*= '{answer}': is not one of"):
        protocol.settings_of(load(chosen), "whole", "resnet18")


def test_an_inherited_selection_is_replaced_where_no_dataset_has_the_answer(load):
    made = load(
        "tasks.extent.from={a: x, c: x}",
        "datasets.c={}",
        "training.select_on={task: volume, metric: loss}",
        "benchmark.experiments.one.datasets=[b, c]",
        "benchmark.comparisons=null",
        "experiment=one",
    )
    for settings in (
        protocol.settings_of(made, "one", "resnet18"),
        alone.parts_of(made)["one"].settings,
    ):
        assert settings.training.select_on.task == "left" and not settings.derived


def test_what_it_is_compared_with_is_not_part_of_a_fit(load):
    fits = [
        protocol.settings_of(load(*overrides), "parts", "resnet18")
        for overrides in ([], ["derived.total.of=null", "benchmark.comparisons=null"])
    ]
    assert fits[0].derived["total"].of is None
    assert identity.digest_of_settings(fits[0]) == identity.digest_of_settings(fits[1])
    other = load("derived.total.cut_points=[1, 4]", "tasks.global.cut_points=[1, 4]")
    other = protocol.settings_of(other, "parts", "resnet18")
    assert identity.digest_of_settings(fits[0]) != identity.digest_of_settings(other)


def test_experiments_are_compared_by_the_label_that_they_share(load):
    with pytest.raises(ConfigError, match=r"comparisons.0 = .*'parts', 'whole'.*of\)"):
        load("derived.total.of=null")


def test_a_file_keeps_the_answers_of_a_base_that_it_has_the_tasks_of(load, tmp_path):
    load()
    text = """\
base: my.yaml
experiment: other
tasks:
  left: {kind: ordinal, classes: ["0", "1"], from: {a: left}}
  extent: {kind: regression, from: {b: x, a: x}}
training: {select_on: {task: left}}
"""
    (tmp_path / "other.yaml").write_text(text, encoding="utf-8")
    made = config.load(str(tmp_path / "other.yaml"))
    assert list(made.derived) == ["volume"]
    assert dict(made.build_derived()[0].terms) == {"left": (0.0, 1.0), "extent": ()}
