"""From files and overrides to a checked configuration; all problems at once."""

from collections.abc import Sequence

from mdmt_tf.config import files
from mdmt_tf.config.checks import CHECKS, Problem
from mdmt_tf.config.files import Origins
from mdmt_tf.config.schema import Config
from mdmt_tf.config.validation import check_values
from mdmt_tf.errors import ConfigError

__all__ = ["Config", "load"]


def load(name_or_path: str, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration, apply overrides and check the whole.

    Args:
        name_or_path: a name in `configs/`, or the path of a YAML file.
        overrides: `key.path=value`, applied in order.
    Raises: ConfigError that lists every problem, each with its file and line.
    """
    values, origins = files.read(name_or_path)
    problems = []
    for assignment in overrides:
        try:
            files.override(values, origins, assignment)
        except ConfigError as error:
            problems.append(str(error))
    sections, found = check_values(values)
    found += [problem for check in CHECKS for problem in check(sections)]
    problems += [_describe(problem, origins) for problem in found]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ConfigError(f"{count} in configuration {name_or_path}:{lines}")
    return Config.model_validate(values)


def _describe(problem: Problem, origins: Origins) -> str:
    path, text = problem
    key = ".".join(path)
    while path and path not in origins:
        path = path[:-1]
    where = origins.get(path)
    return f"{where}: {key}{text}" if where and path else f"{key}{text}"
