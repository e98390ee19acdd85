"""Builder of AIforCOVID, on dummy files with the traps of the real ones."""

import datetime
import shutil
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pydicom
import pytest
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import prepare
from mdmt_tf.datasets.aiforcovid import aiforcovid_dataset_builder
from mdmt_tf.errors import DataError

DUMMY = Path(__file__).parents[2] / "datasets" / "aiforcovid" / "dummy_data"


class AiforcovidTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = aiforcovid_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY
    SPLITS = {"train": 7}


def block_means(pixels, white):
    """(40, 32) to uint8 (8, 8, 1): the expected area average."""
    means = pixels.reshape(8, 5, 8, 4).mean((1, 3)) / white
    return np.rint(means * 255)[..., None]


def assert_levels(actual, expected):
    # float32 and float64 may round a mean between two levels differently.
    np.testing.assert_allclose(actual, expected, atol=1)
    assert (actual == expected).mean() > 0.95


def test_labels(dummy):
    examples = dummy("aiforcovid").examples
    facts = {
        key: (
            *(example["site"].decode(), int(example["prognosis"])),
            *(int(example["death"]), float(example["age"])),
            *(example["sex"].decode(), int(example["release"])),
        )
        for key, example in examples.items()
    }
    unknown_age = facts["P_1_3"][3]
    assert np.isnan(unknown_age)
    assert facts == {
        "P_1_1": ("A", 0, 0, 61, "0", 1),  # the 0 of Sex is a code, not "unknown"
        "P_1_2": ("B", 1, 1, 75, "1", 1),
        "P_1_3": ("C", 1, -1, unknown_age, "", 1),
        "P_1_4": ("D", -1, 0, 48, "1", 1),
        "P_2_1": ("F", 0, -1, pytest.approx(np.nan, nan_ok=True), "", 2),
        "P_2_2": ("F", 1, -1, pytest.approx(np.nan, nan_ok=True), "", 2),
        "P_3_1": ("B", 0, 0, 80, "M", 3),
    }
    for key, example in examples.items():
        assert example["patient_id"].decode() == key


def test_images_of_every_kind_of_file(dummy):
    examples = dummy("aiforcovid").examples
    folder = DUMMY / "AIforCOVID"

    def stored(name):
        return pydicom.dcmread(folder / name).pixel_array

    # The window of the dummy files is the identity on 12 bits.
    expected = {
        "P_1_1": block_means(stored("imgs/P_1_1.dcm"), 4095),
        "P_1_2": block_means(4095 - stored("imgs/P_1_2.dcm"), 4095),  # MONOCHROME1
        "P_1_3": block_means(cv2.imread(str(folder / "imgs/P_1_3.png"), -1), 4095),
        "P_1_4": block_means(stored("imgs/P_1_4.png"), 4095),  # DICOM by content
        "P_2_2": block_means(cv2.imread(str(folder / "imgs_r2/P_2_2.png"), -1), 255),
        "P_3_1": block_means(stored("imgs_r3/P_3_1.dcm"), 4095),  # JPEG 2000
    }
    for key, levels in expected.items():
        assert examples[key]["image"].dtype == np.uint8
        assert levels.std() > 10
        assert_levels(examples[key]["image"], levels)
        np.testing.assert_array_equal(examples[key]["box"], [0, 0, 40, 32])
        np.testing.assert_array_equal(examples[key]["original_shape"], [40, 32])


def test_rejections(dummy):
    data = dummy("aiforcovid")
    assert "truncated DICOM file" in data.reason("imgs/P_1_5.dcm")
    assert data.reason("imgs/P_1_5.dcm").startswith("unreadable image: ")
    assert data.reason("imgs/P_1_6.dcm") == "not in the table"
    assert data.reason("P_1_7") == "image missing: there is no file for 'P_1_7'"
    assert "Prognosis = 'MODERATE'" in data.reason("P_1_8", "AIforCOVID.xlsx:8")
    contradiction = (
        "contradictory rows: prognosis is 0 in AIforCOVID.xlsx:9 and 1 in "
        "AIforCOVID_r2.xlsx:3"
    )
    assert data.reason("P_1_9", "AIforCOVID.xlsx:9") == contradiction
    assert data.reason("P_1_9", "AIforCOVID_r2.xlsx:3") == contradiction
    assert data.reason("imgs/P_1_16.dcm") == "listed as unusable"
    assert len(data.rejected) == 7


def test_counts(dummy):
    metadata = dummy("aiforcovid").metadata
    assert metadata["synthetic"] is False
    assert metadata["rows_read"] == 9 + 4 + 1
    assert metadata["rows_repeated"] == 1  # P_1_1, in the spreadsheet of release 2 too
    assert metadata["prepared"] == metadata["patients"] == 7
    assert metadata["rejected"] == 7
    assert metadata["rejected_by_reason"] == {
        "contradictory rows": 2,
        "image missing": 1,
        "bad value": 1,
        "listed as unusable": 1,
        "not in the table": 1,
        "unreadable image": 1,
    }
    assert metadata["sites"] == {"A": 1, "B": 2, "C": 1, "D": 1, "F": 2}
    assert metadata["labels"] == {
        "prognosis": {
            "MILD": {"images": 3, "patients": 3},
            "SEVERE": {"images": 3, "patients": 3},
            "unknown": {"images": 1, "patients": 1},
        }
    }


@pytest.fixture
def copy(tmp_path):
    """A copy of the dummy dataset that a test may change."""
    shutil.copytree(DUMMY / "AIforCOVID", tmp_path / "AIforCOVID")
    return tmp_path / "AIforCOVID"


@pytest.mark.parametrize("kept, n", [("", 5), ("_r2", 2), ("_r3", 1)])
def test_each_release_alone(copy, prepare_files, kept, n):
    # Release 1 alone has a fifth image: no other row contradicts that of P_1_9.
    for release in {"", "_r2", "_r3"} - {kept}:
        shutil.rmtree(copy / f"imgs{release}")
        (copy / f"AIforCOVID{release}.xlsx").unlink()
    assert len(prepare_files("aiforcovid", copy).examples) == n


@pytest.mark.parametrize(
    "gone, there",
    [("imgs_r2", "AIforCOVID_r2.xlsx"), ("AIforCOVID.xlsx", "imgs")],
)
def test_half_a_release(copy, tmp_path, gone, there):
    path = copy / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match=f"without {gone}, though {there} is there"):
        prepare.prepare_dataset("aiforcovid", tmp_path, tmp_path / "out")


def test_an_empty_cell_is_completed_by_another_row(copy, prepare_files):
    path = copy / "AIforCOVID_r2.xlsx"
    workbook = openpyxl.load_workbook(path)
    workbook.active.append(["P_1_4", "D", "SEVERE"])  # empty in release 1
    workbook.save(path)
    data = prepare_files("aiforcovid", copy)
    assert data.examples["P_1_4"]["prognosis"] == 1
    assert data.examples["P_1_4"]["age"] == 48


@pytest.mark.parametrize(
    "exclude, absent", [(None, {"P_1_16"}), ((), set()), (("P_1_1",), {"P_1_1"})]
)
def test_the_list_of_unusable_images_can_be_replaced(tmp_path, exclude, absent):
    prepared = prepare.prepare_dataset(
        "aiforcovid", DUMMY, tmp_path, config="full_8", exclude=exclude
    )
    builder = tfds.builder_from_directory(prepared.path)
    names = {
        example["image_id"].decode()
        for example in tfds.as_numpy(builder.as_dataset(split="train"))
    }
    assert {"P_1_1", "P_1_2", "P_1_16"} - names == absent


def test_the_list_is_that_of_the_paper():
    assert {
        "P_1_16",
        "P_3_20",
        "P_3_108",
        "P_3_208",
        "P_3_341",
        "P_3_377",
        "P_3_391",
        "P_3_411",
    } == aiforcovid_dataset_builder.Builder.UNUSABLE


def test_a_spreadsheet_without_a_needed_column(copy, tmp_path):
    path = copy / "AIforCOVID_r3.xlsx"
    workbook = openpyxl.load_workbook(path)
    workbook.active["B1"] = "Clinic"
    workbook.save(path)
    with pytest.raises(
        DataError, match=r"_r3\.xlsx, sheet 'Sheet': expected the columns .*Hospital"
    ):
        prepare.prepare_dataset("aiforcovid", tmp_path, tmp_path / "out")


def test_a_damaged_spreadsheet(copy, tmp_path):
    (copy / "AIforCOVID.xlsx").write_bytes(b"PK\3\4 no spreadsheet")
    with pytest.raises(DataError, match=r"AIforCOVID\.xlsx: this spreadsheet cannot"):
        prepare.prepare_dataset("aiforcovid", tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    "cells, field, unknown",
    [
        (["MILD", "n.d.", 50, "F"], "death", -1),
        (["MILD", 0, "1955-03-04", "F"], "age", None),
        (["MILD", 0, datetime.datetime(1955, 3, 4), "F"], "age", None),
        (["MILD", 0, 20150, "F"], "age", None),
        (["MILD", 0, 50, "#REF!"], "sex", ""),
    ],
)
def test_cells_that_no_label_needs_cost_no_row(copy, read_files, cells, field, unknown):
    workbook = openpyxl.Workbook()
    workbook.active.append(
        ["ImageFile", "Hospital", "Prognosis", "Death", "Age", "Sex"]
    )
    workbook.active.append(["P_3_1", "A", *cells])
    workbook.save(copy / "AIforCOVID_r3.xlsx")
    labels, _, warned = read_files("aiforcovid", copy)
    one = labels["P_3_1"]
    assert one["prognosis"] == 0
    assert np.isnan(one[field]) if unknown is None else one[field] == unknown
    assert sum("P_3_1,AIforCOVID_r3.xlsx:2" in line for line in warned) == 1


def test_an_outcome_that_is_refused_in_one_release_is_unknown(copy, read_files):
    path = copy / "AIforCOVID_r2.xlsx"
    workbook = openpyxl.load_workbook(path)
    workbook.active.append(["P_1_4", "D", "n.d."])
    workbook.active.append(["P_1_1", "A", "worse"])
    workbook.save(path)
    labels, rejected, _ = read_files("aiforcovid", copy)
    assert (labels["P_1_4"]["prognosis"], labels["P_1_1"]["prognosis"]) == (-1, -1)
    assert sum("expected MILD, SEVERE or empty" in line for line in rejected) == 3
