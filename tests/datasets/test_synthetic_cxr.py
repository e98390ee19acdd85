"""Builder of the synthetic radiographs, on dummy files and on drawn ones."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import choice
from mdmt_tf.datasets.synthetic_cxr import synthetic_cxr_dataset_builder
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import crop
from mdmt_tf.imaging.lungs import network
from mdmt_tf.phantoms.plan import PhantomPlan
from mdmt_tf.phantoms.write import write_phantoms

DUMMY = Path(__file__).parents[2] / "datasets" / "synthetic_cxr" / "dummy_data"


class SyntheticCxrTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = synthetic_cxr_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY
    SPLITS = {"train": 2}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    plan = PhantomPlan(synthetic_cxr_patients=3, matrix=64, lung_masks=True)
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "root", plan)


def test_fields_and_rejections(dummy):
    data = dummy("synthetic_cxr")
    example = data.examples["000000.png"]
    assert example["brixia_scores"].tolist() == [1, 0, 2, 0, 1, 3]
    assert example["brixia_global"] == 7
    assert (example["projection"], example["sex"]) == (b"ap", b"m")
    assert (example["patient_id"], example["site"]) == (b"s-0", b"CR")
    assert (example["opacity"], example["effusion"]) == (b"patchy", b"left")
    assert example["extent"].tolist() == [0.25, 0.5]
    assert "expected a box" in data.reason("000002.png", "labels.csv:4")
    assert "truncated PNG" in data.reason("images/000003.png", "labels.csv:5")
    assert data.metadata["synthetic"] is True


def test_extents_are_fractions(tmp_path, prepare_files):
    root = shutil.copytree(DUMMY, tmp_path / "synthetic_cxr")
    table = root / "labels.csv"
    table.write_text(table.read_text().replace("patchy,0.25", "patchy,25"))
    data = prepare_files("synthetic_cxr", tmp_path, config="lungs_32")
    place = ("000000.png", "labels.csv:2")
    assert "extent_right = 25.0, expected a fraction" in data.reason(*place)


def test_the_crop_is_that_of_the_true_lungs_without_a_network(
    drawn, prepare_files, monkeypatch
):
    monkeypatch.setattr(network, "predict", None)
    data = prepare_files("synthetic_cxr", drawn, config="lungs_32_grow_20")
    assert data.metadata["boxes"] == {"lungs": 3}
    for name, example in data.examples.items():
        mask = cv2.imread(
            str(drawn / "lung_masks" / "synthetic_cxr" / "images" / name), -1
        )
        box, source = crop.lung_box(mask, 20)
        assert (tuple(example["box"]), source) == (box, "lungs")
        picture = cv2.imread(str(drawn / "synthetic_cxr" / "images" / name), -1)
        content = crop.crop(picture.astype(np.float32) / 255, box)
        expected = crop.to_uint8(crop.resize(content, 32))
        np.testing.assert_array_equal(example["image"][..., 0], expected)


def test_only_marked_folders_are_taken_for_it(drawn, tmp_path):
    shutil.copytree(drawn / "synthetic_cxr", tmp_path / "own")
    builder = synthetic_cxr_dataset_builder.Builder
    assert builder.find_root(tmp_path / "own") == tmp_path / "own"
    assert builder.find_root(drawn) == drawn / "synthetic_cxr"
    mark = tmp_path / "own" / "SYNTHETIC.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"dataset": "other"}))
    assert builder.find_root(tmp_path / "own") is None
    mark.unlink()  # a user's own labels.csv
    with pytest.raises(DataError, match="holds none of the datasets"):
        choice.choose("all", tmp_path / "own", None)
