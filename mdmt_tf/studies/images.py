"""Compute the cells on synthetic radiographs, by the machinery of benchmarks.

A draw is a pair of datasets: one of each number, correlation and shift. Its cells are
validations of one benchmark, whose lists have the first n1 patients with an outcome and
the first n2 images with a score. All of them are tested on the same other patients.
"""

import csv
import dataclasses
import itertools
import json
import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd

from mdmt_tf import storage
from mdmt_tf.config import Config, check
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.experiments import run
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.phantoms.plan import PhantomPlan
from mdmt_tf.splits.files import LISTS
from mdmt_tf.studies.design import COLUMNS, VERSION, StudyFolder, metrics_of, together

OUTCOMES, SCORES = "aiforcovid", "brixia"
# Keys of `benchmark` that change or add results, if they are not at their default.
_OF_ARMS = ("weights", "seeds", "fractions", "baselines")
_KINDS = {"AIforCOVID": OUTCOMES, "BRIXIA": SCORES}


@dataclasses.dataclass(frozen=True)
class Draw:
    """One pair of datasets."""

    correlation: float
    shift: str
    dataset: int

    @property
    def name(self):
        return f"rho{self.correlation:g}-{self.shift}-d{self.dataset}"


def draws_of(config: Config) -> list[Draw]:
    """Every pair of datasets: first one of each cell, then the next."""
    section = config.study
    return [
        Draw(correlation, shift, dataset)
        for dataset, shift, correlation in itertools.product(
            range(section.datasets), section.shifts, section.correlations
        )
    ]


def compute_all(config: Config, folder: StudyFolder, write: Callable[[str], None]):
    """Run the benchmark of each draw that is not finished.

    Data and weights of a finished draw are removed; its predictions and metrics stay.

    Args:
        config: with the sections `study` and `benchmark`.
        folder: an existing folder.
        write: receives texts for the user.
    """
    if config.benchmark is None:
        raise ConfigError(
            "study.mode = 'images': needs a section `benchmark` with the arms as "
            "experiments; --config when_it_helps_images has one."
        )
    draws = draws_of(config)
    for number, draw in enumerate(draws, start=1):
        done = _results_of(config, folder, draw)
        write(f"[{number}/{len(draws)}] {draw.name}{' finished' * done.is_file()}\n")
        if not done.is_file():
            _compute(config, folder, draw, write)


def read_all(config: Config, folder: StudyFolder) -> pd.DataFrame:
    """The results of all finished draws of the settings: `design.COLUMNS`."""
    paths = [_results_of(config, folder, draw) for draw in draws_of(config)]
    found = [pd.read_csv(path) for path in paths if path.is_file()]
    return together(found)


def _results_of(config: Config, folder: StudyFolder, draw: Draw):
    """The file with the results of a draw; other settings have another one.

    Keys at their default do not count, so keys that are added later change nothing.
    """
    plain = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    sizes = ("outcomes", "scores", "test_patients", "label_noise")
    cells = {key: getattr(config.study, key) for key in (*sizes, "validation_fraction")}
    keys = ("seed", "image_size", "phantoms", "tasks", "datasets", "model", "pipeline")
    own = {key: plain.get(key) for key in (*keys, "training")}
    grid = plain["benchmark"]
    arms = {key: grid.get(key) for key in ("backbones", "experiments")}
    arms |= {key: grid[key] for key in _OF_ARMS if key in grid}
    identity = storage.digest_of([VERSION, dataclasses.asdict(draw), cells, own, arms])
    return folder.draw(draw.name) / f"results-{identity[:12]}.csv"


def _compute(config: Config, folder: StudyFolder, draw: Draw, write):
    path = folder.draw(draw.name)
    path.mkdir(parents=True, exist_ok=True)
    plan = _plan(config, draw)
    lists = _write_lists(config, plan, path)
    settings = _settings(config, draw, plan, path, lists)
    # A study has no option for it: who starts it again wants the rest of its fits.
    status = run.run_benchmark(settings, Folder(path), write, retry_failed=True)
    rows = _read(config, draw, Folder(path), plan)
    if status:
        raise DataError(
            f"{path}: not all fits are finished; see above and the logs there. Start "
            "the study again to try them again; it needs no option."
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    storage.write_text(_results_of(config, folder, draw), frame.to_csv(index=False))
    shutil.rmtree(path / "data", ignore_errors=True)
    for weights in path.glob("runs/*/checkpoints"):
        shutil.rmtree(weights, ignore_errors=True)


def _plan(config: Config, draw: Draw) -> PhantomPlan:
    """The phantoms of a draw, with as many patients as its largest cell needs."""
    section = config.study
    given = config.phantoms.model_dump()
    given |= {
        "aiforcovid_patients": max(section.outcomes) + section.test_patients,
        "seed": given["seed"] + draw.dataset,
        "correlation": draw.correlation,
        "shift": draw.shift,
        "label_noise": section.label_noise,
    }
    # At least one image each; a patient is the same among fewer patients.
    many = PhantomPlan(**given | {"brixia_patients": max(section.scores)})
    scored = [study for study in many.studies() if study.dataset == "BRIXIA"]
    last = scored[max(section.scores) - 1].patient
    return PhantomPlan(**given | {"brixia_patients": last + 1})


def _write_lists(config: Config, plan: PhantomPlan, path) -> dict[str, str]:
    """Name of each cell -> the file with its lists."""
    section = config.study
    images = {name: [] for name in _KINDS.values()}
    for study in plan.studies():
        images[_KINDS[study.dataset]].append((study.patient, study.stem))
    tested = {stem for _, stem in images[OUTCOMES][-section.test_patients :]}
    files = {}
    for outcomes, scores in itertools.product(section.outcomes, section.scores):
        lists = {}
        for name, count in ((OUTCOMES, outcomes), (SCORES, scores)):
            used = images[name][:count]
            patients = len({patient for patient, _ in used})
            held = max(2, round(section.validation_fraction * patients))
            split_of = {
                stem: "validation" if patient < held else "train"
                for patient, stem in used
            }
            rest = {stem: "excluded" for _, stem in images[name][count:]}
            split_of |= rest | {
                stem: "test" for stem in rest if name == OUTCOMES and stem in tested
            }
            lists[name] = {
                split: sorted(stem for stem, of in split_of.items() if of == split)
                for split in LISTS
            }
        cell = f"n{outcomes}_s{scores}"
        file = path / "lists" / f"{cell}.json"
        file.parent.mkdir(exist_ok=True)
        storage.write_json(file, {"datasets": lists})
        files[cell] = str(file.resolve())
    return files


def _settings(config: Config, draw: Draw, plan: PhantomPlan, path, lists) -> Config:
    """The settings of the benchmark of a draw."""
    plain = config.to_plain()
    section = plain["benchmark"]
    section["cross_validation"] = {
        cell: {"kind": "file", "file": file} for cell, file in lists.items()
    }
    # Other seeds for each pair: initial values and batches are independent, too.
    seeds = section["seeds"]
    stride = max(seeds) - min(seeds) + 1
    section["seeds"] = [seed + draw.dataset * stride for seed in seeds]
    known = config.phantoms.model_dump()
    plain["phantoms"] = {key: getattr(plan, key) for key in known}
    plain |= {
        "data_dir": str((path / "data").resolve()),
        "run_dir": None,
        "study": None,
    }
    return check(plain, f"the benchmark of {draw.name}")


def _read(config: Config, draw: Draw, folder: Folder, plan: PhantomPlan) -> list[dict]:
    """The finished cells of a draw, and the oracle of each."""
    task = config.training.select_on.task
    truth = {
        study.stem: study for study in plan.studies() if study.dataset == "AIforCOVID"
    }
    with folder.cells.open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    rows, oracle = [], {}
    for cell in cells:
        path = folder.run(cell["fit"])
        if task not in config.experiments.tasks_of(cell["experiment"]):
            continue
        if not path.is_finished:
            continue
        found = json.loads(path.metrics.read_text(encoding="utf-8"))["test"][task]
        manifest = json.loads((path.path / "manifest.json").read_text(encoding="utf-8"))
        row = _row(draw, cell["validation"]) | {
            "arm": cell["experiment"],
            "steps": manifest.get("effort", {}).get("steps"),
            "auc": found["auc"],
            "accuracy": found["accuracy"],
            "auc_inside": found["auc"],
        }
        rows.append(row)
        oracle[cell["validation"]] = _oracle(truth, config.study.test_patients)
    return rows + [
        _row(draw, name) | {"arm": "oracle", "steps": 0} | values
        for name, values in oracle.items()
    ]


def _row(draw: Draw, validation: str) -> dict:
    outcomes, scores = validation[1:].split("_s")
    return {
        "mode": "images",
        "outcomes": int(outcomes),
        "scores": int(scores),
        "correlation": draw.correlation,
        "shift": draw.shift,
        "dataset": draw.dataset,
    }


def _oracle(truth: dict, test_patients: int) -> dict[str, float]:
    """Metrics of P(severe | score, heart) on the test patients, the last ones."""
    studies = sorted(truth.values(), key=lambda study: study.patient)[-test_patients:]
    chance = np.array([study.image_probability for study in studies])
    found = metrics_of(np.array([study.severe for study in studies]), chance)
    return found | {"auc_inside": found["auc"]}
