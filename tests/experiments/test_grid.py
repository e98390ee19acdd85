"""Cells and fits: who starts from whom, what is trained once, what it costs."""

import collections
import dataclasses
import json
import time

import numpy as np
import pytest
import yaml

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.config.schema import SplitSection
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.experiments import grid, identity, protocol
from mdmt_tf.experiments.grid import Folder, build_grid
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import count_folds, make_split

# Made once: most tests are about the same lists.
SPLITS = {}
FINGERPRINTS = {"aiforcovid": "f1", "brixia": "f2"}


def table(n, sites, **labels):
    ids = np.array([f"i{row:03d}" for row in range(n)], object)
    site = np.array([sites[row % len(sites)] for row in range(n)], object)
    return {"image_id": ids, "patient_id": ids, "site": site, **labels}


@pytest.fixture(scope="module")
def tables():
    return {
        "aiforcovid": table(
            60, "ABC", prognosis=np.array(["mild", "severe"] * 30, object)
        ),
        "brixia": table(45, "MNO", brixia_global=np.arange(45) % 18),
    }


# The experiments of the paper itself; tests/experiments/test_matching.py has controls.
FOUR = {
    name: section.model_dump(mode="json", by_alias=True)
    for name, section in config.load(
        "paper", ["data_dir=."]
    ).benchmark.experiments.items()
    if name in ("stl_prognosis", "stl_severity", "ft", "mdmt")
}


@pytest.fixture
def settings(tmp_path):
    """The paper's settings with fewer backbones; overrides as on the command line."""

    def settings(*overrides):
        return config.load(
            "paper",
            [
                f"data_dir={tmp_path}",
                "benchmark.backbones=[resnet18, mobilenet_v2]",
                f"benchmark.experiments={json.dumps(FOUR)}",
                "benchmark.comparisons=null",
                "benchmark.baselines={}",
                *overrides,
            ],
        )

    return settings


def splits_of(configuration, tables, folds):
    """(validation, fold) -> lists, for as many folds of each as `folds` says."""
    tasks = configuration.build_tasks()
    made = {}
    for name, section in configuration.benchmark.cross_validation.items():
        for fold in range(folds[name]):
            of_fold = section.model_copy(update={"fold": fold})
            key = repr(of_fold)
            if key not in SPLITS:
                SPLITS[key] = make_split(tables, tasks, SplitSettings.of(of_fold))
            made[name, fold] = SPLITS[key]
    return made


def grid_of(configuration, tables, folds=None, fingerprints=FINGERPRINTS):
    folds = folds or {"cv": 5, "loco": 3}
    splits = splits_of(configuration, tables, folds)
    return build_grid(configuration, splits, fingerprints)


def cell(made, **wanted):
    (found,) = [
        c for c in made.cells if all(getattr(c, k) == v for k, v in wanted.items())
    ]
    return made.fits[found.fit]


def test_every_cell_is_there_once(settings, tables):
    made = grid_of(settings(), tables)
    assert len(made.cells) == 2 * (5 + 3) * 4
    places = {(c.validation, c.backbone, c.fold, c.experiment) for c in made.cells}
    assert len(places) == len(made.cells)
    assert {c.fit for c in made.cells} == set(made.fits)


def test_what_starts_from_what(settings, tables):
    made = grid_of(settings(), tables)
    for validation, fold in (("cv", 0), ("cv", 4), ("loco", 1)):
        for backbone in ("resnet18", "mobilenet_v2"):
            place = {"validation": validation, "fold": fold, "backbone": backbone}
            fit = {
                name: cell(made, experiment=name, **place)
                for name in ("stl_prognosis", "stl_severity", "ft", "mdmt")
            }
            assert fit["stl_prognosis"].starts == fit["stl_severity"].starts == {}
            assert fit["ft"].starts == {fit["stl_severity"].name: 1.0}
            assert fit["mdmt"].starts == {
                fit["stl_prognosis"].name: 0.5,
                fit["stl_severity"].name: 0.5,
            }
            assert fit["ft"].split == fit["stl_prognosis"].split == (validation, fold)


def test_starts_come_before_what_starts_from_them(settings, tables):
    experiments = {
        "mdmt": {"tasks": ["prognosis", "severity"], "start": {"ft": 1.0}},
        "ft": {"tasks": ["prognosis"], "start": {"stl": 1.0}},
        "stl": {"tasks": ["severity"]},
    }
    override = f"benchmark.experiments={experiments}"
    made = grid_of(settings(override, "benchmark.candidate=mdmt"), tables)
    seen = set()
    for name, fit in made.fits.items():
        assert set(fit.starts) <= seen
        seen.add(name)
    # The cells stay in the order of the file.
    assert [c.experiment for c in made.cells[:3]] == ["mdmt", "ft", "stl"]


def test_what_does_not_depend_on_the_site_left_out_is_trained_once(settings, tables):
    made = grid_of(settings(), tables)
    severity = {
        c.fit
        for c in made.cells
        if c.validation == "loco"
        and c.experiment == "stl_severity"
        and c.backbone == "resnet18"
    }
    prognosis = {
        c.fit
        for c in made.cells
        if c.validation == "loco"
        and c.experiment == "stl_prognosis"
        and c.backbone == "resnet18"
    }
    assert len(severity) == 1 and len(prognosis) == 3


def test_fits_have_their_tasks_and_the_data_that_feed_them(settings, tables):
    made = grid_of(settings(), tables)
    place = {"validation": "cv", "fold": 0, "backbone": "resnet18"}
    stl = cell(made, experiment="stl_severity", **place).settings
    assert list(stl.tasks) == ["severity"] and list(stl.datasets) == ["brixia"]
    assert stl.training.select_on.task == "severity"
    assert stl.model.heads == "linear" and stl.model.weights == "imagenet"
    mdmt = cell(made, experiment="mdmt", **place).settings
    assert list(mdmt.tasks) == ["prognosis", "severity"]
    assert mdmt.training.select_on.task == "prognosis" and mdmt.model.heads == "mlp"
    assert mdmt.benchmark is None and mdmt.phantoms is None


def test_a_backbone_may_have_a_start_of_its_own(settings, tables):
    made = grid_of(settings("benchmark.weights={resnet18: null}"), tables)
    place = {"validation": "cv", "fold": 0, "experiment": "stl_severity"}
    assert cell(made, backbone="resnet18", **place).settings.model.weights is None
    mobile = cell(made, backbone="mobilenet_v2", **place).settings
    assert mobile.model.weights == "imagenet"


def names(made):
    return set(made.fits)


@pytest.mark.parametrize(
    "override",
    [
        "training.learning_rate=1e-4",
        "training.epochs=299",
        "image_size=128",
        "model.weights=null",
        "pipeline.augmentation=null",
        "seed=0",
    ],
)
def test_identity_changes_with_what_changes_the_result(settings, tables, override):
    before, after = grid_of(settings(), tables), grid_of(settings(override), tables)
    # Seeds are the grid's: that of the file does not count.
    if override == "seed=0":
        assert names(before) == names(after)
    else:
        assert not names(before) & names(after)


@pytest.mark.parametrize(
    "override",
    [
        "training.devices=[CPU:0]",
        "training.tensorboard=false",
        "training.saved_model=true",
        "training.saliency=3",
        "pipeline.cache=stream",
        "run_dir=elsewhere",
        "datasets.brixia.data_dir=.",
        "card.contact=someone",
        "benchmark.processes=7",
        "benchmark.candidate=ft",
        "benchmark.executor=ray benchmark.address=h:1",
    ],
)
def test_identity_does_not_change_with_what_does_not(settings, tables, override):
    changed = grid_of(settings(*override.split()), tables)
    assert names(changed) == names(grid_of(settings(), tables))


def test_a_start_is_part_of_the_identity(settings, tables):
    beta = settings(
        "benchmark.experiments.mdmt.start={stl_prognosis: 0.3, stl_severity: 0.7}"
    )
    before, after = grid_of(settings(), tables), grid_of(beta, tables)
    changed = {n.split("-")[0] for n in names(before) ^ names(after)}
    assert changed == {"mdmt"}
    rate = "benchmark.experiments.stl_severity.set={training.learning_rate: 0.01}"
    changed = names(before) - names(grid_of(settings(rate), tables))
    assert {n.split("-")[0] for n in changed} == {"stl_severity", "ft", "mdmt"}


def test_an_experiment_may_train_a_task_otherwise(settings, tables):
    changed = settings("benchmark.experiments.mdmt.set={tasks.severity.weight: 0.3}")
    made = grid_of(changed, tables)
    found = {
        fit.name.split("-")[0]: fit.settings.tasks["severity"].weight
        for fit in made.fits.values()
        if fit.settings and "severity" in fit.settings.tasks
    }
    assert found == {"mdmt": 0.3, "stl_severity": 1.0}
    for key in ("tasks", "tasks.severity", "datasets.brixia", "model", "experiment"):
        wrong = f"benchmark.experiments.mdmt.set={{{key}: 1}}"
        with pytest.raises(ConfigError, match=f"{key} is set by the grid itself"):
            grid_of(settings(wrong), tables)
    wrong = "benchmark.experiments.ft.set={tasks.severity.weight: 0.3}"
    with pytest.raises(ConfigError, match="tasks.severity"):
        grid_of(settings(wrong), tables)


@pytest.mark.parametrize(
    "key",
    [
        *("datasets.brixia.auxiliary", "datasets.brixia.config"),
        *("datasets.brixia.version", "datasets.brixia.data_dir"),
        *("tasks.severity.from", "tasks.severity.cut_points", "tasks.severity.classes"),
    ],
)
def test_all_experiments_have_the_same_data(settings, tables, key):
    wrong = f"benchmark.experiments.mdmt.set={{{key}: null}}"
    expected = f"mdmt.set: {key}: .* are those of all experiments"
    with pytest.raises(ConfigError, match=expected):
        grid_of(settings(wrong), tables)


def test_a_dataset_that_is_not_there_is_not_set(settings, tables):
    wrong = "benchmark.experiments.mdmt.set={datasets.brixa.fraction: 0.5}"
    expected = "mdmt.set: datasets.brixa.fraction: 'brixa' .* Did you mean 'brixia'"
    with pytest.raises(ConfigError, match=expected):
        grid_of(settings(wrong), tables)


def test_the_order_of_tasks_is_part_of_the_identity(settings, tables):
    """A serial head belongs to the first."""
    turned = settings("benchmark.experiments.mdmt.tasks=[severity, prognosis]")
    changed = names(grid_of(settings(), tables)) - names(grid_of(turned, tables))
    assert {n.split("-")[0] for n in changed} == {"mdmt"}


def test_changed_data_and_changed_lists_are_other_fits(settings, tables):
    before = grid_of(settings(), tables)
    after = grid_of(settings(), tables, fingerprints=FINGERPRINTS | {"brixia": "f3"})
    same = names(before) & names(after)
    assert {n.split("-")[0] for n in same} == {"stl_prognosis"}
    other_seed = settings("benchmark.cross_validation={cv: {folds: 5, seed: 1}}")
    folds = {"cv": 5}
    first = grid_of(
        settings("benchmark.cross_validation={cv: {folds: 5}}"), tables, folds
    )
    assert not names(first) & names(grid_of(other_seed, tables, folds))


def test_fits_find_datasets_that_are_elsewhere(settings, tables, tmp_path):
    placed = settings().in_folders({"brixia": str(tmp_path), "other": "/no/such"})
    made = grid_of(placed, tables)
    assert names(made) == names(grid_of(settings(), tables))
    folder = Folder(tmp_path / "benchmark")
    for experiment, expected in (("mdmt", str(tmp_path)), ("stl_prognosis", None)):
        fit = cell(
            made, validation="cv", fold=2, backbone="resnet18", experiment=experiment
        )
        path = folder.split("cv", 2, fit.lists)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        grid.write_fit(fit, folder, str(tmp_path))
        values, _ = files.read(str(folder.fit_settings(fit.name)))
        written = values["datasets"].get("brixia", {}).get("data_dir")
        assert written == expected
        assert values["datasets"]["aiforcovid"]["data_dir"] is None


def test_weights_that_change_while_a_benchmark_runs_end_it(settings, tables, tmp_path):
    """Else a fit of the new file would be stored under the identity of the old one."""
    weights, folder = tmp_path / "own.weights.h5", Folder(tmp_path / "benchmark")
    weights.write_bytes(b"first")
    made = grid_of(settings(f"model.weights={weights}"), tables)
    fit = cell(
        made, validation="cv", fold=0, backbone="resnet18", experiment="stl_severity"
    )
    path = folder.split("cv", 0, fit.lists)
    path.parent.mkdir(parents=True)
    path.touch()
    grid.write_fit(fit, folder, str(tmp_path))
    weights.write_bytes(b"other")
    with pytest.raises(DataError, match=r"own.weights.h5: has changed since"):
        grid.write_fit(fit, folder, str(tmp_path))


def test_all_weights_of_networks_are_located_before_the_first_fit(settings, tmp_path):
    own = tmp_path / "own.weights.h5"
    changed = settings(
        "benchmark.backbones=[resnet18]",
        f"benchmark.experiments.stl_severity.set={{model.weights: '{own}'}}",
        "benchmark.baselines={frozen: {task: severity, model: features, "
        "backbone: mobilenet_v2, weights: phantoms}}",
    )
    assert protocol.weights_to_locate(changed) == [
        ("resnet18", "imagenet"),
        ("resnet18", str(own)),
        ("mobilenet_v2", "phantoms"),
    ]


def test_seeds_are_fits_of_their_own(settings, tables):
    made = grid_of(settings("benchmark.seeds=[0, 1]"), tables)
    assert len(made.cells) == 2 * 2 * (5 + 3) * 4
    first = cell(
        made, validation="cv", fold=0, seed=1, backbone="resnet18", experiment="mdmt"
    )
    assert first.settings.seed == 1
    assert all("-s1-" in name for name in first.starts)


def test_the_settings_of_a_fit_are_a_configuration_of_train(settings, tables, tmp_path):
    configuration = settings()
    made = grid_of(configuration, tables)
    folder = Folder(tmp_path / "benchmark")
    for (validation, fold), split in splits_of(
        configuration, tables, {"cv": 5, "loco": 3}
    ).items():
        path = folder.split(validation, fold, split.hash)
        path.parent.mkdir(parents=True, exist_ok=True)
        split.write(path)
    fit = cell(made, validation="cv", fold=2, backbone="resnet18", experiment="mdmt")
    grid.write_fit(fit, folder, str(tmp_path))
    loaded = config.load(str(folder.fit_settings(fit.name)))
    assert loaded.split == SplitSection(
        kind="file", fold=2, file=str(folder.split("cv", 2, fit.lists).resolve())
    )
    assert loaded.model.weights == {
        str(folder.run(name).backbone_weights.resolve()): 0.5 for name in fit.starts
    }
    assert loaded.run_dir == str(folder.run(fit.name).path.resolve())
    ft = cell(made, validation="cv", fold=2, backbone="resnet18", experiment="ft")
    grid.write_fit(ft, folder, str(tmp_path))
    plain = yaml.safe_load(folder.fit_settings(ft.name).read_text())
    (start,) = ft.starts
    assert plain["model"]["weights"].endswith(
        f"{start}/checkpoints/backbone.weights.h5"
    )


@pytest.mark.parametrize(
    "overrides, message",
    [
        (
            ["benchmark.experiments.ft.set={model.head: stl}"],
            r"benchmark.experiments.ft \(resnet18\):\s+model.head: unknown key",
        ),
        (
            ["benchmark.experiments.ft.set={seed: 3}"],
            "experiments.ft.set: seed is set by the grid itself",
        ),
        (
            ["benchmark.experiments.ft.set={model.weights: null}"],
            "command line: benchmark.experiments.ft.set: start and model.weights "
            "exclude each other",
        ),
        (
            ["benchmark.experiments.ft.set={training.epochs.x: 3}"],
            "epochs has no keys of its own",
        ),
    ],
)
def test_wrong_settings_of_an_experiment(settings, tables, overrides, message):
    with pytest.raises(ConfigError, match=message):
        grid_of(settings(*overrides), tables)


def test_variants_without_averaging_frozen_and_serial(settings, tables):
    both, start = ["prognosis", "severity"], {"stl": 1.0}
    experiments = {
        "stl": {"tasks": ["severity"]},
        "mdmt_direct": {"tasks": both},
        "mdmt_frozen": {"tasks": both, "start": start, "set": {"model.freeze": "all"}},
        "mdmt_serial": {
            "tasks": both,
            "start": start,
            "set": {"model.heads": "serial"},
        },
    }
    changed = settings(
        f"benchmark.experiments={experiments}", "benchmark.candidate=null"
    )
    made = grid_of(changed, tables)
    place = {"validation": "cv", "fold": 0, "backbone": "resnet18"}
    direct = cell(made, experiment="mdmt_direct", **place)
    assert direct.starts == {} and direct.settings.model.weights == "imagenet"
    frozen = cell(made, experiment="mdmt_frozen", **place)
    assert frozen.settings.model.freeze == "all" and frozen.starts
    serial = cell(made, experiment="mdmt_serial", **place)
    assert serial.settings.model.heads == "serial"
    assert list(serial.settings.tasks)[0] == "prognosis"


def test_the_whole_paper_takes_little_time_to_plan(tables, tmp_path):
    """18 backbones, 11 folds, 8 experiments, 4 baselines; and what is finished."""
    from mdmt_tf.experiments import schedule

    paper = config.load("paper", [f"data_dir={tmp_path}"])
    hospitals = table(60, "ABCDEF", prognosis=tables["aiforcovid"]["prognosis"])
    tables, tasks = {**tables, "aiforcovid": hospitals}, paper.build_tasks()
    splits = {}
    for name, section in paper.benchmark.cross_validation.items():
        made_by = SplitSettings.of(section)
        for fold in range(count_folds(tables, made_by)):
            of_fold = dataclasses.replace(made_by, fold=fold)
            splits[name, fold] = make_split(tables, tasks, of_fold)
    folder = Folder(tmp_path)
    shortest = 9.0
    for _ in range(3):  # others may be using the machine
        start = time.perf_counter()
        steps = collections.defaultdict(lambda: 300)
        made = build_grid(paper, splits, FINGERPRINTS, steps)
        grid.write_cells(made, folder)
        state = schedule.state_of(made, folder)
        shortest = min(shortest, time.perf_counter() - start)
        if shortest < 1.5:
            break
    assert len(made.cells) == 11 * (18 * 8 + 4) and len(state.waiting) == len(made.fits)
    # As the head of the configuration says.
    cells = sum(cell.backbone != grid.NO_BACKBONE for cell in made.cells)
    fits = sum(fit.settings is not None for fit in made.fits.values())
    head = files.summary("paper") + files.read_text("paper").partition("base:")[0]
    assert f"{cells} cells" in head and f"these are {fits} fits" in head
    assert shortest < 1.5


def test_only_an_averaged_start_has_its_statistics_recalibrated(settings, tables):
    made = grid_of(settings(), tables)
    done = {
        name.split("-")[0]: fit.settings.recalibrates for name, fit in made.fits.items()
    }
    averaged = [name for name, recalibrates in done.items() if recalibrates]
    assert averaged == ["mdmt"] and len(done) > 3
    # Switched off, the identity is that of results from before there was the key.
    off = grid_of(settings("training.recalibrate=false"), tables)
    changed = {name.split("-")[0] for name in names(made) ^ names(off)}
    assert changed == {"mdmt"}
    (fit, *_) = [fit for name, fit in off.fits.items() if name.startswith("mdmt-")]
    training = fit.settings.training.model_copy(update={"recalibrate": None})
    before = fit.settings.model_copy(update={"training": training})
    assert identity.digest_of_settings(before) == identity.digest_of_settings(
        fit.settings
    )
