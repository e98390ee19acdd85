"""The section of a baseline: what goes together, and every message."""

import pytest

from mdmt_tf import config
from mdmt_tf.config.baseline_section import BaselineSection
from mdmt_tf.errors import ConfigError

FIELDS = "fields: {aiforcovid: [age]}"


def load(baseline, *overrides):
    section = f"benchmark.baselines={{x: {{{baseline}}}}}"
    return config.load("replication_phantom", [section, *overrides])


@pytest.mark.parametrize(
    "baseline, message",
    [
        ("", r"fields: missing; a baseline with model = 'logistic' predicts from"),
        ("model: mlp", r"fields: missing; a baseline with model = 'mlp'"),
        (
            f"model: thumbnail, {FIELDS}",
            r"fields: a baseline with model = 'thumbnail' predicts",
        ),
        ("model: features", r"backbone: missing; a baseline with model = 'features'"),
        (
            "model: thumbnail, backbone: resnet18",
            r"backbone = 'resnet18': a baseline with model = 'thumbnail' has no",
        ),
        ("model: features, backbone: resnet19", r"Did you mean"),
        (
            f"{FIELDS}, weights: null",
            r"weights = None: a baseline with model = 'logistic' has no backbone",
        ),
        (
            "model: features, backbone: resnet18, weights: a.pth",
            r"weights = 'a.pth': expected imagenet, phantoms, null or the path",
        ),
        (
            "model: features, backbone: densenet121_3d",
            r"weights = 'imagenet': densenet121_3d has no published weights",
        ),
        (
            "model: features, backbone: densenet121_3d, weights: null",
            r"benchmark.baselines.x.backbone = 'densenet121_3d': is for volumes",
        ),
        ("fields: {brixia: [age]}", r"expected fields of each dataset that fe"),
        ("model: ridge", r"model = 'ridge'"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(baseline, message):
    with pytest.raises(ConfigError, match=message):
        load(f"task: prognosis, {baseline}")


def test_an_unknown_task_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"x.task: 'prognose' is not one of the task"):
        load("task: prognose, model: thumbnail")


def test_numbers_are_for_baselines_of_images():
    """Fields predict classes only."""
    number = "tasks.prognosis={kind: regression, from: {aiforcovid: age}}"
    number = (number, "training.select_on={task: prognosis}")
    with pytest.raises(ConfigError, match="is a regression; a baseline of fields need"):
        load(f"task: prognosis, {FIELDS}", *number)
    loaded = load("task: prognosis, model: thumbnail")
    assert loaded.benchmark.baselines["x"].model == "thumbnail"


@pytest.mark.parametrize(
    "settings, facts, origin",
    [
        (
            {"fields": {"d": ("age",)}},
            {"task": "t", "model": "logistic", "fields": {"d": ["age"]}},
            "fields, no image",
        ),
        (
            {"model": "thumbnail"},
            {"task": "t", "model": "thumbnail"},
            "a thumbnail of the image",
        ),
        (
            {"model": "features", "backbone": "resnet18", "weights": None},
            {"task": "t", "model": "features", "backbone": "resnet18", "weights": None},
            "features of a frozen resnet18, random values",
        ),
    ],
)
def test_only_what_has_a_meaning_is_stated(settings, facts, origin):
    """Identities of baselines of fields are as before there were others."""
    section = BaselineSection(task="t", **settings)
    assert section.facts() == facts
    assert section.origin == origin
