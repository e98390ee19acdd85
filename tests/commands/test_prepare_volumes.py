"""`python -m mdmt_tf.prepare` with head CTs, alone and beside radiographs."""

import re
import shutil
from pathlib import Path

import cv2
import pytest

from mdmt_tf import prepare
from mdmt_tf.errors import ConfigError

DATASETS = Path(__file__).resolve().parents[2] / "datasets"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """`run(name)`: standard output; both datasets lie in one folder."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("hannover", "ich_csic"):
        shutil.copytree(DATASETS / name / "dummy_data", tmp_path / "M" / name)
    folders = ["--manual-dir", str(tmp_path / "M"), "--data-dir", str(tmp_path / "D")]

    def call(name, *options):
        prepare.main([name, *folders, *options])
        return capsys.readouterr().out

    return call


def prepared(tmp_path):
    return {
        path.parent.parent.relative_to(tmp_path / "D").as_posix()
        for path in (tmp_path / "D").rglob("dataset_info.json")
    }


def test_the_table_has_classes_and_no_boxes(run, tmp_path):
    output = run("ich_csic", "--config", "head_6x7x8")
    rows = dict(re.findall(r"^ *(\w.*?)  +(\d+(?: +\d+)?) *$", output, re.MULTILINE))
    rows = {name: [int(n) for n in numbers.split()] for name, numbers in rows.items()}
    assert rows["prepared"] == [16, 16]
    assert (rows["good"], rows["poor"]) == ([8, 8], [8, 8])
    assert rows["mild: more than 12"] == [3, 3]
    assert rows["moderate: 9 to 12"] == [5, 5]
    assert rows["severe: 8 or less"] == [6, 6]
    assert (rows["under 80 years"], rows["80 years or more"]) == ([10, 10], [5, 5])
    assert rows["contradictory outcome"] == [2]
    assert not re.search(r"^ *(box|whole|lungs)", output, re.MULTILINE)
    assert prepared(tmp_path) == {"ich_csic/head_6x7x8"}
    assert "was already prepared in" in run("ich_csic", "--config", "head_6x7x8")


def test_a_preprocessing_of_other_images(run, tmp_path):
    with pytest.raises(ConfigError, match="^hannover: expected lungs_SIZE, .*'head_6x"):
        run("hannover", "--config", "head_6x7x8")
    with pytest.raises(ConfigError, match="^ich_csic: expected head_DEPTHx.*'full_8'"):
        run("ich_csic", "--config", "full_8")
    assert not prepared(tmp_path)


@pytest.mark.parametrize("name", ["head_8", "head_0x8x8", "head_8x8x2000"])
def test_no_preprocessing_at_all(run, capsys, name):
    with pytest.raises(SystemExit):
        run("ich_csic", "--config", name)
    error = " ".join(capsys.readouterr().err.split())
    assert "--config" in error
    assert "for images; or head_DEPTHxROWSxCOLUMNS (or hu_LOW_HIGH_" in error
    assert f"received '{name}'" in error


def test_all_takes_a_preprocessing_for_its_kind_alone(run, tmp_path):
    run("all", "--config", "full_8", "--preview", str(tmp_path / "sheet.png"))
    assert prepared(tmp_path) == {"hannover/full_8", "ich_csic/head_40x301x301"}
    sheets = sorted(path.name for path in tmp_path.glob("*.png"))
    assert sheets == ["sheet_hannover.png", "sheet_ich_csic.png"]


def test_all_with_a_preprocessing_of_nothing_that_is_there(run, tmp_path):
    shutil.rmtree(tmp_path / "M" / "ich_csic")
    with pytest.raises(ConfigError, match="a preprocessing of none .*: hannover"):
        run("all", "--config", "head_6x7x8")
    assert not prepared(tmp_path)


def test_the_preview_shows_slices(run, tmp_path):
    file = tmp_path / "sheet.png"
    assert f"preview: {file}\n" in run(
        "ich_csic", "--config", "head_12x7x8", "--preview", str(file)
    )
    sheet = cv2.imread(str(file))
    # Sixteen volumes in four rows of four; 12 slices of 128 pixels each, four a row.
    assert sheet.shape == (4 * (18 + 3 * 128), 4 * 4 * 128, 3)
    assert sheet[18:402].std() > 10
    assert sheet[3 * 402 + 18 :, 3 * 4 * 128 :].std() > 10
