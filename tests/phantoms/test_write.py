"""Folders of phantoms: the layout of the real datasets, the same bytes every time."""

import csv
import dataclasses
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pydicom
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.phantoms import write
from mdmt_tf.phantoms.chest import clinical, studies
from mdmt_tf.phantoms.plan import PhantomPlan
from mdmt_tf.phantoms.write import write_phantoms

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "open_cxr"
PLAN = PhantomPlan(
    aiforcovid_patients=18,
    brixia_patients=12,
    hannover_patients=8,
    cohen_brixia_patients=6,
    matrix=64,
    lung_masks=True,
    seed=3,
)
TINY = PhantomPlan(brixia_patients=2, matrix=64)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "root", PLAN)


@pytest.fixture(scope="module")
def truth(root):
    return {row["file"]: row for row in read_csv(root / "phantom_truth.csv")}


def read_csv(path, delimiter=",", encoding="utf-8-sig"):
    with open(path, encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def read_sheet(path):
    columns, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def contents(folder):
    files = (p for p in sorted(Path(folder).rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def grades(row):
    return [int(row[zone]) for zone in "ABCDEF"]


def test_same_plan_same_bytes_whatever_the_workers(tmp_path, root):
    small = dataclasses.replace(
        PLAN, aiforcovid_patients=4, hannover_patients=1, cohen_brixia_patients=1
    )
    first = write_phantoms(tmp_path / "one" / "root", small)
    time.sleep(2.1)  # zip archives count time in steps of two seconds
    second = write_phantoms(tmp_path / "two" / "root", small, workers=2)
    assert contents(first) == contents(second)
    # A subject is the same among more subjects.
    for path in ("BRIXIA/dicom_clean", "lung_masks/BRIXIA"):
        assert contents(first / path) == contents(root / path)
    other = write_phantoms(tmp_path / "three", dataclasses.replace(TINY, seed=1))
    same_name = "BRIXIA/dicom_clean/4000000000.dcm"
    assert (other / same_name).read_bytes() != (root / same_name).read_bytes()


def test_aiforcovid_has_three_releases(root, truth):
    folder = root / "AIforCOVID"
    assert {p.name for p in folder.iterdir()} == {
        "imgs", "imgs_r2", "imgs_r3", "AIforCOVID.xlsx", "AIforCOVID_r2.xlsx",
        "AIforCOVID_r3.xlsx", "SYNTHETIC.json",
    }  # fmt: skip
    seen = 0
    for release, table, images in (
        (1, "AIforCOVID.xlsx", "imgs"),
        (2, "AIforCOVID_r2.xlsx", "imgs_r2"),
        (3, "AIforCOVID_r3.xlsx", "imgs_r3"),
    ):
        rows = read_sheet(folder / table)
        files = {p.stem: p for p in (folder / images).iterdir()}
        missing = set(clinical.COLUMNS) - set(rows[0])
        assert (release == 1) == (not missing)
        assert not set(rows[0]) - set(clinical.COLUMNS)
        for row in rows:
            name = row["ImageFile"]
            assert re.fullmatch(rf"P_{release}_\d+" + r"(\.dcm)?", name)
            assert name.endswith(".dcm") == (release == 2)
            file = files.pop(name.removesuffix(".dcm"))
            true = truth[file.relative_to(root).as_posix()]
            assert row["Prognosis"] == ("MILD", "SEVERE")[int(true["severe"])]
            assert row["Age"] == int(true["age"])
            assert row["Hospital"] == true["site"] and row["Hospital"] in "ABCDEF"
            if row.get("Death"):
                assert row["Prognosis"] == "SEVERE"
        assert not files
        seen += len(rows)
    assert seen == PLAN.aiforcovid_patients
    kinds = {p.suffix for p in (folder / "imgs_r3").iterdir()}
    assert kinds == {".dcm", ".png"}
    assert {row["site"] for row in truth.values()} >= set("ABCDEF")


def test_unusable_names_are_never_given():
    names = [s.patient_id for s in studies.aiforcovid(0, 1585)]
    assert len(set(names)) == 1585
    assert not set(names) & studies.UNUSABLE
    assert {"P_1_15", "P_1_17", "P_3_390", "P_3_392"} <= set(names)
    releases = [name.split("_")[1] for name in names]
    assert [releases.count(r) for r in "123"] == [820, 283, 482]


def test_brixia_files_are_as_published(root, truth):
    folder = root / "BRIXIA"
    raw = (folder / "metadata_global_v2.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfFilename;StudyDate;")
    rows = read_csv(folder / "metadata_global_v2.csv", ";")
    consensus = {
        row["Filename"]: [int(row[f"Mode{z}"]) for z in "ABCDEF"]
        for row in read_csv(folder / "metadata_consensus_v1.csv", encoding="utf-8")
    }
    files = {p.name for p in (folder / "dicom_clean").iterdir()}
    assert files == {row["Filename"] for row in rows} and len(files) == len(rows)
    assert {r["Filename"] for r in rows if r["ConsensusTestset"] == "1"} == set(
        consensus
    )
    assert consensus
    for row in rows:
        score = [int(digit) for digit in row["BrixiaScore"].zfill(6)]
        assert row["BrixiaScore"] == str(int(row["BrixiaScore"]))  # a number
        assert sum(score) == int(row["BrixiaScoreGlobal"])
        true = truth[f"BRIXIA/dicom_clean/{row['Filename']}"]
        if row["Filename"] in consensus:
            # The routine reader differs by at most one in a zone.
            assert consensus[row["Filename"]] == grades(true)
            assert np.abs(np.subtract(score, grades(true))).max() <= 1
        else:
            assert score == grades(true)
        data = pydicom.dcmread(folder / "dicom_clean" / row["Filename"])
        for column in ("Manufacturer", "Modality", "PhotometricInterpretation"):
            assert row[column] == data[column].value
        assert [data.Rows, data.Columns] == [int(row["Rows"]), int(row["Columns"])]
        assert row["StudyDate"] == data.StudyDate
        assert row["AgeAtStudyDateFiveYear"] == str(int(true["age"]) // 5)
    assert any(len(row["BrixiaScore"]) < 6 for row in rows)  # zeros were lost
    subjects = {row["Subject"] for row in rows}
    assert len(subjects) == PLAN.brixia_patients < len(rows)
    assert len({row["StudyId"] for row in rows}) == len(rows)


def test_brixia_has_all_makers_and_both_polarities():
    drawn = studies.brixia(0, 200)
    assert len({s.site for s in drawn}) == 8
    assert 0.2 < np.mean([s.inverted for s in drawn]) < 0.8
    assert {s.appearance.modality for s in drawn} == {"CR", "DX"}
    assert 1.6 < len(drawn) / 200 < 2.2
    assert sum(s.consensus for s in drawn) == 200 / studies.CONSENSUS_EVERY
    differing = [s for s in drawn if s.routine != s.grades]
    assert differing and all(s.consensus for s in differing)


def test_hannover_outcome_follows_from_the_offsets(root, truth):
    rows = read_csv(root / "hannover" / "data.csv")
    images = {p.stem for p in (root / "hannover" / "png").iterdir()}
    assert images == {row["image_id"] for row in rows} and len(images) == len(rows)
    severe, known = {}, {}
    for row in rows:
        true = truth[f"hannover/png/{row['image_id']}.png"]
        known[row["patient_id"]] = true["severe"] == "1"
        sign = bool(row["icu_admission_offset"] or row["death_offset"])
        severe[row["patient_id"]] = severe.get(row["patient_id"], False) or sign
    assert severe == known and len(known) == PLAN.hannover_patients
    assert set(known.values()) == {True, False}


def test_cohen_brixia_files_are_as_published(root, truth):
    folder = root / "cohen_brixia"
    raw = (folder / "public-annotations.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbffilename,S-A,")
    rows = read_csv(folder / "public-annotations.csv")
    assert raw.count(b"\r\n") == len(rows) + 1
    files = {p.name for p in (folder / "public-cohen-subset").iterdir()}
    assert files == {row["filename"] for row in rows}
    for row in rows:
        for reader in "SJ":
            score = [int(row[f"{reader}-{z}"]) for z in "ABCDEF"]
            assert sum(score) == int(row[f"{reader}-Global"])
            if reader == "S":
                true = truth[f"cohen_brixia/public-cohen-subset/{row['filename']}"]
                assert score == grades(true)
    groups = read_csv(root / "cohen_patient_groups.csv")
    assert {row["filename"] for row in groups} == files
    assert len({r["patient_group"] for r in groups}) == PLAN.cohen_brixia_patients
    described = {row["filename"] for row in read_csv(folder / "metadata.csv")}
    assert described == {r["filename"] for r in groups if r["in_metadata"] == "True"}


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real tables are not at {SHARED}")
@pytest.mark.parametrize(
    "table",
    [
        "hannover/data.csv",
        "cohen_brixia/public-annotations.csv",
        "cohen_brixia/metadata.csv",
        "cohen_patient_groups.csv",
    ],
)
def test_headers_are_those_of_the_real_tables(root, table):
    assert (root / table).read_bytes().splitlines()[0] == (
        SHARED / table
    ).read_bytes().splitlines()[0]


def test_every_image_reads_and_has_its_lung_mask(root, truth):
    for path in truth:
        image = read_image(root / path)
        assert image.dtype == np.float32
        # Flat pictures are bright, and the body may fill the film.
        assert np.ptp(image) > 0.35 and image.max() > 0.8
        mask = cv2.imread(
            str((root / "lung_masks" / path).with_suffix(".png")), cv2.IMREAD_UNCHANGED
        )
        assert mask.shape == image.shape and mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1, 2}
        # Spine, heart and abdomen are brighter than the lungs.
        rows, columns = np.nonzero(mask)
        box = np.s_[rows.min() : rows.max(), columns.min() : columns.max()]
        if sum(grades(truth[path])) < 9:
            inside = mask[box] > 0
            assert image[box][inside].mean() < image[box][~inside].mean()


def test_everything_says_synthetic(root):
    folders = ["", "AIforCOVID", "BRIXIA", "hannover", "cohen_brixia"]
    marks = {f: json.loads((root / f / "SYNTHETIC.json").read_text()) for f in folders}
    for mark in marks.values():
        assert mark["synthetic"] is True
        assert mark["generator"] == "mdmt_tf.phantoms.chest.radiograph"
        assert mark["seed"] == PLAN.seed and mark["version"]
        assert mark["plan"] == PLAN.described()
    assert marks[""]["images"] == sum(marks[f]["images"] for f in folders[1:])
    for path in (root / "AIforCOVID").rglob("*.dcm"):
        assert str(pydicom.dcmread(path).PatientName) == "SYNTHETIC^PHANTOM"
    book = openpyxl.load_workbook(root / "AIforCOVID" / "AIforCOVID.xlsx")
    assert "SYNTHETIC" in book.properties.title


def test_truth_is_the_outcome_model(truth):
    for row in truth.values():
        assert int(row["brixia_global"]) == sum(grades(row))
        logit = 0.05 + 1.7 * (int(row["brixia_global"]) - 8) / 4
        logit += 0.8 * (int(row["age"]) - 62) / 15
        assert float(row["probability"]) == pytest.approx(
            1 / (1 + np.exp(-logit)), abs=1e-6
        )
        assert 0 < float(row["image_probability"]) < 1


def test_progress_counts_every_image(tmp_path):
    calls = []
    write_phantoms(tmp_path / "a", TINY, progress=lambda *call: calls.append(call))
    total = len(TINY.studies())
    assert calls == [(done, total) for done in range(total + 1)]


def test_complete_folder_is_used_again(tmp_path, monkeypatch):
    folder = write_phantoms(tmp_path / "a", TINY)
    monkeypatch.setattr(write, "_write", lambda *args: pytest.fail("written"))
    assert write_phantoms(folder, TINY) == folder


def test_empty_folder_is_filled(tmp_path):
    assert (write_phantoms(tmp_path, TINY) / "SYNTHETIC.json").is_file()


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    write_image, done = write._write_image, []

    def interrupt(job):
        if done:
            raise KeyboardInterrupt
        done.append(write_image(job))

    monkeypatch.setattr(write, "_write_image", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_phantoms(tmp_path / "a", TINY)
    assert done and not list(tmp_path.iterdir())


def test_finished_meanwhile_by_another_process(tmp_path, monkeypatch):
    write_folder = write._write

    def slow(folder, plan, workers, progress):
        monkeypatch.setattr(write, "_write", write_folder)
        write_folder(folder, plan, workers, progress)
        write_phantoms(tmp_path / "a", plan)

    monkeypatch.setattr(write, "_write", slow)
    assert write_phantoms(tmp_path / "a", TINY) == tmp_path / "a"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_other_plan_is_an_error(tmp_path):
    folder = write_phantoms(tmp_path / "a", TINY)
    before = contents(folder)
    with pytest.raises(DataError, match=r"another plan\. Expected .*'seed': 5") as info:
        write_phantoms(folder, dataclasses.replace(TINY, seed=5))
    assert str(folder) in str(info.value)
    assert contents(folder) == before


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="not a folder of phantoms"):
        write_phantoms(tmp_path, TINY)
    with pytest.raises(DataError, match="not a folder of phantoms"):
        write_phantoms(tmp_path / "thesis.tex", TINY)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ["{", "[]", '{"version": "1"}'])
def test_unreadable_mark_is_an_error(tmp_path, text):
    (tmp_path / "SYNTHETIC.json").write_text(text)
    with pytest.raises(DataError, match=r"SYNTHETIC\.json cannot be read"):
        write_phantoms(tmp_path, TINY)


@pytest.mark.large
def test_speed(tmp_path):
    """The target is 20 images per second and core; a busy machine reaches half."""
    plan = PhantomPlan(aiforcovid_patients=60)
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        start = time.process_time()
        write_phantoms(tmp_path / "a", plan)
        assert 60 / (time.process_time() - start) > 10
    finally:
        cv2.setNumThreads(before)


def test_a_script_without_a_guard_is_told(tmp_path):
    """Each process that draws loads the script again, which would draw again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from mdmt_tf.phantoms.write import PhantomPlan, write_phantoms\n"
        "plan = PhantomPlan(aiforcovid_patients=9, matrix=64)\n"
        f"write_phantoms({str(tmp_path / 'out')!r}, plan, workers=2)\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert "DataError" in last and '`if __name__ == "__main__":`' in last
