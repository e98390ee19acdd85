"""The settings of an experiment's fits, and the weights that each fit starts from.

`configs/paper.yaml` declares the four experiments of Ruffini et al. (MICCAI 2024):

    stl_prognosis, stl_severity  one task each, from ImageNet or random values
    ft    prognosis alone, a new head on the backbone of stl_severity of the same fold
    mdmt  both tasks, from beta * stl_prognosis + (1 - beta) * stl_severity, their
          backbones averaged variable by variable; beta = 0.5

The code knows none of them by name. An experiment consists of the tasks that it trains,
the weights of the backbones that it starts from, and other settings. No TensorFlow.
"""

import dataclasses
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mdmt_tf.config import Config, check, files
from mdmt_tf.config.data_sections import is_trained
from mdmt_tf.config.schema import BaselineSection, DerivedSection, ExperimentSection
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.experiments import start_heads
from mdmt_tf.experiments.identity import START
from mdmt_tf.metrics.table import selecting

# Where a fit's settings are set by the grid itself, not by an experiment's `set`.
_OWN = (
    *("benchmark", "data_dir", "dataset", "datasets", "derived", "experiment"),
    *("model.backbone", "phantoms", "run_dir", "seed", "split", "tasks"),
)

# What `benchmark.omit` may name, and the value that leaves it out.
_OMITTED = {"tensorboard": False, "saved_model": False, "saliency": 0}

# Keys of one task or one dataset that are the same for all experiments, so that the
# folds, the content of the data and the test labels are. A kind has the same labels.
_SHARED = {
    "tasks": ("classes", "cut_points", "descending", "from"),
    "datasets": ("config", "version", "data_dir", "auxiliary", "patients"),
}


@dataclasses.dataclass(frozen=True)
class Fit:
    """One model to train, or one baseline to fit.

    Attributes:
        name: of its folder: experiment, backbone, seed, first digits of the identity.
        identity: SHA-256 of all that its result depends on: settings, data, the lists
            of its split, and the identities of the fits that it starts from. Equal
            exactly when a result can be used again.
        split: (validation, fold) of the file with its lists.
        starts: name of a fit -> the weight of its backbone in the average to start
            from.
        settings: of the fit, without its paths; None for a baseline.
        baseline: settings of a baseline, else None.
        digest: of its settings, as its identity has it.
        lists: hash of the lists of its fold.
    """

    name: str
    identity: str
    split: tuple[str, int]
    starts: Mapping[str, float]
    settings: Config | None = None
    baseline: BaselineSection | None = None
    digest: str = ""
    lists: str | None = None


def settings_of_all(
    config: Config, with_files: bool = True
) -> dict[tuple[str, str], Config]:
    """(experiment, backbone) -> the settings of its fits in the grid.

    Args:
        config: with a section `benchmark`.
        with_files: whether missing files are problems, such as data to be prepared.
    Raises: ConfigError as `settings_of`, and for heads that cannot start from those of
        the experiment to start from.
    """
    experiments = config.experiments.resolved
    made = {
        (name, backbone): settings_of(config, name, backbone, with_files)
        for name in experiments
        for backbone in config.benchmark.backbones
    }
    for (name, backbone), settings in made.items():
        for other in experiments[name].start:
            start_heads.check(settings, made[other, backbone])
    return made


def check_experiments(config: Config) -> None:
    """Find what is wrong with the settings of any fit, before data are prepared.

    Args:
        config: with a section `benchmark`.
    Raises: ConfigError as `settings_of_all`.
    """
    settings_of_all(config, with_files=False)


def settings_of(
    config: Config, experiment: str, backbone: str, with_files: bool = True
) -> Config:
    """The settings of an experiment's fits in the grid, with one backbone.

    Keeps the experiment's tasks and the datasets that it reads, and applies `set`. The
    task of `training.select_on` chooses the epoch if the experiment has it, otherwise
    the first task does, by the loss if it does not have that metric. The grid sets
    seed, split, start, and the number of steps of an experiment that matches another
    one.

    Args:
        config: with a section `benchmark`.
        experiment: a key of `Experiments.resolved`.
        backbone: name of a backbone.
        with_files: whether missing files are problems.
    Raises: ConfigError for settings that do not fit together; it names the experiment.
    """
    plain = config.to_plain()
    # The grid prepares the data; a fit finds them prepared.
    plain["phantoms"] = None
    for part in config.benchmark.omit:
        plain["training"][part] = _OMITTED[part]
    return settings_of_one(plain, config, experiment, backbone, with_files=with_files)


def settings_of_one(
    plain: dict,
    config: Config,
    experiment: str,
    backbone: str,
    overrides: Sequence[str] = (),
    with_files: bool = True,
) -> Config:
    """The checked settings of one experiment, from the plain settings of `config`."""
    section = config.experiments.resolved[experiment]
    plain["experiment"] = experiment
    plain["model"]["backbone"] = backbone
    # A placeholder for files that do not exist yet.
    weights = START if section.start else start_of(config, backbone)
    plain["model"]["weights"] = weights
    if plain["training"]["select_on"]["task"] not in answers_of(section, plain):
        _select_by(section.tasks[0], plain, config)
    for key, value in section.settings.items():
        _assign(plain, key, value, experiment, section.tasks)
    for name in section.null:
        plain["tasks"][name]["permute"] = True
    for text in overrides:
        files.override(plain, {}, text)
    plain["tasks"] |= _tasks_of(section, plain)
    _leave_untrained(section.tasks, plain)
    if len(section.start) > 1 and plain["model"].get("start_heads"):
        raise ConfigError(
            f"benchmark.experiments.{experiment}: model.start_heads = true: the heads "
            f"of {', '.join(section.start)} are not averaged. Start from one "
            "experiment, or set model.start_heads=false."
        )
    # The placeholder does not tell that several backbones are averaged.
    if len(section.start) > 1 and plain["training"].get("recalibrate") is None:
        plain["training"]["recalibrate"] = True
    _select_a_trained_task(plain, section, config)
    # `base` is not a setting, but may be among the overrides.
    plain.pop("base", None)
    del plain["benchmark"], plain["study"]
    _keep_only(section.tasks, plain, config)
    where = f"benchmark.experiments.{experiment} ({backbone})"
    return check(plain, where, with_files=with_files)


def _leave_untrained(tasks: Sequence[str], plain: dict) -> None:
    """Give tasks the fraction 0 if no dataset that feeds them is trained with."""
    for name in tasks:
        task = plain["tasks"][name]
        read = [plain["datasets"].get(other, {}) for other in task["from"]]
        if not is_trained(1, [section.get("fraction", 1) for section in read]):
            task["fraction"] = 0


def _tasks_of(section: ExperimentSection, plain: dict) -> dict[str, dict]:
    """The sections of an experiment's tasks, fed by the datasets that it reads."""
    tasks = {name: plain["tasks"][name] for name in section.tasks}
    if section.datasets is None:
        return tasks
    return {
        name: task | {"from": _among(task["from"], section.datasets)}
        for name, task in tasks.items()
    }


def _derived_from(tasks: Mapping[str, dict], plain: dict) -> dict[str, dict]:
    """The sections of the derived answers of tasks, fed by a dataset of all."""
    found = {}
    for name, section in plain["derived"].items():
        if set(section["sum"]) <= set(tasks):
            feeding = [set(tasks[term]["from"]) for term in section["sum"]]
            if set.intersection(*feeding):
                # What it is compared with is another experiment's.
                found[name] = section | {"of": None}
    return found


def answers_of(section: ExperimentSection, plain: dict) -> set[str]:
    """The names of an experiment's tasks, and of the answers derived from them."""
    return _names_of_answers(_tasks_of(section, plain), plain)


def _names_of_answers(tasks: Mapping[str, dict], plain: dict) -> set[str]:
    sections = _derived_from(tasks, plain).items()
    made = [DerivedSection.model_validate(own).names(name) for name, own in sections]
    return {*tasks, *itertools.chain(*made)}


def _select_a_trained_task(
    plain: dict, section: ExperimentSection, config: Config
) -> None:
    """Select by a task that has labels, if the fraction of the selecting one is 0."""
    tasks = _tasks_of(section, plain)
    trained = {n: task for n, task in tasks.items() if task.get("fraction") != 0}
    untrained = _names_of_answers(tasks, plain) - _names_of_answers(trained, plain)
    if trained and plain["training"]["select_on"]["task"] in untrained:
        _select_by(next(iter(trained)), plain, config)


def _select_by(name: str, plain: dict, config: Config) -> None:
    """Select by another task: by the same metric if it has it, else by the loss."""
    chosen = plain["training"]["select_on"]
    chosen["task"] = name
    if chosen["metric"] not in selecting(config.tasks[name].to_task(name)):
        chosen["metric"] = "loss"


def _keep_only(names: Sequence[str], plain: dict, config: Config) -> None:
    """Remove the other tasks and their datasets, but keep what the split is made of.

    The folds of a dataset depend on the classes of the tasks in `stratify_by`, or of
    all that it feeds, on the sites of the datasets of which some are left out, and on
    datasets that have the same patients.
    """
    every = config.to_plain()
    tasks = {name: plain["tasks"][name] for name in names}
    used = {source for task in tasks.values() for source in task["from"]}
    of_split = used | set(config.split.leave_out)
    names = {config.patients[name] for name in of_split & set(config.patients)}
    of_split |= {other for other, own in config.patients.items() if own in names}
    by = config.split.stratify_by
    strata = {
        name: task
        for name, task in every["tasks"].items()
        if (name in by if by else of_split & set(task["from"]))
    }
    own = [(name, task) for name, task in tasks.items() if name in by or not by]
    plain["derived"] = _derived_from(tasks, plain)
    plain["tasks"] = tasks
    plain["datasets"] = _among(plain["datasets"], used)
    if not any(name in config.drawn_datasets for name in of_split):
        plain["phantoms"] = None
    plain["split"]["whole"] = (
        None
        if list(strata.items()) == own and of_split == used
        else {"tasks": strata, "datasets": _among(every["datasets"], of_split)}
    )


def _among(facts: dict, names: Collection[str]) -> dict:
    return {name: value for name, value in facts.items() if name in names}


def start_of(config: Config, backbone: str) -> str | dict | None:
    """`model.weights` of the experiments that do not start from another one."""
    return config.benchmark.weights.get(backbone, config.model.weights)


def weights_to_locate(config: Config) -> list[tuple[str, str | Mapping[str, float]]]:
    """(backbone, weights) of all networks that do not start from other fits."""
    experiments = config.experiments.resolved
    found = [
        (backbone, settings.model.weights)
        for (name, backbone), settings in settings_of_all(config, False).items()
        if not experiments[name].start
    ]
    # Only baselines of features have a backbone.
    found += [(b.backbone, b.weights) for b in config.benchmark.baselines.values()]
    pairs = [pair for pair in found if all(pair)]
    return [pair for n, pair in enumerate(pairs) if pair not in pairs[:n]]


def _assign(
    plain: dict, key: str, value: Any, experiment: str, tasks: Sequence[str]
) -> None:
    path, where = key.split("."), f"benchmark.experiments.{experiment}.set: {key}"
    _check_key(path, where, tasks, list(plain["datasets"]))
    for step in path[:-1]:
        plain = plain.setdefault(step, {})
        if not isinstance(plain, dict):
            raise ConfigError(f"{where}: {step} has no keys of its own.")
    plain[path[-1]] = value


def _check_key(
    path: Sequence[str], where: str, tasks: Sequence[str], datasets: Sequence[str]
) -> None:
    """Whether an experiment may set a key.

    An experiment may change how it is trained with its tasks and datasets, but neither
    which they are nor what they are made of.
    """
    section, name = path[0], path[1] if len(path) > 1 else ""
    if section not in _SHARED or len(path) < 3:
        if any(_is_part(own.split("."), path) for own in _OWN):
            raise ConfigError(
                f"{where} is set by the grid itself. Not to be set here: "
                f"{', '.join(_OWN)}."
            )
    elif section == "tasks" and name not in tasks:
        raise ConfigError(
            f"{where}: the experiment does not train this task, only "
            f"{', '.join(tasks)}."
        )
    elif section == "datasets" and name not in datasets:
        raise ConfigError(
            f"{where}: {name!r} is not one of the datasets.{nearest(name, datasets)} "
            f"Datasets: {', '.join(datasets)}."
        )
    elif path[2] in (shared := _SHARED[section]):
        raise ConfigError(
            f"{where}: {', '.join(shared)} are those of all experiments, which read "
            f"and test the same data. Set {'.'.join(path)} outside of the experiment."
        )


def _is_part(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one of two keys is below the other, or the same."""
    common = min(len(one), len(other))
    return list(one[:common]) == list(other[:common])
