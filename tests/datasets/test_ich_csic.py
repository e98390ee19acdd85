"""Builder of the head CTs after intracranial haemorrhage, on dummy files."""

import csv
import gzip
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tensorflow_datasets as tfds

from mdmt_tf.data.sources import open_dataset
from mdmt_tf.datasets._shared import image_records, prepare
from mdmt_tf.datasets.ich_csic import ich_csic_dataset_builder as ich
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.volume import prepare_volume, read_volume

# Patients without faults in `tools/make_dummy_data.py`: patient n is 4 n - 30 years,
# has a GCS of n - 16, and a poor outcome if n is odd.
ORDINARY = {str(n): (n % 2, n - 16, 4 * n - 30, b"0") for n in range(21, 31)}
DUMMY = Path(__file__).parents[2] / "datasets" / "ich_csic" / "dummy_data"
TABLE = "CLINICAL_DATA_ICH.csv"


class IchCsicTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = ich.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["head_40x301x301"]
    EXAMPLE_DIR = DUMMY
    SPLITS = {"train": 16}


def file_of(patient_id):
    (path,) = DUMMY.glob(f"*/{patient_id}_brain.nii.gz")
    return path


def test_labels(dummy):
    rows = {
        key: (int(e["poor_prognosis"]), int(e["gcs"]), float(e["age"]), e["gender"])
        for key, e in dummy("ich_csic").examples.items()
    }
    unknown = rows.pop("007")
    assert rows == {
        "1": (0, 15, 79, b"1"),
        "2": (0, 12, 80, b"0"),  # only the folder states the outcome
        "3": (1, 3, 91, b"1"),
        "6": (1, -1, 62, b"1"),  # a coma scale of 16
        "11": (1, 8, 65, b"0"),
        **ORDINARY,
    }
    assert unknown[:2] == (0, -1)
    assert np.isnan(unknown[2])
    assert unknown[3] == b""


def test_the_other_columns(dummy):
    examples = dummy("ich_csic").examples
    one, three = examples["1"], examples["3"]
    assert (one["ht"], one["temperature"], one["glucose"]) == (0, 36.5, 100)
    assert (three["ht"], three["temperature"], three["urea"]) == (1, 35, 40)
    assert np.isnan(examples["2"]["temperature"])
    assert np.isnan(one["fibrinogen"])  # no such column in this table
    # Two rows complete each other.
    assert (examples["11"]["glucose"], examples["11"]["urea"]) == (120, 50)


def test_identity(dummy):
    for image_id, example in dummy("ich_csic").examples.items():
        assert example["patient_id"].decode() == image_id
        assert example["site"] == b"ich_csic"


def test_volumes_are_what_the_steps_make_of_the_files(dummy):
    for image_id, example in dummy("ich_csic").examples.items():
        original = read_volume(file_of(image_id))
        expected = prepare_volume(original, "head_6x7x8")
        assert example["volume"].dtype == np.int16
        np.testing.assert_array_equal(example["volume"], expected.pixels)
        assert example["volume"].max() > 20000
        np.testing.assert_array_equal(example["affine"].reshape(4, 4), expected.affine)
        np.testing.assert_array_equal(example["original_shape"], original.values.shape)
        np.testing.assert_array_equal(
            example["original_affine"].reshape(4, 4), original.affine
        )
        assert example["affine"].dtype == example["original_affine"].dtype == np.float64


def test_rejections(dummy):
    data = dummy("ich_csic")
    assert data.reason("4") == (
        f"contradictory outcome: GOOD_PROGNOSIS, but {TABLE}:6 has "
        "Label (poor_prognosis) = 1"
    )
    assert data.reason("5") == (
        "contradictory outcome: volumes in GOOD_PROGNOSIS and POOR_PROGNOSIS"
    )
    assert data.reason("12") == "image missing: there is no file for '12_brain'"
    for row in (10, 11):
        assert data.reason("10", f"{TABLE}:{row}") == (
            f"contradictory rows: age is 64.0 in {TABLE}:10 and 84.0 in {TABLE}:11"
        )
    damaged = data.reason("GOOD_PROGNOSIS/8_brain.nii.gz", f"{TABLE}:9")
    assert damaged.startswith("unreadable image: cannot be unpacked: ")
    assert data.reason("GOOD_PROGNOSIS/9_brain.nii.gz") == "not in the table"
    assert len(data.rejected) == 7
    (doubt,) = (data.prepared.path / "warnings.csv").read_text().splitlines()[1:]
    assert doubt.startswith(f"6,{TABLE}:8,") and "GCS = '16', expected" in doubt


def test_counts(dummy):
    metadata = dummy("ich_csic").metadata
    images = {
        field: {name: counts["images"] for name, counts in classes.items()}
        for field, classes in metadata["labels"].items()
    }
    assert images == {
        "poor_prognosis": {"good": 3 + 5, "poor": 3 + 5, "unknown": 0},
        "gcs": {
            "mild: more than 12": 1 + 2,
            "moderate: 9 to 12": 1 + 4,
            "severe: 8 or less": 2 + 4,
            "unknown": 2,
        },
        "age": {"under 80 years": 3 + 7, "80 years or more": 2 + 3, "unknown": 1},
    }
    assert metadata["rows_repeated"] == 1
    assert metadata["boxes"] == {}


@pytest.mark.parametrize(
    "gcs, expected", [(3, 2), (8, 2), (9, 1), (12, 1), (13, 0), (15, 0)]
)
def test_classes_of_the_coma_scale(gcs, expected):
    classes = ich.Builder.COUNTED["gcs"]
    assert classes.index_of(gcs) == expected
    assert classes.names[expected].startswith(("mild", "moderate", "severe")[expected])


def test_classes_of_age():
    assert [ich.Builder.COUNTED["age"].index_of(age) for age in (79.9, 80)] == [0, 1]


# Other tables


class Files:
    """A copy of the dummy files with another table."""

    def __init__(self, folder, prepare_files):
        self.root, self._prepare = folder / "ich", prepare_files
        shutil.copytree(DUMMY, self.root)

    def table(self, *rows, header=("PatientID", "Age", "GCS", "Label")):
        with (self.root / TABLE).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return self

    def prepare(self):
        return self._prepare("ich_csic", self.root)


@pytest.fixture
def files(tmp_path, prepare_files):
    return Files(tmp_path, prepare_files)


@pytest.mark.parametrize(
    "column", ["Label", "poor_prognosis", "Label (poor_prognosis)"]
)
def test_names_of_the_column_with_the_outcome(files, column):
    files.table(
        ["1", 50, 9, "0.0"],
        ["3", 50, 9, 1],
        ["11", 50, 9, 0],
        header=("PatientID", "Age", "GCS", column),
    )
    data = files.prepare()
    labels = {key: int(e["poor_prognosis"]) for key, e in data.examples.items()}
    assert labels == {"1": 0, "3": 1}
    assert data.reason("11") == (
        f"contradictory outcome: POOR_PROGNOSIS, but {TABLE}:4 has {column} = 0"
    )


def test_no_column_with_the_outcome(files):
    files.table(["1", 50, 9, 0], header=("PatientID", "Age", "GCS", "Outcome"))
    with pytest.raises(DataError) as error:
        files.prepare()
    assert str(error.value) == (
        f"{files.root / TABLE}: expected a column Label (poor_prognosis) or "
        "poor_prognosis or Label. Received: PatientID, Age, GCS, Outcome"
    )


def test_a_row_of_a_patient_that_contradicts_costs_all_of_his_rows(files):
    files.table(["1", 50, 9, 0], ["1", 50, 9, 1], ["2", 50, 9, 0])
    data = files.prepare()
    assert set(data.examples) == {"2"}
    for row in (2, 3):
        assert data.reason("1", f"{TABLE}:{row}") == (
            f"contradictory outcome: GOOD_PROGNOSIS, but {TABLE}:3 has Label = 1"
        )


@pytest.mark.parametrize("column", [2, 1])
def test_rows_that_disagree(files, column):
    row, other = ["1", 50, 9, 0], ["1", 50, 9, 0]
    other[column] += 1
    data = files.table(row, other, ["2", 50, 9, 0]).prepare()
    assert set(data.examples) == {"2"}
    name = ("", "age", "gcs")[column]
    assert f"contradictory rows: {name} is " in data.reason("1", f"{TABLE}:2")


def test_leading_zeros_belong_to_the_name(files):
    data = files.table(["7", 50, 9, 0], ["1", 50, 9, 0]).prepare()
    assert data.reason("7") == (
        "image missing: there is no file for '7_brain'. Did you mean "
        "'007_brain.nii.gz'? Spreadsheet programs drop leading zeros."
    )
    assert data.reason("GOOD_PROGNOSIS/007_brain.nii.gz") == "not in the table"
    shutil.rmtree(data.prepared.path.parents[2])
    data = files.table(["007", 50, 9, 0], ["1.0", 50, 9, 0]).prepare()
    assert set(data.examples) == {"007", "1"}


@pytest.mark.parametrize(
    "row, expected",
    [
        (["1", 50, 2, 0], "GCS = '2', expected an integer from 3 to 15"),
        (["1", 50, 9.5, 0], "GCS = '9.5', expected an integer from 3 to 15"),
        (["1", 50, "x", 0], "GCS = 'x', expected a number"),
        (["1", 50, 0, 0], "GCS = '0', expected an integer from 3 to 15"),
        (["1", -1, 9, 0], "Age = '-1', expected 0 to 120 years or an empty cell"),
        (["1", 121, 9, 0], "Age = '121', expected 0 to 120 years"),
        (["1", "old", 9, 0], "Age = 'old', expected a number"),
        (["1", 50, 9, 2], "Label = '2', expected an integer from 0 to 1"),
        (["1", 50, 9, "good"], "Label = 'good', expected a number"),
    ],
)
def test_cells_that_are_no_such_value(read, row, expected):
    """They cost that label; the other two of the patient are known."""
    labels, rejected, warned = read(row, ["2", 50, 9, 0])
    assert set(labels) == {"1", "2"}
    fields = {"Age": "age", "GCS": "gcs", "Label": "poor_prognosis"}
    wrong = fields[expected.split(" = ")[0]]
    for field in fields.values():
        assert image_records.is_unknown(labels["1"][field]) == (field == wrong)
    (line,) = warned
    assert f"1,{TABLE}:2," in line and f"bad value: {expected}" in line
    assert "stored as unknown" in line
    assert not [line for line in rejected if "/1_" in line]


@pytest.mark.parametrize(
    "row, reason",
    [
        (["1", "", "", "x"], "Label = 'x', expected a number"),
        (["1", "old", "", 3], "Label = '3', expected an integer from 0 to 1"),
        (["", 50, 9, 0], "PatientID is empty"),
    ],
)
def test_rows_without_a_label_or_a_patient_that_can_be_read(read, row, reason):
    labels, rejected, warned = read(row, ["2", 50, 9, 0])
    assert (set(labels), warned) == ({"2"}, [])
    (line,) = (line for line in rejected if f"{TABLE}:2" in line)
    assert f"bad value: {reason}" in line


@pytest.mark.parametrize("name", ["Tº", "T°"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_the_degree_sign_in_any_encoding(files, name, encoding):
    text = f"PatientID,Age,GCS,Label,{name}\n1,50,9,0,38.5\n"
    (files.root / TABLE).write_text(text, encoding=encoding)
    assert files.prepare().examples["1"]["temperature"] == 38.5


def test_headers_that_say_too_little(files):
    one, two = (
        files.root / "GOOD_PROGNOSIS" / f"{name}_brain.nii.gz" for name in ("1", "2")
    )
    data = bytearray(gzip.decompress(one.read_bytes()))
    data[252:256] = bytes(4)  # neither sform nor qform
    one.unlink()
    one.with_suffix("").write_bytes(data)  # .nii
    flat = nibabel.Nifti1Image(np.zeros((4, 5), np.int16), np.eye(4))
    nibabel.save(flat, two)
    rows = (["1", 50, 9, 0], ["2", 50, 9, 0], ["4", 50, 9, 0])
    found = files.table(*rows).prepare()
    assert set(found.examples) == {"4"}
    assert "code 0 for both" in found.reason("GOOD_PROGNOSIS/1_brain.nii")
    assert "three axes" in found.reason("GOOD_PROGNOSIS/2_brain.nii.gz")


@pytest.fixture
def read(files, read_files):
    """read(rows, header): what is read of another table."""
    return lambda *rows, **more: read_files("ich_csic", files.table(*rows, **more).root)


def test_covariates_that_cannot_be_read_cost_no_patient(read):
    header = ("PatientID", "Age", "GCS", "Label", "Glucose", "HT", "Gender", "Tº")
    labels, rejected, warned = read(
        ["1", 50, 9, 0, "1,100", "x", "#N/A", "<36"],
        ["2", 50, 9, 0, 90, 1, 0, "36.5"],
        header=header,
    )
    assert (labels["1"]["gcs"], labels["1"]["gender"]) == (9, "")
    for field in ("glucose", "ht", "temperature"):
        assert np.isnan(labels["1"][field]) and not np.isnan(labels["2"][field])
    assert {line.split(" = ")[0].split(": ")[1] for line in warned[:-1]} == (
        {"Gender", "Glucose", "HT", "Tº"}
    )
    assert "Glucose = '1,100' may be 1100 or 1.100" in warned[-1]
    assert not [line for line in rejected if "bad value" in line]


@pytest.mark.parametrize(
    "cell, years",
    [("065Y", 65), ("018M", 1.5), ("79,5", 79.5), ("65 years", 65), ("65.0", 65)],
)
def test_units_of_ages(read, cell, years):
    labels, *_ = read(["1", cell, 9, 0])
    assert labels["1"]["age"] == years


@pytest.mark.parametrize("cell", ["1955-03-02", "65-70", "65+", "121Y", "<1"])
def test_ages_that_are_none(read, cell):
    labels, _, warned = read(["1", cell, 9, 0], ["2", 50, 9, 0])
    assert np.isnan(labels["1"]["age"]) and labels["1"]["gcs"] == 9
    assert any(f"bad value: Age = '{cell}'" in line for line in warned)


@pytest.mark.parametrize(
    "cells, field",
    [((50, "x", 0), "gcs"), (("?x", 9, 0), "age"), ((50, 9, "bad"), None)],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_label_that_is_refused_in_one_row_is_unknown(read, cells, field, order):
    rows = [["1", *cells], ["1", 50, 9, 0]][::order]
    labels, _, warned = read(*rows)
    assert sum("1,CLINICAL_DATA_ICH.csv:" in line for line in warned) == 1
    (one,) = labels.values()
    expected = {"poor_prognosis": 0, "gcs": 9, "age": 50}
    expected[field or "poor_prognosis"] = -1
    assert {name: one[name] for name in expected} == pytest.approx(
        {**expected, **({"age": np.nan} if field == "age" else {})}, nan_ok=True
    )


# Reading what was prepared


def test_training_reads_volumes_and_table(dummy, tmp_path):
    data = dummy("ich_csic")
    data_dir = data.prepared.path.parents[2]
    dataset = open_dataset(data_dir, "ich_csic", "head_6x7x8")
    assert dataset.image_key == "volume"
    assert dataset.image_shape == (6, 7, 8, 1)
    assert dataset.image_dtype == np.int16
    assert not dataset.synthetic
    ids = list(dataset.table["image_id"])
    assert sorted(ids) == sorted(data.examples)
    assert "volume" not in dataset.table
    for field in ("poor_prognosis", "gcs", "age", "ht", "original_affine", "affine"):
        expected = np.array([data.examples[i][field] for i in ids])
        np.testing.assert_array_equal(dataset.table[field], expected)
    for number, image_id in enumerate(ids):
        (record,) = dataset.records.read([number])
        volume = dataset.decode(record).numpy()
        assert volume.dtype == np.int16
        np.testing.assert_array_equal(volume, data.examples[image_id]["volume"])


def test_real_heads_in_the_default_form(shared, tmp_path):
    """Two public head CTs under the names of two patients."""
    root = tmp_path / "ich"
    for folder, file in (("GOOD", "CT_AVM"), ("POOR", "CT_pitch")):
        target = root / f"{folder}_PROGNOSIS" / f"{file}_brain.nii.gz"
        target.parent.mkdir(parents=True)
        shutil.copy(shared / "data" / "head_ct" / f"{file}.nii.gz", target)
    (root / TABLE).write_text("PatientID,Age,GCS,Label\nCT_AVM,,,0\nCT_pitch,,,1\n")
    prepared = prepare.prepare_dataset("ich_csic", root, tmp_path / "D")
    assert prepared.path.parent.name == "head_40x301x301"
    dataset = open_dataset(tmp_path / "D", "ich_csic", "head_40x301x301")
    assert sorted(dataset.table["original_shape"].tolist()) == [
        [175, 248, 58],
        [256, 242, 154],
    ]
    for number, image_id in enumerate(dataset.table["image_id"]):
        (record,) = dataset.records.read([number])
        assert len(record) < 40 * 301 * 301  # half of it, at the most
        expected = prepare_volume(
            read_volume(next(root.glob(f"*/{image_id}_brain.nii.gz"))),
            "head_40x301x301",
        )
        np.testing.assert_array_equal(dataset.decode(record), expected.pixels)
