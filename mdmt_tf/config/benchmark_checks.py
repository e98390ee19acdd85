"""What the section `benchmark` must be, in itself and with the others."""

from collections.abc import Iterator

from mdmt_tf.config.model_checks import size_problems
from mdmt_tf.config.validation import Problem
from mdmt_tf.errors import nearest
from mdmt_tf.models.backbones.table import BACKBONES


def check_benchmark(sections: dict) -> Iterator[Problem]:
    """As the checks in `mdmt_tf.config.checks`; circles of `start` among them."""
    benchmark = sections.get("benchmark")
    if not benchmark or "benchmark" in sections["incomplete"]:
        return
    for name in benchmark.backbones:
        if name not in BACKBONES:
            known = sorted(BACKBONES)
            yield (
                ("benchmark", "backbones"),
                f": {name!r} is not a backbone.{nearest(name, known)} Known: "
                f"{', '.join(known)}.",
            )
        elif (size := sections.get("image_size")) is not None:
            path = ("benchmark", "backbones")
            yield from size_problems(size, BACKBONES[name], path)
    for name in benchmark.weights:
        if name not in benchmark.backbones:
            yield (
                ("benchmark", "weights", name),
                f": is none of the backbones: {', '.join(benchmark.backbones)}.",
            )
    for key in ("backbones", "seeds"):
        values = getattr(benchmark, key)
        if len(set(values)) < len(values):
            yield ("benchmark", key), f" = {list(values)}: one is there twice."
    tasks, known = list(sections.get("tasks") or ()), list(benchmark.experiments)
    for name, experiment in benchmark.experiments.items():
        path = ("benchmark", "experiments", name)
        for task in experiment.tasks:
            if tasks and task not in tasks:
                yield (
                    (*path, "tasks"),
                    f": {task!r} is not one of the tasks.{nearest(task, tasks)} Tasks: "
                    f"{', '.join(tasks)}.",
                )
        for other in experiment.start:
            if other not in known:
                yield (
                    (*path, "start"),
                    f": {other!r} is not one of the experiments.{nearest(other, known)}"
                    f" Experiments: {', '.join(known)}.",
                )
        total = sum(experiment.start.values())
        if experiment.start and abs(total - 1) > 1e-6:
            yield (
                (*path, "start"),
                f" = {experiment.start}: the shares sum to {total:g}, they must sum to "
                "1.",
            )
        if (circle := _circle(name, benchmark.experiments)) is not None:
            yield (
                (*path, "start"),
                f": goes round in a circle: {' from '.join(circle)}.",
            )
    if benchmark.candidate is not None and benchmark.candidate not in known:
        yield (
            ("benchmark", "candidate"),
            f" = {benchmark.candidate!r}: is not one of the experiments."
            f"{nearest(benchmark.candidate, known)} Experiments: {', '.join(known)}.",
        )
    yield from _problems_of_baselines(benchmark, sections)
    if benchmark.executor == "ray" and benchmark.address is None:
        yield (
            ("benchmark", "address"),
            ": missing; executor=ray needs that of a running Ray cluster, "
            "address=HOST:PORT.",
        )


def _problems_of_baselines(benchmark, sections) -> Iterator[Problem]:
    tasks = sections.get("tasks") or {}
    for name, baseline in benchmark.baselines.items():
        path = ("benchmark", "baselines", name)
        if name in benchmark.experiments:
            yield path, ": there is an experiment of this name."
        task = tasks.get(baseline.task)
        if tasks and task is None:
            yield (
                (*path, "task"),
                f" = {baseline.task!r}: is not one of the tasks."
                f"{nearest(baseline.task, list(tasks))} Tasks: {', '.join(tasks)}.",
            )
        elif task is not None and (
            problem := task.to_task(baseline.task).baseline_problem()
        ):
            yield (*path, "task"), f" = {baseline.task!r}: {problem}"
        elif task is not None and set(task.sources) != set(baseline.fields):
            yield (
                (*path, "fields"),
                f": expected fields of each dataset that feeds {baseline.task}: "
                f"{', '.join(task.sources)}. Received: {', '.join(baseline.fields)}.",
            )


def _circle(name: str, experiments: dict) -> list[str] | None:
    """The way from an experiment to itself along what starts from what."""
    ways = [[name]]
    while ways:
        way = ways.pop()
        for other in experiments[way[-1]].start if way[-1] in experiments else ():
            if other == name:
                return [*way, name]
            if other not in way:
                ways.append([*way, other])
    return None
