"""Configurations laid over another one."""

import pytest

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def test_sections_are_merged_and_named_things_replaced(write):
    write(
        "below.yaml",
        "a: 1\ntraining: {epochs: 3, batch_size: 8}\n"
        "tasks: {x: {kind: binary}, y: {kind: ordinal}}\n"
        "benchmark:\n  seeds: [0]\n  experiments: {p: {tasks: [x]}}\n",
    )
    above = write(
        "above.yaml",
        "base: below.yaml\ntraining:\n  epochs: 5\ntasks: {z: {kind: binary}}\n"
        "benchmark: {experiments: {q: {tasks: [z]}}}\n",
    )
    values, origins = files.read(above)
    assert values == {
        "a": 1,
        "training": {"epochs": 5, "batch_size": 8},
        "tasks": {"z": {"kind": "binary"}},
        "benchmark": {"seeds": [0], "experiments": {"q": {"tasks": ["z"]}}},
    }
    places = {key: where.rpartition("/")[2] for key, where in origins.items()}
    assert places["training", "epochs"] == "above.yaml:3"
    assert places["training", "batch_size"] == "below.yaml:2"
    assert places["tasks", "z"] == "above.yaml:4"
    assert ("tasks", "x") not in origins


def test_a_base_may_have_a_base_and_be_one_of_ours(write):
    write("middle.yaml", "base: phantom\nimage_size: 48\n")
    top = write("top.yaml", "base: middle.yaml\nseed: 7\n")
    settings = config.load(top)
    assert (settings.image_size, settings.seed) == (48, 7)
    assert settings.phantoms is not None


def test_messages_name_the_file_of_the_wrong_line(write):
    write("below.yaml", "base: phantom\nimage_size: 4\n")
    above = write("above.yaml", "base: below.yaml\ntraining:\n  epochs: none\n")
    with pytest.raises(ConfigError) as raised:
        config.load(above)
    text = str(raised.value)
    assert "below.yaml:2: image_size = 4" in text
    assert "above.yaml:3: training.epochs = 'none'" in text


@pytest.mark.parametrize(
    "text, message",
    [
        ("base: own.yaml", "own.yaml is a base of itself"),
        ("base: [a]", r"own.yaml:1: base = \['a'\]: expected a name or a path"),
        ("base: nothing.yaml", "no such configuration or file"),
    ],
)
def test_wrong_bases(write, text, message):
    with pytest.raises(ConfigError, match=message):
        files.read(write("own.yaml", text))


@pytest.mark.parametrize(
    "value", ["a # b", "a: b", "null", "1", "", "é", 3, 0.5, None, True, ["a", 1]]
)
def test_a_value_is_handed_over_as_it_is(value):
    read = {}
    files.override(read, {}, files.assignment("one.two", value))
    assert read == {"one": {"two": value}}
