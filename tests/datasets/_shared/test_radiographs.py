"""The common behaviour of all radiograph builders."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from mdmt_tf import __version__
from mdmt_tf.datasets._shared import prepare
from mdmt_tf.errors import DataError

ROOT = Path(__file__).parents[3]
NAMES = ("aiforcovid", "brixia", "cohen_brixia", "hannover")


def manual_dir(name):
    return ROOT / "datasets" / name / "dummy_data"


@pytest.mark.parametrize("name", NAMES)
def test_fields_that_all_have(dummy, name):
    data = dummy(name)
    for image_id, example in data.examples.items():
        assert example["image"].shape == (8, 8, 1)
        assert example["image"].dtype == np.uint8
        assert example["image_id"].decode() == image_id
        assert example["patient_id"]
        assert example["site"] != b"unknown"  # "" says so
        np.testing.assert_array_equal(example["box"], [0, 0, 40, 32])
        np.testing.assert_array_equal(example["original_shape"], [40, 32])
        for key in ("box", "original_shape"):
            assert example[key].dtype == np.int32
        assert example["box_source"] == b"whole"


def test_builders_offer_three_forms_and_take_the_lungs_by_default():
    for name in NAMES:
        builder = prepare.load_builder(name)
        names = [config.name for config in builder.BUILDER_CONFIGS]
        assert names == ["lungs_256", "full_256", "masked_256"]
        assert builder.config_for("masked_99").preprocessing.size == 99


def test_a_sample_holds_what_was_prepared(dummy, tmp_path):
    data = dummy("brixia")
    builder = prepare.open_builder("brixia", tmp_path, "full_8")

    def sample(count, **options):
        return builder.sample(
            manual_dir("brixia"),
            count,
            lambda record, image: (record.image_id, image.pixels),
            **options,
        )

    sampled = sample(3)
    assert len({image_id for image_id, _ in sampled}) == 3
    for image_id, pixels in sampled:
        stored = data.examples[image_id]["image"][..., 0]
        np.testing.assert_array_equal(pixels, stored)
    assert {image_id for image_id, _ in sample(99)} == set(data.examples)
    names = [[name for name, _ in sample(3, seed=seed)] for seed in (0, 0, 5)]
    assert names[0] == names[1] != names[2]
    assert not list(tmp_path.rglob("*.tfrecord*"))


@pytest.mark.parametrize("name", NAMES)
def test_metadata(dummy, name):
    data = dummy(name)
    metadata = json.loads((data.prepared.path / "metadata.json").read_text())
    assert metadata == data.metadata
    assert data.builder.info.metadata["synthetic"] is False
    assert metadata["mdmt_tf_version"] == __version__
    assert metadata["prepared"] == len(data.examples)
    assert metadata["rejected"] == len(data.rejected)
    assert sum(metadata["rejected_by_reason"].values()) == len(data.rejected)
    assert sum(metadata["sites"].values()) == len(data.examples)
    patients = {example["patient_id"] for example in data.examples.values()}
    assert metadata["patients"] == len(patients)
    for classes in metadata["labels"].values():
        assert sum(c["images"] for c in classes.values()) == len(data.examples)


@pytest.mark.parametrize("name", NAMES)
def test_documents(name, tmp_path):
    builder = prepare.load_builder(name)(data_dir=tmp_path)
    assert builder.builder_config.name == "lungs_256"
    assert str(builder.version) == "1.1.0"
    assert str(builder.version) in builder.release_notes
    assert builder.info.features["image"].shape == (256, 256, 1)
    assert "doi" in builder.info.citation or "arXiv" in builder.info.citation
    assert "ml.task.image-classification" in builder.get_metadata().tags
    for field in builder.info.features:  # the README explains each
        assert f"`{field}`" in builder.info.description


@pytest.mark.parametrize("name", NAMES)
def test_the_same_files_give_the_same_bytes(dummy, prepare_files, name):
    again = prepare_files(name, manual_dir(name))
    first = dummy(name).prepared.path
    for path in first.iterdir():
        if path.name != "dataset_info.json":  # has the date
            assert (again.prepared.path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_preparation_never_looks_complete(tmp_path, stop):
    def fail(done, total):
        if done == 2:
            raise stop

    with pytest.raises(stop):
        prepare.prepare_dataset(
            "hannover", manual_dir("hannover"), tmp_path, config="full_8", progress=fail
        )
    assert not list(tmp_path.rglob("dataset_info.json"))
    assert not list(tmp_path.rglob("*.tfrecord*"))
    again = prepare.prepare_dataset(
        "hannover", manual_dir("hannover"), tmp_path, config="full_8"
    )
    assert not again.reused
    assert again.metadata["prepared"] == 4


def test_remains_of_a_killed_preparation_do_not_look_complete(tmp_path):
    finished = prepare.prepare_dataset(
        "hannover", manual_dir("hannover"), tmp_path, config="full_8"
    )
    remains = finished.path.with_name("incomplete.ABC123_1.0.0")
    finished.path.rename(remains)
    with pytest.raises(Exception, match="Could not find|not found|dataset"):
        tfds.builder_from_directory(finished.path)
    again = prepare.prepare_dataset(
        "hannover", manual_dir("hannover"), tmp_path, config="full_8"
    )
    assert not again.reused


def test_progress_counts_every_image(tmp_path):
    calls = []
    prepare.prepare_dataset(
        "hannover",
        manual_dir("hannover"),
        tmp_path,
        config="full_8",
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(i, 5) for i in range(1, 6)]  # one of them unreadable


def test_nothing_usable(tmp_path):
    root = tmp_path / "hannover"
    (root / "png").mkdir(parents=True)
    (root / "png" / "a1.png").write_bytes(b"")
    (root / "data.csv").write_text(
        "patient_id,image_id,icu_admission_offset,death_offset\npa,a1,,\npb,b1,,\n"
    )
    with pytest.raises(DataError) as error:
        prepare.prepare_dataset("hannover", root, tmp_path / "out", config="full_8")
    assert "no image of" in str(error.value)
    assert "2 rows read" in str(error.value)
    assert "b1: image missing" in str(error.value)
    assert "png/a1.png: unreadable image: the file is empty" in str(error.value)
    assert not list(tmp_path.rglob("dataset_info.json"))


@pytest.mark.parametrize("name", NAMES)
def test_missing_files_say_where_to_get_them_and_draw_the_tree(tmp_path, name):
    builder = prepare.load_builder(name)
    with pytest.raises(DataError) as error:
        builder.checked_root(tmp_path)
    message = str(error.value)
    assert message.startswith(f"{name}: none of ")
    assert str(tmp_path) in message
    assert f"in a folder {builder.FOLDER} within it" in message
    assert "https://" in message
    assert "\nMANUAL_DIR/\n  " in message
    for required in builder.REQUIRED:
        assert required.rstrip("/") in message


@pytest.mark.parametrize(
    "name, present, absent",
    [
        ("hannover", "data.csv", "png"),
        ("brixia", "metadata_global_v2.csv", "dicom_clean"),
        ("cohen_brixia", "public-annotations.csv", "public-cohen-subset"),
    ],
)
def test_incomplete_files_say_what_is_missing(tmp_path, name, present, absent):
    (tmp_path / present).touch()
    with pytest.raises(DataError, match=f"is incomplete: without {absent}\\.") as error:
        prepare.load_builder(name).checked_root(tmp_path)
    assert "https://" in str(error.value)


@pytest.mark.parametrize("make", [False, True])
def test_tfds_itself_gets_the_same_message(tmp_path, make):
    folder = tmp_path / "manual"
    if make:
        folder.mkdir()
    builder = prepare.load_builder("hannover")(data_dir=tmp_path / "out")
    config = tfds.download.DownloadConfig(manual_dir=folder)
    with pytest.raises(DataError, match="github.com/ml-workgroup"):
        builder.download_and_prepare(download_config=config)
