"""Configuration files and overrides as plain values, with the line of each key."""

import contextlib
import importlib.resources
import os
import re
from pathlib import Path

import yaml

from mdmt_tf import storage
from mdmt_tf.config import completion
from mdmt_tf.errors import ConfigError, nearest

# Sections whose keys are chosen by the user. A file with a base replaces them whole.
_NAMED = {
    ("tasks",),
    ("derived",),
    ("datasets",),
    ("benchmark", "experiments"),
    ("benchmark", "cross_validation"),
    ("benchmark", "baselines"),
    ("benchmark", "fractions"),
}

# Where each key was written: ("training", "epochs") -> "configs/mdmt.yaml:12", a file
# that can be opened from the working folder.
Origins = dict[tuple[str, ...], str]


class _Loader(yaml.SafeLoader):
    """YAML with the numbers of Python, such as 1e-3."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def names() -> list[str]:
    """The names of the configurations that come with the package."""
    folder = importlib.resources.files("mdmt_tf.configs")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def read(name_or_path: str, base: str | None = None) -> tuple[dict, Origins]:
    """The content of a configuration file, merged with its `base`, if it has one.

    `base` is the name of a shipped configuration, or a path relative to the folder of
    the file. Keys are merged one by one. Only sections with names of the user (tasks,
    derived, datasets, and experiments, cross_validation, baselines of a benchmark)
    replace those of the base as a whole.

    Args:
        name_or_path: the name of a shipped configuration, or the path of a YAML file.
        base: replaces the base of the file; relative to the working folder.
    Raises: ConfigError when there is no such file, it cannot be read, is not YAML,
        repeats a key, or is a base of itself.
    """
    values, origins = _read_one(name_or_path)
    chain = [name_or_path]
    if base is not None:
        values["base"] = base if base in names() else str(Path(base).absolute())
        origins["base",] = "command line"
    while "base" in values:
        base, where = values.pop("base"), origins.pop(("base",))
        if not isinstance(base, str):
            raise ConfigError(f"{where}: base = {base!r}: expected a name or a path.")
        if base not in names():
            base = str(Path(chain[-1]).parent / base)
        if base in chain:
            raise ConfigError(f"{where}: base: {base} is a base of itself.")
        chain.append(base)
        below, origins_below = _read_one(base)
        below = completion.without_superseded(below, values)
        values, origins = _lay_over(below, origins_below, values, origins)
    return values, origins


def _lay_over(below, origins_below, above, origins_above):
    """Merge the values and the lines of two files; those of `above` have priority."""
    origins = dict(origins_below)

    def merge(low, high, path):
        if not (isinstance(low, dict) and isinstance(high, dict)) or path in _NAMED:
            for key in [key for key in origins if key[: len(path)] == path]:
                del origins[key]
            for key, where in origins_above.items():
                if key[: len(path)] == path:
                    origins[key] = where
            return high
        result = dict(low)
        for key, value in high.items():
            if key in low:
                result[key] = merge(low[key], value, (*path, key))
            else:
                result[key] = merge(None, value, (*path, key))
        return result

    return merge(below, above, ()), origins


def _read_one(name_or_path: str) -> tuple[dict, Origins]:
    return parse(read_text(name_or_path), place(name_or_path))


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
    path = Path(name_or_path)
    if not path.exists():
        raise ConfigError(
            f"--config {name_or_path}: no such configuration or file."
            f"{nearest(name_or_path, names())} Names: {', '.join(names())}; "
            "or the path of a YAML file."
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"{name_or_path}: cannot be read as a UTF-8 text file: {reason}."
        ) from error


def summary(name: str) -> str:
    """Summary of a shipped configuration: the first lines of its comment."""
    lines = []
    for line in read_text(name).splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or not text:
            break
        lines.append(text)
    return " ".join(lines)


def parse(text: str, where: str) -> tuple[dict, Origins]:
    """Plain values of a YAML text, and the line of each key.

    Raises: ConfigError with `where` and the line.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        origins: Origins = {}
        value = {} if node is None else _construct(loader, node, (), where, origins)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}{line}: not valid YAML: {problem}.") from error
    finally:
        loader.dispose()
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected `key: value` lines, received {value!r}.")
    return value, origins


def _construct(loader, node, path, where, origins):
    origins.setdefault(path, f"{where}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.MappingNode):
        result = {}
        for key_node, value_node in node.value:
            line = f"{where}:{key_node.start_mark.line + 1}"
            key = _key(loader, key_node)
            if key in result:
                raise ConfigError(
                    f"{line}: key {'.'.join((*path, key))} appears a second time; the "
                    f"first is in {origins[(*path, key)]}. Remove one."
                )
            origins[(*path, key)] = line
            result[key] = _construct(loader, value_node, (*path, key), where, origins)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(loader, item, (*path, str(index)), where, origins)
            for index, item in enumerate(node.value)
        ]
    return loader.construct_object(node, deep=True)


def _key(loader, node) -> str:
    """A key as it is written: `no` and 1.0 are texts here."""
    if isinstance(node, yaml.ScalarNode):
        return node.value
    return str(loader.construct_object(node, deep=True))


def override(values: dict, origins: Origins, assignment: str) -> None:
    """Apply one `key.path=value` in place; the value is YAML.

    Raises: ConfigError when it has no `=` or descends into a value that has no keys.
    """
    dotted, equals, text = assignment.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(path):
        raise ConfigError(
            f"{assignment!r}: expected key.path=value, for example training.epochs=3."
        )
    value = text
    # A text that is not YAML, such as a title with a colon, is taken literally.
    with contextlib.suppress(yaml.YAMLError):
        value = _value_of(text)
    parent = values
    for depth, key in enumerate(path[:-1]):
        if parent.get(key) is None:
            parent[key] = {}
        parent = parent[key]
        if not isinstance(parent, dict):
            raise ConfigError(
                f"{assignment!r}: {'.'.join(path[: depth + 1])} is {parent!r}, which "
                "has no keys of its own."
            )
    parent[path[-1]] = value
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]
    origins[path] = "command line"


def _value_of(text: str):
    """The value of a YAML text, whose keys are texts as in a file."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return (
            None if node is None else _construct(loader, node, (), "command line", {})
        )
    finally:
        loader.dispose()


def write(values: dict, path: str | os.PathLike, comment: str = "") -> None:
    """Write plain values as YAML; keys keep their order."""
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=88)
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    storage.write_text(path, head + text)
