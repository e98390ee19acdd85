"""The draws of a study on radiographs: their phantoms, lists and settings."""

import dataclasses
import json
from pathlib import Path

import pytest
from forked_commands import run_forked
from tiny_network import environment_of

from mdmt_tf import config
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.storage import write_json
from mdmt_tf.studies import images
from mdmt_tf.studies.design import ARMS, StudyFolder
from mdmt_tf.studies.images import Draw
from mdmt_tf.studies.run import run_study

OVERRIDES = [
    "study.outcomes=[20, 40]",
    "study.scores=[10, 25]",
    "study.datasets=3",
    "study.test_patients=30",
    "study.shifts=[none, detector]",
]


def load(*overrides):
    return config.load("when_it_helps_images", [*OVERRIDES, *overrides])


SETTINGS = load()
DRAW = Draw(0.9, "detector", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("draw")
    plan = images._plan(SETTINGS, DRAW)
    lists = images._write_lists(SETTINGS, plan, path)
    return path, plan, lists, images._settings(SETTINGS, DRAW, plan, path, lists)


def test_one_pair_of_each_cell_comes_before_the_next():
    draws = images.draws_of(SETTINGS)
    assert len(draws) == len(set(draws)) == 3 * 2 * 2
    assert [draw.dataset for draw in draws] == [0] * 4 + [1] * 4 + [2] * 4


def test_a_draw_has_the_patients_that_its_largest_cell_needs(made):
    _, plan, _, settings = made
    assert plan.aiforcovid_patients == 40 + 30
    scored = [s for s in plan.studies() if s.dataset == "BRIXIA"]
    assert (
        len(scored) >= 25 > len([s for s in scored if s.patient < scored[-1].patient])
    )
    assert (plan.correlation, plan.shift) == (0.9, "detector")
    assert plan.seed == SETTINGS.phantoms.seed + 2
    assert settings.phantoms.correlation == 0.9
    assert settings.benchmark.seeds == (2,)
    assert settings.study is None


def test_no_two_pairs_have_the_same_seed(made):
    path, plan, lists, _ = made
    settings = load("benchmark.seeds=[3, 0, 1]")
    seeds = [
        seed
        for dataset in range(5)
        for seed in images._settings(
            settings, Draw(0.9, "none", dataset), plan, path, lists
        ).benchmark.seeds
    ]
    assert seeds[:3] == [3, 0, 1] and len(set(seeds)) == 15


def test_what_would_be_in_the_test_too_is_refused():
    for override in ("study.shifts=[shortcut]", "study.label_noise=0.2"):
        with pytest.raises(ConfigError, match="too. Leave it out, or study it with mo"):
            load(override)


def test_lists_are_nested_and_have_one_test(made):
    _, plan, lists, _ = made
    assert set(lists) == {"n20_s10", "n20_s25", "n40_s10", "n40_s25"}
    read = {
        cell: json.loads(Path(file).read_text())["datasets"]
        for cell, file in lists.items()
    }
    tested = {s.stem for s in plan.studies() if s.dataset == "AIforCOVID"}
    patient_of = {s.stem: s.patient for s in plan.studies() if s.dataset == "BRIXIA"}
    for cell, datasets in read.items():
        outcomes, scores = (int(n) for n in cell[1:].split("_s"))
        first, second = datasets["aiforcovid"], datasets["brixia"]
        assert len(first["train"] + first["validation"]) == outcomes
        assert len(first["validation"]) == outcomes / 5
        assert len(second["train"] + second["validation"]) == scores
        assert second["test"] == [] and len(first["test"]) == 30
        assert first["test"] == read["n20_s10"]["aiforcovid"]["test"]
        assert {name for names in first.values() for name in names} == tested
        groups = [{patient_of[s] for s in second[k]} for k in ("train", "validation")]
        assert groups[0].isdisjoint(groups[1])
    small, large = (set(read[c]["brixia"]["train"]) for c in ("n20_s10", "n20_s25"))
    assert small < large | set(read["n20_s25"]["brixia"]["validation"])


def test_results_are_of_their_settings(made):
    folder = StudyFolder(Path("study"))
    of = images._results_of(SETTINGS, folder, DRAW)
    assert of == images._results_of(load(), folder, DRAW)
    assert of == images._results_of(load("study.datasets=9"), folder, DRAW)
    others = {
        images._results_of(load("training.epochs=9"), folder, DRAW),
        images._results_of(load("study.test_patients=31"), folder, DRAW),
        images._results_of(load("benchmark.seeds=[7]"), folder, DRAW),
        images._results_of(load("benchmark.fractions={severity: [0.5]}"), folder, DRAW),
        images._results_of(SETTINGS, folder, dataclasses.replace(DRAW, dataset=1)),
    }
    assert len({of, *others}) == 6


def test_baselines_and_fractions_are_arms_too(tmp_path):
    """Results of a made folder: a variant, a baseline, and an arm of the other task."""
    baseline = "benchmark.baselines={small: {task: prognosis, model: thumbnail}}"
    settings = load(baseline, "benchmark.fractions={severity: [0.5]}")
    folder, validation = Folder(tmp_path), "n20_s10"
    names = ["mdmt_direct@severity=0.5", "small", "stl_severity"]
    lines = ["validation,backbone,seed,fold,experiment,fit"]
    for number, name in enumerate(names):
        lines.append(f"{validation},resnet18,0,0,{name},fit{number}")
        run_folder = folder.run(f"fit{number}")
        run_folder.path.mkdir(parents=True)
        task = "severity" if name == "stl_severity" else "prognosis"
        metrics = {"test": {task: {"auc": 0.5 + number / 10, "accuracy": 0.5}}}
        write_json(run_folder.metrics, metrics)
        write_json(run_folder.manifest, {})
    folder.cells.write_text("\n".join(lines))
    rows = images._read(settings, DRAW, folder, images._plan(settings, DRAW))
    found = {row["arm"]: row["auc"] for row in rows if row["arm"] != "oracle"}
    assert found == {"mdmt_direct@severity=0.5": 0.5, "small": 0.6}


def test_the_oracle_is_of_the_test_patients(made):
    _, plan, _, _ = made
    truth = {s.stem: s for s in plan.studies() if s.dataset == "AIforCOVID"}
    few = images._oracle(truth, 30)
    assert 0.5 < few["auc"] <= 1 and few["auc"] == few["auc_inside"]
    assert few != images._oracle(truth, 70)


def test_a_study_of_images_needs_a_benchmark(tmp_path):
    settings = SETTINGS.model_copy(update={"benchmark": None})
    with pytest.raises(ConfigError, match="needs a section `benchmark`"):
        images.compute_all(settings, StudyFolder(tmp_path), print)


def test_a_shortcut_cannot_be_studied_with_images():
    with pytest.raises(ConfigError, match="the test patients would have the shortcut"):
        load("study.shifts=[shortcut]")


def test_failed_fits_are_tried_again_when_a_study_is_started_again(
    tmp_path, monkeypatch
):
    asked = []

    def run_benchmark(settings, folder, write, *, retry_failed):
        asked.append(retry_failed)
        return 1

    monkeypatch.setattr(images.run, "run_benchmark", run_benchmark)
    monkeypatch.setattr(images, "_read", lambda *args: [])
    with pytest.raises(DataError, match="Start the study again to try them again"):
        images._compute(SETTINGS, StudyFolder(tmp_path), DRAW, print)
    assert asked == [True]


@pytest.mark.large
def test_a_study_of_images_runs_to_its_page(tiny_backbone, tmp_path):
    """Every arm of one pair of datasets, trained for an epoch."""
    tiny = [f"benchmark.backbones=[{tiny_backbone}]", "study.outcomes=[20]"]
    tiny += ["study.scores=[20]", "study.datasets=1", "study.correlations=[0.9]"]
    tiny += ["study.shifts=[none]", "training.epochs=1", "training.warmup_epochs=0"]
    tiny += ["image_size=32", "benchmark.processes=1"]
    words = ["mdmt_tf.study", "--config", "when_it_helps_images", *OVERRIDES, *tiny]
    environment = environment_of(tmp_path / "site")
    folder = StudyFolder(tmp_path / "study")
    done = run_forked(*words, f"run_dir={folder.path}", environment=environment)
    assert "All 1 cells have 1 pairs of datasets." in done.stdout, done.stderr
    settings = load(*tiny)
    results = images.read_all(settings, folder).set_index("arm")
    assert set(results.index) == {*ARMS, "oracle"}
    # 16 outcomes and 16 scores in batches of 16.
    steps = results["steps"]
    assert steps["stl"] == steps["ft"] == 1
    assert {steps[arm] for arm in ARMS if "mdmt" in arm or "stl_" in arm} == {2}
    assert results["auc"].between(0, 1).all()
    draw = folder.draw("rho0.9-none-d0")
    assert not (draw / "data").exists() and not list(draw.glob("runs/*/checkpoints"))
    written = []
    run_study(settings, folder, written.append)
    assert written == ["[1/1] rho0.9-none-d0 finished\n"]
