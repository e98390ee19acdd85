"""No module outside mdmt_tf/tasks asks of which kind a task is."""

import ast
from pathlib import Path

import pytest

from mdmt_tf.tasks import KINDS

PACKAGE = Path(__file__).parents[1] / "mdmt_tf"


CLASSES = {kind.__name__ for kind in KINDS.values()}


def asks_for_a_kind(tree: ast.AST) -> list[int]:
    """Lines that name a kind of task, compare one, or import its class."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            if node.value in KINDS:
                found.append(node.lineno)
        elif isinstance(node, ast.ImportFrom):
            if CLASSES & {alias.name for alias in node.names}:
                found.append(node.lineno)
        elif isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                if (
                    isinstance(side, ast.Attribute)
                    and side.attr == "kind"
                    and "task" in ast.unparse(side.value)
                ):
                    found.append(node.lineno)
    return found


def test_nothing_outside_the_package_of_tasks_asks_for_a_kind():
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent.name != "tasks"
        for line in asks_for_a_kind(ast.parse(path.read_text()))
    ]
    assert not wrong, ", ".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "task.kind == name",
        "f(self.task.kind is other)",
        "TABLE = {'ordinal': 1}",
        "from mdmt_tf.tasks.binary import Binary",
    ],
)
def test_asking_for_a_kind_is_found(line):
    assert asks_for_a_kind(ast.parse(f"'''binary'''\n{line}\n")) == [2]
