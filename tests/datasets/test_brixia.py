"""Builder of BRIXIA, on dummy files with the traps of the real ones."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tensorflow_datasets as tfds

from mdmt_tf.datasets.brixia import brixia_dataset_builder
from mdmt_tf.errors import DataError

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


HEADER = "Filename;BrixiaScore;BrixiaScoreGlobal;ConsensusTestset;Subject;Sex;" + (
    "AgeAtStudyDateFiveYear"
)


@pytest.fixture
def read(tmp_path, read_files):
    """read(rows, consensus): what is read of tables of the images 101 to 107."""

    def read(rows, consensus=(), header=HEADER):
        root = tmp_path / "BRIXIA"
        images = DUMMY / "BRIXIA" / "dicom_clean"
        shutil.copytree(images, root / "dicom_clean", dirs_exist_ok=True)
        table = "\n".join([header, *rows])
        (root / "metadata_global_v2.csv").write_text(table)
        if consensus:
            names = ("Filename", *(f"Mode{zone}" for zone in "ABCDEF"))
            lines = [";".join(names), *consensus]
            (root / "metadata_consensus_v1.csv").write_text("\n".join(lines))
        return read_files("brixia", root)

    return read


def test_numbers_as_programs_write_them(read):
    labels, rejected, warned = read(
        [
            "101;123321.0;12.0;1.0;S1;M;065Y",
            "102;1101,0;3;TRUE;S2;M;070Y",
            "103;0;0.0;0.0;S3;F;13.0",
        ]
    )
    assert {
        image: (
            "".join(map(str, label["brixia_scores"])),
            *(label["brixia_global"], label["consensus_test"], label["age_five_year"]),
        )
        for image, label in labels.items()
    } == {"101": ("123321", 12, 1, 65), "103": ("000000", 0, 0, 13)}
    # The column has points before decimals.
    assert any("BrixiaScore = '1101,0'" in line for line in rejected)
    assert len(warned) == 1 and "'123321.0' in line 2 shows that a point" in warned[0]


def test_decimal_commas(read):
    labels, *_ = read(["101;1101,0;3,0;1,0;S1;M;13,5", "103;0;0,0;0,0;S3;F;13"])
    assert labels["101"]["brixia_scores"].tolist() == [0, 0, 1, 1, 0, 1]
    assert (labels["101"]["age_five_year"], labels["101"]["consensus_test"]) == (
        13.5,
        1,
    )


def test_cells_that_no_label_needs_cost_no_row(read):
    row = "101;123321;12;maybe;S1;#REF!;1955-03-04;#N/A"
    labels, rejected, warned = read([row], header=f"{HEADER};Manufacturer")
    one = labels["101"]
    assert (one["brixia_global"], one["consensus_test"], one["sex"]) == (12, -1, "")
    assert (one["site"], one["manufacturer"]) == ("", "")
    assert np.isnan(one["age_five_year"])
    assert len(warned) == 4  # cells; one is read for two fields
    assert not [line for line in rejected if "not in the table" not in line]


@pytest.mark.parametrize("order", [1, -1])
def test_a_score_that_is_refused_in_one_row_of_an_image_is_unknown(read, order):
    rows = ["101;123x21;12;0;S1;M;13", "101;123321;12;0;S1;M;13"]
    labels, rejected, _ = read(rows[::order])
    assert labels["101"]["brixia_global"] == -1
    assert labels["101"]["brixia_scores"].tolist() == [-1] * 6
    assert sum("bad value: BrixiaScore = '123x21'" in line for line in rejected) == 1


def test_a_consensus_that_contradicts_itself(read):
    rows = ["101;123321;12;0;S1;M;13"]
    same = ["101.dcm;1;2;3;3;2;1", "102.dcm;0;0;0;0;0;0", "101.dcm;1;2;3;3;2;1.0"]
    assert read(rows, same)[0]["101"]["consensus_scores"].tolist() == [1, 2, 3, 3, 2, 1]
    other = [*same[:2], "101.dcm;1;2;3;3;2;2"]
    with pytest.raises(DataError) as error:
        read(rows, other)
    assert "metadata_consensus_v1.csv:4: ModeF of " in str(error.value)
    assert "is '2', but '1' in line 2. Keep the row that is right" in str(error.value)


def test_a_consensus_that_is_refused_in_one_row_is_unknown(read):
    rows = ["101;123321;12;0;S1;M;13"]
    both = ["101.dcm;1;2;3;3;2;9", "101.dcm;1;2;3;3;2;"]
    labels, rejected, _ = read(rows, both)
    assert labels["101"]["consensus_scores"].tolist() == [-1] * 6
    assert any("ModeF = '9'" in line for line in rejected)
