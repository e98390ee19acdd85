"""`docs/tutorials/own_data.md` on real data: its shell blocks, word by word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mdmt_tf import config
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder

# `.ci/run` runs it; it takes a minute and more.
pytestmark = pytest.mark.large

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "own_data.md"


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """The folder of a new user after the commands of the page."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "open_cxr").symlink_to(shared / "data" / "open_cxr")
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for block in blocks:
        result = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, f"{block}\n{result.stderr[-3000:]}"
    return folder


@pytest.fixture(scope="module")
def table(folder):
    return open_dataset(folder / "DATA", "cohen", "lungs_256").table


def test_labels_are_those_of_the_tables(table, shared):
    """Read by pandas, and joined by it."""
    data = shared / "data" / "open_cxr"
    expected = {
        "brixia": pd.read_csv(
            data / "cohen_brixia" / "public-annotations.csv", index_col="filename"
        )["S-Global"],
        "extent": pd.read_csv(data / "cohen_extent.csv").set_index("image")[
            "geographic_extent_mean"
        ],
    }
    expected["extent"].index = [
        name.split("/")[-1] for name in expected["extent"].index
    ]
    names = [name.split("/")[-1] for name in table["image_id"]]
    for label, values in expected.items():
        found = pd.Series(table[label], names)
        assert found.notna().sum() == len(values)
        np.testing.assert_allclose(found[values.index], values, rtol=1e-6)


def test_patients_are_the_groups(table, shared):
    groups = pd.read_csv(
        shared / "data" / "open_cxr" / "cohen_patient_groups.csv", index_col="filename"
    )["patient_group"]
    for name, patient in zip(table["image_id"], table["patient_id"], strict=True):
        assert groups[name.split("/")[-1]] == patient


def test_the_numbers_of_the_page(table):
    brixia = ~np.isnan(table["brixia"])
    extent = ~np.isnan(table["extent"])
    assert (brixia & ~extent).sum() == 94
    assert (brixia & extent).sum() == 49
    assert (~brixia & extent).sum() == 24
    assert (~brixia & ~extent).sum() == 21


def test_four_tasks_are_trained_on_two_datasets(folder):
    run = RunFolder.open(folder / "first")
    rows = predictions.read(run.predictions)
    known = rows[rows["target"].notna()]
    counts = known.groupby(["task", "dataset"]).size()
    assert counts.to_dict() == {
        ("outcome", "hannover"): 204,
        ("severity", "cohen"): 143,
        ("extent", "cohen"): 73,
        ("opacity", "cohen"): 73,
    }
    made = config.load(str(run.config), [f"data_dir={folder / 'DATA'}"])
    assert list(made.tasks) == ["outcome", "severity", "extent", "opacity"]
    # Close to the spread of the labels: it has learned little, but in their units.
    extent = run.read_json(run.metrics)["test"]["extent"]
    assert 0 < extent["mae"] < 4


def test_every_file_is_answered(folder):
    answers = pd.read_csv(folder / "answers.csv")
    assert len(answers) == 45
    assert answers["error"].isna().all()
    assert set(answers["outcome"]) <= {"not_severe", "severe"}
    assert answers["extent"].between(-2, 10).all()  # points, not multiples of the std
