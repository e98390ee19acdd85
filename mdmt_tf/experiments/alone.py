"""One experiment of a benchmark by itself: `train --config NAME experiment=...`.

No TensorFlow.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence

from mdmt_tf.config import Config
from mdmt_tf.config.schema import SplitSection
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.experiments import protocol, start_heads

logger = logging.getLogger(__name__)

# Overrides that are not those of the fits that an experiment starts from.
_OF_ONE = ("experiment=", "run_dir=", "model.weights=")

# Keys of a split without meaning for its kind.
_NOT_OF_KIND = {
    "kfold": ("leave_out", "site_groups", "combine", "file"),
    "leave_one_site_out": ("folds", "validation", "file"),
    "file": ("folds", "validation", "leave_out", "site_groups", "combine"),
}


@dataclasses.dataclass(frozen=True)
class Part:
    """One fit outside the grid.

    Attributes:
        settings: of the fit, without its number of steps if it matches another one.
        matched: settings from which it takes its number of steps; None: none.
        starts: experiment -> weight of its backbone in the start; {}: the weights are
            those of the settings.
    """

    settings: Config
    matched: Config | None = None
    starts: Mapping[str, float] = dataclasses.field(default_factory=dict)


def parts_of(config: Config, overrides: Sequence[str] = ()) -> dict[str, Part]:
    """The fits that one experiment outside the grid takes, in their order.

    If `experiment` names an experiment of the benchmark, its fit comes last, with the
    backbone `model.backbone`, seed `seed` and fold `split.fold`, after the fits that it
    starts from. Otherwise there is the fit of the configuration itself.

    Args:
        config: with or without a section `benchmark`.
        overrides: `key.path=value` of the command line, already applied to `config`.
            They take precedence over `set` of the experiments. With `model.weights`
            among them, the experiment starts from these.
    Returns: name of the experiment -> its fit.
    Raises: ConfigError for an experiment that does not exist, or settings that do not
        fit together.
    """
    benchmark, name = config.benchmark, config.experiment
    if benchmark is None:
        return {name: Part(config)}
    keys = _keys_of(overrides)
    experiments = config.experiments.resolved
    if name not in experiments:
        if "experiment" not in keys:
            return {name: Part(config)}
        raise ConfigError(
            f"experiment = {name!r}: is not one of the experiments of the benchmark."
            f"{nearest(name, list(experiments))} Experiments: "
            f"{', '.join(experiments)}. To name the folder of a run, set run_dir."
        )
    grid = [_folds_of(section) for section in benchmark.cross_validation.values()]
    if config.split.kind != "file" and _folds_of(config.split) not in grid:
        logger.warning(
            "split is none of benchmark.cross_validation (%s): the folds are not "
            "those of the grid.",
            ", ".join(benchmark.cross_validation),
        )
    parts: dict[str, Part] = {}
    _add(name, parts, config, overrides)
    return parts


def _add(
    name: str, parts: dict[str, Part], config: Config, overrides: Sequence[str]
) -> None:
    """Add the fit of an experiment, and before it those that it starts from."""
    if name in parts:
        return
    section = config.experiments.resolved[name]
    starts = {} if "model.weights" in _keys_of(overrides) else section.start
    # These are of the experiment itself.
    others = [text for text in overrides if not text.startswith(_OF_ONE)]
    for other in starts:
        _add(other, parts, config, others)
    parts[name] = Part(
        _settings_of(name, config, overrides),
        _matched_settings(name, config, others),
        starts,
    )
    for other in starts:
        start_heads.check(parts[name].settings, parts[other].settings)


def _settings_of(name: str, config: Config, overrides: Sequence[str]) -> Config:
    plain, backbone = config.to_plain(), config.model.backbone
    section = config.experiments.resolved[name]
    chosen = plain["training"]["select_on"]["task"]
    answers = protocol.answers_of(section, plain)
    if name != config.experiment and chosen not in answers:
        # The experiment has another task, by which the protocol selects.
        overrides = [t for t in overrides if not t.startswith("training.select_on")]
    return protocol.settings_of_one(plain, config, name, backbone, overrides)


def _matched_settings(
    name: str, config: Config, overrides: Sequence[str]
) -> Config | None:
    """The settings of the experiment from which a fit takes its number of steps."""
    other = config.experiments.resolved[name].match
    if other is None or "training.steps" in _keys_of(overrides):
        return None
    # Its weights do not matter here.
    own = [text for text in overrides if not text.startswith("model.weights=")]
    return _settings_of(other, config, own)


def _keys_of(overrides: Sequence[str]) -> set[str]:
    return {text.partition("=")[0].strip() for text in overrides}


def _folds_of(split: SplitSection) -> dict:
    """The settings on which the folds depend, independent of the tested fold."""
    # More repeats add folds, and leave the others as they are.
    return split.model_dump(exclude={"fold", "repeats", *_NOT_OF_KIND[split.kind]})
