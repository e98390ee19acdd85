"""The Examples in the docstrings are right, and the public functions have one."""

import ast
import doctest
import importlib
import inspect
import re
import types

import pytest
from source_tree import MODULES, ROOT, is_in, tree

# Rooms whose public functions and classes show how they are used.
WITH_EXAMPLES = [
    "mdmt_tf.metrics",
    "mdmt_tf.models",
    "mdmt_tf.splits",
    "mdmt_tf.statistics",
    "mdmt_tf.training.losses",
    "mdmt_tf.training.weighting",
]
# What these hold is used through something that has an example.
THROUGH_ANOTHER = {
    # `build_backbone`
    "mdmt_tf.models.backbones.blocks",
    "mdmt_tf.models.backbones.densenet",
    "mdmt_tf.models.backbones.efficientnet",
    "mdmt_tf.models.backbones.googlenet",
    "mdmt_tf.models.backbones.mobilenet",
    "mdmt_tf.models.backbones.resnet",
    "mdmt_tf.models.backbones.shufflenet",
    "mdmt_tf.models.backbones.table",
    # `torch_files.read_torch_file`
    "mdmt_tf.models.weights.torch_pickles",
}
# They fetch files from the network, look at folders of runs, or describe what others
# return.
WITHOUT = {"provide", "locate", "convert", "download", "find", "weights_folder"}
WITHOUT |= {"check_run", "other_stored"}


def public(name: str):
    """Docstrings of the public functions and classes of a module."""
    for node in tree(MODULES[name]).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            is_record = any("dataclass" in ast.dump(d) for d in node.decorator_list)
            if not node.name.startswith("_") and not is_record:
                yield node.name, ast.get_docstring(node) or ""


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in MODULES
        if any(is_in(name, room) for room in WITH_EXAMPLES)
        and name not in THROUGH_ANOTHER
    ],
)
def test_public_functions_have_an_example(name):
    without = [n for n, text in public(name) if ">>>" not in text]
    assert not set(without) - WITHOUT


@pytest.mark.parametrize(
    "name", [name for name in MODULES if ">>>" in MODULES[name].read_text()]
)
def test_examples_are_right(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed


def documented():
    """What the page on Python shows: its names, and those without an example."""
    text = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"`train`.*?need prepared", text, re.DOTALL)
    return re.findall(r"^::: (\S+)$", text, re.MULTILINE), re.findall(
        r"`(\w+)`", sentence
    )


NAMES, NEED_DATA = documented()


@pytest.mark.parametrize("path", NAMES)
def test_what_the_page_on_python_shows_has_an_example(path):
    module, name = path.rpartition(".")[::2]
    shown = getattr(importlib.import_module(module), name)
    parts = [shown, *vars(shown).values()] if isinstance(shown, type) else [shown]
    has_example = any(">>>" in (getattr(part, "__doc__", "") or "") for part in parts)
    assert has_example != (name in NEED_DATA)
    undocumented = [
        key
        for key, part in (vars(shown).items() if isinstance(shown, type) else ())
        if key[0] != "_" and isinstance(part, (property, types.FunctionType))
        # Keras documents what a layer or a loss overrides.
        if not inspect.getdoc(getattr(shown, key))
    ]
    assert not undocumented
    if not isinstance(shown, type) and inspect.signature(shown).parameters:
        assert "Args:" in shown.__doc__


def test_what_has_no_example_is_on_the_pages_that_are_named():
    pages = ("docs/tutorials/in_python.ipynb", "docs/reference/runs.md")
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in pages)
    for name in NEED_DATA:
        assert re.search(rf"\b{name}\(", text), name
