"""A benchmark folder as `python -m mdmt_tf.benchmark` leaves it, made in a second."""

import dataclasses
import json
import zlib

import numpy as np
import pandas as pd
import pytest
import yaml

from mdmt_tf.config.schema import TaskSection
from mdmt_tf.tasks import Kind
from mdmt_tf.training import predictions
from mdmt_tf.training.run_folder import write_json

TASKS = {
    "prognosis": {
        "kind": "categorical",
        "classes": ["mild", "severe"],
        "from": {"aiforcovid": "prognosis"},
    },
    "severity": {
        "kind": "categorical",
        "cut_points": [5.0, 9.0, 14.0],
        "from": {"brixia": "brixia_global"},
    },
}
EXPERIMENTS = {
    "stl_severity": ["severity"],
    "stl_prognosis": ["prognosis"],
    "ft": ["prognosis"],
    "mdmt": ["prognosis", "severity"],
}
BACKBONES = ["resnet18", "mobilenet_v2"]
# Of head CT: one task of either kind that the above have not.
HEAD_TASKS = {
    "prognosis": {
        "kind": "binary",
        "classes": ["good", "poor"],
        "from": {"ich_csic": "poor_prognosis"},
    },
    "coma": {
        "kind": "ordinal",
        "classes": ["mild", "moderate", "severe"],
        "from": {"ich_csic": "coma"},
    },
}
HEAD_EXPERIMENTS = {
    "image_only": ["prognosis"],
    "coma_alone": ["coma"],
    "mdmt": ["prognosis", "coma"],
}
FOLDS = 3
# task -> patients of one test fold; every third has two images.
PATIENTS = {"prognosis": 30, "severity": 40, "coma": 30}


def built(tasks):
    return [TaskSection.model_validate(s).to_task(n) for n, s in tasks.items()]


def rows_of_test(task, fit: str, fold: int, patients: int) -> pd.DataFrame:
    """Predictions that say something about the target; the last row has no label."""
    images = np.random.default_rng(fold)
    patient = [i for i in range(patients) for _ in range(2 if i % 3 == 0 else 1)]
    target = images.integers(0, task.n_classes, len(patient))
    # Both classes, or all four, are there in every fold.
    target[: task.n_classes] = range(task.n_classes)
    target[-1] = -1
    model = np.random.default_rng(zlib.crc32(fit.encode()))
    strength = 1.4 if fit.startswith("mdmt") else 0.8
    logits = model.normal(size=(len(patient), task.n_classes))
    logits[np.arange(len(patient)), target] += strength
    (dataset,) = task.sources
    rows = pd.DataFrame(
        {
            "dataset": dataset,
            "split": "test",
            "fold": fold,
            "image_id": [f"{dataset}{fold}_{i}" for i in range(len(patient))],
            "patient_id": [f"p{fold}_{i}" for i in patient],
            "site": "A",
        }
    )
    softmax = dataclasses.replace(task, kind=Kind.CATEGORICAL).to_probabilities
    return predictions.prediction_table(task, rows, target, softmax(logits))


def write_run(folder, fit: str, fold: int, own: list, **options) -> None:
    """A finished run folder of the tasks `own`."""
    run = folder / "runs" / fit
    run.mkdir(parents=True)
    tables = []
    for task in own:
        table = rows_of_test(task, fit, fold, PATIENTS[task.name])
        if task.name not in options.get("without_test", ()):
            tables.append(table)
        tables.append(table.head(8).assign(split="validation"))
    table = pd.concat(tables, ignore_index=True)
    predictions.write(table, run / "predictions.csv")
    write_json(
        run / "manifest.json",
        {
            "experiment": fit,
            "synthetic": options.get("synthetic", True),
            "datasets": {
                name: {"version": "1.0.0", "config": "lungs_256", "examples": 123}
                for task in own
                for name in task.sources
            },
        },
    )
    if options.get("history", True):
        epochs = np.arange(4 + zlib.crc32(fit.encode()) % 3)
        columns = {"epoch": epochs}
        for task in own:
            noise = np.random.default_rng(fold).normal(0, 0.02, len(epochs))
            columns[f"train/{task.name}/loss"] = 1 / (epochs + 1) + noise
            columns[f"validation/{task.name}/loss"] = 1.2 / (epochs + 1) + 2 * noise
        pd.DataFrame(columns).to_csv(run / "history.csv", index=False)
    write_json(run / "metrics.json", predictions.metrics_of(table, own))


class Folder:
    """A benchmark folder that is written cell by cell.

    Args:
        path: does not exist yet.
        run: options of `write_run`.
        tasks, experiments: sections of the tasks; what each experiment predicts.
        settings: changes to the section `benchmark`.
    """

    def __init__(
        self, path, run=None, tasks=TASKS, experiments=EXPERIMENTS, **settings
    ):
        self.path, self.rows, self.run = path, [], run or {}
        self.tasks, self.experiments = built(tasks), experiments
        path.mkdir()
        self.benchmark = {
            "backbones": BACKBONES,
            "validation": {"cv": {"kind": "kfold", "folds": FOLDS}},
            "experiments": {n: {"tasks": t} for n, t in experiments.items()},
            "candidate": "mdmt",
            **settings,
        }
        values = {"experiment": "tiny", "tasks": tasks, "benchmark": self.benchmark}
        text = yaml.safe_dump(values, sort_keys=False)
        (path / "benchmark.yaml").write_text(text)

    def add(self, validation, backbone, seed, fold, experiment, fit=None, **options):
        """One cell; its run is written unless `missing`, or it failed with `error`."""
        fit = fit or f"{experiment}-{backbone}-s{seed}-{validation}{fold}"
        self.rows.append((validation, backbone, seed, fold, experiment, fit))
        columns = ["validation", "backbone", "seed", "fold", "experiment", "fit"]
        table = pd.DataFrame(self.rows, columns=columns)
        table.to_csv(self.path / "grid.csv", index=False)
        if "error" in options:
            (self.path / "failures").mkdir(exist_ok=True)
            failure = {"error": options["error"], "attempts": 2}
            (self.path / "failures" / f"{fit}.json").write_text(json.dumps(failure))
        elif not options.get("missing") and not (self.path / "runs" / fit).exists():
            named = self.experiments.get(experiment, ["prognosis"])
            own = [task for task in self.tasks if task.name in named]
            write_run(self.path, fit, fold, own, **{**self.run, **options})

    def add_all(self, change=lambda *cell: {}, seeds=(0,)):
        """Every cell of the grid.

        Args:
            change: called with backbone, fold, experiment; options for `add`.
        """
        for backbone in self.benchmark["backbones"]:
            for seed in seeds:
                for fold in range(FOLDS):
                    for name in self.experiments:
                        options = change(backbone, fold, name)
                        self.add("cv", backbone, seed, fold, name, **options)
        return self


@pytest.fixture(scope="session")
def benchmark_folder():
    """The class that writes one."""
    return Folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """2 backbones x 3 folds x 4 experiments x 2 tasks, and a baseline; all finished."""
    folder = Folder(
        tmp_path_factory.mktemp("benchmark") / "whole",
        baselines={
            "age_and_sex": {
                "task": "prognosis",
                "fields": {"aiforcovid": ["age", "sex"]},
            }
        },
    ).add_all()
    for fold in range(FOLDS):
        folder.add("cv", "none", 0, fold, "age_and_sex", history=False)
    return folder.path


@pytest.fixture(scope="session")
def head(tmp_path_factory):
    """The same of binary prognosis and ordinal coma, with a baseline; all finished."""
    folder = Folder(
        tmp_path_factory.mktemp("benchmark") / "head",
        tasks=HEAD_TASKS,
        experiments=HEAD_EXPERIMENTS,
        baselines={
            "clinical": {
                "task": "prognosis",
                "model": "mlp",
                "fields": {"ich_csic": ["age", "sex"]},
            }
        },
    ).add_all()
    for fold in range(FOLDS):
        folder.add("cv", "none", 0, fold, "clinical", history=False)
    return folder.path


@pytest.fixture(scope="session")
def report(whole, tmp_path_factory):
    """The report of it, with few resamples and two kinds of figures, for speed."""
    from mdmt_tf.experiments import figures
    from mdmt_tf.experiments.report import write_report

    kinds = {name: figures.KINDS[name] for name in ("box", "curves")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "KINDS", kinds)
        return write_report(whole, tmp_path_factory.mktemp("report"), resamples=50)
