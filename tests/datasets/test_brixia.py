"""Builder of BRIXIA, on dummy files with the traps of the real ones."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import tensorflow_datasets as tfds

from mdmt_tf.datasets.brixia import brixia_dataset_builder

DUMMY = Path(__file__).parents[2] / "datasets" / "brixia" / "dummy_data"


class BrixiaTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = brixia_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY
    SPLITS = {"train": 5}


def test_the_files_have_the_traps():
    table = (DUMMY / "BRIXIA" / "metadata_global_v2.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbfFilename;")
    assert b"102.dcm;1101;" in table


def test_scores(dummy):
    examples = dummy("brixia").examples
    assert {
        key: (example["brixia_scores"].tolist(), int(example["brixia_global"]))
        for key, example in examples.items()
    } == {
        "101": ([1, 2, 3, 3, 2, 1], 12),
        "102": ([0, 0, 1, 1, 0, 1], 3),  # 1101 with its zeros again
        "103": ([0, 0, 0, 0, 0, 0], 0),
        "104": ([3, 3, 3, 3, 3, 3], 18),
        "107": ([2, 2, 2, 0, 0, 0], 6),
    }
    assert examples["101"]["brixia_scores"].dtype == np.int8


def test_the_other_fields(dummy):
    examples = dummy("brixia").examples
    assert {
        key: (
            *(example["patient_id"].decode(), example["site"].decode()),
            *(example["manufacturer"].decode(), example["modality"].decode()),
            *(example["sex"].decode(), int(example["consensus_test"])),
        )
        for key, example in examples.items()
    } == {
        "101": ("S1", "Agfa", "Agfa", "CR", "F", 1),
        "102": ("S1", "Agfa", "Agfa-Gevaert", "DX", "F", 0),
        "103": ("S2", "SIEMENS", "SIEMENS", "DX", "M", 0),
        "104": ("S3", "", "", "CR", "", 0),
        "107": ("S6", "Kodak", "Kodak", "CR", "M", 0),
    }
    assert examples["104"]["age_five_year"] == 14  # unchanged
    assert np.isnan(examples["103"]["age_five_year"])
    assert examples["101"]["consensus_scores"].tolist() == [1, 2, 3, 3, 2, 2]
    assert examples["107"]["age_five_year"] == 40
    # Its consensus row has a 9: the scores are unknown, and the image is kept.
    assert examples["102"]["consensus_scores"].tolist() == [-1] * 6
    assert examples["103"]["consensus_scores"].tolist() == [-1] * 6


def test_an_image_in_monochrome1_and_rle(dummy):
    dataset = pydicom.dcmread(DUMMY / "BRIXIA" / "dicom_clean" / "103.dcm")
    assert dataset.PhotometricInterpretation == "MONOCHROME1"
    assert dataset.file_meta.TransferSyntaxUID.is_compressed
    white = 4095 - dataset.pixel_array
    expected = white.reshape(8, 5, 8, 4).mean((1, 3)) / 4095 * 255
    image = dummy("brixia").examples["103"]["image"][..., 0]
    np.testing.assert_allclose(image, expected, atol=0.51)


def test_rejections(dummy):
    data = dummy("brixia")
    assert data.reason("105.dcm") == (
        "contradictory scores: BrixiaScore 111111 adds up to 6, but BrixiaScoreGlobal "
        "is 7"
    )
    assert "BrixiaScore = '000412', expected six digits" in data.reason("106.dcm")
    reason = data.reason("dicom_clean/108.dcm")
    assert reason == "unreadable image: the file is empty"
    assert data.reason("dicom_clean/109.dcm") == "not in the table"
    assert data.reason("110.dcm").startswith("image missing: ")
    assert "ModeD = '9'" in data.reason("102.dcm", "metadata_consensus_v1.csv:3")
    assert len(data.rejected) == 6  # .DS_Store is not an image
    assert data.metadata["rows_repeated"] == 1


def test_counts_in_the_categories_of_the_paper(dummy):
    labels = dummy("brixia").metadata["labels"]["brixia_global"]
    assert {name: (c["images"], c["patients"]) for name, c in labels.items()} == {
        "0-4": (2, 2),
        "5-8": (1, 1),
        "9-13": (1, 1),
        "14-18": (1, 1),
        "unknown": (0, 0),
    }


def test_without_the_consensus_file(tmp_path, prepare_files):
    shutil.copytree(DUMMY / "BRIXIA", tmp_path / "BRIXIA")
    (tmp_path / "BRIXIA" / "metadata_consensus_v1.csv").unlink()
    data = prepare_files("brixia", tmp_path / "BRIXIA")
    assert len(data.examples) == 5
    for example in data.examples.values():
        assert example["consensus_scores"].tolist() == [-1] * 6


def test_a_row_without_scores_is_unknown(tmp_path, prepare_files):
    shutil.copytree(DUMMY / "BRIXIA", tmp_path / "BRIXIA")
    table = tmp_path / "BRIXIA" / "metadata_global_v2.csv"
    text = table.read_text(encoding="utf-8-sig")
    text = text.replace("101.dcm;123321;12;1", "101.dcm;;;").replace(
        "104.dcm;333333;18", "104.dcm;;18"
    )
    table.write_text(text)
    examples = prepare_files("brixia", tmp_path / "BRIXIA").examples
    assert examples["101"]["brixia_scores"].tolist() == [-1] * 6
    assert examples["101"]["brixia_global"] == -1
    assert examples["101"]["consensus_test"] == -1
    assert examples["104"]["brixia_scores"].tolist() == [-1] * 6
    assert examples["104"]["brixia_global"] == 18
