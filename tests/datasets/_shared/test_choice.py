"""Which datasets are prepared, and which images of them are left out."""

import shutil
from pathlib import Path

import pytest

from mdmt_tf.datasets._shared import choice
from mdmt_tf.errors import ConfigError, DataError

DATASETS = Path(__file__).resolve().parents[3] / "datasets"


def test_one_dataset_by_name(tmp_path):
    assert choice.choose("brixia", tmp_path, "full_8") == ({"brixia": "full_8"}, [])
    with pytest.raises(ConfigError, match="Did you mean 'brixia'"):
        choice.choose("brixa", tmp_path, None)


def test_all_that_are_found(tmp_path):
    shutil.copytree(DATASETS / "hannover" / "dummy_data", tmp_path / "hannover")
    configs, absent = choice.choose("all", tmp_path, None)
    assert configs == {"hannover": None}
    assert "brixia (a folder BRIXIA)" in absent and len(absent) == 4
    with pytest.raises(ConfigError, match="a preprocessing of none .*: hannover"):
        choice.choose("all", tmp_path, "head_6x7x8")
    with pytest.raises(DataError, match="holds none of the datasets"):
        choice.choose("all", tmp_path / "hannover" / "png", None)


def test_a_list_of_images_to_leave_out(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\ufeff# by two readers\na1   # half of it missing\n\nb 2\n")
    assert choice.read_excluded(path) == {"a1", "b 2"}
    with pytest.raises(DataError, match="--exclude .*one image id per line"):
        choice.read_excluded(tmp_path / "no.txt")
