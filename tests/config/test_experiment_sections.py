"""What an experiment takes from others, and its variants over fractions of labels."""

import pytest

from mdmt_tf.config.experiment_sections import (
    ExperimentSection,
    matched,
    parse_variant,
    variant_name,
    variants,
)


def sections(**experiments):
    made = {n: ExperimentSection.model_validate(e) for n, e in experiments.items()}
    return matched(made)


PAPER = sections(
    stl={"tasks": ["a"]},
    other={"tasks": ["b"]},
    ft={"tasks": ["a"], "start": {"other": 1}},
    mdmt={"tasks": ["a", "b"], "start": {"stl": 0.25, "other": 0.75}},
    continued={"tasks": ["a"], "match": "mdmt"},
    null={"tasks": ["a", "b"], "match": "mdmt", "null": "b", "start": {}},
)


def test_null_may_name_one_task():
    assert PAPER["null"].null == ("b",)
    both = ExperimentSection.model_validate({"tasks": ["a", "b"], "null": ["a", "b"]})
    assert both.null == ("a", "b")
    with pytest.raises(ValueError, match="'c' is not a task of this experiment"):
        ExperimentSection.model_validate({"tasks": ["a"], "null": "c"})


def test_settings_are_merged_without_those_of_other_tasks():
    of_other = {"model.heads": "linear", "tasks.b.weight": 2, "tasks.a.weight": 3}
    found = sections(
        other={"tasks": ["a", "b"], "set": of_other, "null": "b"},
        own={"tasks": ["a"], "match": "other", "set": {"tasks.a.weight": 4}},
    )["own"]
    assert found.settings == {"model.heads": "linear", "tasks.a.weight": 4}
    assert found.null == () and found.start == {}


@pytest.mark.parametrize(
    "selection",
    [
        {"training.select_on.task": "b", "training.select_on.metric": "kappa"},
        {"training.select_on": {"task": "b", "metric": "kappa"}},
    ],
)
def test_a_selection_by_another_task_is_not_taken(selection):
    own, both = ({"tasks": tasks, "match": "other"} for tasks in (["a"], ["a", "b"]))
    chosen = {**selection, "training.epochs": 3}
    found = sections(other={"tasks": ["a", "b"], "set": chosen}, own=own, both=both)
    assert found["own"].settings == {"training.epochs": 3}
    assert found["both"].settings == chosen
    metric = {"training.select_on.metric": "loss"}
    found = sections(other={"tasks": ["a", "b"], "set": metric}, own=own)
    assert found["own"].settings == metric


def test_a_selection_by_a_derived_answer_is_taken_with_all_tasks():
    """The answer is derived from tasks of the other experiment, whichever."""
    chosen = {"training.select_on": {"task": "sum", "metric": "kappa"}}
    own, both = ({"tasks": tasks, "match": "other"} for tasks in (["a"], ["b", "a"]))
    found = sections(other={"tasks": ["a", "b"], "set": chosen}, own=own, both=both)
    assert found["own"].settings == {} and found["both"].settings == chosen


def test_fractions_that_differ_by_little_are_two_variants():
    found = variants(PAPER, {"a": (1 / 3, 0.333333, 0.9999999)})
    own = {name: section for name, section in found.items() if name.startswith("stl")}
    assert len(own) == 4
    for name, section in own.items():
        fraction = section.settings.get("tasks.a.fraction", 1)
        assert parse_variant(name)[1].get("a", 1) == fraction


def test_a_start_is_inherited_unless_it_is_said():
    assert PAPER["continued"].start == {"stl": 0.25, "other": 0.75}
    assert PAPER["null"].start == {}


def test_heads_of_a_start_go_with_it():
    """Where nothing is left to start from, `start_heads` has no meaning."""
    heads = {"model.start_heads": True, "model.freeze": "stem"}
    declared = sections(
        first={"tasks": ["b"]},
        second={"tasks": ["a"], "start": {"first": 1}, "set": heads},
        declines={"tasks": ["a"], "match": "second", "start": {}},
        insists={"tasks": ["a"], "match": "second", "start": {}, "set": heads},
    )
    assert declared["declines"].settings == {"model.freeze": "stem"}
    assert declared["insists"].settings == heads
    found = variants(declared, {"b": (0, 0.5)})
    assert found["second"].settings == found["second@b=0.5"].settings == heads
    assert found["second@b=0"].settings == {"model.freeze": "stem"}
    # Without a start of its own, it has the heads of model.weights.
    one, two = {"tasks": ["a"], "set": heads}, {"tasks": ["a"], "match": "one"}
    assert sections(one=one, two=two)["two"].settings == heads


def test_a_start_and_weights_exclude_each_other():
    weights = {"model.weights": "imagenet"}
    with pytest.raises(ValueError, match="set.*: start and model.weights exclude each"):
        ExperimentSection(tasks=("a",), start={"stl": 1}, settings=weights)
    assert ExperimentSection(tasks=("a",), start={}, settings=weights)
    # What an experiment says itself stands above what it takes.
    found = sections(
        one={"tasks": ["a"], "set": weights},
        starts={"tasks": ["a"], "match": "one", "start": {"stl": 1}},
        loads={"tasks": ["a"], "match": "starts_too", "set": weights, "start": {}},
        starts_too={"tasks": ["a"], "start": {"stl": 1}},
    )
    assert found["starts"].settings == {} and found["starts"].start == {"stl": 1}
    assert found["loads"].settings == weights and found["loads"].start == {}


def test_weights_of_an_experiment_decline_a_start_that_it_would_take():
    weights = {"model.weights": "imagenet"}
    found = sections(
        other={"tasks": ["a"], "start": {"stl": 1}},
        own={"tasks": ["a"], "match": "other", "set": weights},
    )["own"]
    assert found.start == {} and found.settings == weights


def test_without_fractions_there_is_one_of_each():
    assert variants(PAPER, {}) == PAPER


def test_variants_are_those_that_depend_on_the_labels():
    found = variants(PAPER, {"b": (0, 0.5, 1)})
    assert list(found) == [
        "stl",
        *("other", "other@b=0.5"),
        *("ft", "ft@b=0", "ft@b=0.5"),
        *("mdmt", "mdmt@b=0", "mdmt@b=0.5"),
        *("continued", "continued@b=0", "continued@b=0.5"),
        *("null", "null@b=0", "null@b=0.5"),
    ]
    assert found["mdmt"] == PAPER["mdmt"]
    assert found["mdmt@b=0.5"].start == {"stl": 0.25, "other@b=0.5": 0.75}
    assert found["mdmt@b=0.5"].settings == {"tasks.b.fraction": 0.5}
    # Nothing starts from an experiment without labels; the others share its weight.
    assert found["mdmt@b=0"].start == {"stl": 1.0} and found["ft@b=0"].start == {}
    # Its own task has all labels, what it takes from mdmt does not.
    assert found["continued@b=0.5"].match == "mdmt@b=0.5"
    assert found["continued@b=0.5"].settings == {}
    assert found["ft@b=0.5"].settings == {}


def test_two_fractions_are_a_product():
    found = variants(PAPER, {"b": (0.5,), "a": (0.1, 0)})
    own = [name for name in found if name.startswith("mdmt")]
    assert own == [
        *("mdmt", "mdmt@a=0.1", "mdmt@a=0", "mdmt@b=0.5", "mdmt@b=0.5@a=0.1"),
        "mdmt@b=0.5@a=0",
    ]
    assert found["mdmt@b=0.5@a=0"].start == {"other@b=0.5": 1.0}
    assert "stl@a=0" not in found and "ft@a=0" not in found
    assert "continued@b=0.5@a=0" not in found


@pytest.mark.parametrize(
    "name, parsed",
    [
        ("mdmt", ("mdmt", {})),
        ("mdmt@b=0.25", ("mdmt", {"b": 0.25})),
        ("mdmt@b=0@a=0.001", ("mdmt", {"b": 0.0, "a": 0.001})),
    ],
)
def test_names_of_variants(name, parsed):
    assert parse_variant(name) == parsed
    assert variant_name(*parsed) == name
