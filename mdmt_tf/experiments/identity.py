"""What the result of a fit depends on, as a SHA-256: equal ones are computed once.

Settings that change neither weights nor predictions do not count, nor do keys that are
younger than some benchmarks where they mean what was done before: their fields in
`mdmt_tf/config/` say so. No TensorFlow.
"""

from collections.abc import Mapping

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.models.backbones.table import PHANTOMS
from mdmt_tf.models.weights import phantom_weights

# Keys of a task that make its labels; the others are about the training of a network.
_LABELS = ("kind", "classes", "cut_points", "descending", "from")


def digest_of_settings(settings: Config) -> str:
    """SHA-256 of the settings on which a result depends.

    Paths and devices do not count. Of the weights that phantoms have taught, the
    content does: other files have the same name.

    Raises: DataError: these weights are not there.
    """
    plain = settings.of_result()
    plain["model"] |= _content_of(settings.model.weights, settings.model.backbone)
    # What is done counts, not whether it is the default. Once, it was never done.
    if settings.recalibrates:
        plain["training"]["recalibrate"] = True
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
        plain |= _content_of(section.weights, section.backbone)
    return storage.digest_of(plain)


def _content_of(weights: str | Mapping[str, float] | None, backbone: str) -> dict:
    """What stands for the content of weights that are known by a name alone."""
    files = weights if isinstance(weights, Mapping) else [weights]
    if PHANTOMS not in files:
        return {}
    return {"weights_sha256": phantom_weights.digest(backbone)}


def identity_of(settings: str, data: object, starts: Mapping[str, float]) -> str:
    """SHA-256 of what a fit's result depends on.

    Args:
        settings: of `digest_of_settings`, or `digest_of_baseline`.
        data: plain values that stand for the datasets' content and the split's lists.
        starts: identity of each fit that it starts from -> its weight.
    """
    return storage.digest_of([settings, data, dict(starts)])
