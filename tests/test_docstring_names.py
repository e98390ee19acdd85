"""What a docstring names in a module of the package is there."""

import ast
import functools
import re

import pytest
from source_tree import MODULES, tree

from mdmt_tf.config.keys import all_keys

_DOTTED = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(\))?`")
_FILES = {"csv", "css", "html", "json", "md", "py", "yaml"}
KEYS = {key.full for key in all_keys()}


def _defined(module: ast.Module) -> set[str]:
    """Names at the top of a module, imported ones too."""
    found = set()
    for node in module.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name for alias in names}
            case ast.Assign() | ast.AnnAssign():
                names = (own for own in ast.walk(node) if isinstance(own, ast.Name))
                found |= {own.id for own in names}
    return found


def _named(module: ast.Module) -> list[str]:
    """Dotted names in docstrings."""
    return [
        name
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        for name in _DOTTED.findall(ast.get_docstring(node) or "")
    ]


@functools.cache
def read() -> dict[str, tuple[set[str], list[str]]]:
    """Every module with the names at its top, and those in its docstrings."""
    return {
        name: (_defined(tree(path)), _named(tree(path)))
        for name, path in MODULES.items()
    }


def unknown(names: list[str]) -> list[str]:
    """Those that begin with a module and are not in it.

    Names of files and keys of the configuration may look like that.
    """
    return [
        name
        for name in names
        if name.split(".")[-1] not in _FILES
        and not any(f"{key}.".startswith(f"{name}.") for key in KEYS)
        and not _resolves(name)
    ]


def _resolves(name: str) -> bool:
    """Whether a module, or what is in it, has the name; True where none is meant."""
    parts, is_meant = name.split("."), False
    for length in range(len(parts), 0, -1):
        start = ".".join(parts[:length])
        for module, (defined, _) in read().items():
            if f".{module}".endswith(f".{start}"):
                is_meant = True
                if length == len(parts) or parts[length] in defined:
                    return True
    return not is_meant


@pytest.mark.parametrize("module", MODULES)
def test_what_a_docstring_names_is_there(module):
    _, names = read()[module]
    assert unknown(names) == []


def test_a_name_that_is_not_there_is_found():
    text = '"""See `storage.write_text`, `storage.wrote` and `storage.json`."""'
    assert unknown(_named(ast.parse(text))) == ["storage.wrote"]
