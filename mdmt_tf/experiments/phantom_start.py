"""Make the weights of `model.weights: phantoms`: train the recipe, write the file.

The recipe is the shipped configuration `phantom_start`. A run that was interrupted goes
on; the run is removed when the file is there. No TensorFlow at import.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mdmt_tf import config, storage
from mdmt_tf.config import Config
from mdmt_tf.data import embedded
from mdmt_tf.errors import DataError
from mdmt_tf.experiments import finished_run
from mdmt_tf.experiments.identity import digest_of_settings
from mdmt_tf.models.backbones.table import BACKBONES, PUBLISHED
from mdmt_tf.models.weights import (
    half_precision,
    heads,
    lineage,
    phantom_weights,
    provenance,
)
from mdmt_tf.runs.folder import RunFolder

RECIPE = "phantom_start"
# Backbones that start from ImageNet's weights, where the licence allows it; the others
# start from random values.
_FROM_IMAGENET = ("tf_efficientnet_lite0",)
_LICENCE = "Apache-2.0"
# What the file says about each task on held-out phantoms.
_METRICS, _DIGITS = ("n", "loss", "accuracy", "kappa", "mae"), 4

Write = Callable[[str], object]


def settings_of(backbone: str, recipe: str = RECIPE) -> Config:
    """The settings of the recipe with a backbone and its start.

    Args:
        backbone: name of a backbone for images.
        recipe: name or path of the configuration.
    Raises: ConfigError when the backbone does not fit.
    """
    start = PUBLISHED if backbone in _FROM_IMAGENET else "null"
    return config.load(recipe, [f"model.backbone={backbone}", f"model.weights={start}"])


def make(
    backbone: str,
    write: Write,
    bar: Callable,
    *,
    again: bool = False,
    recipe: str = RECIPE,
    is_terminal: bool = False,
) -> Path:
    """The file of a backbone; trained first if it is not there.

    Args:
        backbone: name of a backbone for images.
        write: receives the progress.
        bar: opens a progress bar, see `prepare.Bar`.
        again: whether to train although there is a file. The new one then lies in the
            cache under another name, and `write` receives what differs.
        recipe: name or path of the configuration.
        is_terminal: as for `trainer.train`.
    Raises: as `trainer.train`; ConfigError while another process makes the same.
    """
    existing = phantom_weights.find(backbone)
    settings = settings_of(backbone, recipe)
    if existing is not None and not again:
        _check_recipe(existing, settings, write)
        return existing
    target = phantom_weights.path_in_cache(backbone)
    if existing is not None:
        target = target.with_stem(f"{target.stem}-again")
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f"{target.stem}-{_digest_of(settings)[:12]}")
    busy = f"{target}: another process is making it. Wait until it has finished."
    lock = target.with_name(f".{target.name}.lock")
    with storage.locked(lock, busy, remove=True):
        settings = settings.model_copy(update={"run_dir": str(folder)})
        run = _train(settings, write, bar, is_terminal)
        write_file(run, target)
        shutil.rmtree(run.path)
    if existing is not None:
        write(differences(target, existing))
    return target


def make_from_run(path: Path, backbone: str, write: Write) -> Path:
    """Write the file of a finished run of the recipe, or of one like it.

    It lies in the cache, under another name if the backbone has a file already; `write`
    then receives what differs.

    Args:
        path: folder of the run.
        backbone: its backbone.
        write: receives the differences.
    Raises: DataError when the run is not finished, has another backbone, or real images
        were in it.
    """
    run = RunFolder.open(path)
    trained = run.settings().model.backbone
    if trained != backbone:
        raise DataError(f"{path}: is a run of {trained}, not of {backbone}.")
    existing = phantom_weights.find(backbone)
    target = phantom_weights.path_in_cache(backbone)
    if existing is not None:
        target = target.with_stem(f"{target.stem}-again")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(run, target)
    if existing is not None:
        write(differences(target, existing))
    return target


def write_file(run: RunFolder, target: Path) -> None:
    """Write the backbone of a finished run in half precision, with its facts.

    Raises: DataError when the run is not finished, or real images were in it.
    """
    from mdmt_tf.models.backbones import build_backbone

    run.require_finished()
    facts = _facts_of(run)
    row = BACKBONES[facts["backbone"]]
    weights = str(run.backbone_weights)
    # The weights do not depend on the size of the images.
    model = build_backbone(row.name, (64, 64, row.channels), weights)
    arrays = half_precision.arrays_of(model)
    arrays |= half_precision.halved(heads.read(run.backbone_weights), row.name)
    half_precision.write(target, arrays, facts)


def differences(path: Path, other: Path) -> str:
    """What differs between two files of the same backbone, in lines.

    Says whether all arrays are equal, or the largest difference and where it is; and
    the metrics on held-out phantoms that differ.

    Raises: DataError when their arrays have other names or shapes.
    """
    (new, facts), (old, others) = map(half_precision.read, (path, other))
    if {k: v.shape for k, v in new.items()} != {k: v.shape for k, v in old.items()}:
        raise DataError(f"{path}: has other arrays than {other}.")
    head = f"compared with {other}:\n"
    if facts["recipe_sha256"] != others["recipe_sha256"]:
        head += "  another recipe, or another version of the phantoms\n"
    if facts["sha256"] == others["sha256"]:
        return f"{head}  equal, sha256 {facts['sha256']}\n"
    largest = {name: _difference(new[name], old[name]) for name in new}
    name = max(largest, key=largest.get)
    text = f"  different: {largest[name]:.2g} of the largest weight, in {name}\n"
    for task, metrics in facts["metrics"].items():
        before = others["metrics"].get(task, {})
        changed = [
            f"{metric} {metrics[metric]:g}, was {before[metric]:g}"
            for metric in ("kappa", "mae")
            if metric in metrics and metric in before
        ]
        text += f"  {task}: {'; '.join(changed)}\n" if changed else ""
    return head + text


def _difference(new: np.ndarray, old: np.ndarray) -> float:
    """The largest difference as a fraction of the largest absolute value of both."""
    new, old = new.astype(np.float64), old.astype(np.float64)
    largest = max(np.abs(new).max(), np.abs(old).max())
    return float(np.abs(new - old).max() / largest) if largest else 0.0


def _check_recipe(path: Path, settings: Config, write: Write) -> None:
    facts = half_precision.read_facts(path)
    if facts["recipe_sha256"] != _digest_of(settings):
        write(
            f"{path} was made by version {facts['mdmt_tf']} with another recipe, or "
            "other phantoms. To make it again: --again.\n"
        )


def _train(
    settings: Config, write: Write, bar: Callable, is_terminal: bool
) -> RunFolder:
    """The finished run of the settings in `run_dir`; an interrupted one goes on."""
    from mdmt_tf.models.weights import pretrained
    from mdmt_tf.training import strategy

    # Before anything computes: TensorFlow keeps the devices with which it starts.
    strategy.build_strategy(settings.training.devices)
    model = settings.model
    pretrained.locate_all(model.backbone, model.weights, write)
    settings = embedded.provide(settings, write, bar)
    return finished_run.finish(settings, write, is_terminal=is_terminal)


def _facts_of(run: RunFolder) -> dict:
    """The facts of the file: what went in, and what was measured."""
    settings = run.settings()
    manifest = run.read_json(run.manifest)
    if problem := _problem_of(manifest):
        raise DataError(
            f"{run.path}: {problem}. Expected a run on synthetic images alone, with "
            "their true labels. To start from its weights, set "
            f"model.weights={run.backbone_weights}."
        )
    images = manifest[provenance.NOTE]
    number = provenance.text(provenance.total(images))
    return {
        "backbone": settings.model.backbone,
        "source": f"synthetic radiographs: {number} images",
        "licence": _licence_of(manifest["initial_weights"]),
        provenance.NOTE: images,
        "phantoms_version": _phantoms_version(settings),
        "recipe": settings.experiment,
        "recipe_sha256": _digest_of(settings),
        "seed": settings.seed,
        "start": manifest["initial_weights"],
        "mdmt_tf": manifest["mdmt_tf"],
        "metrics": _rounded(run.read_json(run.metrics)["test"]),
        "effort": manifest["effort"],
        "packages": manifest["packages"],
        "settings": settings.to_plain() | {"run_dir": None, "data_dir": None},
    }


def _problem_of(manifest: Mapping) -> str:
    """What the weights have learned besides synthetic images; "" if nothing."""
    synthetic, note = manifest["synthetic_datasets"], lineage.of_manifest(manifest)
    prints = {manifest["datasets"][name].get("fingerprint") for name in synthetic}
    # A real dataset may have the name of a drawn one. Notes by earlier versions do not
    # mark the drawn ones.
    real = set(manifest["datasets"]) - set(synthetic)
    real |= {
        name
        for name, entry in note["datasets"].items()
        if not entry.get(lineage.SYNTHETIC)
        and not prints.issuperset(entry["fingerprints"])
    }
    if real:
        return f"was trained with real images of {', '.join(sorted(real))}"
    if unknown := note[lineage.UNKNOWN]:
        return f"started from {', '.join(unknown)}, whose data are unknown"
    # Notes by earlier versions do not have those of the run.
    permuted = {*manifest.get("permuted", ()), *note.get(lineage.PERMUTED, ())}
    if permuted:
        return f"was trained with permuted labels of {', '.join(sorted(permuted))}"
    return ""


def _licence_of(start: Mapping | None) -> str | None:
    """The licence of weights that began with others; None: it is not known."""
    if start is None:
        return _LICENCE
    licences = {part.get("licence") for part in start.get("average", [start])}
    known = sorted(filter(None, licences))
    return " AND ".join(known) if len(known) == len(licences) else None


def _digest_of(settings: Config) -> str:
    """SHA-256 of the recipe, with its split and the phantoms that it draws."""
    plain = settings.to_plain()
    digest, version = digest_of_settings(settings), _phantoms_version(settings)
    return storage.digest_of([digest, version, plain["phantoms"], plain["split"]])


def _phantoms_version(settings: Config) -> str | None:
    """Version of the generators; None for a run on data that were prepared before."""
    # Loads OpenCV, which --help does not need.
    from mdmt_tf.phantoms.plan import PhantomPlan

    if settings.phantoms is None:
        return None
    return PhantomPlan(**settings.phantoms.model_dump()).version


def _rounded(metrics: Mapping[str, Mapping]) -> dict:
    return {
        task: {
            name: storage.without_nan(round(of_task[name], _DIGITS))
            for name in _METRICS
            if of_task.get(name) is not None
        }
        for task, of_task in metrics.items()
    }
