"""Folders of head phantoms: the layout of the real dataset, the same bytes always."""

import csv
import dataclasses
import gzip
import json
import math
import time

import nibabel
import numpy as np
import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.phantoms import write
from mdmt_tf.phantoms.head import head_ct, head_files, studies
from mdmt_tf.phantoms.write import PhantomPlan, write_phantoms

PLAN = PhantomPlan(ich_csic_patients=20, head_matrix=32, lesion_masks=True, seed=3)
CLINICAL = "ICH_CSIC/CLINICAL_DATA_ICH.csv"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "root", PLAN)


@pytest.fixture(scope="module")
def truth(root):
    return {row["patient"]: row for row in read_csv(root / "phantom_head_truth.csv")}


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_same_plan_same_bytes_whatever_the_workers(tmp_path, root):
    time.sleep(1.1)  # a gzip header counts time in seconds
    again = write_phantoms(tmp_path / "two", PLAN, workers=2)
    assert contents(root) == contents(again)
    # A patient is the same among fewer patients and with another dataset.
    few = dataclasses.replace(PLAN, ich_csic_patients=3, brixia_patients=1, matrix=64)
    few = contents(write_phantoms(tmp_path / "few", few))
    heads = [path for path in few if path.endswith(".nii.gz")]
    assert len(heads) == 6
    assert all(few[path] == (root / path).read_bytes() for path in heads)
    assert {"phantom_truth.csv", "phantom_head_truth.csv"} <= set(few)
    other = write_phantoms(tmp_path / "other", dataclasses.replace(PLAN, seed=4))
    assert contents(other)[CLINICAL] != (root / CLINICAL).read_bytes()


def test_files_are_those_of_the_dataset(root, truth):
    found = {path for path in contents(root) if not path.endswith("SYNTHETIC.json")}
    volumes = {row["file"] for row in truth.values()}
    masks = {f"lesion_masks/ICH_CSIC/{name}_lesion.nii.gz" for name in truth}
    assert found == volumes | masks | {CLINICAL, "phantom_head_truth.csv"}
    assert len(truth) == PLAN.ich_csic_patients
    for name, row in truth.items():
        folder = ("GOOD_PROGNOSIS", "POOR_PROGNOSIS")[int(row["poor_prognosis"])]
        assert row["file"] == f"ICH_CSIC/{folder}/{name}_brain.nii.gz"
    assert {row["poor_prognosis"] for row in truth.values()} == {"0", "1"}


def test_volumes_read_as_they_were_drawn(root):
    orders, stored = set(), set()
    for study in PLAN.studies():
        drawn = head_ct.render(study, PLAN.head_matrix)
        image = nibabel.load(root / study.path)
        assert image.shape == drawn.hu.shape
        assert np.array_equal(np.asarray(image.dataobj), drawn.hu)
        assert image.affine == pytest.approx(drawn.affine, abs=1e-4)
        for code in (image.header["qform_code"], image.header["sform_code"]):
            assert code > 0
        assert image.get_qform() == pytest.approx(drawn.affine, abs=1e-3)
        assert image.header.get_zooms() == pytest.approx(drawn.spacing)
        assert image.header.get_xyzt_units()[0] == "mm"
        assert image.header["descrip"].item() == b"SYNTHETIC PHANTOM"
        mask = nibabel.load(root / study.lesion_path)
        assert np.array_equal(np.asarray(mask.dataobj), drawn.lesion)
        assert np.array_equal(mask.affine, image.affine)
        assert mask.get_data_dtype() == np.uint8
        axes = "".join(nibabel.aff2axcodes(image.affine))
        orders.add(axes)
        stored.add((image.get_data_dtype().str, image.dataobj.inter))
    assert orders == {"RAS", "LAS"}
    assert stored == {("<i2", 0), ("<u2", -1024)}


def test_lesion_masks_have_the_stated_volume(root, truth):
    for name, row in truth.items():
        mask = nibabel.load(root / f"lesion_masks/ICH_CSIC/{name}_lesion.nii.gz")
        voxel_ml = math.prod(mask.header.get_zooms()) / 1000
        values = np.asarray(mask.dataobj)
        found = (values == 1).sum() * voxel_ml
        assert abs(found - float(row["volume_ml"])) <= 0.5 * voxel_ml + 1e-3
        assert (values == 2).any() == (row["intraventricular"] == "1")


def test_no_file_tells_when_it_was_written(root):
    for path in root.rglob("*.nii.gz"):
        assert path.read_bytes()[4:8] == bytes(4)  # MTIME of a gzip member
        assert len(gzip.decompress(path.read_bytes())) > 352


def test_clinical_table_is_the_truth_with_gaps(tmp_path, truth, root):
    rows = read_csv(root / CLINICAL)
    assert list(rows[0])[:4] == ["PatientID", "Age", "GCS", "Label"]
    assert [row["PatientID"] for row in rows] == list(truth)
    for row, study in zip(rows, PLAN.studies(), strict=True):
        true = truth[row["PatientID"]]
        assert row["Label"] == true["poor_prognosis"]
        assert row["GCS"] == (true["gcs"] if study.gcs_known else "")
        assert row["Age"] == (true["age"] if study.age_known else "")
        assert row["Gender"] == str(int(study.male))
        assert true["place"] == study.place and true["side"] == study.side
        assert float(true["probability"]) == pytest.approx(study.probability, abs=1e-6)


def test_clinical_columns_depend_on_the_outcome():
    table = head_files.clinical_tables(studies.ich_csic(0, 2000))
    rows = list(csv.DictReader(table[CLINICAL].decode().splitlines()))
    # 2000 patients: 4.5 standard deviations of a fraction of 0.08 are 0.027.
    for column, missing in (
        ("GCS", 0.05), ("Age", 0.03), ("HT", 0.03), ("DM", 0.03),
        ("Anticoagulant", 0.06), ("Systolic_AP", 0.04), ("Glucose", 0.08),
    ):  # fmt: skip
        spread = math.sqrt(missing * (1 - missing) / len(rows))
        fraction = np.mean([row[column] == "" for row in rows])
        assert abs(fraction - missing) < 4.5 * spread

    def means(column):
        return [
            np.mean(
                [float(r[column]) for r in rows if r[column] and r["Label"] == poor]
            )
            for poor in "01"
        ]

    for column, more in (("Glucose", 20), ("Systolic_AP", 8), ("Anticoagulant", 0.05)):
        good, poor = means(column)
        assert good + more < poor
    for column in ("HT", "DM", "Anticoagulant"):
        assert {row[column] for row in rows} == {"", "0", "1"}


def test_masks_only_if_requested(tmp_path):
    plan = PhantomPlan(ich_csic_patients=1, head_matrix=32)
    root = write_phantoms(tmp_path / "a", plan)
    assert not (root / "lesion_masks").exists()
    assert len(list(root.rglob("*.nii.gz"))) == 1


def test_everything_says_synthetic(root):
    for folder in (root, root / "ICH_CSIC"):
        mark = json.loads((folder / "SYNTHETIC.json").read_text())
        assert mark["synthetic"] is True and mark["images"] == 20
        assert mark["plan"] == PLAN.described()
        assert mark["plan"].items() <= dataclasses.asdict(PLAN).items()
        assert head_ct.VERSION in mark["version"]


def test_another_way_to_draw_heads_concerns_heads_alone(monkeypatch):
    radiographs, heads = PhantomPlan(brixia_patients=1), PLAN
    before = radiographs.version, heads.version
    monkeypatch.setattr(head_ct, "VERSION", "other")
    assert radiographs.version == before[0]
    assert heads.version != before[1]


def test_folder_older_than_a_field_of_the_plan_is_used_again(tmp_path, monkeypatch):
    plan = PhantomPlan(brixia_patients=1, matrix=64)
    root = write_phantoms(tmp_path / "a", plan)
    mark = json.loads((root / "SYNTHETIC.json").read_text())
    for name in ("ich_csic_patients", "head_matrix", "lesion_masks"):
        del mark["plan"][name]
    (root / "SYNTHETIC.json").write_text(json.dumps(mark))
    monkeypatch.setattr(write, "_write", lambda *args: pytest.fail("written"))
    assert write_phantoms(root, plan) == root


def test_impossible_plans_are_refused():
    with pytest.raises(ConfigError, match=r"ich_csic_patients=-1 \(0 to 100000\)"):
        PhantomPlan(ich_csic_patients=-1)
    with pytest.raises(ConfigError, match=r"head_matrix=16 \(32 to 512\)"):
        PhantomPlan(ich_csic_patients=1, head_matrix=16)
    with pytest.raises(ConfigError, match=r"synthetic_cxr_patients, ich_csic_patients"):
        PhantomPlan()


@pytest.mark.large
def test_speed(tmp_path):
    """The target is 5 volumes per second and core; a busy machine reaches half."""
    start = time.process_time()
    write_phantoms(tmp_path / "a", PhantomPlan(ich_csic_patients=20))
    assert 20 / (time.process_time() - start) > 2.5
