"""A grid with datasets that no fold divides, and experiments that start from them."""

import dataclasses

import numpy as np
import pytest
from planned import Dataset

from mdmt_tf import config
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import alone, identity, matching, protocol
from mdmt_tf.experiments.grid import build_grid
from mdmt_tf.experiments.plan import overview
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import count_folds, make_split

SETTINGS = """
base: phantom
phantoms: null
tasks:
  upper:
    kind: ordinal
    cut_points: [1, 2, 3]
    from: {cohen_brixia: "brixia_scores[0]", brixia: "brixia_scores[0]"}
  grade:
    kind: ordinal
    cut_points: [5, 9, 14]
    from: {cohen_brixia: brixia_global}
datasets:
  cohen_brixia: {config: lungs_256}
  brixia: {config: lungs_256, auxiliary: true}
split: {folds: 3}
training: {epochs: 5, batch_size: 8, select_on: {task: grade, metric: kappa}}
benchmark:
  backbones: [resnet18, mobilenet_v2]
  seeds: [0, 1]
  cross_validation:
    cv: {folds: 3}
    loco: {kind: leave_one_site_out, leave_out: [cohen_brixia]}
  experiments:
    pretrain: {tasks: [upper], datasets: [brixia]}
    pretrain_null: {tasks: [upper], match: pretrain, null: upper}
    both: {tasks: [grade, upper], datasets: [cohen_brixia]}
    start: {tasks: [grade, upper], match: both, start: {pretrain: 1}}
    joint: {tasks: [grade, upper], set: {pipeline.sampling: balanced}}
    longer: {tasks: [grade, upper], datasets: [cohen_brixia], match: joint}
"""


def dataset(name, n):
    ids = np.array([f"{name}{row:03d}" for row in range(n)], object)
    sites = np.array(["A", "B", "C"] * n, object)[:n]
    score = np.arange(n) % 18
    scores = np.stack([score % 4] * 6, axis=1)
    labels = {"brixia_global": score, "brixia_scores": scores}
    return Dataset(name, {"image_id": ids, "patient_id": ids, "site": sites, **labels})


DATASETS = [dataset("cohen_brixia", 45), dataset("brixia", 200)]
TABLES = {d.name: d.table for d in DATASETS}


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    path = tmp_path_factory.mktemp("grids") / "my.yaml"
    path.write_text(SETTINGS)
    return lambda *overrides: config.load(str(path), ["data_dir=.", *overrides])


def planned(settings):
    """The grid, and the lists of its folds."""
    splits = {}
    for name, section in settings.benchmark.cross_validation.items():
        made_by = SplitSettings.of(section, settings.auxiliary)
        for fold in range(count_folds(TABLES, made_by)):
            of_fold = dataclasses.replace(made_by, fold=fold)
            splits[name, fold] = make_split(TABLES, settings.build_tasks(), of_fold)
    steps = matching.count_matched(settings, splits, DATASETS)
    fingerprints = {"cohen_brixia": "1", "brixia": "2"}
    return build_grid(settings, splits, fingerprints, steps), splits


@pytest.fixture(scope="module")
def grid(load):
    return planned(load())[0]


def fits_of(grid, experiment):
    names = {cell.fit for cell in grid.cells if cell.experiment == experiment}
    return [grid.fits[name] for name in sorted(names)]


def test_a_fit_on_auxiliary_datasets_is_trained_once_per_seed_and_backbone(grid):
    for name in ("pretrain", "pretrain_null"):
        assert len(fits_of(grid, name)) == 2 * 2
    # Three folds and three sites.
    for name in ("both", "start", "joint", "longer"):
        assert len(fits_of(grid, name)) == 2 * 2 * 6
    starts = {other for fit in fits_of(grid, "start") for other in fit.starts}
    assert starts == {fit.name for fit in fits_of(grid, "pretrain")}


def test_the_overview_shows_the_shared_fits(load, grid):
    lines = [line.split() for line in overview(load(), grid).splitlines()]
    assert lines[0] == ["experiment", "cells", "fits", "datasets", "starts", "from"]
    assert lines[1] == ["pretrain", "24", "4", "brixia"]
    assert lines[4] == ["start", "24", "24", "cohen_brixia", "pretrain"]
    assert lines[5] == ["joint", "24", "24", "cohen_brixia,", "brixia"]


def test_an_experiment_reads_the_datasets_that_it_names(grid):
    read = {
        name: list(fits_of(grid, name)[0].settings.datasets)
        for name in ("pretrain", "pretrain_null", "both", "start", "joint")
    }
    assert read == {
        "pretrain": ["brixia"],
        # What it does not say is that of the experiment that it matches.
        "pretrain_null": ["brixia"],
        "both": ["cohen_brixia"],
        "start": ["cohen_brixia"],
        "joint": ["cohen_brixia", "brixia"],
    }
    for fit in (*fits_of(grid, "both"), *fits_of(grid, "pretrain")):
        for task in fit.settings.tasks.values():
            assert set(task.sources) == set(fit.settings.datasets)


def test_steps_are_of_all_that_the_matched_experiment_trains_with(grid):
    # 180 patients of brixia, and of cohen_brixia those of a fold.
    for fit in fits_of(grid, "longer"):
        validation, fold = fit.split
        if validation == "cv":
            assert fit.settings.training.steps == 5 * -(-(180 + 15) // 8)
    assert {f.settings.training.steps for f in fits_of(grid, "pretrain_null")} == {
        5 * -(-180 // 8)
    }


def test_labels_of_a_dataset_that_is_not_read_change_nothing(load, grid):
    settings = load("benchmark.experiments.both.set={datasets.brixia.fraction: 0.5}")
    assert [f.identity for f in fits_of(planned(settings)[0], "both")] == [
        fit.identity for fit in fits_of(grid, "both")
    ]


def test_keys_at_their_defaults_are_no_part_of_the_identity(load):
    settings = protocol.settings_of(load(), "both", "resnet18")
    section = settings.datasets["cohen_brixia"]
    assert not section.auxiliary and section.fraction == 1
    assert section.of_result().keys() == {"config", "version"}
    half = section.model_copy(update={"fraction": 0.5})
    assert half.of_result().keys() == {"config", "version", "fraction"}


def test_fractions_of_datasets(load):
    fractions = "{cohen_brixia: [0, 0.5], brixia: [0, 0.1]}"
    grid, splits = planned(load(f"benchmark.fractions={fractions}"))
    names = list(dict.fromkeys(cell.experiment for cell in grid.cells))
    assert [name for name in names if name.startswith(("pretrain", "start"))] == [
        *("pretrain", "pretrain@brixia=0.1"),
        *("pretrain_null", "pretrain_null@brixia=0.1"),
        *("start", "start@brixia=0", "start@brixia=0.1"),
        *("start@cohen_brixia=0.5", "start@cohen_brixia=0.5@brixia=0"),
        "start@cohen_brixia=0.5@brixia=0.1",
    ]
    assert "joint@cohen_brixia=0" in names and "both@cohen_brixia=0" not in names
    assert "joint@cohen_brixia=0@brixia=0" not in names
    assert not fits_of(grid, "start@brixia=0")[0].starts
    (start,) = fits_of(grid, "start@brixia=0.1")[0].starts
    assert start.startswith("pretrain@brixia=0.1-")
    assert len(fits_of(grid, "pretrain@brixia=0.1")) == 2 * 2
    # Only brixia feeds the trained task that is left.
    left = fits_of(grid, "joint@cohen_brixia=0")[0].settings
    assert left.dataset_fractions == {"cohen_brixia": 0, "brixia": 1}
    assert left.tasks["grade"].fraction == 0 and left.tasks["upper"].fraction == 1
    assert left.training.select_on.task == "upper"


def test_where_a_start_is_left_out_heads_are_random(load):
    heads = "benchmark.experiments.start.set={model.start_heads: true}"
    made = load(heads, "benchmark.fractions={brixia: [0, 0.1]}")
    chosen = {
        name: protocol.settings_of(made, name, "resnet18").model.start_heads
        for name in ("start", "start@brixia=0.1", "start@brixia=0")
    }
    assert chosen == {"start": True, "start@brixia=0.1": True, "start@brixia=0": False}


def test_lists_alone_are_those_of_the_grid(load):
    settings = load("experiment=both", "split.fold=1")
    _, splits = planned(load())
    made = alone.parts_of(settings, ["experiment=both"])["both"].settings
    by = SplitSettings.of(made.split, made.auxiliary)
    own = {name: TABLES[name] for name in made.split_datasets}
    lists = make_split(own, made.build_split_tasks(), by).datasets
    assert lists["cohen_brixia"] == splits["cv", 1].datasets["cohen_brixia"]


def test_several_permuted_tasks_have_an_identity_of_their_own(load):
    both = "benchmark.experiments.both.null="
    settings = [
        protocol.settings_of(load(f"{both}{null}"), "both", "resnet18")
        for null in ("upper", "[grade, upper]")
    ]
    plain = [one.to_plain()["tasks"] for one in settings]
    assert [of["grade"]["permute"] for of in plain] == [False, True]
    assert identity._are_permuted_together(settings[1])
    assert not identity._are_permuted_together(settings[0])


def test_baselines_do_not_see_auxiliary_datasets(load):
    baseline = "benchmark.baselines={pixels: {task: upper, model: thumbnail}}"
    grid, _ = planned(load(baseline))
    names = {cell.fit for cell in grid.cells if cell.experiment == "pixels"}
    assert len(names) == 6
    assert list(load(baseline).tested_tasks["upper"].sources) == ["cohen_brixia"]


@pytest.mark.parametrize(
    "override, message",
    [
        (
            "benchmark.experiments.both.datasets=[cohen]",
            "both.datasets: 'cohen' is not one of the datasets. Did you mean",
        ),
        (
            "benchmark.experiments={a: {tasks: [grade], datasets: [cohen_brixia, "
            "brixia]}}",
            "a.datasets: 'brixia' feeds none of its tasks, grade. Leave it out",
        ),
        (
            "benchmark.experiments.pretrain.tasks=[upper, grade]",
            r"pretrain.datasets = \['brixia'\]: none of them feeds 'grade'. Add one of",
        ),
        (
            "benchmark.experiments.pretrain_null.tasks=[upper, grade]",
            r"\['brixia'\], as 'pretrain', which it matches: none of them feeds 'gra",
        ),
        (
            "benchmark.candidate=pretrain",
            "candidate = 'pretrain': all datasets that it reads are auxiliary",
        ),
        (
            "benchmark.comparisons=[[both, pretrain]]",
            "comparisons.0 .*: 'pretrain': all datasets that it reads are auxiliary",
        ),
        (
            "benchmark.experiments={a: {tasks: [upper], datasets: [brixia]}}",
            "experiments: all datasets that they read are auxiliary, so no fold tests",
        ),
        (
            "benchmark.fractions={cohen: [0.5]}",
            "fractions.cohen: 'cohen' is not one of the tasks and datasets",
        ),
        (
            "benchmark.cross_validation.loco.leave_out=[brixia]",
            "leave_out: 'brixia' is auxiliary, and no fold divides it",
        ),
    ],
)
def test_what_does_not_go_together(load, override, message):
    with pytest.raises(ConfigError, match=message):
        load(override)


def test_a_fraction_is_of_a_task_or_of_a_dataset(load):
    upper = "{kind: ordinal, cut_points: [1], from: {brixia: 'brixia_scores[0]'}}"
    with pytest.raises(ConfigError, match="is the name of a task and of a dataset"):
        load(
            f"tasks.brixia={upper}",
            "benchmark.fractions={brixia: [0.5]}",
        )


def test_the_candidate_is_compared_with_what_is_tested(load):
    compared = load("benchmark.candidate=start").experiments.compared
    assert compared == (("start", "both"), ("start", "joint"), ("start", "longer"))


def test_fractions_of_0_leave_something_to_train_with(load):
    with pytest.raises(ConfigError, match="datasets.brixia.fraction = 0: no task has"):
        load("datasets.brixia.fraction=0", "datasets.cohen_brixia.fraction=0")
    text = "fraction = 0 of all datasets that feed it it is not trained.* Expected up"
    with pytest.raises(ConfigError, match=text):
        load("datasets.cohen_brixia.fraction=0")
