"""No module outside mdmt_tf/tasks asks of which kind a task is."""

import ast
from pathlib import Path

import pytest

from mdmt_tf.tasks import KINDS

PACKAGE = Path(__file__).parents[1] / "mdmt_tf"


CLASSES = {kind.__name__ for kind in KINDS.values()}


def asks_for_a_kind(tree: ast.AST) -> list[int]:
    """Lines that branch on a kind of task, name one as `kind`, or import its class.

    The name of a kind may be a word for something else ("count"), so it counts only
    where it chooses: in a comparison or `in`, a `case`, the keys of a dict, an index.
    """
    return sorted({node.lineno for node in ast.walk(tree) if _asks(node)})


def _asks(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(names=names):
            return any(alias.name in CLASSES for alias in names)
        case ast.Compare(left=left, comparators=others):
            sides = (left, *others)
            return any(_is_the_kind_of_a_task(side) or _names(side) for side in sides)
        case ast.Dict(keys=keys):
            return any(key is not None and _names(key) for key in keys)
        case ast.Subscript(slice=key) | ast.MatchValue(value=key):
            return _names(key)
        case ast.Match(subject=subject):
            return _is_the_kind_of_a_task(subject)
        case ast.keyword(arg="kind", value=value):
            return _names(value)
    return False


def _names(node: ast.AST) -> bool:
    """Whether it is the name of a kind, or a collection with one."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_names, node.elts))
    return isinstance(node, ast.Constant) and node.value in KINDS


def _is_the_kind_of_a_task(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "kind"
        and "task" in ast.unparse(node.value)
    )


# `tasks` has the kinds; `planning` proposes one for a column of a table.
CHOOSING = ("tasks", "planning")


def test_nothing_outside_the_package_of_tasks_asks_for_a_kind():
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent.name not in CHOOSING
        for line in asks_for_a_kind(ast.parse(path.read_text()))
    ]
    assert not wrong, ", ".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "task.kind == name",
        "f(self.task.kind is other)",
        "kind == 'binary'",
        "kind in ('binary', 'ordinal')",
        "TABLE = {'ordinal': 1}",
        "TABLE['ordinal']",
        "match task.kind:\n    case other: pass",
        "make_task(name=name, kind='regression')",
        "from mdmt_tf.tasks.binary import Binary",
    ],
)
def test_asking_for_a_kind_is_found(line):
    assert asks_for_a_kind(ast.parse(f"'''binary'''\n{line}\n")) == [2]


def test_a_case_for_a_kind_is_found():
    text = "match kind:\n    case 'binary' | 'ordinal':\n        pass\n"
    assert asks_for_a_kind(ast.parse(text)) == [2]


@pytest.mark.parametrize(
    "line",
    [
        "total = self.add_weight((), 'zeros', name='binary')",
        "text = 'ordinal'",
        "split.kind == 'kfold'",
        "{'kfold': 'binary'}",
    ],
)
def test_the_word_alone_is_not_asking(line):
    assert asks_for_a_kind(ast.parse(line)) == []
