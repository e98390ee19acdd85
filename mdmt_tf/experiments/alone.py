"""One experiment of a benchmark by itself: `train --config NAME experiment=...`.

No TensorFlow.
"""

import logging
from collections.abc import Mapping, Sequence

from mdmt_tf.config import Config
from mdmt_tf.config.schema import SplitSection
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.experiments.protocol import settings_of_one

logger = logging.getLogger(__name__)

# Keys of a split without meaning for its kind.
_NOT_OF_KIND = {
    "kfold": ("leave_out", "site_groups", "combine", "file"),
    "leave_one_site_out": ("folds", "validation", "file"),
    "file": ("folds", "validation", "leave_out", "site_groups", "combine"),
}


def settings_of(config: Config, overrides: Sequence[str] = ()) -> Config:
    """The settings of a fit outside the grid.

    If `experiment` names an experiment of the benchmark, returns the settings of its
    fit with the backbone `model.backbone`, seed `seed` and fold `split.fold`. Otherwise
    returns the settings of the configuration itself.

    The number of steps of an experiment that matches another one is not yet set, see
    `matched_settings`.

    Args:
        config: with or without a section `benchmark`.
        overrides: `key.path=value` of the command line, already applied to `config`.
            They take precedence over `set` of the experiment.
    Raises: ConfigError for an experiment that does not exist, that starts from others,
        or whose settings do not fit together.
    """
    benchmark, name = config.benchmark, config.experiment
    if benchmark is None:
        return config
    keys = _keys_of(overrides)
    experiments = benchmark.resolved
    if name not in experiments:
        if "experiment" not in keys:
            return config
        raise ConfigError(
            f"experiment = {name!r}: is not one of the experiments of the benchmark."
            f"{nearest(name, list(experiments))} Experiments: "
            f"{', '.join(experiments)}. To name the folder of a run, set run_dir."
        )
    start = experiments[name].start
    if start and "model.weights" not in keys:
        raise ConfigError(_needs(name, start))
    grid = [_folds_of(section) for section in benchmark.cross_validation.values()]
    if config.split.kind != "file" and _folds_of(config.split) not in grid:
        logger.warning(
            "split is none of benchmark.cross_validation (%s): the folds are not "
            "those of the grid.",
            ", ".join(benchmark.cross_validation),
        )
    backbone = config.model.backbone
    return settings_of_one(config.to_plain(), config, name, backbone, overrides)


def matched_settings(config: Config, overrides: Sequence[str] = ()) -> Config | None:
    """The settings of the experiment from which a fit alone takes its number of steps.

    Args: as for `settings_of`.
    Returns: None if there is none, or training.steps is among the overrides.
    """
    if config.benchmark is None or "training.steps" in _keys_of(overrides):
        return None
    section = config.benchmark.resolved.get(config.experiment)
    if section is None or section.match is None:
        return None
    # Its own name and start do not matter here.
    others = [text for text in overrides if not text.startswith("experiment=")]
    plain, backbone = config.to_plain(), config.model.backbone
    return settings_of_one(plain, config, section.match, backbone, others)


def _keys_of(overrides: Sequence[str]) -> set[str]:
    return {text.partition("=")[0].strip() for text in overrides}


def _folds_of(split: SplitSection) -> dict:
    """The settings on which the folds depend, independent of the tested fold."""
    # More repeats add folds, and leave the others as they are.
    return split.model_dump(exclude={"fold", "repeats", *_NOT_OF_KIND[split.kind]})


def _needs(experiment: str, start: Mapping[str, float]) -> str:
    """Why an experiment cannot be trained alone, and what to do."""
    weights = {
        f"{name}/checkpoints/backbone.weights.h5": w for name, w in start.items()
    }
    text = ", ".join(f"{file}: {weight:g}" for file, weight in weights.items())
    value = f"{{{text}}}" if len(weights) > 1 else next(iter(weights))
    others = " and ".join(start)
    return (
        f"experiment = {experiment!r}: starts from the backbones of {others}, trained "
        "with the same backbone, fold and seed. Expected those fits: let `python -m "
        f"mdmt_tf.benchmark` train them in order; or train {others} first and give the "
        f"files in their run folders, such as 'model.weights={value}'; or start from "
        "something else, such as model.weights=null."
    )
