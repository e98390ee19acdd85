"""Heads that start from a file of weights, in both forms of files."""

import json

import numpy as np
import pytest

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.multitask import build_model
from mdmt_tf.models.weights import half_precision, heads
from mdmt_tf.tasks import make_task

GRADES = {"kind": "ordinal", "cut_points": (1, 2, 3)}
LEFT, RIGHT = (make_task(name=name, **GRADES) for name in ("left", "right"))
AGE = make_task(name="age", kind="regression")


@pytest.fixture
def model(tiny_backbone):
    def build(*tasks, seed=0, form="mlp"):
        backbone = build_backbone(tiny_backbone, (16, 16, 3), seed=seed)
        return build_model(backbone, tasks, form, seed=seed)

    return build


def saved(model, tasks, folder, form, known=()):
    """A file of weights; `known`: the tasks that it knows, as that of a run does."""
    backbone = model.get_layer(model.layers[1].name)
    arrays = heads.arrays_of(model, tasks)
    if form == "h5":
        path = folder / "checkpoints" / "backbone.weights.h5"
        path.parent.mkdir()
        if known:
            plain = [task.to_plain() for task in known]
            (folder / "tasks.json").write_text(json.dumps(plain))
        backbone.save_weights(path)
        heads.write(path, arrays)
        return path
    path = folder / "backbone.safetensors"
    arrays = half_precision.halved(arrays, "tiny") | half_precision.arrays_of(backbone)
    facts = {"backbone": backbone.name}
    if known:
        facts["settings"] = {"tasks": {task.name: task.to_plain() for task in known}}
    half_precision.write(path, arrays, facts)
    return path


def values(model, name):
    return [
        w.numpy()
        for layer in model.layers
        if layer.name.partition(".")[0] == name
        for w in layer.weights
    ]


@pytest.mark.parametrize("form", ["h5", "safetensors"])
def test_heads_of_common_tasks_are_filled_and_the_others_are_kept(
    model, tmp_path, form
):
    trained = model(LEFT, AGE, seed=1)
    path = saved(trained, ["left", "age"], tmp_path, form)
    new, untouched = model(RIGHT, LEFT, seed=2), model(RIGHT, LEFT, seed=2)
    assert heads.fill(new, [RIGHT, LEFT], path) == ["left"]
    tolerance = 0 if form == "h5" else 2**-11  # half a unit of float16's last place
    before = values(trained, "left")
    assert len(before) == 6
    for one, other in zip(values(new, "left"), before, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=2**-25)
    for one, other in zip(
        values(new, "right"), values(untouched, "right"), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("form", ["h5", "safetensors"])
def test_the_backbone_is_read_as_without_heads(model, tmp_path, tiny_backbone, form):
    from mdmt_tf.models.weights import pretrained

    trained = model(LEFT, seed=1)
    path = saved(trained, ["left"], tmp_path, form)
    read = build_backbone(tiny_backbone, (16, 16, 3), seed=5)
    pretrained.load_weights(read, path)
    expected = trained.get_layer(tiny_backbone).get_weights()
    for one, other in zip(read.get_weights(), expected, strict=True):
        np.testing.assert_allclose(
            one, other, rtol=0 if form == "h5" else 2**-11, atol=2**-25
        )


@pytest.mark.parametrize("form", ["h5", "safetensors"])
def test_refusals_name_the_file_and_what_differs(model, tmp_path, form):
    path = saved(model(LEFT), ["left"], tmp_path, form)
    with pytest.raises(DataError, match=r"has heads of left, and this model has age"):
        heads.fill(model(AGE), [AGE], path)
    with pytest.raises(DataError, match=r"'left' has another form: .*received \(128,"):
        heads.fill(model(LEFT, form="linear"), [LEFT], path)
    with pytest.raises(ConfigError, match="the average of 2 files"):
        heads.fill(model(LEFT), [LEFT], {str(path): 0.5, "other": 0.5})


FOUR = ("none", "mild", "moderate", "severe")
# Heads with three outputs, and with one.
THREE = make_task(name="left", kind="ordinal", classes=FOUR)
SIZE = make_task(name="size", kind="regression")


@pytest.mark.parametrize("form", ["h5", "safetensors"])
@pytest.mark.parametrize(
    ("trained", "changed", "message"),
    [
        (
            THREE,
            {"kind": "categorical", "classes": FOUR[:3]},
            r"expected that of left \(categorical: none, mild, moderate\), received "
            r"that of left \(ordinal: none, mild, moderate, severe\)",
        ),
        (THREE, {"classes": FOUR[::-1]}, r"left \(ordinal: severe, moderate, mild"),
        (THREE, {"cut_points": (2, 4, 6)}, "cut points 2, 4, 6"),
        (SIZE, {"kind": "binary", "classes": ("no", "yes")}, "binary: no, yes"),
        (SIZE, {"standardize": False}, r"expected .*, not standardised, received"),
    ],
)
def test_heads_that_mean_something_else_are_refused(
    model, tmp_path, form, trained, changed, message
):
    path = saved(model(trained), [trained.name], tmp_path, form, known=[trained])
    facts = {key: getattr(trained, key) for key in ("kind", "classes")} | changed
    other = make_task(name=trained.name, **facts)
    # Nothing but the meaning differs.
    assert other.n_outputs == trained.n_outputs
    before = values(filled := model(other, seed=2), other.name)
    with pytest.raises(DataError, match=message) as error:
        heads.fill(filled, [other], path)
    assert str(error.value).startswith(f"{path}: ")
    for one, same in zip(values(filled, other.name), before, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("form", ["h5", "safetensors"])
def test_heads_of_the_same_meaning_are_filled(model, tmp_path, form):
    """What a head does not depend on may differ: weight, permuted labels, mean."""
    trained = make_task(name="size", kind="regression", permute=True, mean=3.0, std=2.0)
    path = saved(model(trained), ["size"], tmp_path, form, known=[trained])
    other = make_task(name="size", kind="regression", weight=2.0)
    assert heads.fill(model(other, seed=2), [other], path) == ["size"]


@pytest.mark.parametrize("form", ["h5", "safetensors"])
def test_a_file_that_does_not_know_its_tasks_is_compared_by_its_shapes(
    model, tmp_path, form
):
    path = saved(model(THREE), ["left"], tmp_path, form)
    facts = {"kind": "categorical", "classes": FOUR[:3]}
    other = make_task(name="left", **facts)
    assert heads.fill(model(other, seed=2), [other], path) == ["left"]


def test_tasks_of_a_run_that_are_damaged_are_named(model, tmp_path):
    path = saved(model(SIZE), ["size"], tmp_path, "h5", known=[SIZE])
    for text in ("{", "[1]", '[{"name": "size"}]', '[{"name": "size", "kind": "x"}]'):
        (tmp_path / "tasks.json").write_text(text)
        with pytest.raises(DataError, match=r"tasks.json: expected the tasks of a run"):
            heads.fill(model(SIZE), [SIZE], path)


def test_a_file_without_heads_is_refused(model, tmp_path, tiny_backbone):
    path = tmp_path / "plain.weights.h5"
    model(LEFT).get_layer(tiny_backbone).save_weights(path)
    with pytest.raises(DataError, match="has heads of no task"):
        heads.fill(model(LEFT), [LEFT], path)
