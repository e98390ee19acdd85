"""Builder of the Hannover repository, on dummy files and on the real ones."""

import collections
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import encoding
from mdmt_tf.datasets.hannover import hannover_dataset_builder
from mdmt_tf.errors import DataWarning
from mdmt_tf.imaging.prepared import read_file

ROOT = Path(__file__).parents[2]
DUMMY = ROOT / "datasets" / "hannover" / "dummy_data"
REAL = ROOT.parent / "shared" / "data" / "open_cxr" / "hannover"


class HannoverTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = hannover_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY
    SPLITS = {"train": 4}


def test_severe_belongs_to_the_patient_and_comes_from_all_rows(dummy):
    examples = dummy("hannover").examples
    assert {
        key: (example["patient_id"].decode(), int(example["severe"]))
        for key, example in examples.items()
    } == {
        "a1": ("pa", 1),  # only the row of a0 states it, and a0 has no image
        "a2": ("pa", 1),
        "b1": ("pb", 0),
        "c1": ("pc", 1),  # died: offset 0 is an offset
    }


def test_the_other_fields(dummy):
    examples = dummy("hannover").examples
    a1, c1 = examples["a1"], examples["c1"]
    assert (a1["site"], a1["projection"], a1["sex"]) == (b"hannover", b"pa", b"f")
    assert a1["admission_offset"] == -3
    assert np.isnan(a1["icu_admission_offset"])
    assert np.isnan(a1["death_offset"])
    assert c1["death_offset"] == 0


def test_rejections(dummy):
    data = dummy("hannover")
    assert data.reason("a0", "data.csv:2") == (
        "image missing: there is no file for 'a0'"
    )
    assert "truncated PNG" in data.reason("png/d1.png", "data.csv:7")
    assert len(data.rejected) == 2


HEADER = "patient_id,image_id,sex,icu_admission_offset,death_offset,admission_offset"


@pytest.fixture
def read(tmp_path, read_files):
    """read(rows): what is read of a table of the images a1, a2, b1, c1 and d1."""

    def read(*rows, header=HEADER):
        shutil.copytree(DUMMY / "png", tmp_path / "files" / "png")
        text = "\n".join([header, *rows])
        (tmp_path / "files" / "data.csv").write_text(text)
        return read_files("hannover", tmp_path / "files")

    return read


@pytest.mark.parametrize("cell", ["no", "-", "5,5,5", "#N/A"])
@pytest.mark.parametrize("column", [3, 4])
def test_a_refused_offset_makes_no_patient_severe(read, cell, column):
    rows = [["pa", image, "f", "", "", "0"] for image in ("a1", "a2")]
    rows[0][column] = f'"{cell}"'
    labels, rejected, warned = read(*map(",".join, rows), "pb,b1,m,,,1")
    assert {image: label["severe"] for image, label in labels.items()} == {
        "a2": -1,
        "b1": 0,
    }
    name = HEADER.split(",")[column]
    reason = f"bad value: {name} = {cell!r}, expected a number or an empty cell"
    assert any("a1,data.csv:2" in line and reason in line for line in rejected)
    (line,) = warned
    assert "a2,data.csv:3" in line
    assert "severe is unknown, because data.csv:2 has" in line


def test_a_number_in_another_row_makes_a_patient_severe_beside_a_refused_cell(read):
    labels, *_ = read("pa,a1,f,no,,0", "pa,a2,f,,3,0", "pa,b1,f,-,,0")
    assert {image: label["severe"] for image, label in labels.items()} == {"a2": 1}


def test_an_offset_that_no_label_needs_costs_no_row(read):
    labels, rejected, warned = read("pa,a1,#REF!,1,,soon")
    assert (labels["a1"]["severe"], labels["a1"]["sex"]) == (1, "")
    assert np.isnan(labels["a1"]["admission_offset"])
    assert not [line for line in rejected if "not in the table" not in line]
    assert [line.partition(",expected")[0].split(",")[:2] for line in warned] == [
        ["a1", "data.csv:2"]
    ] * 2


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/data/open_cxr")
def test_the_real_repository(prepare_files):
    data = prepare_files("hannover", REAL, config="lungs_64")
    patients = {}
    for example in data.examples.values():
        patients.setdefault(example["patient_id"], set()).add(int(example["severe"]))
    assert len(data.examples) == 204
    assert len(patients) == 58
    assert sorted(map(sorted, patients.values())) == [[0]] * 33 + [[1]] * 25
    assert data.rejected == []
    assert data.metadata["labels"]["severe"]["severe"]["patients"] == 25
    assert data.metadata["synthetic"] is False
    boxes = collections.Counter(
        e["box_source"].decode() for e in data.examples.values()
    )
    assert boxes == data.metadata["boxes"]
    assert boxes["lungs"] >= 200
    # A chest: the mediastinum is brighter than the lungs next to it.
    mean = np.mean([e["image"][..., 0] for e in data.examples.values()], axis=0)
    assert mean[24:40, 28:36].mean() > mean[24:40, 12:24].mean() + 20
    assert mean[24:40, 28:36].mean() > mean[24:40, 42:52].mean() + 20


@pytest.mark.filterwarnings("ignore::mdmt_tf.errors.DataWarning")
def test_doubtful_images_are_taken_and_listed(prepare_files, monkeypatch):
    def read(path, preprocessing):
        if path.stem == "b1":
            text = f"{path}: 3 pixels are odd"
            warnings.warn(DataWarning(text, kind="odd pixels"), stacklevel=2)
        return read_file(path, preprocessing)

    monkeypatch.setattr(encoding, "read_file", read)
    data = prepare_files("hannover", DUMMY)
    assert data.metadata["warnings"] == {"odd pixels": 1}
    assert (data.prepared.path / "warnings.csv").read_text() == (
        "file,row,reason\npng/b1.png,data.csv:5,odd pixels: 3 pixels are odd\n"
    )
    assert "b1" in data.examples
