"""`benchmark.yaml`: the settings of a benchmark folder, as it was run."""

import pydantic

from mdmt_tf.config import files
from mdmt_tf.config.experiment_sections import Feeding
from mdmt_tf.config.experiments import Experiments
from mdmt_tf.config.schema import BenchmarkSection, DerivedSection, TaskSection
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.storage import BENCHMARK, require_folder
from mdmt_tf.tasks import Answer


def read_settings(folder: Folder) -> tuple[str, dict[str, Answer], Experiments]:
    """Name of the benchmark, its tasks and derived answers by name, and its settings.

    Raises: DataError when it is not a benchmark folder, or the file is damaged.
    """
    require_folder(folder.path, BENCHMARK)
    path = folder.settings
    try:
        values, _ = files.read(str(path))
    except ConfigError as error:
        raise DataError(f"{error} The folder is damaged: run it again.") from error
    missing = [
        key for key in ("experiment", "tasks", "benchmark") if not values.get(key)
    ]
    if missing:
        raise DataError(
            f"{path}: expected the keys experiment, tasks and benchmark. Missing or "
            f"empty: {', '.join(missing)}. Is it the settings of a single run?"
        )
    try:
        tasks = {
            name: TaskSection.model_validate(section).to_task(name)
            for name, section in values["tasks"].items()
        }
        answers = {
            answer.name: answer
            for name, section in (values.get("derived") or {}).items()
            for answer in DerivedSection.model_validate(section).answers(name, tasks)
        }
        # Files that the splits were read from may be gone.
        benchmark = BenchmarkSection.model_validate(
            values["benchmark"], context={"with_files": False}
        )
        auxiliary = [
            name
            for name, section in (values.get("datasets") or {}).items()
            if (section or {}).get("auxiliary")
        ]
    except (pydantic.ValidationError, AttributeError, KeyError) as error:
        raise DataError(
            f"{path}: not the settings of a benchmark: {error} Written by another "
            "version of mdmt_tf?"
        ) from error
    _check_tasks(folder, tasks, benchmark)
    sources = {name: tuple(task.sources) for name, task in tasks.items()}
    experiments = Experiments(benchmark, Feeding(sources, frozenset(auxiliary)))
    return str(values["experiment"]), tasks | answers, experiments


def read_weights(folder: Folder, benchmark: BenchmarkSection) -> dict[str, str]:
    """Backbone -> the weights that its fits begin with, without random ones.

    Args:
        folder: whose `read_settings` has raised no error.
        benchmark: its settings.
    """
    values, _ = files.read(str(folder.settings))
    usual = (values.get("model") or {}).get("weights")
    found = {name: benchmark.weights.get(name, usual) for name in benchmark.backbones}
    return {
        name: weights if isinstance(weights, str) else ", ".join(weights)
        for name, weights in found.items()
        if weights
    }


def _check_tasks(folder: Folder, tasks, benchmark: BenchmarkSection) -> None:
    named = {task for e in benchmark.experiments.values() for task in e.tasks}
    named |= {baseline.task for baseline in benchmark.baselines.values()}
    if unknown := sorted(named - set(tasks)):
        raise DataError(
            f"{folder.settings}: experiments name the tasks "
            f"{', '.join(unknown)}; tasks has {', '.join(tasks)}. The file is damaged."
        )
