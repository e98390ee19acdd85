"""Datasets through their builders: found by name, prepared whole or not at all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mdmt_tf.datasets._shared import prepare
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import image_hashes
from mdmt_tf.imaging.similarity import perceptual_hash

ROOT = Path(__file__).resolve().parents[3]
NAMES = (
    *("aiforcovid", "brixia", "cohen_brixia"),
    *("hannover", "ich_csic", "synthetic_cxr"),
)
HANNOVER = ROOT / "datasets" / "hannover" / "dummy_data"


def test_names_are_the_folders_with_a_builder():
    assert prepare.dataset_names() == NAMES
    for name in NAMES:
        assert prepare.load_builder(name).name == name


def test_two_processes_at_once(tmp_path):
    # The other one finishes while this one is at its second image.
    def other(done, total):
        if done == 2:
            finished.append(
                prepare.prepare_dataset("hannover", *folders, config="full_8")
            )

    finished, folders = [], (HANNOVER, tmp_path / "D")
    mine = prepare.prepare_dataset(
        "hannover", *folders, config="full_8", progress=other
    )
    assert not finished[0].reused
    assert mine.reused
    assert mine.metadata == finished[0].metadata


def test_a_data_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "D").touch()
    with pytest.raises(DataError, match="hannover cannot be prepared in"):
        prepare.prepare_dataset("hannover", HANNOVER, tmp_path / "D", config="full_8")


def test_impossible_config_from_python(tmp_path):
    with pytest.raises(ConfigError, match="hannover: expected lungs_SIZE, .*'big'"):
        prepare.prepare_dataset("hannover", HANNOVER, tmp_path, config="big")


def test_unknown_name_from_python(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'cohen_brixia'"):
        prepare.prepare_dataset("cohen-brixia", tmp_path, tmp_path)


def test_killed_while_it_prepares(tmp_path):
    """SIGKILL leaves nothing that reads as complete, and the next run does it all."""
    script = (
        "import sys, time\n"
        "from mdmt_tf.datasets._shared import prepare\n"
        "def stop(done, total):\n"
        "    if done == 2:\n"
        "        print('half', flush=True)\n"
        "        time.sleep(600)\n"
        "prepare.prepare_dataset('hannover', *sys.argv[1:], config='full_8',"
        " progress=stop)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(HANNOVER), str(tmp_path / "D")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.wait()
    process.stdout.close()
    from mdmt_tf.data.sources import open_dataset

    with pytest.raises(DataError):
        open_dataset(tmp_path / "D", "hannover", "full_8")
    again = prepare.prepare_dataset(
        "hannover", HANNOVER, tmp_path / "D", config="full_8"
    )
    assert not again.reused
    assert again.metadata["prepared"] == 4
    assert len(open_dataset(tmp_path / "D", "hannover", "full_8")) == 4


def test_each_kind_has_its_own_default():
    assert prepare.load_builder("hannover").config_for().name == "lungs_256"
    assert prepare.load_builder("ich_csic").config_for().name == "head_40x301x301"


@pytest.mark.parametrize("name", ["hannover", "ich_csic"])
def test_the_hashes_of_all_prepared_images_are_stored(name, dummy):
    made = dummy(name)
    hashes = image_hashes.read(made.prepared.path)
    assert hashes.keys() == made.examples.keys()
    for image_id, example in made.examples.items():
        stored = hashes[image_id]
        assert stored.patient_id == example["patient_id"].decode()
        pixels = example.get("image", example.get("volume"))
        unit = pixels / np.float32(np.iinfo(pixels.dtype).max)
        expected = perceptual_hash(image_hashes.picture_of(unit))
        assert stored.phash == expected.tobytes().hex()
