"""What an experiment is: the settings of its fits, and what each of them starts from.

The four of Ruffini et al. (MICCAI 2024), as `configs/paper.yaml` declares them:

    stl_prognosis, stl_severity  one task each, from ImageNet or random values
    ft    prognosis alone, a new head on the backbone of stl_severity of the same fold
    mdmt  both tasks, from beta * stl_prognosis + (1 - beta) * stl_severity, their
          backbones averaged variable by variable; beta = 0.5

None of them is known to the code: an experiment is the tasks that it trains, the shares
of the backbones that it starts from, and other settings. No TensorFlow.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mdmt_tf import storage
from mdmt_tf.config import Config, check
from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.errors import ConfigError

# Where a fit's settings are set by the grid itself, not by an experiment's `set`.
_OWN = ("benchmark", "data_dir", "phantoms", "run_dir", "seed", "split", "tasks")

# Of a fit's settings, what changes neither its weights nor its predictions, and what
# the identity has in another form.
_NOT_IDENTITY = {
    None: ("run_dir", "data_dir", "phantoms", "split", "benchmark"),
    "training": ("devices", "tensorboard", "saved_model", "saliency"),
    "pipeline": ("cache",),
}


@dataclasses.dataclass(frozen=True)
class Fit:
    """One model to train, or one baseline to count.

    Attributes:
        name: of its folder: experiment, backbone, seed, first digits of the identity.
        identity: SHA-256 of all that its result depends on: settings, data, the lists
            of its split, and the identities of the fits that it starts from. Equal
            exactly when a result can be used again.
        split: (validation, fold) of the file with its lists.
        starts: name of a fit -> its share in the backbone to start from.
        settings: of the fit, but for its paths; None for a baseline.
        baseline: for a baseline, else None.
    """

    name: str
    identity: str
    split: tuple[str, int]
    starts: Mapping[str, float]
    settings: Config | None = None
    baseline: BaselineSection | None = None


def settings_of(config: Config, experiment: str, backbone: str) -> Config:
    """The settings of an experiment's fits with one backbone.

    Its tasks and the datasets that feed them are kept; `set` is applied. The epoch is
    chosen by the task of `training.select_on` where the experiment has it, else by its
    first task. Seed, split and start are the grid's.

    Args:
        config: with a section `benchmark`.
        experiment: a key of `benchmark.experiments`.
        backbone: name of a backbone.
    Raises: ConfigError for settings that do not go together, with the experiment.
    """
    section = config.benchmark.experiments[experiment]
    plain = {**config.to_plain(), "experiment": experiment}
    del plain["benchmark"]
    plain["tasks"] = {name: plain["tasks"][name] for name in section.tasks}
    used = {source for task in plain["tasks"].values() for source in task["from"]}
    plain["datasets"] = {
        name: facts for name, facts in plain["datasets"].items() if name in used
    }
    # The grid prepares the data; a fit finds them prepared.
    plain["phantoms"] = None
    plain["model"]["backbone"] = backbone
    plain["model"]["weights"] = start_of(config, backbone)
    if plain["training"]["select_on"]["task"] not in section.tasks:
        plain["training"]["select_on"]["task"] = section.tasks[0]
    if section.start:
        # In the place of files that are not there yet.
        plain["model"]["weights"] = "start.weights.h5"
    for key, value in section.settings.items():
        _assign(plain, key, value, experiment)
    return check(plain, f"benchmark.experiments.{experiment} ({backbone})")


def start_of(config: Config, backbone: str) -> str | dict | None:
    """`model.weights` of the experiments that start from no other."""
    return config.benchmark.weights.get(backbone, config.model.weights)


def _assign(plain: dict, key: str, value: Any, experiment: str) -> None:
    path = key.split(".")
    # How a task is trained may differ, but not which ones there are.
    of_a_task = path[0] == "tasks" and len(path) > 2
    if path[0] in _OWN and not of_a_task:
        raise ConfigError(
            f"benchmark.experiments.{experiment}.set: {key} is set by the grid itself. "
            f"Not to be set here: {', '.join(_OWN)}."
        )
    for step in path[:-1]:
        plain = plain.setdefault(step, {})
        if not isinstance(plain, dict):
            raise ConfigError(
                f"benchmark.experiments.{experiment}.set: {key}: {step} has no keys of "
                "its own."
            )
    plain[path[-1]] = value


def digest_of(settings: Config | BaselineSection) -> str:
    """SHA-256 of the settings on which a result depends.

    Where files are and which devices compute does not count.
    """
    if isinstance(settings, Config):
        plain = settings.to_plain()
        for section, keys in _NOT_IDENTITY.items():
            for key in keys:
                del (plain[section] if section else plain)[key]
        # The order of tasks counts: a serial head belongs to the first.
        plain["order_of_tasks"] = list(plain["tasks"])
    else:
        plain = settings.model_dump(mode="json")
    return storage.digest_of(plain)


def identity_of(settings: str, data: object, starts: Mapping[str, float]) -> str:
    """SHA-256 of what a fit's result depends on.

    Args:
        settings: of `digest_of`.
        data: plain values that stand for the datasets' content and the split's lists.
        starts: identities of the fits that it starts from, and their shares.
    """
    return storage.digest_of([settings, data, dict(starts)])
