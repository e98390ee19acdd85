"""What a docstring names in a module of the package is there."""

import ast
import re

import pytest
from source_tree import MODULES

from mdmt_tf.config.keys import all_keys

_DOTTED = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(\))?`")
_FILES = {"csv", "css", "html", "json", "md", "py", "yaml"}
KEYS = {key.full for key in all_keys()}
TREES = {
    name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()
}


def _defined(tree: ast.Module) -> set[str]:
    """Names at the top of a module, imported ones too."""
    found = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name for alias in names}
            case ast.Assign() | ast.AnnAssign():
                names = (own for own in ast.walk(node) if isinstance(own, ast.Name))
                found |= {own.id for own in names}
    return found


DEFINED = {name: _defined(tree) for name, tree in TREES.items()}


def unknown_names(tree: ast.Module) -> list[str]:
    """Dotted names of docstrings that begin with a module and are not in it.

    Names of files and keys of the configuration may look like that.
    """
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        for name in _DOTTED.findall(ast.get_docstring(node) or ""):
            is_key = any(f"{key}.".startswith(f"{name}.") for key in KEYS)
            if name.split(".")[-1] not in _FILES and not is_key:
                found += [] if _resolves(name) else [name]
    return found


def _resolves(name: str) -> bool:
    """Whether a module, or what is in it, has the name; True where none is meant."""
    parts, is_meant = name.split("."), False
    for length in range(len(parts), 0, -1):
        start = ".".join(parts[:length])
        for module, names in DEFINED.items():
            if f".{module}".endswith(f".{start}"):
                is_meant = True
                if length == len(parts) or parts[length] in names:
                    return True
    return not is_meant


@pytest.mark.parametrize("module", TREES)
def test_what_a_docstring_names_is_there(module):
    assert unknown_names(TREES[module]) == []


def test_a_name_that_is_not_there_is_found():
    text = '"""See `storage.write_text`, `storage.wrote` and `storage.json`."""'
    assert unknown_names(ast.parse(text)) == ["storage.wrote"]
