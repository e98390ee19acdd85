"""The dataset of synthetic radiographs: every image has a device of its own."""

import csv
import dataclasses

import cv2
import pytest

from mdmt_tf.imaging.crop import smallest_box
from mdmt_tf.phantoms.chest import detector, synthetic_cxr
from mdmt_tf.phantoms.chest.studies import Conditions
from mdmt_tf.phantoms.plan import PhantomPlan
from mdmt_tf.phantoms.write import write_phantoms


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    plan = PhantomPlan(synthetic_cxr_patients=4, matrix=64, lung_masks=True, seed=5)
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "root", plan)


def test_image_k_is_the_same_for_any_number(root, tmp_path):
    few, many = (synthetic_cxr.studies(5, count) for count in (3, 40))
    assert few == many[:3]
    plan = PhantomPlan(synthetic_cxr_patients=2, matrix=64, seed=5)
    fewer = write_phantoms(tmp_path / "root", plan)
    for name in ("000000.png", "000001.png"):
        path = f"synthetic_cxr/images/{name}"
        assert (fewer / path).read_bytes() == (root / path).read_bytes()


def test_the_table_has_the_true_scores_and_the_box_of_the_lungs(root):
    with (root / "synthetic_cxr" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    for row, study in zip(rows, synthetic_cxr.studies(5, 4), strict=True):
        assert [int(row[zone]) for zone in "ABCDEF"] == list(study.grades)
        assert int(row["brixia_global"]) == sum(study.grades)
        assert row["projection"] == ("AP" if study.ap else "PA")
        path = f"synthetic_cxr/images/{row['filename']}"
        mask = cv2.imread(str(root / "lung_masks" / path), cv2.IMREAD_UNCHANGED)
        assert tuple(int(row[column]) for column in synthetic_cxr.BOX) == smallest_box(
            mask
        )
        ill = (sum(study.grades[:3]), sum(study.grades[3:]))
        extent = float(row["extent_right"]), float(row["extent_left"])
        assert all(0.0 < e <= 1.0 for e, sick in zip(extent, ill, strict=True) if sick)
        assert (row["opacity"] == "clear") == (sum(ill) == 0)
        assert row["effusion"] in ("absent", "right", "left", "both")
        assert "effusion" not in row["findings"]
        picture = cv2.imread(str(root / path), cv2.IMREAD_UNCHANGED)
        assert (picture.dtype, picture.shape) == ("uint8", mask.shape)


def test_devices_differ_and_do_not_depend_on_the_disease():
    made = synthetic_cxr.studies(0, 200)
    looks = {study.appearance for study in made}
    assert len(looks) == 200
    assert {look.marker for look in looks} == {"L", "R", ""}
    # The range of the drawn devices holds those of all hospitals and manufacturers.
    known = [*detector.HOSPITALS.values(), *detector.MANUFACTURERS.values()]
    for field in ("exposure", "scatter", "blur_cm", "flatten", "field_cm", "aspect"):
        values = [getattr(look, field) for look in looks]
        for device in known:
            assert min(values) <= getattr(device, field) * 1.02
            assert max(values) >= getattr(device, field) * 0.98
    # The same devices, whatever the outcome depends on.
    other = synthetic_cxr.studies(0, 200, Conditions(correlation=0.5))
    assert [s.appearance for s in other] == [s.appearance for s in made]


def test_one_device_on_request():
    made = synthetic_cxr.studies(0, 9, Conditions(shift="none"))
    one = dataclasses.replace(detector.ONE_DEVICE, bits=8)
    assert {study.appearance for study in made} == {one}
