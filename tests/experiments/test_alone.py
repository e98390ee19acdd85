"""`train --config NAME experiment=...`: one experiment of a benchmark by itself."""

import pytest
import yaml
from small_settings import DATASETS, OUTCOME

from mdmt_tf import config
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import alone, plan, protocol
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.training.inputs import open_split

SETTINGS = {
    "experiment": "small",
    "image_size": 32,
    "tasks": {
        "outcome": OUTCOME,
        "old": {
            "kind": "binary",
            "cut_points": [60],
            "classes": ["no", "yes"],
            "from": {"alpha": "age"},
        },
        "grade": {
            "kind": "categorical",
            "cut_points": [1, 2, 3],
            "from": {"beta": "grade"},
        },
    },
    "datasets": DATASETS,
    "split": {"folds": 3},
    "training": {
        "epochs": 3,
        "warmup_epochs": 1,
        "saliency": 4,
        "select_on": {"task": "outcome", "metric": "auc"},
    },
    "benchmark": {
        "backbones": ["resnet18", "mobilenet_v2"],
        "weights": {"mobilenet_v2": "imagenet"},
        "cross_validation": {
            "cv": {"folds": 3},
            "by_outcome": {"folds": 3, "stratify_by": ["outcome"]},
            "loco": {"kind": "leave_one_site_out", "leave_out": ["alpha"]},
        },
        "omit": ["saved_model", "saliency"],
        "experiments": {
            "outcome_only": {
                "tasks": ["outcome"],
                "set": {"model.heads": "linear", "tasks.outcome.weight": 0.5},
            },
            "old_only": {"tasks": ["old"]},
            "grade_only": {"tasks": ["grade"]},
            "fine_tuned": {"tasks": ["outcome"], "start": {"grade_only": 1}},
            "both": {
                "tasks": ["grade", "outcome"],
                "start": {"grade_only": 0.25, "outcome_only": 0.75},
            },
        },
    },
}


@pytest.fixture
def load(tmp_path, data_dir):
    """What `train` makes of the settings and these overrides."""
    path = tmp_path / "small.yaml"
    values = {**SETTINGS, "data_dir": str(data_dir)}
    path.write_text(yaml.safe_dump(values, sort_keys=False))

    def load(*overrides):
        return last_of(config.load(str(path), overrides), overrides).settings

    return load


def last_of(settings, overrides=()):
    """The fit of the settings, after those that it starts from."""
    *_, last = alone.parts_of(settings, overrides).values()
    return last


def refused(load, *overrides):
    with pytest.raises(ConfigError) as raised:
        load(*overrides)
    return str(raised.value)


def test_without_an_experiment_the_settings_are_those_of_the_file(load):
    assert list(load().tasks) == ["outcome", "old", "grade"]
    assert load("benchmark=null", "experiment=mine").experiment == "mine"


def test_an_experiment_has_its_tasks_data_and_settings(load):
    made = load("experiment=outcome_only", "seed=4", "split.fold=2")
    assert list(made.tasks) == ["outcome"] and list(made.datasets) == ["alpha"]
    assert (made.model.heads, made.tasks["outcome"].weight) == ("linear", 0.5)
    assert (made.seed, made.split.fold, made.benchmark) == (4, 2, None)
    made = load("experiment=grade_only")
    select = made.training.select_on
    assert (select.task, select.metric) == ("grade", "auc")


def test_the_backbone_is_that_of_the_model_with_its_weights(load):
    made = load("experiment=old_only")
    assert (made.model.backbone, made.model.weights) == ("resnet18", None)
    made = load("experiment=old_only", "model.backbone=mobilenet_v2")
    assert (made.model.backbone, made.model.weights) == ("mobilenet_v2", "imagenet")
    made = load(
        "experiment=old_only", "model.backbone=mobilenet_v2", "model.weights=null"
    )
    assert made.model.weights is None


def test_the_command_line_wins_over_the_settings_of_the_experiment(load):
    made = load(
        "model.heads=serial", "tasks.outcome.weight=0.7", "experiment=outcome_only"
    )
    assert (made.model.heads, made.tasks["outcome"].weight) == ("serial", 0.7)


def test_a_whole_section_may_be_given_on_the_command_line(load):
    made = load("experiment=old_only", "split={folds: 4, fold: 3}")
    assert (made.split.folds, made.split.fold) == (4, 3)
    assert list(made.split.whole.tasks) == ["outcome", "old"]


def test_a_file_may_name_the_experiment_too(load, tmp_path):
    (tmp_path / "one.yaml").write_text("base: small.yaml\nexperiment: old_only\n")
    load()
    made = last_of(config.load(str(tmp_path / "one.yaml"))).settings
    assert list(made.tasks) == ["old"]


def test_what_only_the_grid_leaves_out_is_there(load):
    training = load("experiment=old_only").training
    assert (training.saved_model, training.saliency) == (True, 4)
    training = protocol.settings_of(load(), "old_only", "resnet18").training
    assert (training.saved_model, training.saliency) == (False, 0)
    assert training.tensorboard


def test_an_experiment_that_is_not_there(load):
    text = refused(load, "experiment=old_onyl")
    assert "experiment = 'old_onyl': is not one of the experiments" in text
    assert "Did you mean 'old_only'? Experiments: outcome_only, old_only" in text
    assert "set run_dir" in text


def test_what_an_experiment_starts_from_comes_before_it(tmp_path, data_dir):
    path = tmp_path / "small.yaml"
    values = {**SETTINGS, "data_dir": str(data_dir)}
    path.write_text(yaml.safe_dump(values, sort_keys=False))

    def parts(*overrides):
        return alone.parts_of(config.load(str(path), overrides), overrides)

    own = ("experiment=both", "split.fold=2", "seed=4", "run_dir=mine")
    found = parts(*own)
    assert list(found) == ["grade_only", "outcome_only", "both"]
    assert [list(part.settings.tasks) for part in found.values()] == [
        ["grade"],
        ["outcome"],
        ["grade", "outcome"],
    ]
    assert found["both"].starts == {"grade_only": 0.25, "outcome_only": 0.75}
    assert not found["grade_only"].starts
    for part in found.values():
        settings = part.settings
        assert (settings.seed, settings.split.fold) == (4, 2)
    # Weights that are given are those of the experiment, and nothing is trained before.
    given = parts(*own, "model.weights={a.weights.h5: 0.25, b.weights.h5: 0.75}")
    assert list(given) == ["both"] and not given["both"].starts
    assert given["both"].settings.model.weights == {
        "a.weights.h5": 0.25,
        "b.weights.h5": 0.75,
    }
    # Another experiment selects by a task of its own.
    selected = parts("experiment=fine_tuned", "training.select_on.task=outcome")
    tasks = [p.settings.training.select_on.task for p in selected.values()]
    assert tasks == ["grade", "outcome"]


def test_a_setting_of_a_task_that_is_not_trained(load):
    text = refused(
        load,
        "experiment=old_only",
        "benchmark.experiments.old_only.set={tasks.grade.weight: 2}",
    )
    assert "old_only.set: tasks.grade.weight: the experiment does not train" in text


def test_settings_that_do_not_go_together_name_the_experiment(load):
    text = refused(load, "experiment=old_only", "training.select_on.task=grade")
    assert "benchmark.experiments.old_only (resnet18)" in text
    assert "'grade': is not one of the tasks" in text


# As overrides, the splits of the grid.
VALIDATION = {
    "cv": (),
    "by_outcome": ("split.stratify_by=[outcome]",),
    "loco": ("split.kind=leave_one_site_out", "split.leave_out=[alpha]"),
}


@pytest.fixture(scope="module")
def planned(data_dir, tmp_path_factory):
    """The folder of a benchmark with its splits."""
    path = tmp_path_factory.mktemp("planned")
    values = {**SETTINGS, "data_dir": str(data_dir)}
    (path / "small.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    plan.make_plan(config.load(str(path / "small.yaml")), Folder(path))
    return Folder(path)


@pytest.mark.parametrize("validation", VALIDATION)
@pytest.mark.parametrize("experiment", ["outcome_only", "old_only", "grade_only"])
def test_the_lists_are_those_of_the_grid(load, planned, validation, experiment, caplog):
    splits = plan.read_splits(planned)
    for fold in range(3):
        settings = load(
            f"experiment={experiment}", f"split.fold={fold}", *VALIDATION[validation]
        )
        _, split = open_split(settings)
        expected = splits[validation, fold]
        assert list(split.datasets) == list(settings.datasets)
        for name, lists in split.datasets.items():
            assert lists == expected.datasets[name]
    assert "the folds are not the grid's" not in caplog.text


def test_a_dataset_with_the_same_patients_is_divided_together_alone_too(
    load, data_dir, tmp_path
):
    same = [f"datasets.{name}.patients=ward" for name in ("alpha", "beta")]
    settings = load("experiment=outcome_only", *same)
    assert set(settings.split.whole.datasets) == {"alpha", "beta"}
    _, split = open_split(settings)
    values = {**SETTINGS, "data_dir": str(data_dir)}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    grid = config.load(str(tmp_path / "small.yaml"), same)
    expected = plan.divide(grid).splits["cv", 0]
    assert split.datasets["alpha"] == expected.datasets["alpha"]


def test_the_lists_would_be_others_without_the_tasks_of_the_benchmark(load):
    """So that the test above can fail: strata of one task are not those of both."""
    settings = load("experiment=old_only")
    assert list(settings.split.whole.tasks) == ["outcome", "old"]
    own = settings.split.model_copy(update={"whole": None})
    lists = [
        open_split(settings.model_copy(update={"split": split}))[1].datasets
        for split in (settings.split, own)
    ]
    assert lists[0] != lists[1]


def test_settings_that_make_the_same_split_anyway_do_not_repeat_it(load):
    assert load("experiment=grade_only").split.whole is None
    made = load("experiment=outcome_only", "split.stratify_by=[outcome]")
    assert list(made.split.whole.tasks) == ["outcome"]  # of another weight
    made = load("experiment=old_only", "split.stratify_by=[old]")
    assert made.split.whole is None


def test_the_settings_of_a_run_say_all_that_its_split_is_made_of(load, tmp_path):
    from mdmt_tf.config import files

    settings = load("experiment=old_only", "split.stratify_by=[outcome]")
    files.write(settings.to_plain(), tmp_path / "config.yaml")
    again = config.load(str(tmp_path / "config.yaml"))
    assert again == settings == last_of(again).settings
    assert open_split(again)[1] == open_split(settings)[1]


def test_folds_that_are_not_those_of_the_grid_are_told(load, caplog):
    load("experiment=old_only", "split.fold=1")
    assert not caplog.text
    load("experiment=old_only", "split.seed=1")
    assert (
        "split is none of benchmark.cross_validation (cv, by_outcome, loco)"
        in caplog.text
    )
