"""Whether heads can start from those of another experiment, before either is trained.

Afterwards, `models.weights.heads` compares their arrays. No TensorFlow.
"""

from mdmt_tf.config import Config
from mdmt_tf.errors import ConfigError
from mdmt_tf.tasks.alike import head_text


def check(settings: Config, start: Config) -> None:
    """Whether the heads of an experiment can start from those of another one.

    Args:
        settings: of the experiment.
        start: settings of the one that it starts from.
    Raises: ConfigError with `model.start_heads`, if they have no task in common, or one
        with different heads.
    """
    if not settings.model.start_heads:
        return
    own, its, other = _heads_of(settings), _heads_of(start), start.experiment
    where = (
        f"benchmark.experiments.{settings.experiment} ({settings.model.backbone}): "
        "model.start_heads = true"
    )
    common = [task for task in own if task in its]
    if not common:
        raise ConfigError(
            f"{where}: expected a task of {other!r}, from which it starts and which "
            f"trains {', '.join(its)}. Received: {', '.join(own)}. Train one in both, "
            "or set model.start_heads=false."
        )
    for task in common:
        if own[task] != its[task]:
            raise ConfigError(
                f"{where}: expected for {task!r} the head that it has in {other!r}, "
                f"from which it starts: {its[task]}. Received: {own[task]}. Set "
                f"model.heads, tasks.{task}.head and tasks.{task}.kind as there, or "
                "model.start_heads=false."
            )


def _heads_of(settings: Config) -> dict[str, str]:
    """Task -> its head, in words; see `models.multitask.build_model`."""
    is_serial = settings.model.heads == "serial"
    common = "mlp" if is_serial else settings.model.heads
    found = {
        task.name: f"{task.head or common} of {head_text(task)}"
        for task in settings.build_tasks()
    }
    first, *others = found
    if is_serial and others:
        found[first] += f" that sees those of {', '.join(sorted(others))}"
    return found
