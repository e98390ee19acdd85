"""What the result of a fit depends on, as a SHA-256: equal ones are computed once.

Settings that change neither weights nor predictions do not count, nor do keys that are
younger than some benchmarks where they mean what was done before. No TensorFlow.
"""

from collections.abc import Mapping

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.models.backbones.table import PHANTOMS
from mdmt_tf.models.weights import phantom_weights

# Of a fit's settings, what changes neither its weights nor its predictions, and what
# the identity has in another form.
_NOT_IDENTITY = {
    None: (
        *("run_dir", "data_dir", "phantoms", "dataset", "split", "benchmark"),
        *("study", "card"),
    ),
    "training": (
        *("devices", "tensorboard", "tensorboard_train_images"),
        *("tensorboard_saliency", "saved_model", "saliency"),
    ),
    "pipeline": ("cache", "allow_identical_images"),
}
# Keys that are younger than some benchmarks, with the value that means what was done
# before. At this value they do not change the identity, so old results stay valid.
_ADDED = {"weight_by": "image"}
_ADDED_TO_MODEL = {
    "unseen_dataset": "average",
    "start_heads": False,
    "flip_averaging": False,
}
_ADDED_TO_PLATEAU = {"follows": "selected"}
_ADDED_TO_TASKS = {
    "loss": None,
    "head": None,
    "standardize": False,
    "permute": False,
    "fraction": 1,
    "mirror": None,
}
_ADDED_TO_TRAINING = {"steps": None}
_ADDED_TO_DATASETS = {"auxiliary": False, "fraction": 1}

# Keys of a task that make its labels; the others are about the training of a network.
_LABELS = ("kind", "classes", "cut_points", "descending", "from")


def digest_of_settings(settings: Config) -> str:
    """SHA-256 of the settings on which a result depends.

    Paths and devices do not count. Of the weights that phantoms have taught, the
    content does: other files have the same name.

    Raises: DataError: these weights are not there.
    """
    plain = settings.to_plain()
    for section, keys in _NOT_IDENTITY.items():
        for key in keys:
            del (plain[section] if section else plain)[key]
    # What is derived is part of the predictions; what it is compared with is not.
    for section in plain["derived"].values():
        del section["of"]
    if not plain["derived"]:
        del plain["derived"]
    plain["pipeline"] = _without(plain["pipeline"], _ADDED)
    plain["model"] = _without(plain["model"], _ADDED_TO_MODEL)
    plain["model"] |= _content_of(settings.model.weights, settings.model.backbone)
    plain["training"] = _without(plain["training"], _ADDED_TO_TRAINING)
    for name, section in plain["datasets"].items():
        # Where a dataset is changes nothing.
        section.pop("data_dir", None)
        plain["datasets"][name] = _without(section, _ADDED_TO_DATASETS)
    # What is done counts, not whether it is the default. Once, it was never done.
    del plain["training"]["recalibrate"]
    if settings.recalibrates:
        plain["training"]["recalibrate"] = True
    if plateau := plain["training"]["plateau"]:
        plain["training"]["plateau"] = _without(plateau, _ADDED_TO_PLATEAU)
    for task in settings.build_tasks():
        own = plain["tasks"][task.name]
        # Of other kinds, the key has no effect.
        own["standardize"] &= task.is_standardized
        plain["tasks"][task.name] = _without(own, _ADDED_TO_TASKS)
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
    added = {} if section.reads_images else _ADDED
    plain |= _without({"weight_by": config.pipeline.weight_by}, added)
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


def _without(section: dict, added: Mapping[str, object]) -> dict:
    """The section without the added keys that have the value from before."""
    return {
        key: value
        for key, value in section.items()
        if key not in added or value != added[key]
    }


def identity_of(settings: str, data: object, starts: Mapping[str, float]) -> str:
    """SHA-256 of what a fit's result depends on.

    Args:
        settings: of `digest_of_settings`, or `digest_of_baseline`.
        data: plain values that stand for the datasets' content and the split's lists.
        starts: identity of each fit that it starts from -> its weight.
    """
    return storage.digest_of([settings, data, dict(starts)])
