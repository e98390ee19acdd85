"""What several settings must be together.

Each check works on what is right by itself, and is silent where it needs more: a
section may be missing, and `sections["incomplete"]` names those with wrong entries.
"""

from collections.abc import Iterator
from pathlib import Path

from mdmt_tf.config.model_checks import check_model, check_size
from mdmt_tf.config.validation import Problem
from mdmt_tf.errors import nearest
from mdmt_tf.imaging import preprocess
from mdmt_tf.metrics.table import selecting


def _check_tasks(sections: dict) -> Iterator[Problem]:
    for name, section in (sections.get("tasks") or {}).items():
        for key, text in section.to_task(name).problems():
            yield ("tasks", name, *key), text


def _check_oversampling(sections: dict) -> Iterator[Problem]:
    by_dataset: dict[str, str] = {}
    for name, task in (sections.get("tasks") or {}).items():
        path = ("tasks", name, "oversample")
        if not task.oversample:
            continue
        if task.class_weights is not None:
            yield (
                path,
                ": class_weights balances the classes already; leave out one of them.",
            )
        for source in task.sources:
            other = by_dataset.setdefault(source, name)
            if other != name:
                yield (
                    path,
                    f": dataset {source!r} is oversampled for {other!r} already; its "
                    "rows can be drawn by the classes of one task only.",
                )


def _check_feeding(sections: dict) -> Iterator[Problem]:
    tasks, datasets = sections.get("tasks"), sections.get("datasets")
    if not tasks or not datasets:
        return
    known = list(datasets)
    for name, task in tasks.items():
        for source in task.sources:
            if source not in known:
                yield (
                    ("tasks", name, "from", source),
                    f": is not one of the datasets.{nearest(source, known)} Listed "
                    f"under `datasets`: {', '.join(known)}.",
                )
        if not task.sources:
            yield (
                ("tasks", name, "from"),
                ": no dataset feeds this task. Name one and its label field, or remove "
                "the task.",
            )
    if "tasks" in sections["incomplete"]:
        return  # A task that is wrong may be the one that a dataset feeds.
    fed = {source for task in tasks.values() for source in task.sources}
    for name in known:
        if name not in fed:
            yield (
                ("datasets", name),
                ": feeds no task, so its images would be trained for nothing. Name it "
                "in the `from` of a task, or remove it.",
            )


def _check_selection(sections: dict) -> Iterator[Problem]:
    tasks, training = sections.get("tasks"), sections.get("training")
    if not tasks or not training:
        return
    chosen, known = training.select_on, list(tasks)
    if chosen.task not in tasks:
        if "tasks" not in sections["incomplete"]:
            yield (
                ("training", "select_on", "task"),
                f" = {chosen.task!r}: is not one of the tasks."
                f"{nearest(chosen.task, known)} Tasks: {', '.join(known)}.",
            )
        return
    task = tasks[chosen.task].to_task(chosen.task)
    metrics = selecting(task)
    if chosen.metric not in metrics:
        yield (
            ("training", "select_on", "metric"),
            f" = {chosen.metric!r}: unknown for a {task.kind} task."
            f"{nearest(chosen.metric, metrics)} Known: {', '.join(metrics)}.",
        )


def _check_training(sections: dict) -> Iterator[Problem]:
    training = sections.get("training")
    if (
        training
        and "training" not in sections["incomplete"]
        and training.warmup_epochs >= training.epochs
    ):
        yield (
            ("training", "warmup_epochs"),
            f" = {training.warmup_epochs}: no epoch is selected during the warm-up, so "
            f"it must be less than training.epochs = {training.epochs}.",
        )


def _check_split(sections: dict) -> Iterator[Problem]:
    benchmark = sections.get("benchmark")
    splits = {("split",): sections["split"]} if sections.get("split") else {}
    for name, split in (benchmark.cross_validation if benchmark else {}).items():
        splits["benchmark", "cross_validation", name] = split
    datasets, tasks = (list(sections.get(key) or ()) for key in ("datasets", "tasks"))
    for path, split in splits.items():
        yield from _problems_of_split(split, path, datasets)
        for name in split.stratify_by:
            if tasks and name not in tasks:
                yield (
                    (*path, "stratify_by"),
                    f": {name!r} is not one of the tasks.{nearest(name, tasks)} Tasks: "
                    f"{', '.join(tasks)}.",
                )


def _problems_of_split(split, path, datasets) -> Iterator[Problem]:
    if split.kind == "kfold" and split.fold >= split.folds:
        yield (
            (*path, "fold"),
            f" = {split.fold}: there is no such fold; with split.folds = {split.folds} "
            f"they are 0 to {split.folds - 1}.",
        )
    if split.kind == "leave_one_site_out" and not split.leave_out:
        yield (
            (*path, "leave_out"),
            ": leave_one_site_out needs the datasets whose sites are left out in turn, "
            "for example split.leave_out=[aiforcovid].",
        )
    for name in split.leave_out:
        if datasets and name not in datasets:
            yield (
                (*path, "leave_out"),
                f": {name!r} is not one of the datasets.{nearest(name, datasets)}",
            )
    if split.kind == "file" and split.file is None:
        yield (
            (*path, "file"),
            ": missing; split.kind = file needs the path of a file of lists.",
        )
    if split.file is not None and not Path(split.file).is_file():
        yield (*path, "file"), f" = {split.file!r}: no such file."


def _check_data(sections: dict) -> Iterator[Problem]:
    data_dir, datasets = sections.get("data_dir"), sections.get("datasets") or {}
    phantoms = sections.get("phantoms")
    if phantoms is not None:
        for name, section in datasets.items():
            if not getattr(phantoms, f"{name}_patients", 0):
                yield (
                    ("datasets", name),
                    f": no phantoms of it are asked for. Set phantoms.{name}_patients "
                    "for one of the datasets that have builders, or phantoms=null and "
                    "data_dir=PATH to read real data.",
                )
            try:
                preprocess.parse(section.config)
            except ValueError as error:
                yield ("datasets", name, "config"), f": {error}."
    elif data_dir is None:
        yield (
            ("data_dir",),
            ": missing. Expected the folder that `python -m mdmt_tf.prepare` filled: "
            "data_dir=PATH.",
        )
    elif not Path(data_dir).is_dir():
        yield (
            ("data_dir",),
            f" = {data_dir!r}: no such folder. Fill it with `python -m "
            "mdmt_tf.prepare NAME --manual-dir ... --data-dir ...`.",
        )


CHECKS = (
    _check_data,
    _check_tasks,
    _check_oversampling,
    _check_feeding,
    _check_split,
    check_model,
    check_size,
    _check_selection,
    _check_training,
)
