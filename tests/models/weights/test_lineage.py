"""Which data weights were trained with, as hashes in their file."""

import dataclasses

import h5py
import numpy as np
import pytest
from hashed_datasets import pictures

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights import half_precision, lineage

SHOWN = pictures(4, 7)
LISTS = {"a": {"train": ["a0"], "validation": ["a1"], "test": ["a2", "a3"]}}


@pytest.fixture(scope="module")
def dataset(write_hashed):
    """a0 and a3 are of one patient."""
    return write_hashed("a", SHOWN, ["p0", "p1", "p2", "p0"])


@pytest.fixture(scope="module")
def note(dataset):
    return lineage.of_lists([dataset], LISTS)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "backbone.weights.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = [1.0, 2.0]
    return path


def of_table(dataset, **changes):
    """The dataset as it is prepared otherwise, where no hashes are stored."""
    table = {**dataset.table, **{k: np.array(v, object) for k, v in changes.items()}}
    return dataclasses.replace(
        dataset, table=table, fingerprint="other", folder=dataset.folder / "none"
    )


def test_images_and_patients_of_training_and_validation_are_found(dataset, note):
    ids = ["a0", "a1", "a2", "a3"]
    found = lineage.find(note, dataset, ids)
    assert found == {
        "images": ["a0", "a1"],
        "patients": ["a0", "a1", "a3"],
        "pixels": ["a0", "a1"],
    }
    assert lineage.find(note, dataset, ids, ["train"])["images"] == ["a0"]
    assert lineage.find(note, dataset, ["a2"]) == dict.fromkeys(lineage.KINDS, [])


def test_another_preparation_of_the_dataset_has_the_same_ids(dataset, note):
    names = {"a0": "A00", "a1": "b1", "a2": "b2", "a3": "b3"}
    ids = [names[image] for image in dataset.table["image_id"]]
    found = lineage.find(note, of_table(dataset, image_id=ids), ids)
    assert found == {"images": ["A00"], "patients": ["A00", "b1", "b3"], "pixels": []}


def test_equal_ids_in_another_dataset_are_others(dataset, note):
    other = dataclasses.replace(of_table(dataset), name="b")
    found = lineage.find(note, other, ["a0", "a1"])
    assert found == dict.fromkeys(lineage.KINDS, [])
    # Unless its content is the same.
    renamed = dataclasses.replace(dataset, name="b")
    assert lineage.find(note, renamed, ["a0", "a2"])["images"] == ["a0"]


def test_phantoms_that_are_drawn_again_are_others(dataset, note):
    drawn = dataclasses.replace(of_table(dataset), synthetic=True)
    assert lineage.find(note, drawn, ["a0"]) == dict.fromkeys(lineage.KINDS, [])


def test_drawings_of_one_name_are_kept_apart(dataset, note):
    """Their ids are the same, and the real dataset may have the name, too."""
    first = dataclasses.replace(dataset, synthetic=True, fingerprint="first")
    second = dataclasses.replace(
        of_table(dataset), synthetic=True, fingerprint="second"
    )
    both = lineage.combined(
        note,
        lineage.of_lists([first], {"a": {"train": ["a1"]}}),
        lineage.of_lists([second], {"a": {"train": ["a2"]}}),
    )
    marked = {name: e.get("synthetic") for name, e in both["datasets"].items()}
    assert marked == {
        "a": None,
        "a (synthetic, first)": "a",
        "a (synthetic, second)": "a",
    }
    assert lineage.find(both, second, ["a0", "a1", "a2"])["images"] == ["a2"]
    assert lineage.combined(both, both) == both


def test_synthetic_images_are_told_apart_by_their_pixels(write_hashed, note):
    """Whatever their ids; and those of validation are not trained with."""
    parts = [
        dataclasses.replace(write_hashed("d", SHOWN[a:b], list("pq")), synthetic=True)
        for a, b in ((0, 2), (1, 3), (2, 4))
    ]
    notes = [
        lineage.of_lists([part], {"d": {"train": ["d0", "d1"], "validation": []}})
        for part in parts
    ]
    assert lineage.synthetic_images(notes[0], notes[0]) == {"d": 2}
    assert lineage.synthetic_images(notes[0], notes[1]) == {"d": 3}
    assert lineage.synthetic_images(lineage.combined(*notes), note) == {"d": 4}
    judged = lineage.of_lists(
        [parts[0]], {"d": {"train": ["d1"], "validation": ["d0"]}}
    )
    assert lineage.synthetic_images(judged) == {"d": 1}


def test_equal_pixels_are_found_under_any_name(write_hashed, note):
    other = write_hashed("c", [SHOWN[2], SHOWN[1]], ["q0", "q1"])
    found = lineage.find(note, other, ["c0", "c1"])
    assert found == {"images": [], "patients": [], "pixels": ["c1"]}


def test_the_note_is_read_and_the_weights_stay(weights, note):
    assert lineage.read(weights) is None
    lineage.write(weights, note)
    assert lineage.read(weights) == note
    with h5py.File(weights) as file:
        assert list(file["kernel"]) == [1.0, 2.0]


def test_the_file_has_hashes_and_no_ids(weights, dataset):
    ids = ["Zebrastein-1", "Zebrastein-2", "Zebrastein-3", "Zebrastein-4"]
    named = of_table(dataset, image_id=ids, patient_id=ids)
    note = lineage.of_lists([named], {"a": {"train": ids}})
    lineage.write(weights, note)
    assert len(note["datasets"]["a"]["train"]["images"].split()) == 4
    assert b"zebrastein" not in weights.read_bytes().lower()


def test_steps_of_training_add_up(dataset, note):
    other = lineage.of_lists([dataset], {"a": {"train": ["a2"]}})
    both = lineage.combined(note, other, lineage.empty(["x.weights.h5"]))
    assert both["unknown"] == ["x.weights.h5"]
    assert lineage.find(both, dataset, ["a2"])["images"] == ["a2"]
    assert lineage.combined(both, note) == both
    permuted = lineage.combined(both, lineage.empty(permuted=["severity"]))
    assert permuted == {**both, "permuted": ["severity"]}


@pytest.mark.parametrize("text", [b"[", b"[]", b'{"datasets": {"a": 1}}'])
def test_a_damaged_note_is_an_error(weights, text):
    with h5py.File(weights, "a") as file:
        file[lineage.NOTE] = np.frombuffer(text, np.uint8)
    with pytest.raises(DataError, match="'trained_with_data' is damaged"):
        lineage.read(weights)


def test_files_of_phantoms_have_no_other_data(tmp_path):
    path, arrays = tmp_path / "own.safetensors", {"norm/gamma": np.ones(4)}
    facts = {"backbone": "tiny", "trained_with_synthetic": {"synthetic_cxr": 9000}}
    half_precision.write(path, arrays, facts)
    assert lineage.read(path) == lineage.empty()
    half_precision.write(path, arrays, {"backbone": "tiny"})
    assert lineage.read(path) is None


def test_a_file_of_phantoms_from_an_unknown_start_says_so(tmp_path):
    """Earlier versions made such files."""
    path = tmp_path / "own.safetensors"
    drawn = {"trained_with_synthetic": {"synthetic_cxr": 9000}}
    facts = {"backbone": "tiny", **drawn}
    for start, unknown in (
        ({"source": "timm"}, []),
        ({"file": "/x/own.weights.h5"}, ["own.weights.h5"]),
        ({"file": "/x/own.weights.h5", **drawn}, []),
        ({"average": [{"file": "/x/a.weights.h5"}]}, ["a.weights.h5"]),
    ):
        half_precision.write(path, {"norm/gamma": np.ones(4)}, facts | {"start": start})
        assert lineage.read(path) == lineage.empty(unknown)


def test_a_run_of_an_earlier_version_knows_whether_its_start_was_a_file():
    own, other = {"file": "/x/a.weights.h5"}, {"source": "timm"}
    for start, unknown in (
        (None, []),
        (other, []),
        (own, ["a.weights.h5"]),
        ({"source": "average", "average": [other, own]}, ["a.weights.h5"]),
    ):
        found = lineage.of_manifest({"initial_weights": start})
        assert found == lineage.empty(unknown)
