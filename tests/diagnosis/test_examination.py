"""The whole diagnosis, as plain values."""

import json

import numpy as np
import pytest
from made_material import FOLDS, made_dataset, made_images, made_material

from mdmt_tf.diagnosis.examination import examine
from mdmt_tf.diagnosis.findings import SERIOUS
from mdmt_tf.storage import without_nan

N = 60


@pytest.fixture(scope="module")
def diagnosis():
    """AP tells the label, and an image is there twice."""
    labels = np.arange(N) // FOLDS % 2
    images = made_images(N, side=64)
    images[7] = images[1]
    view = np.where(labels == 1, "AP", "PA").astype(object)
    return examine(made_material(made_dataset(labels, images=images, view=view)))


def test_the_serious_findings_come_first(diagnosis):
    kinds = [f.kind for f in diagnosis.findings if f.level == SERIOUS]
    assert kinds == ["shortcut", "repeats_across_patients"]
    assert [f.level for f in diagnosis.findings[:2]] == [SERIOUS, SERIOUS]


def test_all_numbers_are_plain(diagnosis):
    plain = json.loads(json.dumps(without_nan(diagnosis.to_plain())))
    assert plain["datasets"] == {
        "ward": {"images": N, "patients": N, "synthetic": False}
    }
    assert plain["folds"] == FOLDS and plain["fold"] == 0
    (view,) = [one for one in plain["shortcuts"] if one["name"] == "view"]
    assert view["patient"]["auc"] == 1.0 and view["by"] == "patient"
    (repeat,) = plain["repeats"]
    assert repeat["kind"] == "identical" and repeat["leaking_folds"] > 0
    assert len(plain["findings"]) == len(diagnosis.findings)
    assert {one["tested"] for one in plain["limits"]} == {"all folds", "fold 0"}


def test_the_same_material_gives_the_same_numbers(diagnosis):
    again = examine(diagnosis.material)
    assert again.findings == diagnosis.findings
    assert str(again.to_plain()) == str(diagnosis.to_plain())
