"""Synthetic head CTs through the real builder: training reads what was drawn."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from mdmt_tf import config
from mdmt_tf.data import embedded
from mdmt_tf.data.sources import open_dataset

PATIENTS = 10


@pytest.fixture(scope="module")
def provided(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    overrides = [f"phantoms.ich_csic_patients={PATIENTS}", "phantoms.head_matrix=64"]
    settings = config.load("ich_phantom", [f"data_dir={folder / 'data'}", *overrides])
    return embedded.provide(settings, lambda text: None)


@pytest.fixture(scope="module")
def heads(provided):
    return open_dataset(provided.data_dir, "ich_csic", "head_32x48x48")


@pytest.fixture(scope="module")
def truth(provided):
    path = Path(provided.data_dir) / "originals" / "phantom_head_truth.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {Path(row["file"]).name[:-13]: row for row in csv.DictReader(file)}


def test_every_head_is_read_with_its_labels(heads, truth):
    assert heads.synthetic and len(heads) == PATIENTS
    assert heads.image_shape == (32, 48, 48, 1)
    assert set(heads.table["image_id"]) == set(truth)
    with (heads.folder / "rejected.csv").open() as file:
        assert list(csv.DictReader(file)) == []
    for name, poor, gcs, age in zip(
        *(heads.table[key] for key in ("image_id", "poor_prognosis", "gcs", "age")),
        strict=True,
    ):
        row = truth[name]
        assert int(row["poor_prognosis"]) == poor
        # The tables leave some out; what they state is true.
        assert gcs in (-1, int(row["gcs"]))
        assert np.isnan(age) or age == float(row["age"])


def test_blood_is_where_the_masks_say(heads, provided):
    """By the affine of the prepared voxels and that of the mask's file."""
    masks = Path(provided.data_dir) / "originals" / "lesion_masks" / "ICH_CSIC"
    grid = np.indices((32, 48, 48)).reshape(3, -1)
    for number, name in enumerate(heads.table["image_id"]):
        mask = nibabel.load(masks / f"{name}_lesion.nii.gz")
        affine = heads.table["affine"][number].reshape(4, 4)
        to_file = np.linalg.inv(mask.affine) @ affine
        places = to_file[:3, :3] @ grid + to_file[:3, 3:]
        blood = np.asarray(mask.dataobj) > 0
        share = ndimage.map_coordinates(blood.astype("float32"), places, order=1)
        pixels = heads.decode(heads.records.read([number])[0]).numpy()
        pixels = pixels.reshape(-1) / 32767
        inside = pixels[share > 0.9]
        tissue = pixels[(share == 0) & (pixels > 0.1)]
        # Blood of 60 to 75 HU is above half of the window, tissue of 28 to 37 below a
        # third; voxels of the prepared grid hold a little of their neighbours.
        assert len(inside) and inside.mean() > 0.45
        assert tissue.mean() < 0.33
