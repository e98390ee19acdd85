"""Means over an image and its mirror image, against means by hand."""

import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.flip_averaging import flip_averaged
from mdmt_tf.models.from_config import answering_model, build_from_config
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task

LEFT, RIGHT, AGE = (make_task(name=n, kind="regression") for n in ("l", "r", "age"))
PAIRS = {"l": "r", "r": "l"}


def test_pairs_are_exchanged_and_the_others_are_averaged(tiny_backbone):
    backbone = build_backbone(tiny_backbone, (16, 16, 3), seed=1)
    model = build_model(backbone, [LEFT, RIGHT, AGE])
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)
    plain, flipped = model(images), model(images[:, :, ::-1])
    made = flip_averaged(model, PAIRS)(images)
    for name, other in (PAIRS | {"age": "age"}).items():
        expected = (plain[name] + flipped[other]) / 2
        np.testing.assert_allclose(made[name], expected, atol=1e-6)
    assert not np.allclose(made["l"], plain["l"], atol=1e-4)


def test_a_symmetric_image_has_the_same_answers_on_both_sides(tiny_backbone):
    model = build_model(build_backbone(tiny_backbone, (16, 16, 3)), [LEFT, RIGHT])
    half = np.random.default_rng(0).normal(size=(2, 16, 8, 3)).astype(np.float32)
    made = flip_averaged(model, PAIRS)(np.concatenate([half, half[:, :, ::-1]], axis=2))
    np.testing.assert_allclose(made["l"], made["r"], atol=1e-6)


@pytest.mark.parametrize("change", [[], ["model.batch_norm=per_dataset"]])
def test_volumes_and_numbers_of_datasets(change):
    settings = config.load(
        "ich_phantom",
        ["model.flip_averaging=true", "image_size=[32, 32, 32]", *change],
    )
    model = build_from_config(settings)
    volumes = np.random.default_rng(0).normal(size=(2, 32, 32, 32, 1))
    volumes = volumes.astype(np.float32)
    rest = [np.array([0, -1])] if change else []
    both = [
        model((one, *rest) if rest else one) for one in (volumes, volumes[..., ::-1, :])
    ]
    made = answering_model(settings, model)((volumes, *rest) if rest else volumes)
    for name in made:
        expected = (both[0][name] + both[1][name]) / 2
        np.testing.assert_allclose(made[name], expected, atol=1e-5)
