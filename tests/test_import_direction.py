"""Imports go one way: a module may import what stands above it, never below."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From what depends on nothing to what may use everything. A module belongs to the
# longest name that it starts with; within one row anything goes.
ROWS = [
    ["mdmt_tf.errors"],
    ["mdmt_tf.tasks", "mdmt_tf.preparation", "mdmt_tf.models.backbones.table"],
    ["mdmt_tf.config", "mdmt_tf.configs"],
    ["mdmt_tf.imaging"],
    ["mdmt_tf.datasets"],
    ["mdmt_tf.data"],
    ["mdmt_tf.models"],
    ["mdmt_tf.export", "mdmt_tf.saliency"],
    ["mdmt_tf.training"],
    ["mdmt_tf.experiments"],
    [
        "mdmt_tf.cli",
        "mdmt_tf.prepare",
        "mdmt_tf.closing_table",
        "mdmt_tf.task_tables",
        "mdmt_tf.phantoms",
        "mdmt_tf.train",
        "mdmt_tf.evaluate",
        "mdmt_tf.explain",
        "mdmt_tf.benchmark",
        "mdmt_tf.report",
    ],
]

# Packages that a row may not import at all, even inside a function; of several rows
# that fit a module, the longest counts.
FORBIDDEN = {
    "mdmt_tf.tasks": {"tensorflow", "keras", "pandas"},
    "mdmt_tf.config": {"tensorflow", "keras", "pandas"},
    "mdmt_tf.imaging": {"tensorflow", "keras", "tensorflow_datasets"},
    "mdmt_tf.imaging.lungs.network": {"tensorflow", "tensorflow_datasets"},
    "mdmt_tf.datasets": {"tensorflow", "keras"},
    "mdmt_tf.experiments": {"tensorflow", "keras", "tensorflow_datasets"},
}


def row_of(module: str) -> int:
    """Number of the row of a module of this project; -1 for the package itself."""
    while module != "mdmt_tf":
        for number, names in enumerate(ROWS):
            if module in names:
                return number
        module = module.rpartition(".")[0]
    return -1


def modules() -> dict[str, Path]:
    found = {}
    for folder, package in (
        ("mdmt_tf", "mdmt_tf"),
        ("datasets", "mdmt_tf.datasets"),
        ("configs", "mdmt_tf.configs"),
    ):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *(part for part in parts if part != "__init__")])
            found[name] = path
    return found


def imports(path: Path):
    """(line, imported module) of every import statement, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def violations(name: str, path: Path) -> list[str]:
    own = row_of(name)
    package = max(
        (row for row in FORBIDDEN if name.startswith(row)), key=len, default=None
    )
    found = []
    for line, imported in imports(path):
        where = f"{path.relative_to(ROOT)}:{line}"
        if imported.startswith("mdmt_tf"):
            # `from mdmt_tf import cli` names a module, `from mdmt_tf.cli import run` a
            # function of it: the longest known prefix is the module.
            if row_of(imported) > own:
                found.append(f"{where}: {name} imports {imported}, which is below it")
        elif package and imported.split(".")[0] in FORBIDDEN[package]:
            found.append(f"{where}: {name} imports {imported}")
    return found


@pytest.mark.parametrize("name", modules())
def test_imports_go_up(name):
    assert name == "mdmt_tf" or row_of(name) >= 0, f"{name} is in no row"
    assert not violations(name, modules()[name])


def test_the_check_finds_a_wrong_import(tmp_path):
    path = ROOT / "mdmt_tf" / "tasks.py"
    wrong = tmp_path / "tasks.py"
    wrong.write_text(path.read_text() + "\n\ndef f():\n    from mdmt_tf import train\n")
    lines = len(wrong.read_text().splitlines())
    found = [
        line
        for line, imported in imports(wrong)
        if imported.startswith("mdmt_tf") and row_of(imported) > row_of("mdmt_tf.tasks")
    ]
    assert found == [lines]


def test_nothing_imports_the_tools():
    for name, path in modules().items():
        assert not [m for _, m in imports(path) if m.split(".")[0] == "tools"], name
