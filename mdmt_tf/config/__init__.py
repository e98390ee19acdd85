"""Read files and overrides into a checked configuration."""

import os
from collections.abc import Sequence
from pathlib import Path

import pydantic

from mdmt_tf.config import completion, files
from mdmt_tf.config.declaration import DatasetDeclaration
from mdmt_tf.config.problems import list_problems
from mdmt_tf.config.schema import Config
from mdmt_tf.config.section import Problem, Section
from mdmt_tf.config.yaml_text import Origins
from mdmt_tf.errors import ConfigError, nearest

__all__ = [
    "Config",
    "DatasetDeclaration",
    "check",
    "load",
    "load_declaration",
    "load_stored",
    "read_declaration",
]

_MOST_SHOWN = 100


def load(name_or_path: str, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration, apply overrides, complete it and check the result.

    A file that declares a dataset may leave out what follows from the declaration, see
    `completion.complete`.

    Args:
        name_or_path: the name of a shipped configuration, or the path of a YAML file.
        overrides: `key.path=value`, applied in order; `base=NAME` replaces the base of
            the file.
    Raises: ConfigError that lists every problem, each with its file and line.

    Example:
        >>> settings = load("phantom", ["training.batch_size=16"])
        >>> settings.training.batch_size, list(settings.tasks)
        (16, ['prognosis', 'severity'])
    """
    bases = [text for text in overrides if text.startswith("base=")]
    values, origins = files.read(name_or_path, *(b[5:] for b in bases[-1:]))
    problems = []
    for assignment in (text for text in overrides if text not in bases):
        try:
            files.override(values, origins, assignment)
        except ConfigError as error:
            problems.append(str(error))
    completion.complete(values, origins)
    return check(values, f"configuration {name_or_path}", origins, problems)


def load_stored(
    path: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    overrides: Sequence[str] = (),
) -> Config:
    """Read the settings that a run has stored; the files that they name may be gone.

    Args:
        path: `config.yaml` of a run.
        data_dir: replaces that of the file; None: as stored.
        overrides: `key.path=value`, applied in order.
    Raises: ConfigError that lists every problem.
    """
    values, origins = files.read(str(path))
    if data_dir is not None:
        values["data_dir"] = os.fspath(data_dir)
    for assignment in overrides:
        files.override(values, origins, assignment)
    return check(values, f"configuration {path}", origins, with_files=False)


def check(
    values: dict,
    where: str,
    origins: Origins | None = None,
    problems: Sequence = (),
    with_files: bool = True,
) -> Config:
    """Make a configuration from plain values.

    Args:
        values: values of all sections.
        where: description of the values, for the message.
        origins: where each key was written, if known.
        problems: problems found before, to list with the others.
        with_files: whether missing files are problems, see `rule`.
    Raises: ConfigError that lists every problem.
    """
    origins = origins or {}
    return _check(Config, values, (), where, origins, problems, with_files)


def load_declaration(path: str) -> DatasetDeclaration:
    """The dataset that a YAML file declares; its other keys are not looked at.

    Raises: ConfigError when the file has no section `dataset`, or one with problems;
        the message lists every problem with its line.
    """
    declaration, _ = read_declaration(path)
    return declaration


def read_declaration(path: str) -> tuple[DatasetDeclaration, Path]:
    """`load_declaration`, and the folder to which its paths are relative.

    It is the folder of the file with the section, which may be a base of `path`.
    """
    if not Path(path).is_file():
        raise ConfigError(f"{path}: no such file; expected YAML with a `dataset`.")
    values, origins = files.read(path)
    if not isinstance(values.get("dataset"), dict):
        word = nearest("dataset", [key for key in values if key != "datasets"])
        raise ConfigError(
            f"{path}: expected a section `dataset` with the name, the images, the "
            f"tables and the labels.{word} Received the keys: "
            f"{', '.join(values) or 'none'}. `python -m mdmt_tf.config keys dataset` "
            "lists what it may have."
        )
    made = _check(
        DatasetDeclaration, values["dataset"], ("dataset",), path, origins, ()
    )
    file = origins["dataset",].rpartition(":")[0]
    return made, Path(file).parent


def _check(
    kind: type[Section],
    values: dict,
    path: tuple,
    where: str,
    origins,
    problems,
    with_files: bool = True,
):
    """A section from plain values; `path` is its key."""
    made, found = None, []
    try:
        made = kind.model_validate(values, context={"with_files": with_files})
    except pydantic.ValidationError:
        found = list_problems(values, kind, path, with_files)
    shown = found[:_MOST_SHOWN]
    problems = [*problems, *(_describe(problem, origins) for problem in shown)]
    if problems:
        total = len(problems) + len(found) - len(shown)
        count = "1 problem" if total == 1 else f"{total} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        if len(found) > len(shown):
            lines += f"\n  ... and {len(found) - len(shown)} more"
        raise ConfigError(f"{count} in {where}:{lines}")
    return made


def _describe(problem: Problem, origins: Origins) -> str:
    path, text = problem
    key = ".".join(path)
    # The key itself or, if it is not written, the nearest key below or above it.
    if path in origins:
        return f"{origins[path]}: {key}{text}"
    below = [other for other in origins if other[: len(path)] == path]
    above = [path[:end] for end in range(len(path) - 1, 0, -1)]
    for place in [*below, *above]:
        if place in origins:
            return f"{origins[place]}: {key}{text}"
    return f"{key}{text}"
