"""The Examples in the docstrings are right, and the public functions have one."""

import ast
import doctest
import importlib

import pytest
from source_tree import MODULES, is_in

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
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in tree.body:
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
