"""The common behaviour of all volume builders."""

import itertools
import json
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from made_series import make_slices, write_slices

from mdmt_tf import __version__
from mdmt_tf.datasets._shared import image_records, prepare, table_rows, volumes
from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging.preprocess import VolumePreprocessing
from mdmt_tf.imaging.series import read_series
from mdmt_tf.imaging.volume import prepare_volume

ROOT = Path(__file__).parents[3]
NAMES = ("ich_csic",)


def manual_dir(name):
    return ROOT / "datasets" / name / "dummy_data"


@pytest.mark.parametrize("name", NAMES)
def test_preprocessings(name):
    builder = prepare.load_builder(name)
    names = [config.name for config in builder.BUILDER_CONFIGS]
    assert names == ["head_40x301x301"]
    assert builder.config_for().name == "head_40x301x301"
    preprocessing = builder.config_for("head_4x6x5").preprocessing
    expected = VolumePreprocessing((4, 6, 5), window_hu=(15, 100))
    assert preprocessing == expected
    with pytest.raises(ValueError, match="expected head_DEPTHxROWSxCOLUMNS"):
        builder.config_for("full_8")


@pytest.mark.parametrize("name", NAMES)
def test_metadata(dummy, name):
    data = dummy(name)
    metadata = json.loads((data.prepared.path / "metadata.json").read_text())
    assert metadata == data.metadata
    assert metadata["synthetic"] is False
    assert metadata["mdmt_tf_version"] == __version__
    assert metadata["prepared"] == len(data.examples)
    assert metadata["rejected"] == len(data.rejected)
    assert sum(metadata["rejected_by_reason"].values()) == len(data.rejected)
    assert sum(metadata["sites"].values()) == len(data.examples)
    for classes in metadata["labels"].values():
        assert sum(c["images"] for c in classes.values()) == len(data.examples)


@pytest.mark.parametrize("name", NAMES)
def test_documents(name, tmp_path):
    builder = prepare.load_builder(name)(data_dir=tmp_path)
    assert builder.builder_config.name == "head_40x301x301"
    assert str(builder.version) in builder.release_notes
    assert builder.info.features["volume"].shape == (40, 301, 301, 1)
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


@pytest.mark.parametrize("name", NAMES)
def test_missing_files_say_where_to_get_them_and_draw_the_tree(tmp_path, name):
    builder = prepare.load_builder(name)
    with pytest.raises(DataError) as error:
        builder.checked_root(tmp_path)
    message = str(error.value)
    assert message.startswith(f"{name}: none of ")
    assert "https://" in message
    assert "\nMANUAL_DIR/\n  " in message
    for required in builder.REQUIRED:
        assert required in message


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_holds_what_was_prepared(dummy, tmp_path, name):
    data = dummy(name)
    builder = prepare.open_builder(name, tmp_path, "head_6x7x8")
    sampled = builder.sample(
        manual_dir(name), 99, lambda record, image: (record.image_id, image.pixels)
    )
    assert {image_id for image_id, _ in sampled} == set(data.examples)
    for image_id, pixels in sampled:
        np.testing.assert_array_equal(pixels, data.examples[image_id]["volume"])


def test_the_image_of_a_record_may_be_a_folder_of_slices(tmp_path):
    values = np.random.default_rng(0).uniform(-200, 400, (6, 7, 8)).astype(np.float32)
    slices = make_slices(values)
    write_slices(tmp_path / "whole", slices)
    write_slices(tmp_path / "gap", slices[:2] + slices[3:])
    records = [
        image_records.Record(
            image_id=name,
            patient_id=name,
            site="",
            path=tmp_path / name,
            row=table_rows.TableRow("t.csv", 2, {}),
            labels={},
        )
        for name in ("whole", "gap")
    ]
    builder_class = prepare.load_builder("ich_csic")
    config = builder_class.config_for("hu_-100_300_6x7x8_RAS")
    builder = builder_class(data_dir=tmp_path / "data", config=config)
    (_, example), (_, problem) = builder._process(records, builder._example)
    assert builder.info.features["volume"].shape == (6, 7, 8, 1)
    found = read_series(tmp_path / "whole")
    expected = prepare_volume(found, "hu_-100_300_6x7x8_RAS")
    np.testing.assert_array_equal(example["volume"], expected.pixels)
    np.testing.assert_array_equal(example["affine"], expected.affine.ravel())
    np.testing.assert_array_equal(example["original_shape"], [8, 7, 6])
    np.testing.assert_array_equal(example["original_affine"], found.affine.ravel())
    assert isinstance(problem, DataError)
    assert str(problem).startswith(f"{tmp_path}/gap: expected a slice every 5 mm")


def test_results_come_in_order_and_few_are_under_way():
    started, lock = itertools.count(1), threading.Lock()
    highest = 0

    def work(item):
        nonlocal highest
        with lock:
            highest = next(started)
        return -item

    for consumed, (item, result) in enumerate(volumes.in_order(work, range(300))):
        assert (item, result) == (consumed, -consumed)
        assert highest - consumed <= volumes._MOST_THREADS + volumes._READY
    assert consumed == 299


@pytest.mark.filterwarnings("ignore::mdmt_tf.errors.DataWarning")
def test_warnings_come_with_their_volume():
    def work(item):
        warnings.warn(DataWarning(f"{item}: odd", kind="oddity"), stacklevel=2)

    came = []

    def warned(item, doubts):
        came.append((item, [(str(doubt), doubt.kind) for doubt in doubts]))

    for item, _ in volumes.in_order(work, range(9), warned):
        assert came.pop() == (item, [(f"{item}: odd", "oddity")])
        assert not came


def test_it_stops_when_the_consumer_does():
    requested, called = itertools.count(), []

    def work(item):
        called.append(item)
        time.sleep(0.2 if item else 0)

    results = volumes.in_order(work, (next(requested) for _ in range(300)))
    next(results)
    results.close()
    # Running work is finished, waiting work is cancelled.
    assert len(called) < next(requested) <= volumes._MOST_THREADS + volumes._READY
    assert not [t.name for t in threading.enumerate() if t.name.startswith("volume")]


def test_a_fault_of_the_program_is_not_taken_for_a_bad_file(tmp_path):
    builder = prepare.open_builder("ich_csic", tmp_path, "head_6x7x8")

    def fail(record, prepared):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        builder.sample(manual_dir("ich_csic"), 1, fail)
