"""The commented configuration of a new dataset, as text."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mdmt_tf.metrics.text import plural
from mdmt_tf.planning import plan
from mdmt_tf.planning.inspection import Inspection
from mdmt_tf.planning.joining import Base
from mdmt_tf.planning.labels import Label
from mdmt_tf.planning.lines import Lines, flow
from mdmt_tf.planning.tasks import TaskPlan, choose_selection, make_task_of, make_tasks
from mdmt_tf.screen.commands import portable

_MOST_COMMENTED = 12  # labels that are only possible


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the data are.

    Attributes:
        path: the file to write, for the commands in its comment.
        tables: as in the declaration, relative to the folder of the file.
        images: the folder, likewise.
    """

    path: str
    tables: Sequence[str | Mapping]
    images: str


def write(
    name: str,
    inspection: Inspection,
    data: plan.Data,
    places: Places,
    base: Base | None = None,
) -> str:
    """The text of a configuration that declares a dataset and trains on it.

    Args:
        name: name of the dataset.
        data: what the training settings follow from.
        places: where the data are.
        base: the configuration that the dataset joins; None for none.
    """
    lines = Lines()
    _head(lines, name, inspection, data, places.path, joined=base is not None)
    lines.space()
    if base is not None:
        why = "supplies every key that is not set here"
        lines.key(0, "base", base.reference, why)
    lines.key(0, "experiment", f"{name}_joined" if base else name)
    _dataset(lines, name, inspection, places)
    tasks = make_tasks(data.labels, name)
    if base is not None:
        tasks = [dataclasses.replace(t, name=base.free_task(t.name)) for t in tasks]
    _tasks(lines, tasks, name, base)
    if base is None:
        _training(lines, tasks, data)
        _benchmark(lines, name, tasks, inspection, data)
    else:
        _joined(lines, name, data, base)
    return str(lines)


def _head(lines: Lines, name, seen: Inspection, data, path: str, joined: bool) -> None:
    lines.comment(
        0,
        f"{name}: {plural(data.images, 'image')} of "
        f"{plural(data.patients, 'patient')}. Guessed by mdmt_tf.new from the table "
        "and the images; change what is wrong.",
    )
    lines.literal("")
    settings = ("--config", path, "data_dir=DATA")
    lines.literal(f"    {portable('prepare', path, '--data-dir', 'DATA')}")
    lines.literal(f"    {portable('train', *settings)}")
    look = "Lines with `unsure` need a look."
    if not joined:
        lines.literal(f"    {portable('benchmark', *settings)}")
        look = f"The last one trains all folds. {look}"
    lines.literal("")
    lines.comment(0, look)
    for text in [*seen.warnings, *plan.find_limits(data)]:
        lines.comment(0, f"Warning: {text}.", hang=2)


def _dataset(lines: Lines, name, seen: Inspection, places: Places) -> None:
    lines.space()
    lines.add(0, "dataset:")
    lines.key(2, "name", name)
    kinds = ", ".join(f"{n} {kind}" for kind, n in seen.images.kinds.most_common())
    about = f"a sample of the files: {kinds}"
    lines.key(2, "images", places.images, about)
    tables = list(places.tables)
    lines.key(2, "tables", tables[0] if len(tables) == 1 else tables)
    lines.add(2, "columns:")
    named = f"{seen.match.by} of {seen.match.n_files} files"
    lines.key(4, "image", seen.match.column, named)
    _role(lines, "patient", seen.patient)
    _role(lines, "site", seen.site)
    texts = ["", *(text for text in seen.unknown)]
    reasons = "; ".join(f"{t!r}: {why}" for t, why in seen.unknown.items())
    lines.key(2, "unknown", texts, reasons)
    for column, condition, reason in seen.conditions:
        lines.comment(2, f"keep: {{{flow(column)}: {condition}}}: {reason}", hang=2)
    lines.add(2, "labels:")
    for label in seen.used:
        _label(lines, label, seen.unknown, seen.unknown_of.get(label.name, {}))
    others = [label for label in seen.labels if label.against]
    if others:
        lines.comment(4, "Possible, but not used:")
    for label in others[:_MOST_COMMENTED]:
        lines.comment(4, f"{label.name}: {flow(_declared(label))}", hang=2)
        lines.comment(4, f"  {label.against}", hang=2)
    if len(others) > _MOST_COMMENTED:
        rest = ", ".join(label.column for label in others[_MOST_COMMENTED:])
        lines.comment(4, f"and the columns {rest}", hang=2)
    fields = [guess.column for guess in seen.fields]
    if fields:
        lines.key(2, "fields", fields, "for baselines and strata")
    sure = "" if seen.preprocess.sure else "unsure: "
    lines.key(2, "preprocess", seen.preprocess.value, sure + seen.preprocess.reason)
    if seen.left_out:
        why: dict[str, list[str]] = {}
        for column, reason in seen.left_out.items():
            why.setdefault(reason, []).append(column)
        text = "; ".join(f"{', '.join(names)} ({r})" for r, names in why.items())
        lines.comment(2, f"Columns without a role: {text}.", hang=2)


def _role(lines: Lines, key: str, guess) -> None:
    unsure = "" if guess.sure else "unsure: "
    if guess.column is None:
        lines.comment(4, f"{key}: {unsure}{guess.reason}", hang=2)
    else:
        lines.key(4, key, guess.column, unsure + guess.reason)


def _declared(label: Label, unknown: Iterable[str] = ()) -> dict:
    """A label as in the declaration."""
    value: dict[str, Any] = {"column": label.column}
    if label.event is not None:
        value["event"] = list(label.event)
    elif label.classes is None:
        value |= {"unit": label.unit} if label.unit else {}
    else:
        value["classes"] = label.classes
    if unknown:
        value["unknown"] = list(unknown)
    return value


def _label(lines: Lines, label: Label, everywhere: Mapping, own: Mapping) -> None:
    counts = ", ".join(f"{n} {name}" for name, n in label.patients.items())
    text = f"{label.reason}; "
    text += f"patients: {counts}" if counts else plural(label.n_patients, "patient")
    for marker, reason in own.items():
        text += f"; {marker} is unknown: {reason}"
    unknown = ["", *everywhere, *own] if own else ()
    unsure = "" if label.sure else "unsure: "
    lines.key(4, label.name, _declared(label, unknown), unsure + text)


def _tasks(lines: Lines, tasks: Sequence[TaskPlan], name, base: Base | None) -> None:
    lines.space()
    lines.add(0, "tasks:")
    for task, value in (base.tasks if base else {}).items():
        lines.key(2, task, value)
    for task in tasks:
        lines.key(2, task.name, task.value, task.reason)
        label = task.labels[0]
        if label.classes is None and len(set(label.quartiles)) == 3:
            other = {"kind": "ordinal", "cut_points": list(label.quartiles)}
            other["from"] = {name: label.name}
            lines.comment(2, f"or its quarters: {task.name}: {flow(other)}", hang=2)
        for alike in base.like(label) if base else ():
            shown = {**base.tasks[alike]["from"], name: label.name}
            lines.comment(
                2,
                f"unsure: the task {alike} looks alike. To train one head on both, "
                f"remove {task.name} and write in {alike}: from: {flow(shown)}",
                hang=2,
            )


def _training(lines: Lines, tasks: Sequence[TaskPlan], data: plan.Data) -> None:
    folds = plan.choose_folds(data.minority, data.patients)
    batch = plan.choose_batch_size(data, folds.value)
    epochs = plan.choose_epochs(data, folds.value, batch.value)
    lines.space()
    _set(lines, 0, "image_size", plan.choose_image_size(data))
    lines.space()
    lines.add(0, "split:")
    by = "by patient" + (", stratified by class" if data.minority is not None else "")
    lines.key(2, "kind", "kfold", by)
    _set(lines, 2, "folds", folds)
    if len(tasks) > 1:
        why = "strata of all tasks together would be too small"
        lines.key(2, "stratify_by", [tasks[0].name], why)
    kind, fraction = plan.choose_validation(folds.value)
    if kind == "fraction":
        why = "a whole fold would leave too few for training"
        lines.key(2, "validation", kind, why)
        lines.key(2, "validation_fraction", fraction)
    lines.space()
    lines.add(0, "model:")
    _set(lines, 2, "backbone", plan.choose_backbone(data))
    _set(lines, 2, "weights", plan.choose_weights(data))
    lines.space()
    lines.add(0, "pipeline:")
    _set(lines, 2, "weight_by", plan.choose_weight_by(data))
    _set(lines, 2, "augmentation", plan.choose_augmentation(data))
    lines.space()
    lines.add(0, "training:")
    _set(lines, 2, "epochs", epochs)
    _set(lines, 2, "batch_size", batch)
    _set(lines, 2, "learning_rate", plan.choose_learning_rate(data))
    _set(lines, 2, "warmup_epochs", plan.choose_warmup(epochs.value))
    _set(lines, 2, "patience", plan.choose_patience(epochs.value))
    _set(lines, 2, "select_on", choose_selection(tasks[0], folds.value))


def _set(lines: Lines, indent: int, key: str, setting: plan.Setting) -> None:
    lines.key(indent, key, setting.value, setting.reason)


def _benchmark(lines: Lines, name: str, tasks, seen: Inspection, data) -> None:
    names = [task.name for task in tasks]
    folds = plan.choose_folds(data.minority, data.patients).value
    kind, fraction = plan.choose_validation(folds)
    fold: dict[str, Any] = {"kind": "kfold", "folds": folds}
    if len(tasks) > 1:
        fold["stratify_by"] = [tasks[0].name]
    if kind == "fraction":
        fold |= {"validation": kind, "validation_fraction": fraction}
    lines.space()
    lines.comment(0, "All folds, for `python -m mdmt_tf.benchmark`.")
    lines.add(0, "benchmark:")
    lines.key(2, "backbones", [plan.choose_backbone(data).value])
    lines.key(2, "cross_validation", {"cv": fold})
    lines.add(2, "experiments:")
    if len(names) > 1:
        for task in names:
            lines.key(4, f"only_{task}", {"tasks": [task]})
    together = "together" if len(names) > 1 else "image"
    lines.key(4, together, {"tasks": names})
    chief = tasks[0]
    fields = [guess.column for guess in seen.fields]
    if fields and make_task_of(chief).baseline_problem() is None:
        lines.add(2, "baselines:", "without images: what the fields alone tell")
        lines.key(4, "fields", {"task": chief.name, "fields": {name: fields}})


def _joined(lines: Lines, name: str, data: plan.Data, base: Base) -> None:
    lines.space()
    why = "those of the base; the new one is added by its declaration"
    lines.key(0, "datasets", base.datasets, why)
    lines.space()
    lines.add(0, "pipeline:")
    why = f"{name} has {plural(data.images, 'image')}; the others may have many more"
    lines.key(2, "sampling", "balanced", why)
    _set(lines, 2, "weight_by", plan.choose_weight_by(data))
    if data.sides and base.flips:
        lines.key(2, "augmentation", {"flip_probability": 0}, data.sides)
    if data.sides and base.flip_averaging:
        lines.space()
        lines.add(0, "model:")
        why = "or the answers for both sides are mixed; see flip_probability"
        lines.key(2, "flip_averaging", False, why)
    lines.space()
    lines.add(0, "training:")
    why = "the task of the base; or one of the new ones"
    lines.key(2, "select_on", base.select_on, why)
