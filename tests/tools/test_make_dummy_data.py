"""The committed dummy files are equal to those that the tool writes."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dummies")
    kept, sys.argv = sys.argv, ["make_dummy_data.py", str(folder)]
    try:
        runpy.run_path(str(ROOT / "tools" / "make_dummy_data.py"), run_name="__main__")
    finally:
        sys.argv = kept
    return folder


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.glob("*/dummy_data/**/*")
        if path.is_file()
    }


def test_the_tool_writes_the_committed_files(written):
    committed, fresh = files(ROOT / "datasets"), files(written)
    assert committed.keys() == fresh.keys()
    for name, path in committed.items():
        if path.suffix == ".csv":
            assert path.read_bytes() == fresh[name].read_bytes()


def test_they_are_small():
    assert sum(path.stat().st_size for path in files(ROOT / "datasets").values()) < 3e5
