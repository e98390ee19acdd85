"""What the result of a fit depends on, as a SHA-256: equal ones are computed once.

Settings that change neither weights nor predictions do not count, nor do keys that are
younger than some benchmarks where they mean what was done before: their fields in
`mdmt_tf/config/` say so. No TensorFlow.
"""

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.models.backbones.table import PHANTOMS, PUBLISHED
from mdmt_tf.models.weights import phantom_weights

# Stands for the weights of other fits, whose identities count instead.
START = "start.weights.h5"

# Keys of a task that make its labels; the others are about the training of a network.
_LABELS = ("kind", "classes", "cut_points", "descending", "from")


def digest_of_settings(settings: Config, starts: bool = False) -> str:
    """SHA-256 of the settings on which a result depends.

    Paths do not count, and devices only where each normalises its part of a batch. Of
    weights in files the content counts.

    Args:
        starts: whether the fit starts from other fits; their files do not count.
    Raises: DataError: the weights that phantoms have taught are not there.
    """
    plain = settings.of_result()
    model = settings.model
    plain["model"] |= (
        {"weights": START}
        if starts
        else weights_by_content(model.weights, model.backbone)
    )
    # What is done counts, not whether it is the default. Once, it was never done.
    if settings.recalibrates:
        plain["training"]["recalibrate"] = True
    # Every device of the machine is one until the fit runs: a report tells them.
    devices = settings.training.devices or ()
    if model.batch_norm == "local" and len(devices) > 1:
        plain["training"]["replicas"] = len(devices)
    for task in settings.build_tasks():
        # Of other kinds, the key has no effect.
        if not task.is_standardized:
            plain["tasks"][task.name].pop("standardize", None)
    if _are_permuted_together(settings):
        # Once, each task had a permutation of its own.
        plain["permuted_together"] = True
    # The order of tasks counts: a serial head belongs to the first.
    plain["order_of_tasks"] = list(plain["tasks"])
    return storage.digest_of(plain)


def _are_permuted_together(settings: Config) -> bool:
    """Whether two permuted tasks have a dataset in common."""
    permuted = [task.sources for task in settings.tasks.values() if task.permute]
    sources = [name for of_task in permuted for name in of_task]
    return len(set(sources)) < len(sources)


def digest_of_baseline(section: BaselineSection, config: Config) -> str:
    """SHA-256 of what a baseline depends on: its settings, its labels, its images."""
    task = config.tasks[section.task].model_dump(mode="json", by_alias=True)
    plain = section.facts() | {"labels": {key: task[key] for key in _LABELS}}
    # Once, only models of images could count patients.
    if section.reads_images or "weight_by" in config.pipeline.of_result():
        plain["weight_by"] = config.pipeline.weight_by
    if section.backbone is not None:
        plain["image_shape"] = list(config.image_shape)
        plain |= weights_by_content(section.weights, section.backbone)
    return storage.digest_of(plain)


def weights_by_content(
    weights: str | Mapping[str, float] | None, backbone: str
) -> dict:
    """The keys that stand for the weights to start from, wherever their files are."""
    averaged = isinstance(weights, Mapping)
    named: dict[str | None, float] = {}
    for file, weight in weights.items() if averaged else [(weights, 1.0)]:
        content = _content_of(file)
        named[content] = named.get(content, 0.0) + weight
    result = {"weights": named if averaged else next(iter(named))}
    if PHANTOMS in named:
        result["weights_sha256"] = phantom_weights.digest(backbone)
    return result


def _content_of(weights: str | None) -> str | None:
    """The SHA-256 of a file; a name, or a file that is not there, as it is given.

    A dry run goes on without a file; whatever trains refuses it.
    """
    if weights in (None, PUBLISHED, PHANTOMS) or not Path(weights).is_file():
        return weights
    facts = os.stat(weights)
    known_by = facts.st_ino, facts.st_size, facts.st_mtime_ns
    return f"sha256:{_sha256_of(os.path.abspath(weights), *known_by)}"


@functools.lru_cache(maxsize=64)
def _sha256_of(path: str, *facts: int) -> str:
    """SHA-256 of a file, computed once for all fits as long as these facts hold."""
    return storage.sha256_of(path)


def identity_of(settings: str, data: object, starts: Mapping[str, float]) -> str:
    """SHA-256 of what a fit's result depends on.

    Args:
        settings: of `digest_of_settings`, or `digest_of_baseline`.
        data: plain values that stand for the datasets' content and the split's lists.
        starts: identity of each fit that it starts from -> its weight.
    """
    return storage.digest_of([settings, data, dict(starts)])
