"""Show a configuration with its bases and comments, or copy it to change it."""

import functools
import json
import re
from pathlib import Path

import yaml

from mdmt_tf.config import files, yaml_text
from mdmt_tf.config.yaml_text import Origins
from mdmt_tf.errors import ConfigError

_WIDTH = 80
_SUFFIXES = (".yaml", ".yml")


def resolve(name_or_path: str) -> str:
    """The YAML of a configuration merged with its bases, with the comments of its keys.

    Args:
        name_or_path: name of a shipped configuration, or the path of a YAML file.
    Raises: ConfigError as `files.read`.
    """
    values, origins = files.read(name_or_path)
    head = []
    for line in files.read_text(name_or_path).splitlines():
        if not line.startswith("#"):
            break
        head.append(line)
    _source.cache_clear()  # the file may have changed
    return "\n".join([*head, *_lines_of(values, (), origins)]) + "\n"


def copy(name: str, path: str) -> Path:
    """Copy a configuration that comes with the package to a file.

    The copy keeps its `base`, which is found by name from any folder.

    Args:
        name: the name of a shipped configuration, or the path of a YAML file.
        path: the new file, or a folder for a file with the configuration's name.
    Raises: ConfigError when the file exists or cannot be written.
    """
    text, target = files.read_text(name), Path(path)
    if target.is_dir():
        target = target / f"{Path(name).stem}.yaml"
    if target.suffix not in _SUFFIXES:
        raise ConfigError(
            f"{path}: expected a folder that exists, or a file name that ends in .yaml."
        )
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"{target}: exists and is not overwritten. Choose another name."
        ) from None
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror}.") from error
    return target


def _lines_of(values: dict, path: tuple[str, ...], origins: Origins) -> list[str]:
    lines = []
    for key, value in values.items():
        own = (*path, key)
        above, behind = _comments(origins[own])
        indent = "  " * len(path)
        # An empty line between the sections.
        lines += [""] if isinstance(value, dict) and value and not path else []
        lines += [f"{indent}# {text}" if text else f"{indent}#" for text in above]
        first = f"{indent}{_key(key)}:"
        if _is_block(value, own, origins):
            lines.append(_with_comment(first, behind, lines, indent))
            if isinstance(value, dict):
                lines += _lines_of(value, own, origins)
            else:
                lines += [f"{indent}  - {_flow(item)}" for item in value]
        else:
            line = f"{first} {_flow(value)}"
            lines.append(_with_comment(line, behind, lines, indent))
    return lines


def _is_block(value, path, origins: Origins) -> bool:
    """Whether the entries of a value are on separate lines, as in its file."""
    if not isinstance(value, (dict, list)) or not value:
        return False
    entry = next(iter(value)) if isinstance(value, dict) else "0"
    return origins.get((*path, entry)) not in (None, origins[path])


def _key(key: str) -> str:
    """A key, in quotes where it would not be read back without."""
    if re.fullmatch(r"\w+", key):
        return key
    try:
        is_plain = yaml_text.parse(f"{key}: 0", "")[0] == {key: 0}
    except ConfigError:
        is_plain = False
    return key if is_plain else json.dumps(key)


def _flow(value) -> str:
    """A value on one line."""
    text = yaml.safe_dump(
        value,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    # Not all white space: a value may consist of a space without a break.
    return text.removesuffix("...\n").strip(" \n")


def _with_comment(line: str, comment: str, above: list[str], indent: str) -> str:
    """The line with its comment, which moves above the line if there is no room."""
    if not comment:
        return line
    if len(line) + len(comment) + 4 <= _WIDTH:
        return f"{line}  # {comment}"
    above.append(f"{indent}# {comment}")
    return line


def _comments(origin: str) -> tuple[list[str], str]:
    """The comment lines above a key, and the comment after it."""
    file, _, number = origin.rpartition(":")
    lines, index = _source(file), int(number) - 1
    start = index
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    # The first lines of a file are about the whole file.
    above = lines[start:index] if start > 0 else []
    found = re.search(r"\s#\s*(.*)$", _without_quotes(lines[index]))
    behind = lines[index][found.start(1) :] if found else ""
    texts = [line.strip().removeprefix("#").removeprefix(" ") for line in above]
    return texts, behind.strip()


def _without_quotes(line: str) -> str:
    """The line with quoted texts replaced, at the same length."""
    return re.sub(r"\"[^\"]*\"|'[^']*'", lambda match: "x" * len(match[0]), line)


@functools.lru_cache(maxsize=8)
def _source(file: str) -> list[str]:
    return files.read_text(file).splitlines()
