"""Every key is described; few have no default."""

import pytest

from mdmt_tf.config.keys import all_keys, names_below

KEYS = {key.full: key for key in all_keys()}


@pytest.mark.parametrize("name", KEYS)
def test_it_is_described(name):
    key = KEYS[name]
    assert len(key.description) > 10 and key.description[0].strip()
    assert key.description.endswith((".", "..."))
    assert key.owner.__doc__


def test_a_new_key_has_a_default():
    """Or it would break every configuration that is there already."""
    required = {name for name, key in KEYS.items() if key.default == "required"}
    assert required == {
        "experiment",
        "dataset.name",
        "dataset.tables",
        "dataset.tables.N.file",
        "dataset.columns",
        "dataset.columns.image",
        "dataset.labels",
        "tasks",
        "tasks.NAME.kind",
        "tasks.NAME.from",
        "derived.NAME.sum",
        "datasets",
        "pipeline.augmentation.layers.N.layer",
        "split.whole.tasks",
        "split.whole.tasks.NAME.kind",
        "split.whole.tasks.NAME.from",
        "split.whole.datasets",
        "training",
        "training.select_on",
        "training.select_on.task",
        "benchmark.backbones",
        "benchmark.cross_validation",
        "benchmark.cross_validation.NAME.whole.tasks",
        "benchmark.cross_validation.NAME.whole.tasks.NAME.kind",
        "benchmark.cross_validation.NAME.whole.tasks.NAME.from",
        "benchmark.cross_validation.NAME.whole.datasets",
        "benchmark.experiments",
        "benchmark.experiments.NAME.tasks",
        "benchmark.baselines.NAME.task",
    }


@pytest.mark.parametrize(
    ("name", "values", "default"),
    [
        ("seed", "integer from 0 to 2147483647", "0"),
        ("split.validation_fraction", "number above 0, below 1", "0.1"),
        ("split.leave_out", "list of name", "[]"),
        ("training.patience", "integer at least 1 or null", "40"),
        ("training.tensorboard", "true or false", "true"),
        ("training.optimizer", "adam or adamw", "adam"),
        ("model.freeze", "none or stem or all or number above 0, below 1", "none"),
        ("model.backbone", "name of a backbone", "resnet18"),
        ("pipeline.augmentation", "section or null", "{}"),
        (
            "pipeline.augmentation.elastic_alpha",
            "list of 2: number at least 0",
            "[20, 40]",
        ),
        ("tasks.NAME.kind", None, "required"),
        ("benchmark.experiments.NAME.set", "mapping from name to any value", "{}"),
    ],
)
def test_values_and_defaults_in_words(name, values, default):
    assert values in (None, KEYS[name].values)
    assert KEYS[name].default == default


def test_keys_of_a_section():
    assert names_below(["training", "select_on"]) == ["task", "metric"]
    assert "kind" in names_below(["tasks", "anything"])
    assert names_below(["nothing"]) == []
    assert "training" in names_below([])
