"""A dataset that is prepared again: the old one is there until the new one is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from declared import SKETCH, ward_rows, write_ward

from mdmt_tf import storage
from mdmt_tf.datasets._shared import prepare
from mdmt_tf.datasets._shared.declared import builder_of
from mdmt_tf.datasets._shared.replacement import recover, written_to
from mdmt_tf.errors import DataError

ROOT = Path(__file__).resolve().parents[3]
# Says when two images are done, and waits to be killed.
SCRIPT = """
import sys, time
from mdmt_tf.datasets._shared import prepare
from mdmt_tf.datasets._shared.declared import builder_of
def stop(done, total):
    if done == 2:
        print("half", flush=True)
        time.sleep(600)
name, manual_dir, data_dir = sys.argv[1:]
name = builder_of(name) if name.endswith(".yaml") else name
prepare.prepare_dataset(
    name, manual_dir, data_dir, config="full_8", overwrite=True, progress=stop
)
"""


def write(path, text="old"):
    path.mkdir(parents=True)
    (path / "dataset_info.json").write_text(text)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(params=["hannover", "declared"])
def dataset(request, tmp_path):
    """Name, folder of originals and a function that prepares a dataset."""
    if request.param == "hannover":
        manual_dir = tmp_path / "hannover"
        shutil.copytree(ROOT / "datasets" / "hannover" / "dummy_data", manual_dir)
        name = "hannover"
    else:
        text = SKETCH.replace("lungs_256", "full_8")
        name = write_ward(tmp_path / "ward", text, ward_rows(2))
        manual_dir = name.parent

    def run(**options):
        builder = builder_of(name) if name != "hannover" else name
        return prepare.prepare_dataset(
            builder, manual_dir, tmp_path / "D", config="full_8", **options
        )

    return str(name), manual_dir, run


@pytest.mark.parametrize("fault", [RuntimeError, OSError, KeyboardInterrupt])
def test_a_fault_while_images_are_decoded_keeps_the_old_one(dataset, tmp_path, fault):
    _, _, run = dataset
    run()
    before = contents(tmp_path / "D")

    def stop(done, total):
        if done == 2:
            raise fault("stopped")

    with pytest.raises((fault, DataError)):
        run(overwrite=True, progress=stop)
    assert contents(tmp_path / "D") == before
    assert run().reused


@pytest.mark.large
def test_a_kill_while_images_are_decoded_keeps_the_old_one(dataset, tmp_path):
    name, manual_dir, run = dataset
    path = run().path
    before = contents(path)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, name, str(manual_dir), str(tmp_path / "D")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert contents(path) == before
    assert len(os.listdir(tmp_path / "D")) == 2  # what the other one had written
    assert run().reused
    assert contents(path) == before
    assert not run(overwrite=True).reused
    assert os.listdir(tmp_path / "D") == [path.parts[-3]]


def test_the_new_one_is_there_at_the_end_of_the_block(tmp_path):
    there = tmp_path / "ward" / "full_8" / "1.0.0"
    with written_to(there, tmp_path) as folder:
        assert folder == tmp_path  # there is nothing to replace
    write(there)
    with written_to(there, tmp_path) as folder:
        write(folder / "ward" / "full_8" / "1.0.0", "new")
        assert (there / "dataset_info.json").read_text() == "old"
    assert (there / "dataset_info.json").read_text() == "new"
    assert os.listdir(tmp_path) == ["ward"]


def test_a_new_one_that_is_not_complete_replaces_nothing(tmp_path):
    there = tmp_path / "ward" / "full_8" / "1.0.0"
    write(there)
    with pytest.raises(OSError), written_to(there, tmp_path):
        pass
    assert (there / "dataset_info.json").read_text() == "old"
    assert os.listdir(tmp_path) == ["ward"]


def test_a_process_that_was_killed_between_two_renames(tmp_path):
    aside = tmp_path / ".overwrite-x"
    write(aside / "before" / "ward" / "full_8" / "1.0.0")
    write(aside / "new" / "ward" / "full_8" / "1.0.0", "new")
    (aside / "lock").touch()
    (tmp_path / "ward" / "full_8").mkdir(parents=True)
    recover(tmp_path)
    assert contents(tmp_path) == {"ward/full_8/1.0.0/dataset_info.json": b"old"}


def test_a_process_that_was_killed_after_them(tmp_path):
    aside = tmp_path / ".overwrite-x"
    write(aside / "before" / "ward" / "full_8" / "1.0.0")
    (aside / "lock").touch()
    write(tmp_path / "ward" / "full_8" / "1.0.0", "new")
    recover(tmp_path)
    assert contents(tmp_path) == {"ward/full_8/1.0.0/dataset_info.json": b"new"}


def test_a_process_that_is_at_work_is_left_alone(tmp_path):
    aside = tmp_path / ".overwrite-x"
    write(aside / "before" / "ward" / "full_8" / "1.0.0")
    before = contents(tmp_path)
    recover(tmp_path)  # it has no lock yet
    assert contents(tmp_path) == before
    with storage.lock(aside / "lock"):
        recover(tmp_path)
        assert contents(tmp_path).items() >= before.items()
    recover(tmp_path / "nowhere")
