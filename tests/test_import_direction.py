"""Imports go one way: a room may import the rooms above it, never those below."""

import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import MODULES, ROOT, imports, is_in, module_of

# From what depends on nothing to what may use everything. A module belongs to the
# longest name that it starts with; within one row anything goes but a circle.
ROWS = [
    ["mdmt_tf.errors", "mdmt_tf.marks"],
    ["mdmt_tf.pages"],
    [
        "mdmt_tf.storage",
        "mdmt_tf.links",
        "mdmt_tf.disk",
        "mdmt_tf.screen",
        "mdmt_tf.invisible",
    ],
    ["mdmt_tf.tasks", "mdmt_tf.metrics"],
    ["mdmt_tf.imaging"],
    ["mdmt_tf.names"],
    [
        "mdmt_tf.models.backbones.table",
        "mdmt_tf.phantoms.chest.ingredients",
        "mdmt_tf.planning.words",
        "mdmt_tf.training.weighting.table",
    ],
    ["mdmt_tf.config", "mdmt_tf.configs"],
    ["mdmt_tf.phantoms"],
    ["mdmt_tf.splits"],
    ["mdmt_tf.datasets"],
    ["mdmt_tf.planning"],
    ["mdmt_tf.data"],
    ["mdmt_tf.models"],
    ["mdmt_tf.runs"],
    ["mdmt_tf.statistics"],
    ["mdmt_tf.cards"],
    ["mdmt_tf.saliency", "mdmt_tf.serving"],
    ["mdmt_tf.training"],
    ["mdmt_tf.experiments"],
    ["mdmt_tf.diagnosis"],
    ["mdmt_tf.reporting"],
    ["mdmt_tf.studies"],
    ["mdmt_tf.serving.web"],
    ["mdmt_tf.console"],
]
# Nothing imports these.
COMMANDS = [
    "mdmt_tf.new",
    "mdmt_tf.prepare",
    "mdmt_tf.doctor",
    "mdmt_tf.train",
    "mdmt_tf.evaluate",
    "mdmt_tf.predict",
    "mdmt_tf.serve",
    "mdmt_tf.explain",
    "mdmt_tf.benchmark",
    "mdmt_tf.report",
    "mdmt_tf.card",
    "mdmt_tf.study",
    "mdmt_tf.folds",
    "mdmt_tf.convert",
    "mdmt_tf.config.__main__",
    "mdmt_tf.__main__",
]

# Rooms that never import TensorFlow or Keras, even inside a function.
WITHOUT_TENSORFLOW = [
    "mdmt_tf.errors",
    "mdmt_tf.marks",
    "mdmt_tf.storage",
    "mdmt_tf.links",
    "mdmt_tf.disk",
    "mdmt_tf.screen",
    "mdmt_tf.invisible",
    "mdmt_tf.tasks",
    "mdmt_tf.metrics",
    "mdmt_tf.config",
    "mdmt_tf.imaging",
    "mdmt_tf.names",
    "mdmt_tf.phantoms",
    "mdmt_tf.splits",
    "mdmt_tf.datasets",
    "mdmt_tf.planning",
    "mdmt_tf.runs",
    "mdmt_tf.experiments",
    "mdmt_tf.diagnosis",
    "mdmt_tf.cards",
    "mdmt_tf.statistics",
    "mdmt_tf.pages",
    "mdmt_tf.reporting",
    "mdmt_tf.studies",
]
FRAMEWORKS = {"tensorflow", "keras"}
EXCEPT = {
    # A Keras model; it is imported when lungs are looked for.
    "mdmt_tf.imaging.lungs.network": {"keras"},
    # Loads what the processes forked from it need; only those processes import it.
    "mdmt_tf.experiments.executors.preloaded": set(),
}


def row_of(module: str) -> int | None:
    """Number of the row of a module; None for the package itself and for no module."""
    rooms = [
        (len(room), number)
        for number, rooms in enumerate([*ROWS, COMMANDS])
        for room in rooms
        if is_in(module, room)
    ]
    return max(rooms)[1] if rooms else None


def violations(name: str, path: Path) -> list[str]:
    """What is wrong with the imports of a module, one `file:line: ...` each."""
    own, found = row_of(name), []
    forbidden = FRAMEWORKS - EXCEPT.get(name, set())
    without = any(is_in(name, room) for room in WITHOUT_TENSORFLOW)
    for line, imported in imports(path):
        where = f"{path}:{line}: {name} imports {imported}"
        if imported.startswith("mdmt_tf"):
            row = row_of(module_of(imported))
            if row is not None and row > own:
                found.append(f"{where}, which is below it")
            elif row == len(ROWS):
                found.append(f"{where}, which is a command line")
        elif without and imported.split(".")[0] in forbidden:
            found.append(where)
    return found


def graph() -> dict[str, set[str]]:
    """Module -> the modules that it imports, at its top or inside a function."""
    return {
        name: {
            module_of(imported)
            for _, imported in imports(path)
            if imported.startswith("mdmt_tf")
        }
        - {name, "mdmt_tf"}
        for name, path in MODULES.items()
    }


def cycle(edges: dict[str, set[str]]) -> list[str] | None:
    """Modules that import each other in a circle, the first once more in the end."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str] | None:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return None
        for other in sorted(edges.get(name, ())):
            if (found := visit(other, [*way, name])) is not None:
                return found
        done.add(name)
        return None

    for name in sorted(edges):
        if (found := visit(name, [])) is not None:
            return found
    return None


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_up(name):
    assert name == "mdmt_tf" or row_of(name) is not None, f"{name} is in no row"
    assert not violations(name, MODULES[name])


def test_no_modules_import_each_other():
    """Not even inside functions, where Python would not notice."""
    found = cycle(graph())
    assert found is None, " -> ".join(found)


def test_a_cycle_is_found():
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"d", "b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


@pytest.mark.parametrize(
    "module, statement, ending",
    [
        ("mdmt_tf.tasks.base", "from mdmt_tf.training import losses", "below it"),
        ("mdmt_tf.tasks.base", "import keras", "imports keras"),
        ("mdmt_tf.report", "from mdmt_tf import train", "a command line"),
    ],
)
def test_a_wrong_import_is_found(tmp_path, module, statement, ending):
    text = MODULES[module].read_text()
    wrong = tmp_path / "wrong.py"
    wrong.write_text(f"{text}\n\ndef f():\n    {statement}\n")
    (found,) = violations(module, wrong)
    assert found.startswith(f"{wrong}:{len(wrong.read_text().splitlines())}: ")
    assert found.endswith(ending)


def test_rooms_without_tensorflow_load_none():
    """Not by what they import, either."""
    names = [
        name
        for name in MODULES
        if any(is_in(name, room) for room in WITHOUT_TENSORFLOW)
        and name not in EXCEPT
        and not name.endswith("_dataset_builder")
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'tensorflow' not in sys.modules, name\n"
        "    assert 'keras' not in sys.modules, name\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr


def test_nothing_imports_the_tools():
    for name, path in MODULES.items():
        assert not [m for _, m in imports(path) if m.split(".")[0] == "tools"], name
