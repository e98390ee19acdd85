"""One mistake is reported once and hides no other."""

import pytest

from mdmt_tf.config import check, files
from mdmt_tf.config.declaration import KeepSection
from mdmt_tf.config.problems import list_problems
from mdmt_tf.errors import ConfigError


def values(**changes):
    """The default configuration; `a__b=value` sets a.b, `...` removes it."""
    plain, _ = files.read("phantom")
    for key, value in changes.items():
        *path, last = key.split("__")
        section = plain
        for step in path:
            section = section[step]
        if value is ...:
            del section[last]
        else:
            section[last] = value
    return plain


def keys_of(plain):
    return [".".join(path) for path, _ in list_problems(plain)]


def test_a_right_configuration_has_none():
    assert list_problems(values()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Rules that need what is wrong are silent: no warm-up of unknown epochs, ...
        ({"training__epochs": 0, "training__warmup_epochs": 900}, ["training.epochs"]),
        ({"split__kind": "random", "split__fold": 9}, ["split.kind"]),
        # ... nobody says that a task which is wrong is not there, ...
        ({"tasks__prognosis__kind": "catgorical"}, ["tasks.prognosis.kind"]),
        # ... nor that a section is incomplete whose key has its old name.
        ({"training__select_on": 3}, ["training.select_on"]),
        # Others are not.
        (
            {"training__batch_size": 1, "training__warmup_epochs": 900},
            ["training.batch_size", "training.warmup_epochs"],
        ),
        (
            {
                "tasks__severity__kind": ...,
                "tasks__prognosis__oversample": True,
                "tasks__prognosis__class_weights": "balanced",
            },
            ["tasks.severity.kind", "tasks.prognosis.oversample"],
        ),
        (
            {"model": 3, "split__fold": 9, "pipeline": None},
            ["model", "pipeline", "split.fold"],
        ),
        ({"training": ..., "split__fold": 9}, ["training", "split.fold"]),
        (
            {
                "tasks__prognosis_calibrated": {
                    "kind": "regression",
                    "from": {"brixia": "age"},
                }
            },
            ["tasks.prognosis_calibrated"],
        ),
        ({"tasks__severity__from": 3}, ["tasks.severity.from"]),
        # ... nor that a dataset feeds nothing whose name has a slip where it does, ...
        ({"tasks__severity__from": {"brixa": "age"}}, ["tasks.severity.from.brixa"]),
        ({"tasks": {}}, ["tasks"]),
        ({"tasks": [1]}, ["tasks"]),
        ({"datasets__brixia": 3}, ["datasets.brixia"]),
    ],
)
def test_every_mistake_once(changes, expected):
    assert keys_of(values(**changes)) == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("training.epochs", True, "integer from 1"),
        ("training.learning_rate", True, "number above 0"),
        ("training.patience", False, "integer at least 1 or null"),
        ("training.warmup_epochs", False, "integer"),
        ("seed", True, "integer from 0"),
        ("datasets.brixia.fraction", True, "number from 0 to 1"),
        ("model.freeze", True, "none or stem or all or number above 0, below 1"),
        ("model.weights", {"a.weights.h5": True}, "number above 0"),
        ("tasks.severity.class_weights", [True, 1, 1, 1], "number above 0"),
        ("tasks.severity.cut_points", [False, 9, 14], "number"),
        ("image_size", [32, True, 32], "integer from 8 to 1024"),
        ("phantoms.brixia_patients", True, "integer from 0"),
        ("pipeline.augmentation.flip_probability", True, "number from 0 to 1"),
    ],
)
def test_a_truth_value_is_no_number(key, value, expected):
    """YAML reads `yes` and `on` as true, which Python takes for 1."""
    changed = values(**{key.replace(".", "__"): value})
    ((path, text),) = list_problems(changed)
    assert text.startswith((" = true: is a truth value", " = false: is a truth value"))
    assert f" yes, no, on and off. Expected {expected}" in text
    assert ".".join(path).startswith(key)
    with pytest.raises(ConfigError, match="is a truth value"):
        check(changed, "these values")


def test_a_truth_value_in_a_list_hides_no_other_problem():
    text = "is a truth value"
    found = list_problems(values(tasks__severity__cut_points=[5, True, "high"]))
    assert [path[-1] for path, _ in found] == ["1", "2"] and text in found[0][1]
    assert "should be a valid number" in found[1][1]
    ((path, found),) = list_problems({"max": True}, KeepSection, ("keep", "los"))
    assert path == ("keep", "los", "max") and text in found


def test_truth_values_stay_where_they_may_be():
    changed = {"training__tensorboard": False, "model__start_heads": False}
    plain = values(**changed)
    plain["pipeline"]["augmentation"] = {
        "layers": [{"layer": "RandomBrightness", "arguments": {"auto": True}}]
    }
    assert not list_problems(plain)


def test_a_benchmark_that_is_partly_wrong():
    benchmark = {
        "backbones": ["resnet19", "resnet18"],
        "cross_validation": {"cv": {"folds": 3, "fold": 7}, "other": 3},
        "experiments": {
            "a": {"tasks": ["prognosis"], "start": {"a": 1}},
            "b": {"tasks": []},
        },
        "baselines": {"a": {"task": "nothing", "fields": {"brixia": ["sex"]}}},
        "executor": "ray",
        "candidate": "c",
    }
    assert keys_of(values(benchmark=benchmark)) == [
        "benchmark.backbones.0",
        "benchmark.cross_validation.other",
        "benchmark.experiments.b.tasks",
        "benchmark.cross_validation.cv.fold",
        "benchmark.address",
        "benchmark.baselines.a.task",
    ]


def test_old_names_are_answered_with_the_new_ones():
    benchmark = {
        "backbones": ["resnet18"],
        "validation": {"cv": {}},
        "experiments": {"a": {"tasks": ["prognosis"]}},
    }
    problems = list_problems(values(benchmark=benchmark, model__heads="stl"))
    assert problems == [
        (("model", "heads"), " = 'stl': is now called 'linear'."),
        (("benchmark", "validation"), ": is now called benchmark.cross_validation."),
    ]


def test_what_a_section_should_be():
    with pytest.raises(ConfigError) as raised:
        check(values(training__plateau=0.1), "here")
    assert (
        "training.plateau = 0.1: should be a section with the keys follows, factor, "
        "patience, threshold, min_learning_rate." in str(raised.value)
    )
