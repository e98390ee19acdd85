"""Configuration files and overrides as plain values, with the line of each key."""

import importlib.resources
import json
import os
from pathlib import Path

import yaml

from mdmt_tf import links, storage
from mdmt_tf.config import completion, yaml_text
from mdmt_tf.config.yaml_text import Origins
from mdmt_tf.errors import ConfigError, DataError, brief, nearest
from mdmt_tf.imaging import limits

# Sections whose keys are chosen by the user. A file with a base replaces them whole.
NAMED = (
    ("tasks",),
    ("derived",),
    ("datasets",),
    ("benchmark", "experiments"),
    ("benchmark", "cross_validation"),
    ("benchmark", "fractions"),
    ("benchmark", "baselines"),
)
_LONGEST_CHAIN = 100
_LARGEST_FILE = 4 * yaml_text.MAX_CHARACTERS


def names() -> list[str]:
    """The names of the configurations that come with the package."""
    folder = importlib.resources.files("mdmt_tf.configs")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def read(name_or_path: str, base: str | None = None) -> tuple[dict, Origins]:
    """The content of a configuration file, merged with its `base`, if it has one.

    `base` is the name of a shipped configuration, or a path relative to the folder of
    the file. Keys are merged one by one. Only the sections of `NAMED` replace those of
    the base as a whole.

    Args:
        name_or_path: the name of a shipped configuration, or the path of a YAML file.
        base: replaces the base of the file; relative to the working folder.
    Raises: ConfigError when there is no such file, it cannot be read, is not YAML,
        repeats a key, or is a base of itself.
    """
    values, origins = _read_one(name_or_path)
    last, seen = name_or_path, {_identity(name_or_path)}
    if base is not None:
        yaml_text.check_characters(base, "command line")
        values["base"] = base if base in names() else str(Path(base).absolute())
        origins["base",] = "command line"
    while "base" in values:
        base, where = values.pop("base"), origins.pop(("base",))
        if not isinstance(base, str):
            raise ConfigError(
                f"{where}: base = {brief(base)}: expected a name or a path."
            )
        if base not in names():
            base = str(Path(last).parent / base)
            if links.leads_out(base, Path(base).parent):
                raise ConfigError(
                    f"{where}: base: {links.reason(base, Path(base).parent)} Or write "
                    "the path of the file itself."
                )
        if _identity(base) in seen:
            raise ConfigError(f"{where}: base: {base} is a base of itself.")
        if len(seen) == _LONGEST_CHAIN:
            raise ConfigError(
                f"{where}: base: expected at most {_LONGEST_CHAIN} files, each the "
                "base of the next. Received: more."
            )
        last = base
        seen.add(_identity(base))
        below, origins_below = _read_one(base)
        below = completion.without_superseded(below, values)
        values, origins = _lay_over(below, origins_below, values, origins)
    return values, origins


def _identity(name_or_path: str) -> str:
    """The same for all ways to write one file."""
    return name_or_path if name_or_path in names() else os.path.realpath(name_or_path)


def _lay_over(below, origins_below, above, origins_above):
    """Merge the values and the lines of two files; those of `above` have priority."""
    replaced = set()

    def merge(low, high, path):
        if not (isinstance(low, dict) and isinstance(high, dict)) or path in NAMED:
            replaced.add(path)
            return high
        result = dict(low)
        for key, value in high.items():
            result[key] = merge(low.get(key), value, (*path, key))
        return result

    def is_replaced(path):
        return any(path[:end] in replaced for end in range(len(path) + 1))

    values = merge(below, above, ())
    origins = {k: line for k, line in origins_below.items() if not is_replaced(k)}
    origins |= {k: line for k, line in origins_above.items() if is_replaced(k)}
    return values, origins


def _read_one(name_or_path: str) -> tuple[dict, Origins]:
    return yaml_text.parse(read_text(name_or_path), place(name_or_path))


def place(name_or_path: str) -> str:
    """The path of a configuration file, also of one that comes with the package.

    Below the working folder it is relative to it, as it is in a checkout; where pip has
    put the package it is absolute.
    """
    if name_or_path not in names():
        return name_or_path
    folder = importlib.resources.files("mdmt_tf.configs")
    path = Path(str(folder / f"{name_or_path}.yaml"))
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def read_text(name_or_path: str) -> str:
    """The unchanged text of a configuration file.

    Raises: ConfigError when there is no such file or it cannot be read.
    """
    if name_or_path in names():
        resource = importlib.resources.files("mdmt_tf.configs")
        return (resource / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    if not os.path.exists(name_or_path):
        raise ConfigError(
            f"--config {_shortened(name_or_path)}: no such configuration or file."
            f"{nearest(name_or_path, names())} Names: {', '.join(names())}; "
            "or the path of a YAML file."
        )
    try:
        limits.check_file_size(name_or_path, "", most=_LARGEST_FILE)
        return Path(name_or_path).read_text(encoding="utf-8-sig")
    except (DataError, OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"{name_or_path}: cannot be read as a UTF-8 text file: {reason}."
        ) from error


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."


def summary(name: str) -> str:
    """Summary of a shipped configuration: the first lines of its comment."""
    lines = []
    for line in read_text(name).splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or not text:
            break
        lines.append(text)
    return " ".join(lines)


def override(values: dict, origins: Origins, assignment: str) -> None:
    """Apply one `key.path=value` in place; the value is YAML.

    A text that is not YAML, such as a title with a colon, is taken literally.

    Raises: ConfigError when it has no `=`, descends into a value that has no keys, or
        the value cannot be one of a configuration.
    """
    dotted, equals, text = assignment.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(path) or len(path) > yaml_text.MAX_DEPTH:
        raise ConfigError(
            f"{brief(assignment)}: expected key.path=value, for example "
            "training.batch_size=16."
        )
    yaml_text.check_characters(dotted, "command line")
    value = yaml_text.parse_value(text, "command line")
    parent = values
    for depth, key in enumerate(path[:-1]):
        if parent.get(key) is None:
            parent[key] = {}
        parent = parent[key]
        if not isinstance(parent, dict):
            raise ConfigError(
                f"{brief(assignment)}: {'.'.join(path[: depth + 1])} is "
                f"{brief(parent)}, which has no keys of its own."
            )
    parent[path[-1]] = value
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]
    origins[path] = "command line"


def assignment(key: str, value: object) -> str:
    """`key=value` from which `override` reads this very value.

    A path may have characters that mean something in YAML, and a text may be `null`.

    Example:
        >>> assignment("run_dir", "runs # 1"), assignment("training.patience", None)
        ('run_dir="runs # 1"', 'training.patience=null')
    """
    # JSON is YAML.
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def write(values: dict, path: str | os.PathLike, comment: str = "") -> None:
    """Write plain values as YAML; keys keep their order."""
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=88)
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    storage.write_text(path, head + text)
