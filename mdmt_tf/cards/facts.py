"""What is known of a run: plain values, as in `model_card.json`."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.datasets._shared.terms import Terms, prepared_terms, terms_of
from mdmt_tf.imaging import preprocess
from mdmt_tf.marks import NOT_FOR_SENTENCE
from mdmt_tf.metrics.table import compared
from mdmt_tf.models.backbones.table import BACKBONES, PUBLISHED
from mdmt_tf.models.weights import provenance
from mdmt_tf.runs import digests
from mdmt_tf.runs.flow import PatientFlow
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.kept_epoch import read_kept_epoch
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.tasks import Answer

# Version of the file's keys.
FORMAT = 1
_DRAWN = "Apache-2.0: synthetic images, computed by this package."
_CALIBRATION = ("ece", "brier", "calibration_slope", "calibration_intercept")
_IMAGENET_TERMS = "{}; the terms of ImageNet (research, not commercial) may also apply"


def gather(
    run: RunFolder,
    settings: Config,
    flow: PatientFlow,
    *,
    folders: Mapping[str, Path] | None = None,
    sites: Mapping[str, int] | None = None,
    strata: Mapping[str, Any] | None = None,
    shortcuts: Mapping[str, Any] | None = None,
    interrupted: Mapping[str, int] | None = None,
    exported: Path | None = None,
) -> dict[str, Any]:
    """The facts of a run for its card.

    Args:
        run: with all files but `metrics.json`; of an interrupted one, those that it
            began with and the best weights so far.
        settings: those of the run.
        flow: patients of its datasets.
        folders: dataset -> folder of the prepared data, which may state a licence.
        sites: dataset -> number of its sites, an unknown one not counted.
        strata: see `strata.strata_of_run`; None: not computed.
        shortcuts: see `strata.shortcuts_of_inputs`; None: not looked for.
        interrupted: epochs and best_epoch, if training has not ended.
        exported: the SavedModel; None: there is none.
    """
    manifest, split = run.read_json(run.manifest), run.read_json(run.split)
    answers = run.read_answers(settings)
    return {
        "format": FORMAT,
        "title": settings.experiment,
        "finished": manifest.get("finished"),
        "interrupted": dict(interrupted) if interrupted else None,
        "synthetic": manifest["synthetic"],
        provenance.NOTE: manifest.get(provenance.NOTE) or {},
        "not_for": NOT_FOR_SENTENCE,
        "stated": settings.card.model_dump(mode="json"),
        "model": _model(settings, manifest, answers),
        "training": _training(settings, manifest, run),
        "start": _start(manifest.get("initial_weights"), settings),
        "data": [
            _dataset(
                one,
                manifest,
                settings,
                (folders or {}).get(one["name"]),
                (sites or {}).get(one["name"]),
            )
            for one in flow.to_plain()["datasets"]
        ],
        "split": {
            "kind": split["kind"],
            "fold": split["fold"],
            "folds": split.get("folds"),
            "seed": split.get("seed"),
            "repeats": settings.split.repeats,
            "sites": split.get("sites") or {},
            "hash": split.get("hash"),
        },
        "evaluation": {} if interrupted else _evaluation(run, answers),
        "calibration": {} if interrupted else _calibration(run, answers),
        "strata": dict(strata) if strata is not None else None,
        "shortcuts": dict(shortcuts) if shortcuts is not None else None,
        # What `mdmt_tf.doctor` has found, see `cards.doctor`; None: it is not known.
        "doctor": None,
        "features_probe": run.read_json(run.features_probe)
        if run.features_probe.is_file()
        else None,
        "hashes": _hashes(run, manifest, split, exported),
    }


def _model(config: Config, manifest: Mapping, answers: Sequence[Answer]) -> dict:
    row = BACKBONES.get(config.model.backbone)
    # Runs of earlier versions, and interrupted ones, do not state their parameters. The
    # published number is that of the trainable ones.
    published = row.parameters if row else None
    counts = manifest.get("parameters", {})
    return {
        "experiment": config.experiment,
        "backbone": config.model.backbone,
        "backbone_parameters": counts.get("backbone", published),
        "parameters": counts.get("model"),
        "heads": config.model.heads,
        "start_heads": config.model.start_heads,
        "input": list(config.image_shape),
        "flip_averaging": config.model.flip_averaging,
        "batch_norm": config.model.batch_norm,
        "answers": [_answer(one, config) for one in answers],
        "mdmt_tf": manifest["mdmt_tf"],
        "commit": manifest.get("commit"),
        "packages": manifest["packages"],
        "python": manifest.get("python"),
        "devices": manifest.get("devices"),
    }


def _answer(answer: Answer, config: Config) -> dict:
    section = config.tasks.get(answer.name)
    return {
        "name": answer.name,
        **answer.description(),
        "cut_points": list(answer.cut_points),
        "components": [own.name for own in answer.components],
        "labels": answer.sources_text,
        "trained": answer.name in config.trained_tasks,
        "permuted": bool(section and section.permute),
        "fraction": section.fraction if section else None,
        "class_weights": section.class_weights if section else None,
        "oversample": bool(section and section.oversample),
    }


def _training(config: Config, manifest: Mapping, run: RunFolder) -> dict:
    settings, pipeline = config.training, config.pipeline
    kept = read_kept_epoch(run, settings.select_on)
    return {
        "seed": config.seed,
        "optimizer": settings.optimizer,
        "learning_rate": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "batch_size": settings.batch_size,
        "precision": settings.precision,
        "weighting": settings.weighting,
        "select_on": settings.select_on.model_dump(mode="json"),
        # The epoch whose weights are kept, and whether the metric chose it.
        "kept_epoch": None if kept is None else dataclasses.asdict(kept),
        "freeze": config.model.freeze,
        "sampling": pipeline.sampling,
        "weight_by": pipeline.weight_by,
        "augmentation": pipeline.augmentation is not None,
        "effort": manifest.get("effort"),
    }


def epoch_is_chosen(training: Mapping) -> bool:
    """Whether the validation split chose the epoch; earlier cards do not say.

    Example:
        >>> epoch_is_chosen({"kept_epoch": {"number": 4, "chosen": False}})
        False
    """
    kept = training.get("kept_epoch")
    return kept is None or kept["chosen"]


def _start(described: Mapping | None, config: Config) -> list[dict]:
    """The weights that training began with; [] for random values."""
    if described is None:
        return []
    if parts := described.get("average"):
        return [
            one | {"weight": part.get("share")}
            for part in parts
            for one in _start(part, config)
        ]
    licence = described.get("licence") or None
    if licence and config.model.weights == PUBLISHED:
        licence = _IMAGENET_TERMS.format(licence)
    if file := described.get("file"):
        file = _short_path(Path(file))
    return [
        {
            "source": described.get("source") or None,
            "file": file,
            "url": described.get("url") or None,
            "licence": licence,
            "sha256": described.get("sha256"),
        }
    ]


def _short_path(path: Path) -> str:
    """The name of a file; of the weights of another run, with the run's folder."""
    return "/".join(path.parts[-3:]) if path.parent.name == "checkpoints" else path.name


def _dataset(
    flow: dict, manifest: Mapping, config: Config, folder, sites: int | None
) -> dict:
    name = flow.pop("name")
    facts, section = manifest["datasets"][name], config.datasets[name]
    return {
        "name": name,
        "synthetic": flow.pop("synthetic"),
        "preprocessing": facts["config"],
        "preprocessing_text": _described(facts["config"]),
        "finds_lungs": facts["config"].startswith(("lungs_", "masked_")),
        "version": facts["version"],
        "fingerprint": facts["fingerprint"],
        "auxiliary": section.auxiliary,
        "fraction": section.fraction,
        "sites": sites,
        "terms": _terms(name, facts, config, folder).to_plain(),
        "flow": flow,
    }


def _described(name: str) -> str:
    try:
        return preprocess.parse(name).description
    except ValueError:
        return ""


def _terms(name: str, facts: Mapping, config: Config, folder: Path | None) -> Terms:
    declared, known = config.dataset, terms_of(name)
    if facts["synthetic"] and known is not None:
        # Drawn in the form of a real dataset, of which they hold nothing.
        return Terms(_DRAWN, "mdmt_tf.phantoms")
    if known is not None:
        return known
    if declared is not None and declared.name == name:
        stated = Terms(citations=(declared.citation,) * bool(declared.citation))
        return Terms(declared.licence or stated.licence, "", stated.citations)
    return prepared_terms(folder) if folder is not None else Terms()


def _evaluation(run: RunFolder, answers: Sequence[Answer]) -> dict:
    """Metrics with intervals: of the test split, or else of validation."""
    assessed = run.read_json(run.assessment) if run.assessment.is_file() else {}
    if not assessed:
        return {}
    split = "test" if "test" in assessed else "validation"
    return evaluation_of(split, assessed[split], answers)


def evaluation_of(
    split: str, assessed: Mapping[str, Any], answers: Sequence[Answer]
) -> dict[str, Any]:
    """The facts on an assessment.

    Args:
        split: of its rows.
        assessed: answer -> result of `assess`.
        answers: tasks, and derived answers.
    """
    tasks = {}
    for answer in answers:
        own = assessed[answer.name]
        chosen = own[f"by_{own['unit']}"]
        tasks[answer.name] = {
            "title": answer.title,
            "unit": own["unit"],
            "n": chosen["n"],
            "patients": chosen["patients"],
            "contradictory": own["by_patient"]["contradictory"],
            "missing_classes": chosen.get("missing_classes", []),
            "metrics": {name: chosen["metrics"][name] for name in compared(answer)},
        }
    return {"split": split, "tasks": tasks}


def _calibration(run: RunFolder, answers: Sequence[Answer]) -> dict:
    fitted = run.read_json(run.calibration) if run.calibration.is_file() else {}
    assessed = run.read_json(run.assessment) if run.assessment.is_file() else {}
    result = {}
    for answer in answers:
        own = assessed.get("test", {}).get(answer.name, {})
        parts = {"raw": own, "calibrated": own.get("calibrated")}
        found = {
            name: _metrics_of_calibration(part, own["unit"])
            for name, part in parts.items()
            if part
        }
        of_answer = {
            one.name: fitted[one.name]
            for one in answer.components
            if one.name in fitted
        }
        if all(Calibration.from_plain(one).is_identity for one in of_answer.values()):
            found.pop("calibrated", None)
        if of_answer:
            points = own.get("operating_points", {})
            result[answer.name] = {
                "fitted": of_answer,
                "test": found,
                "operating_points": points,
            }
    return result


def _metrics_of_calibration(part: Mapping, unit: str) -> dict:
    metrics = part[f"by_{unit}"]["metrics"]
    return {name: metrics[name] for name in _CALIBRATION if name in metrics}


def _hashes(run: RunFolder, manifest: Mapping, split: Mapping, exported) -> dict:
    weights = {}
    if run.best_weights.is_file():
        name = run.best_weights.relative_to(run.path).as_posix()
        weights[name] = storage.sha256_of(run.best_weights)
    if exported is not None:
        folder = exported.name.removesuffix(".unchecked")
        for file in digests.files_of(exported):
            name = f"{folder}/{file.relative_to(exported).as_posix()}"
            weights[name] = storage.sha256_of(file)
    model = exported or (run.best_weights if run.best_weights.is_file() else None)
    return {
        "model": digests.digest_of(model) if model else None,
        "weights": weights,
        "configuration": storage.sha256_of(run.config),
        "split": split.get("hash"),
        "predictions": storage.sha256_of(run.predictions)
        if run.predictions.is_file()
        else None,
        "data": {n: own["fingerprint"] for n, own in manifest["datasets"].items()},
    }
