"""Builder of Cohen's images with Brixia scores, on dummy files and the real ones."""

import collections
import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from mdmt_tf.datasets.cohen_brixia import cohen_brixia_dataset_builder
from mdmt_tf.errors import DataError

ROOT = Path(__file__).parents[2]
DUMMY = ROOT / "datasets" / "cohen_brixia" / "dummy_data"
REAL = ROOT.parent / "shared" / "data" / "open_cxr"

needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="needs ../shared/data/open_cxr"
)


class CohenBrixiaTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = cohen_brixia_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY
    SPLITS = {"train": 3}


def test_scores_of_both_radiologists(dummy):
    examples = dummy("cohen_brixia").examples
    assert {
        key: (
            *(example["brixia_scores"].tolist(), int(example["brixia_global"])),
            *(example["junior_scores"].tolist(), int(example["junior_global"])),
        )
        for key, example in examples.items()
    } == {
        "fig1-a.day1.jpeg": ([1, 1, 1, 1, 0, 0], 4, [1, 1, 1, 1, 1, 0], 5),
        "scan 2.png": ([3] * 6, 18, [-1] * 6, -1),
        "3.jpg": ([0, 1, 2, 0, 1, 1], 5, [0, 1, 2, 0, 1, 0], 4),
    }


def test_metadata_by_the_present_and_by_the_original_name(dummy):
    examples = dummy("cohen_brixia").examples
    first, third = examples["fig1-a.day1.jpeg"], examples["3.jpg"]
    assert (first["view"], first["sex"], first["age"]) == (b"PA", b"F", 52)
    assert first["site"] == first["location"] == b"Hanoi, Vietnam"  # blank cut off
    assert (third["view"], third["sex"]) == (b"AP Supine", b"M")
    assert np.isnan(third["age"])
    assert (third["site"], third["location"]) == (b"", b"")
    assert examples["scan 2.png"]["view"] == b""


def test_patients_are_the_groups(dummy):
    examples = dummy("cohen_brixia").examples
    patients = {key: e["patient_id"].decode() for key, e in examples.items()}
    assert patients == {"fig1-a.day1.jpeg": "g1", "scan 2.png": "g1", "3.jpg": "g2"}


def test_groups_beside_the_dataset(tmp_path, prepare_files):
    root = tmp_path / "cohen_brixia"
    shutil.copytree(DUMMY, root)
    shutil.move(root / "cohen_patient_groups.csv", tmp_path)
    examples = prepare_files("cohen_brixia", root).examples
    assert examples["scan 2.png"]["patient_id"] == b"g1"


def test_without_groups_the_metadata_and_the_names_serve(
    tmp_path, prepare_files, caplog
):
    root = tmp_path / "cohen_brixia"
    shutil.copytree(DUMMY, root)
    (root / "cohen_patient_groups.csv").unlink()
    with caplog.at_level(logging.WARNING):
        examples = prepare_files("cohen_brixia", root).examples
    patients = {key: e["patient_id"].decode() for key, e in examples.items()}
    assert patients == {
        "fig1-a.day1.jpeg": "patient 4",
        "scan 2.png": "scan 2",
        "3.jpg": "patient 7",
    }
    assert "no cohen_patient_groups.csv in" in caplog.text
    assert "one patient into two splits" in caplog.text


def test_transparency_is_black(dummy):
    grey = cv2.imread(str(DUMMY / "public-cohen-subset" / "scan 2.png"), 0)
    image = dummy("cohen_brixia").examples["scan 2.png"]["image"][..., 0]
    assert image.shape == (8, 8)
    np.testing.assert_array_equal(image[:, :4], 0)
    expected = grey.reshape(8, 5, 8, 4).mean((1, 3))[:, 4:]
    assert expected.min() > 0
    np.testing.assert_allclose(image[:, 4:], expected, atol=1)


def test_rejections(dummy):
    data = dummy("cohen_brixia")
    assert data.reason("4.jpg") == (
        "contradictory scores: S-A to F 111111 adds up to 6, but S-Global is 9"
    )
    assert "truncated JPEG" in data.reason("public-cohen-subset/5.jpg")
    assert len(data.rejected) == 2


@needs_real
@pytest.mark.parametrize(
    "manual_dir", [REAL, pytest.param(REAL / "cohen_brixia", marks=pytest.mark.large)]
)
def test_the_real_images(dummy, manual_dir):
    data = dummy("cohen_brixia", manual_dir, "lungs_64")
    scores = [int(e["brixia_global"]) for e in data.examples.values()]
    categories = collections.Counter(int(np.digitize(s, [5, 9, 14])) for s in scores)
    assert len(data.examples) == 143
    assert categories == {0: 45, 1: 44, 2: 41, 3: 13}
    assert len({e["patient_id"] for e in data.examples.values()}) == 90
    assert data.rejected == []
    assert sum(data.metadata["boxes"].values()) == 143
    assert data.metadata["boxes"]["lungs"] >= 140
    for example in data.examples.values():
        assert example["brixia_scores"].sum() == example["brixia_global"]
        assert example["image"].std() > 5
    names = ["4-x-day1.jpg", "extubation-1.jpg"]  # one picture with two names
    assert len({data.examples[name]["patient_id"] for name in names}) == 1
    assert sum(e["location"] == b"" for e in data.examples.values()) == 21 + 12


@needs_real
def test_the_two_observers_agree_on_zones_more_than_by_chance(dummy):
    # Zones read in another order would not.
    examples = dummy("cohen_brixia", REAL, "lungs_64").examples.values()
    senior = np.array([e["brixia_scores"] for e in examples]).astype(float)
    junior = np.array([e["junior_scores"] for e in examples]).astype(float)
    zones = range(6)
    table = np.array(
        [[np.corrcoef(senior[:, i], junior[:, j])[0, 1] for j in zones] for i in zones]
    )
    assert (table.argmax(axis=1) == np.arange(6)).all()


@pytest.fixture
def read(tmp_path, read_files):
    """read(metadata, groups): what is read with these tables instead."""

    def read(metadata=None, groups=None):
        root = tmp_path / "files"
        shutil.copytree(DUMMY, root, dirs_exist_ok=True)
        tables = {"metadata.csv": metadata, "cohen_patient_groups.csv": groups}
        for name, lines in tables.items():
            if lines is not None:
                (root / name).write_text("\n".join(lines))
        return read_files("cohen_brixia", root)

    return read


ABOUT = "patientid,sex,age,view,location,filename"


def test_units_of_ages(read):
    labels, _, warned = read(
        [ABOUT, "4,F,018M,PA,Hanoi,fig1-a.day1.jpeg", "7,M,006W,,,3.jpg"]
        + ["8,M,1955-03-04,PA,,scan 2.png"]
    )
    ages = {image: label["age"] for image, label in labels.items()}
    assert ages["fig1-a.day1.jpeg"] == 1.5
    assert ages["3.jpg"] == pytest.approx(42 / 365.25)
    assert np.isnan(ages["scan 2.png"])
    (line,) = [line for line in warned if "scan 2.png" in line]
    assert "age = '1955-03-04', expected years" in line
    assert "in metadata.csv:4; stored as unknown" in line


@pytest.mark.parametrize("column", range(5))
def test_metadata_that_contradict_themselves(read, column):
    first = ["4", "F", "52", "PA", "Hanoi", "3.jpg"]
    other = [*first]
    other[column] = "9"
    with pytest.raises(DataError) as error:
        read([ABOUT, ",".join(first), ",".join(other)])
    name = ABOUT.split(",")[column]
    assert f"metadata.csv:3: {name} of '3.jpg' is '9', but " in str(error.value)


def test_metadata_rows_that_complete_each_other(read):
    header = f"{ABOUT},doi"
    labels, *_ = read([header, "4,,52,,,3.jpg,x", "4,F,52.0,PA,?,3.jpg,y"])
    one = labels["3.jpg"]
    assert (one["sex"], one["age"], one["view"]) == ("F", 52, "PA")


def test_groups_that_contradict_themselves(read):
    lines = ["filename,patient_group", "3.jpg,g1", "4.jpg,g2", "3.jpg,g2"]
    with pytest.raises(DataError) as error:
        read(groups=lines)
    text = "cohen_patient_groups.csv:4: patient_group of '3.jpg' is 'g2', but 'g1' in "
    assert text in str(error.value)


def test_a_misspelt_column_of_the_metadata_is_told(read):
    header = ABOUT.replace("sex", "Sex")
    *_, warned = read([header, "4,F,52,PA,Hanoi,3.jpg"])
    assert any("there is no column 'sex', so it is unknown" in line for line in warned)
