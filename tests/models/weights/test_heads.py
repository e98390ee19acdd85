"""Heads that start from a file of weights, in both forms of files."""

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


def saved(model, tasks, folder, form):
    backbone = model.get_layer(model.layers[1].name)
    arrays = heads.arrays_of(model, tasks)
    if form == "h5":
        path = folder / "backbone.weights.h5"
        backbone.save_weights(path)
        heads.write(path, arrays)
        return path
    path = folder / "backbone.safetensors"
    arrays = half_precision.halved(arrays, "tiny") | half_precision.arrays_of(backbone)
    half_precision.write(path, arrays, {"backbone": backbone.name})
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
    assert heads.fill(new, ["right", "left"], path) == ["left"]
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
        heads.fill(model(AGE), ["age"], path)
    with pytest.raises(DataError, match=r"'left' has another form: .*received \(128,"):
        heads.fill(model(LEFT, form="linear"), ["left"], path)
    with pytest.raises(ConfigError, match="the average of 2 files"):
        heads.fill(model(LEFT), ["left"], {str(path): 0.5, "other": 0.5})


def test_a_file_without_heads_is_refused(model, tmp_path, tiny_backbone):
    path = tmp_path / "plain.weights.h5"
    model(LEFT).get_layer(tiny_backbone).save_weights(path)
    with pytest.raises(DataError, match="has heads of no task"):
        heads.fill(model(LEFT), ["left"], path)
