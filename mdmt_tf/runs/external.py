"""What external validation needs to know before an image is read. No TensorFlow."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mdmt_tf.data.sources import (
    PreparedDataset,
    prepared_configs,
    prepared_datasets,
)
from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.runs import digests
from mdmt_tf.runs.declared_tasks import Field, read_tasks
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.screen.commands import command
from mdmt_tf.tasks import Answer, Derived
from mdmt_tf.tasks.alike import answers_text, are_alike
from mdmt_tf.tasks.derived import divide
from mdmt_tf.tasks.fields import exchanged_tasks, repeated_terms

# The value of the column `split` for rows of other datasets.
EXTERNAL = "external"
# The file of an external validation that names the runs and the data.
MANIFEST = "manifest.json"
# Its table with calibrated probabilities; not of numbers alone.
CALIBRATED = "predictions_calibrated.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """Runs, and a dataset that they have not seen.

    Attributes:
        runs: finished runs with the same tasks, such as folds or seeds.
        tasks: tasks and derived answers of the first run.
        preprocessings: names of the preprocessing of the images that all runs were
            trained with.
        dataset: name of the dataset.
        declaration: YAML file that declares it; None: it is prepared already.
        manual_dir: folder of its tables and images; None: that of the YAML file.
        data_dir: folder of prepared datasets.
        labels: task -> label field, as given; empty: they are chosen, see
            `choose_labels`.
        declared: likewise, as the YAML file has it.
        out: folder to write to.
        overwrite: whether to replace the folder.
        statistics_of: dataset of the runs as whose images all are normalised, for runs
            in which each dataset has its own statistics; None: that of the name
            `dataset`, or what the runs serve to images of no dataset.
        allow_identical: whether images may be equal to images of the training.
    """

    runs: tuple[RunFolder, ...]
    tasks: tuple[Answer, ...]
    preprocessings: tuple[str, ...]
    dataset: str
    declaration: str | None
    manual_dir: str | None
    data_dir: str
    labels: Mapping[str, Field]
    declared: Mapping[str, Field]
    out: Path
    overwrite: bool = False
    statistics_of: str | None = None
    allow_identical: bool = False

    @property
    def run_names(self) -> list[str]:
        """A name of each run for tables: its folder's, or its path."""
        names = [run.path.resolve().name for run in self.runs]
        if len(set(names)) < len(names):
            return [str(run.path) for run in self.runs]
        return names


def make_request(
    runs: Sequence[RunFolder],
    on: str,
    data_dir: str | None,
    *,
    manual_dir: str | None = None,
    labels: Sequence[str] = (),
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
    statistics_of: str | None = None,
    allow_identical: bool = False,
) -> Request:
    """Check what was given, and complete it.

    Args:
        runs: one run or more.
        on: name of a prepared dataset, or the path of a YAML file that declares one.
        data_dir: folder of prepared datasets.
        manual_dir: folder of the tables and images of a declared dataset; None: that of
            the file. If the dataset is prepared, they may be missing.
        labels: "task=field"; a vector of labels is "task=field,field,...".
        out: folder to write to; None: `external/<dataset>` in the folder of the run.
        overwrite: whether `out` may exist; it is replaced when the new one is complete.
        statistics_of, allow_identical: see `Request`.
    Raises: DataError for a run that is not finished; ConfigError for anything else.
    """
    tasks, preprocessings = _common(runs)
    if data_dir is None:
        raise ConfigError(
            "--data-dir: missing. Expected the folder of the prepared datasets, in "
            f"which {on} is or shall be prepared."
        )
    declaration = on if _is_file(on) else None
    if declaration and not Path(on).is_file():
        raise ConfigError(
            f"--on {on}: no such file. Expected a YAML file that declares a dataset, "
            "or the name of a prepared one."
        )
    if manual_dir is not None and not declaration:
        raise ConfigError(
            f"--manual-dir {manual_dir}: is for a YAML file that declares a dataset; "
            f"--on {on} is no file. Leave it out, or give the file."
        )
    known = {} if labels else {task.name: task for task in tasks}
    name, declared = read_tasks(on, known) if declaration else (on, {})
    if out is None:
        many = "" if len(runs) == 1 else f"_{len(runs)}_runs"
        out = runs[0].path / "external" / f"{name}{many}"
    if not overwrite and os.path.lexists(out):
        raise ConfigError(
            f"{out} exists and is not overwritten. Choose another folder (--out DIR), "
            "or replace it (--overwrite)."
        )
    if overwrite:
        _check_replaceable(Path(out))
    return Request(
        runs=tuple(runs),
        tasks=tasks,
        preprocessings=preprocessings,
        dataset=name,
        declaration=declaration,
        manual_dir=manual_dir,
        data_dir=os.fspath(data_dir),
        labels=_parse_labels(labels, tasks),
        declared=declared,
        out=Path(out),
        overwrite=overwrite,
        statistics_of=statistics_of,
        allow_identical=allow_identical,
    )


def _check_replaceable(out: Path) -> None:
    """Refuse to replace anything but an earlier external validation."""
    if not os.path.lexists(out):
        return
    is_folder = out.is_dir() and not out.is_symlink()
    if is_folder and not any(out.iterdir()):
        return
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        manifest = None
    keys = set(manifest) if isinstance(manifest, dict) else set()
    if not is_folder or not {"runs", "dataset"} <= keys:
        raise ConfigError(
            f"{out}: is not the folder of an external validation, so it is not "
            "replaced (--overwrite), with all that is in it. Choose another folder "
            "(--out DIR)."
        )


def choose_labels(request: Request, dataset: PreparedDataset) -> dict[str, Field]:
    """The label field of each task that can be evaluated.

    Those of `Request.labels`, and no others, if there are any. Otherwise, for each
    task, the first of: the field that the YAML file declares; the one that the run
    itself has for a dataset of this name; a field with the name of the task; the only
    field of a dataset of the run that this dataset has, too.

    A derived answer needs no field where all of its tasks have one. It has a field only
    if that is given, declared, or has its name.

    Raises: ConfigError when there is none for any task; it lists the fields.
    """
    if request.labels:
        return _checked(request, dataset, dict(request.labels))
    found = {}
    for task in request.tasks:
        field = request.declared.get(task.name) or _own_field(task, dataset)
        if field is not None:
            found[task.name] = field
    if not found:
        fields = sorted(dataset.table)
        hints = (nearest(task.name, fields) for task in request.tasks)
        first = request.tasks[0].name
        raise ConfigError(
            f"dataset {dataset.name!r}: no label for "
            f"{', '.join(task.name for task in request.tasks)}."
            f"{next((hint for hint in hints if hint), '')} Its fields: "
            f"{', '.join(fields)}. Give the field: --labels {first}=FIELD."
        )
    return _checked(request, dataset, found)


def not_judged(
    request: Request, dataset: str, evaluated: Sequence[Answer]
) -> dict[str, Any]:
    """What the runs answer and nobody can judge.

    Args:
        request: its tasks are those of the runs.
        dataset: name of the dataset.
        evaluated: tasks and derived answers with a label.
    Returns: names of the "answers" and a sentence "text" on them; {} without any.
    """
    names = {answer.name for answer in evaluated}
    left = [answer for answer in request.tasks if answer.name not in names]
    if not left:
        return {}
    listed = ", ".join(answer.name for answer in left)
    text = f"Not judged, because --labels does not name it: {listed}."
    if not request.labels:
        options = ", ".join(
            f"{answer.name} (--labels {answer.name}=FIELD{',...' * bool(shape)})"
            for answer in left
            for shape in [answer.label_shape]
        )
        text = (
            f"Not judged, because {dataset} has no label of it: {options}. If --labels "
            "names one, it has to name all that are to be judged."
        )
    return {"answers": [answer.name for answer in left], "text": text}


def _checked(request: Request, dataset: PreparedDataset, found: dict) -> dict:
    """Refuse fields that cannot be those of the labels, or are those of others."""
    derived = divide(request.tasks)[1]
    tasks, made = divide(fed_by(request.tasks, dataset.name, found))
    for task in tasks:
        for key, text in task.problems():
            if key[0] == "from":
                raise ConfigError(f"the label of {task.name}{text}")
    for name, text in exchanged_tasks(tasks, dataset.name):
        raise ConfigError(f"the label of {name} = {found[name]!r}: {text}.")
    for answer in made:
        terms = [task for task in tasks if task.name in answer.terms]
        if answer.name not in found and (text := repeated_terms(terms, dataset.name)):
            raise ConfigError(f"the label of {answer.name}, a sum: {text}.")
    for answer in derived:
        field = found.get(answer.name, "")
        if not isinstance(field, str):
            raise ConfigError(
                f"the label of {answer.name} = {list(field)}: expected one field with "
                "the sum, or the fields of its tasks: --labels "
                f"{' '.join(f'{name}=FIELD' for name in answer.terms)}."
            )
    return found


def fed_by(
    answers: Sequence[Answer], dataset: str, fields: Mapping[str, Field]
) -> tuple[Answer, ...]:
    """The tasks with a label field, fed by one dataset, and what follows from them.

    Args:
        answers: tasks, and derived answers, of a run.
        dataset: name of the dataset.
        fields: task or derived answer -> its label field.
    """
    tasks, derived = divide(answers)
    fed = [
        dataclasses.replace(one, sources={dataset: fields[one.name]})
        for one in tasks
        if one.name in fields
    ]
    for one in derived:
        if one.name in fields:
            fed.append(dataclasses.replace(one, sources={dataset: fields[one.name]}))
        elif (made := one.fed_as(fed)) is not None:
            fed.append(made)
    return tuple(fed)


def _own_field(task: Answer, dataset: PreparedDataset) -> Field | None:
    if isinstance(task, Derived):
        return task.name if task.name in dataset.table else None
    if dataset.name in task.sources:
        return task.sources[dataset.name]
    if task.name in dataset.table:
        return task.name
    there = {
        field
        for field in task.sources.values()
        if {*([field] if isinstance(field, str) else field)} <= set(dataset.table)
    }
    return there.pop() if len(there) == 1 else None


def _common(runs: Sequence[RunFolder]) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """Tasks and preprocessing that all runs have."""
    seen: dict[Path, RunFolder] = {}
    for run in runs:
        run.require_finished()
        if run.path.resolve() in seen:
            raise ConfigError(f"{run.path} is given twice; it would count twice.")
        seen[run.path.resolve()] = run
    settings = [run.settings() for run in runs]
    tasks = [
        run.read_answers(config) for run, config in zip(runs, settings, strict=True)
    ]
    for run, own in zip(runs[1:], tasks[1:], strict=True):
        if not are_alike(own, tasks[0]):
            raise ConfigError(
                f"{run.path} and {runs[0].path} do not have the same tasks, so their "
                f"predictions have no mean. Expected {answers_text(tasks[0])}. "
                f"Received: {answers_text(own)}. Evaluate them one by one."
            )
    _check_copies(runs)
    names = [
        tuple(
            dict.fromkeys(dataset.config for dataset in config.tested_datasets.values())
        )
        for config in settings
    ]
    common = tuple(name for name in names[0] if all(name in own for own in names))
    if not common:
        trained = "; ".join(
            f"{run.path}: {', '.join(own)}"
            for run, own in zip(runs, names, strict=True)
        )
        raise ConfigError(
            "the runs were trained with images of different preprocessing, so no "
            f"dataset fits all of them ({trained}). Evaluate them one by one."
        )
    return tasks[0], common


def _check_copies(runs: Sequence[RunFolder]) -> None:
    """Refuse runs with the same weights; missing ones are an error of the opening."""
    found = []
    for run in runs:
        if run.best_weights.is_file():
            found.append((run.path, digests.digest_of(run.best_weights)))
        elif (run.saved_model / "variables").is_dir():
            found.append((run.path, digests.digest_of(run.saved_model)))
    digests.check_distinct(found)


def _is_file(on: str) -> bool:
    return on.endswith((".yaml", ".yml")) or Path(on).is_file()


def _parse_labels(texts: Sequence[str], tasks: Sequence[Answer]) -> dict[str, Field]:
    known = {task.name: task for task in tasks}
    found: dict[str, Field] = {}
    for text in texts:
        name, equals, field = text.partition("=")
        if not (name and equals and field):
            raise ConfigError(
                f"--labels {text}: expected TASK=FIELD, for example "
                f"{tasks[0].name}=died."
            )
        if name not in known:
            raise ConfigError(
                f"--labels {text}: {name!r} is not a task of the run."
                f"{nearest(name, known)} Known: {', '.join(known)}."
            )
        if name in found:
            raise ConfigError(f"--labels {text}: {name} has a label field already.")
        parts = tuple(field.split(","))
        found[name] = parts if len(parts) > 1 else field
    return found


def choose_preprocessing(request: Request) -> str:
    """The preprocessing in which the dataset is read: that of the training.

    Raises: DataError when the dataset is prepared otherwise, or not at all; it has the
        command to prepare it.
    """
    prepared = prepared_configs(request.data_dir, request.dataset)
    fitting = [name for name in request.preprocessings if name in prepared]
    if fitting:
        return fitting[0]
    wanted = request.preprocessings[0]
    there = f"is prepared as {', '.join(prepared)}."
    if not prepared:
        known = prepared_datasets(request.data_dir)
        there = f"is not prepared.{nearest(request.dataset, known)}"
    prepare = command(
        "prepare",
        request.dataset,
        *("--manual-dir", "FOLDER", "--data-dir", request.data_dir, "--config", wanted),
    )
    raise DataError(
        f"{request.data_dir}: dataset {request.dataset!r} {there} Expected "
        f"{' or '.join(request.preprocessings)}, as the images that "
        f"{request.runs[0].path} was trained with. Name the file that declares it, "
        f"--on FILE.yaml, or prepare it: {prepare}"
    )
