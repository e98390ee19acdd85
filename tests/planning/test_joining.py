"""An existing configuration that a dataset joins."""

import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.joining import like_base, read_base
from mdmt_tf.planning.labels import make_label
from mdmt_tf.planning.preprocessing import Recipe


def a_label(name, cells):
    return make_label(
        name, Column(name, tuple(cells)), [str(n) for n in range(len(cells))]
    )


@pytest.fixture
def mdmt(tmp_path):
    return read_base("mdmt", tmp_path / "new.yaml", "ward")


def test_tasks_and_datasets_of_a_shipped_configuration(mdmt):
    assert mdmt.reference == "mdmt" and not mdmt.is_volume
    assert list(mdmt.tasks) == ["prognosis", "severity"]
    assert list(mdmt.datasets) == ["aiforcovid", "brixia"]
    assert mdmt.select_on == {"task": "prognosis", "metric": "loss"}


def test_a_file_is_named_relative_to_the_new_one(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: ich\n")
    (tmp_path / "new").mkdir()
    base = read_base(str(tmp_path / "mine.yaml"), tmp_path / "new/x.yaml", "ward")
    assert base.reference == "../mine.yaml"
    assert base.is_volume and list(base.datasets) == ["ich_csic"]


@pytest.mark.parametrize(
    ("name", "cells", "like"),
    [
        ("outcome", ["mild", "severe"], ["prognosis"]),
        ("severity", ["low", "high"], []),  # text cannot be cut at points
        ("score", [str(n) for n in range(19)], ["severity"]),
        ("score", [str(n) for n in range(6, 19)], []),  # none below 5
        ("prognosis", ["a", "b"], []),
        ("other", ["a", "b"], []),
    ],
)
def test_tasks_that_a_label_may_feed(mdmt, name, cells, like):
    assert mdmt.like(a_label(name, cells * 5)) == like


def test_a_name_that_is_taken_gets_a_number(mdmt):
    assert mdmt.free_task("outcome") == "outcome"
    assert mdmt.free_task("severity") == "severity_2"


@pytest.mark.parametrize(
    ("text", "flips", "averages"),
    [
        ("base: mdmt", True, False),
        ("base: severity_zones", True, True),
        ("base: mdmt\npipeline: {augmentation: null}", False, False),
        ("base: mdmt\npipeline: {augmentation: {flip_probability: 0}}", False, False),
        ("base: ich", False, False),
    ],
)
def test_a_base_says_whether_it_exchanges_left_and_right(
    tmp_path, text, flips, averages
):
    (tmp_path / "x.yaml").write_text(text)
    base = read_base(str(tmp_path / "x.yaml"), tmp_path / "new.yaml", "ward")
    assert (base.flips, base.flip_averaging) == (flips, averages)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: phantom\n", "its data are synthetic"),
        ("experiment: x\n", "expected a configuration with tasks"),
        ("base: mdmt\ndatasets: {ward: {}}\n", "has a dataset 'ward' already"),
        ("base: mdmt\ndataset: {name: other}\n", "declares the dataset 'other' itself"),
    ],
)
def test_what_cannot_be_joined_is_named(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_base(str(path), tmp_path / "new.yaml", "ward")


def test_images_are_made_ready_as_those_of_the_base(mdmt):
    guess = Recipe("lungs_128", 128, "x", is_chest=True)
    recipe = like_base(mdmt, guess)
    assert (recipe.value, recipe.size) == ("lungs_256", 256)
    assert recipe.reason == "as the other datasets of mdmt"
    unsure = like_base(mdmt, Recipe("full_128", 128, "x", sure=False))
    assert unsure.value == "lungs_256" and not unsure.sure
    other = Recipe("full_128", 128, "x")
    assert like_base(mdmt, other) == other
