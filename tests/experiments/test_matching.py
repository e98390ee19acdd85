"""Controls in a grid: steps of another experiment, permuted labels, fractions."""

import dataclasses

import numpy as np
import pytest
from planned import Dataset

from mdmt_tf import config
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import alone, matching
from mdmt_tf.experiments.grid import build_grid
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split

EXPERIMENTS = """
    stl: {tasks: [prognosis], set: {model.heads: linear}}
    severity_alone: {tasks: [severity]}
    mdmt:
      tasks: [prognosis, severity]
      start: {stl: 0.5, severity_alone: 0.5}
    mdmt_direct:
      tasks: [prognosis, severity]
      set: {model.head_dropout: 0.2, tasks.severity.weight: 0.5}
    stl_matched: {tasks: [prognosis], match: mdmt_direct}
    stl_continued: {tasks: [prognosis], match: mdmt, set: {model.heads: linear}}
    mdmt_null: {tasks: [prognosis, severity], match: mdmt_direct, null: severity}
"""


def dataset(name, n, **labels):
    ids = np.array([f"{name}{row:03d}" for row in range(n)], object)
    table = {"image_id": ids, "patient_id": ids, "site": ids, **labels}
    return Dataset(name, table)


# Every third patient of the 60 has no outcome: 40 are labelled.
OUTCOMES = np.array(["mild", "severe", ""] * 20, object)
DATASETS = [
    dataset("aiforcovid", 60, prognosis=OUTCOMES),
    dataset("brixia", 45, brixia_global=np.arange(45) % 18),
]


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grids")

    def load(*overrides, experiments=EXPERIMENTS):
        path = folder / "my.yaml"
        path.write_text(
            "base: phantom\n"
            "training: {epochs: 5, batch_size: 8}\n"
            "benchmark:\n"
            "  backbones: [resnet18]\n"
            "  cross_validation: {cv: {folds: 3, repeats: 2}}\n"
            f"  experiments: {experiments}"
        )
        return config.load(str(path), ["data_dir=.", *overrides])

    return load


def planned(settings):
    """The grid, the splits and the matched steps."""
    tables = {d.name: d.table for d in DATASETS}
    made_by = SplitSettings.of(settings.benchmark.cross_validation["cv"])
    splits = {
        ("cv", fold): make_split(
            tables, settings.build_tasks(), dataclasses.replace(made_by, fold=fold)
        )
        for fold in range(6)
    }
    steps = matching.count_matched(settings, splits, DATASETS)
    grid = build_grid(settings, splits, {"aiforcovid": "1", "brixia": "2"}, steps)
    return grid, splits, steps


def fit_of(grid, experiment, fold=0):
    (name,) = [
        c.fit for c in grid.cells if (c.experiment, c.fold) == (experiment, fold)
    ]
    return grid.fits[name]


def test_steps_are_those_of_the_matched_experiment_in_the_same_fold(load):
    grid, splits, steps = planned(load())
    assert matching.from_plain(matching.to_plain(steps)) == steps
    outcome = dict(zip(DATASETS[0].table["image_id"], OUTCOMES, strict=True))
    for fold in range(6):
        lists = splits["cv", fold].datasets
        labelled = sum(outcome[i] != "" for i in lists["aiforcovid"]["train"])
        images = labelled + len(lists["brixia"]["train"])
        expected = 5 * -(-images // 8)  # epochs times full batches
        for name in ("stl_matched", "stl_continued", "mdmt_null"):
            assert fit_of(grid, name, fold).settings.training.steps == expected
        for name in ("stl", "mdmt_direct", "mdmt"):
            assert fit_of(grid, name, fold).settings.training.steps is None
        assert -(-labelled // 8) < -(-images // 8)


def test_what_is_not_said_is_taken_from_the_matched_experiment(load):
    grid, _, _ = planned(load())
    matched = fit_of(grid, "stl_matched").settings
    assert list(matched.tasks) == ["prognosis"] and matched.model.heads == "mlp"
    assert matched.model.head_dropout == 0.2
    null = fit_of(grid, "mdmt_null").settings
    assert null.tasks["severity"].weight == 0.5 and null.tasks["severity"].permute
    assert not null.tasks["prognosis"].permute
    continued, mdmt = fit_of(grid, "stl_continued"), fit_of(grid, "mdmt")
    assert continued.starts == mdmt.starts != {}
    assert continued.settings.model.heads == "linear"
    assert mdmt.settings.model.heads == "mlp"


def test_a_start_of_its_own_replaces_that_of_the_matched_one(load):
    for start, expected in (("{}", {}), ("{stl: 1}", {"stl"})):
        settings = load(f"benchmark.experiments.stl_continued.start={start}")
        grid, _, _ = planned(settings)
        names = {n.split("-")[0] for n in fit_of(grid, "stl_continued").starts}
        assert names == set(expected)


def test_steps_that_are_said_stay(load):
    own = "benchmark.experiments.stl_matched.set={training.steps: 15}"
    grid, _, _ = planned(load(own))
    assert fit_of(grid, "stl_matched").settings.training.steps == 15
    of_all = load("training.steps=35")
    grid, _, steps = planned(of_all)
    assert set(steps.values()) == {35}
    assert fit_of(grid, "mdmt_null").settings.training.steps == 35


def test_epochs_that_cannot_share_the_steps_are_refused(load):
    own = "benchmark.experiments.stl_matched.set={training.epochs: 7}"
    with pytest.raises(ConfigError, match="steps, which 7 epochs .* cannot share"):
        planned(load(own))


def test_labels_that_are_left_out_change_the_matched_steps(load):
    grid, splits, steps = planned(load("benchmark.fractions={severity: [0, 0.5]}"))
    assert fit_of(grid, "mdmt_null").settings.tasks["severity"].fraction == 1
    for fold in range(6):
        lists = splits["cv", fold].datasets
        outcome = dict(zip(DATASETS[0].table["image_id"], OUTCOMES, strict=True))
        labelled = sum(outcome[i] != "" for i in lists["aiforcovid"]["train"])
        for name, fraction in (("", 1), ("@severity=0.5", 0.5), ("@severity=0", 0)):
            scores = int(fraction * len(lists["brixia"]["train"]) + 0.5)
            expected = 5 * -(-(labelled + scores) // 8)
            assert steps["cv", fold, 0, f"mdmt_direct{name}"] == expected
            matched = fit_of(grid, f"stl_matched{name}", fold).settings
            assert matched.training.steps == expected


def test_fractions_are_fits_of_their_own(load):
    grid, _, _ = planned(load("benchmark.fractions={severity: [0, 0.5, 1]}"))
    half = fit_of(grid, "mdmt@severity=0.5")
    assert half.settings.tasks["severity"].fraction == 0.5
    assert half.settings.experiment == "mdmt@severity=0.5"
    assert {n.split("-")[0] for n in half.starts} == {
        "stl",
        "severity_alone@severity=0.5",
    }
    nothing = fit_of(grid, "mdmt@severity=0")
    assert {n.split("-")[0]: w for n, w in nothing.starts.items()} == {"stl": 1.0}
    names = {cell.experiment for cell in grid.cells}
    assert "stl@severity=0.5" not in names and "severity_alone@severity=0" not in names


def test_without_labels_of_the_selecting_task_another_one_selects(load):
    ordered = ["training.select_on={task: severity, metric: kappa}"]
    ordered += ["tasks.severity.kind=ordinal", "benchmark.fractions={severity: [0]}"]
    grid, _, _ = planned(load(*ordered))
    for name, expected in (
        ("mdmt", ("severity", "kappa")),
        ("stl", ("prognosis", "loss")),
        ("mdmt@severity=0", ("prognosis", "loss")),
    ):
        chosen = fit_of(grid, name).settings.training.select_on
        assert (chosen.task, chosen.metric) == expected


def test_an_experiment_alone_needs_the_settings_of_the_one_it_matches(load):
    overrides = ["experiment=stl_matched", "split.fold=2", "split.folds=3"]
    whole = load(*overrides)
    part = alone.parts_of(whole, overrides)["stl_matched"]
    own, matched = part.settings, part.matched
    assert own.training.steps is None and list(own.tasks) == ["prognosis"]
    assert list(matched.tasks) == ["prognosis", "severity"]
    assert matched.split.fold == 2 and matched.tasks["severity"].weight == 0.5
    for other in (["experiment=stl"], [*overrides, "training.steps=15"]):
        *_, part = alone.parts_of(load(*other), other).values()
        assert part.matched is None
