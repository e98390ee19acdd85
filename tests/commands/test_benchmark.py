"""`python -m mdmt_tf.benchmark` itself: real processes, real fits of a tiny network."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from forked_commands import run_forked
from small_settings import DATASETS, OUTCOME
from tiny_network import environment_of

from mdmt_tf.experiments.grid import Folder
from mdmt_tf.experiments.results import Results
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder

# Dozens of processes that load TensorFlow: five minutes. `.ci/run` runs them.
pytestmark = pytest.mark.large

EXPERIMENTS = {
    "stl_outcome": {"tasks": ["outcome"], "set": {"model.heads": "linear"}},
    "stl_grade": {"tasks": ["grade"]},
    "mdmt": {
        "tasks": ["outcome", "grade"],
        "start": {"stl_outcome": 0.5, "stl_grade": 0.5},
    },
}
SETTINGS = {
    "experiment": "small",
    "image_size": 32,
    "tasks": {
        "outcome": OUTCOME,
        "grade": {
            "kind": "categorical",
            "cut_points": [1, 2, 3],
            "from": {"beta": "grade"},
        },
    },
    "datasets": DATASETS,
    "model": {"backbone": "tiny"},
    "training": {
        "epochs": 3,
        "batch_size": 8,
        "warmup_epochs": 1,
        "tensorboard": False,
        "saved_model": False,
        "select_on": {"task": "outcome"},
    },
    "benchmark": {
        "backbones": ["tiny"],
        # Sites of alpha are left out: fits on beta are the same for all.
        "cross_validation": {
            "loco": {
                "kind": "leave_one_site_out",
                "leave_out": ["alpha"],
                "site_groups": {"alpha": {"one": ["X"], "two": ["Y", "Z"]}},
            }
        },
        "experiments": EXPERIMENTS,
        "baselines": {"age": {"task": "outcome", "fields": {"alpha": ["age"]}}},
        "candidate": "mdmt",
        "cores_per_fit": 1,
    },
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return environment_of(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def settings(data_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "small.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | {"data_dir": str(data_dir)}))
    return path


@pytest.fixture(scope="module")
def begin(environment, settings):
    """Starts the benchmark in a folder; returns the process."""

    def begin(path, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "mdmt_tf.benchmark", "--config", str(settings)]
            + [f"run_dir={path}", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return begin


@pytest.fixture(scope="module")
def finished(begin, tmp_path_factory):
    """An uninterrupted benchmark, and what it printed."""
    path = tmp_path_factory.mktemp("benchmark") / "whole"
    process = begin(path)
    printed = process.communicate()[0]
    assert process.returncode == 0, printed
    return Folder(path), printed


def cells_of(folder):
    return pd.read_csv(folder.cells)


def fit_of(folder, experiment, fold):
    cells = cells_of(folder)
    row = cells[(cells["experiment"] == experiment) & (cells["fold"] == fold)]
    return row["fit"].item()


def test_every_cell_has_a_finished_run(finished):
    folder, printed = finished
    cells = cells_of(folder)
    assert len(cells) == 2 * (3 + 1)
    # stl_grade once instead of twice.
    assert cells["fit"].nunique() == 2 + 1 + 2 + 2
    for fit in cells["fit"]:
        assert folder.run(fit).is_finished
        # It never goes on with more epochs.
        assert not folder.run(fit).last_state.exists()
    assert "8 cells, 7 fits" in printed and "python -m mdmt_tf.report" in printed
    lines = [line for line in printed.splitlines() if line.startswith("[")]
    assert len(lines) == 5 and max(map(len, lines)) <= 80


def test_the_fits_share_the_lists_of_their_fold(finished):
    folder, _ = finished
    for fold, sites in enumerate([{"X"}, {"Y", "Z"}]):
        lists = [
            json.loads(folder.run(fit_of(folder, name, fold)).split.read_text())
            for name in ("stl_outcome", "mdmt", "age")
        ]
        alpha = [plain["datasets"]["alpha"] for plain in lists]
        assert alpha[0] == alpha[1] == alpha[2]
        rows = predictions.read(folder.run(fit_of(folder, "mdmt", fold)).predictions)
        tested = rows[(rows["split"] == "test") & (rows["dataset"] == "alpha")]
        assert set(tested["site"]) == sites


def test_mdmt_starts_from_the_average_of_its_single_tasks(finished, tiny_backbone):
    """Variable by variable, by the files alone."""
    import h5py

    from mdmt_tf.models.backbones import build_backbone

    folder, _ = finished
    mdmt = folder.run(fit_of(folder, "mdmt", 1))
    manifest = json.loads(mdmt.manifest.read_text())
    parts = manifest["initial_weights"]["average"]
    paths = [
        folder.run(fit_of(folder, name, 1)).backbone_weights.resolve()
        for name in ("stl_outcome", "stl_grade")
    ]
    assert {part["file"]: part["share"] for part in parts} == {
        str(path): 0.5 for path in paths
    }
    target = folder.path / "average.weights.h5"
    halves = dict.fromkeys(map(str, paths), 0.5)
    build_backbone(tiny_backbone, (32, 32, 3), halves).save_weights(target)

    def arrays(path):
        found = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: (
                    found.update({name: item[()]})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
        return found

    first, second, average = map(arrays, (*paths, target))
    assert len(average) == 5  # kernel; scale, offset, mean and variance
    for name, value in average.items():
        np.testing.assert_allclose(value, (first[name] + second[name]) / 2, rtol=1e-6)


def test_the_baseline_is_a_run_without_a_network(finished):
    folder, _ = finished
    run = folder.run(fit_of(folder, "age", 0))
    rows = predictions.read(run.predictions)
    assert set(rows["split"]) == {"train", "validation", "test"}
    np.testing.assert_allclose(rows[["p_0", "p_1"]].sum(axis=1), 1)
    assert json.loads(run.manifest.read_text())["baseline"]["task"] == "outcome"


def test_its_report(finished, environment):
    folder, _ = finished
    words = ("mdmt_tf.report", folder.path, "--resamples", "50")
    done = run_forked(*words, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "8 of 8 cells of the grid are finished" in done.stdout
    table = pd.read_csv(folder.path / "tables" / "table_1.csv")
    # No image of beta is tested: its task has no place in the tables.
    assert set(table["task"]) == {"outcome"}
    assert {"stl_outcome", "mdmt", "age"} <= set(table["experiment"])
    ages = pd.read_csv(folder.path / "tables" / "correlations.csv")
    assert set(ages["field"]) == {"age"} and len(ages) == 2
    # An independent mean over the folds.
    expected = []
    for fold in range(2):
        rows = predictions.read(folder.run(fit_of(folder, "mdmt", fold)).predictions)
        rows = rows[(rows["split"] == "test") & rows["target"].notna()]
        rows = rows[rows["task"] == "outcome"]
        expected.append(
            (rows["target"] == rows[["p_0", "p_1"]].values.argmax(1)).mean()
        )
    table = table[table["unit"] == "image"]
    row = table[(table["experiment"] == "mdmt") & (table["figure"] == "accuracy")]
    assert row["mean"].item() == pytest.approx(np.mean(expected))


def test_a_second_start_finds_nothing_to_do(finished, begin):
    folder, _ = finished
    before = {p: p.stat().st_mtime_ns for p in folder.path.rglob("metrics.json")}
    process = begin(folder.path)
    printed = process.communicate()[0]
    assert process.returncode == 0 and "7 finished, 0 to do" in printed
    assert before == {p: p.stat().st_mtime_ns for p in before}


def fits_below(pid):
    """Processes of fits among the children of a process, their children included.

    They write to a log each, which the process of the plan does not.
    """
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            # Forked from the server, whose command line they have.
            pair = child, child.parent()
            forked = all("forkserver" in " ".join(p.cmdline()) for p in pair)
            if forked and any("/logs/" in file.path for file in child.open_files()):
                found.append(child)
        except (psutil.Error, AttributeError):
            continue  # Ended meanwhile.
    return found


def state_of_files(path):
    """Every run's predictions, metrics, split and history but for the times."""
    files = {}
    for run in sorted(path.glob("runs/*")):
        files[run.name] = [
            (run / name).read_bytes() for name in ("predictions.csv", "metrics.json")
        ]
        history = run / "history.csv"
        if history.is_file():
            table = pd.read_csv(history).drop(columns="seconds")
            files[run.name].append(table.to_csv())
    return files


def test_killed_twice_it_ends_with_the_same_files(finished, begin, tmp_path):
    whole, _ = finished
    path = tmp_path / "killed"
    for count in (1, 3):
        process = begin(path)
        # Until so many fits are finished and others are under way.
        fits = []
        while not fits or len(list(path.glob("runs/*-tiny-*/metrics.json"))) < count:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
            fits = fits_below(process.pid)
        time.sleep(1.0)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # Its fits die with it.
        assert not psutil.wait_procs(fits, timeout=10)[1]
    process = begin(path)
    printed = process.communicate()[0]
    assert process.returncode == 0, printed
    assert state_of_files(path) == state_of_files(whole.path)


def test_after_ctrl_c_its_fits_have_states_and_the_same_command_goes_on(
    finished, begin, tmp_path
):
    whole, _ = finished
    path = tmp_path / "interrupted"
    process = begin(path)
    while not (fits := fits_below(process.pid)):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    time.sleep(1.0)
    # To the whole group, as a terminal sends it.
    for one in (process.pid, *(fit.pid for fit in fits)):
        os.kill(one, signal.SIGINT)
    printed = process.communicate(timeout=200)[0]
    assert process.returncode == 130
    assert "fits finish their step and write their state" in printed
    assert printed.endswith("interrupted. To go on, give the same command again.\n")
    assert not psutil.wait_procs(fits, timeout=1)[1]
    assert not list(path.glob("failures/*"))
    process = begin(path)
    printed = process.communicate()[0]
    assert process.returncode == 0, printed
    assert state_of_files(path) == state_of_files(whole.path)


def test_two_benchmarks_do_not_share_a_folder(finished, begin):
    import fcntl

    folder, _ = finished
    with (folder.path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = begin(folder.path)
        printed = process.communicate()[0]
    assert process.returncode == 2 and "a benchmark is running there" in printed


def test_failed_fits_are_reported_and_retried(finished, begin, tmp_path):
    """The file that mdmt starts from is damaged; then it is whole again."""
    import shutil

    whole, _ = finished
    path = tmp_path / "failing"
    shutil.copytree(whole.path, path)
    folder = Folder(path)
    fit = fit_of(folder, "mdmt", 1)
    shutil.rmtree(folder.run(fit).path)
    start = folder.run(fit_of(folder, "stl_grade", 1)).backbone_weights
    good = start.read_bytes()
    start.write_bytes(good[: len(good) // 2])
    process = begin(path)
    printed = process.communicate()[0]
    assert process.returncode == 1
    assert f"{fit} FAILED" in printed and "1 fit is not finished" in printed
    assert "not a file of weights" in folder.read_failure(fit)["error"]
    process = begin(path)
    assert "1 failed before" in process.communicate()[0]
    assert process.returncode == 1
    start.write_bytes(good)
    process = begin(path, "--retry-failed")
    assert process.wait() == 0
    assert state_of_files(path) == state_of_files(whole.path)


def test_a_fit_of_a_benchmark_can_be_evaluated_again(finished, environment):
    folder, _ = finished
    run = RunFolder(folder.run(fit_of(folder, "mdmt", 0)).path)
    done = run_forked("mdmt_tf.evaluate", run.path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "The trained model reproduces" in done.stdout.replace("\n", " ")


def test_a_configuration_without_a_grid_is_refused(environment, tmp_path):
    command = [sys.executable, "-m", "mdmt_tf.benchmark", "--config", "phantom"]
    done = subprocess.run(
        [*command, f"run_dir={tmp_path}/x"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "no section `benchmark`" in done.stderr
    assert not (tmp_path / "x").exists()


def test_on_a_ray_cluster_that_loses_a_machine(
    finished, begin, environment, tmp_path, monkeypatch
):
    """Two nodes on loopback; the one is killed while it trains."""
    from ray.cluster_utils import Cluster

    whole, _ = finished
    path = tmp_path / "cluster"
    # Ray's own processes and those that they start.
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    memory = {"object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **memory})
    address = cluster.address  # it has none after the end
    try:
        second = cluster.add_node(num_cpus=1, **memory)
        cluster.wait_for_nodes()
        # The single tasks will do.
        single = {k: v for k, v in EXPERIMENTS.items() if k != "mdmt"}
        process = begin(
            path,
            *("executor=ray", f"address={address}"),
            *(f"experiments={single}", "candidate=null"),
        )
        raylet = second.all_processes["raylet"][0].process.pid
        end = time.monotonic() + 300
        while not (lost := fits_below(raylet)):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(3.0)
        cluster.remove_node(second, allow_graceful=False)
        # Its fit dies with it, so that no run is trained by two.
        _, alive = psutil.wait_procs(lost, timeout=60)
        assert not alive
        printed = process.communicate(timeout=500)[0]
    finally:
        cluster.shutdown()
    assert process.returncode == 0, printed
    assert "Ray, 2 machines, 2 at a time" in printed
    assert f"Whoever reaches {address} can run programs as you" in printed
    received, expected = state_of_files(path), state_of_files(whole.path)
    assert len(received) == 2 + 1 + 2
    assert received == {name: expected[name] for name in received}


def test_a_cluster_that_does_not_answer(begin, finished, tmp_path):
    process = begin(tmp_path / "none", "executor=ray", "address=127.0.0.1:1")
    printed = process.communicate()[0]
    assert process.returncode == 2
    assert "no Ray cluster answers" in printed and "ray start --head" in printed


def test_synthetic_images_beside_real_ones(
    environment, data_dir, tiny_backbone, tmp_path
):
    """Drawn on demand in the cache; every judged row is of a real image."""
    grade = {
        "kind": "ordinal",
        "cut_points": [1, 2, 3],
        "from": {"beta": "grade", "synthetic_cxr": "brixia_scores[0]"},
    }
    real = {"tasks": ["grade"], "datasets": ["beta"]}
    values = SETTINGS | {
        "data_dir": str(data_dir),
        "phantoms": {"synthetic_cxr_patients": 20, "matrix": 64},
        "tasks": {"grade": grade},
        "datasets": {
            "beta": {"config": "full_256"},
            "synthetic_cxr": {"config": "full_32", "auxiliary": True},
        },
        "training": SETTINGS["training"] | {"select_on": {"task": "grade"}},
        "benchmark": {
            "backbones": ["tiny"],
            "cross_validation": {"cv": {"folds": 3}},
            "cores_per_fit": 1,
            "experiments": {
                "pretrain": {"tasks": ["grade"], "datasets": ["synthetic_cxr"]},
                "zones": real,
                "start": real | {"start": {"pretrain": 1}},
                "joint": {"tasks": ["grade"]},
            },
        },
    }
    (tmp_path / "mixed.yaml").write_text(yaml.safe_dump(values))
    variables = environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "mdmt_tf.benchmark", f"run_dir={tmp_path / 'run'}"]
    command += ["--config", str(tmp_path / "mixed.yaml")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Folder(tmp_path / "run")
    assert cells_of(folder)["fit"].nunique() == 1 + 3 * 3
    images = {"zones": {}}  # 5 % of 20 patients each for validation and test
    for name in ("pretrain", "zones", "start", "joint"):
        run = folder.run(fit_of(folder, name, 0))
        manifest = run.read_json(run.manifest)
        expected = images.get(name, {"synthetic_cxr": 18})
        assert manifest["trained_with_synthetic"] == expected
        assert manifest["synthetic"] == (name == "pretrain")
        rows = predictions.read(run.predictions)
        judged = rows.loc[rows["split"] != "train", "dataset"]
        assert set(judged) == {"synthetic_cxr" if name == "pretrain" else "beta"}
    # A fit is reproduced by itself.
    done = run_forked("mdmt_tf.evaluate", run.path, environment=variables)
    assert done.returncode == 0 and "18 synthetic images" in done.stdout, done.stderr
    results = Results.read(folder.path)
    assert results.synthetic is False
    assert results.synthetic_images == {
        name: {"synthetic_cxr": 18} for name in ("start", "joint")
    }
