"""Notes about synthetic images in files of weights."""

import json

import h5py
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights import half_precision, provenance


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    with h5py.File(folder / "backbone.weights.h5", "w") as file:
        file["kernel"] = [1.0, 2.0]
    return folder / "backbone.weights.h5"


def test_the_note_is_read_and_the_weights_stay(weights):
    before = weights.read_bytes()
    provenance.write(weights, {})
    assert weights.read_bytes() == before
    assert provenance.read(weights) == {}
    provenance.write(weights, {"synthetic_cxr": 2700})
    assert provenance.read(weights) == {"synthetic_cxr": 2700}
    with h5py.File(weights) as file:
        assert list(file["kernel"]) == [1.0, 2.0]


def test_a_number_may_be_known_within_bounds(weights):
    provenance.write(weights, {"synthetic_cxr": [270, 540]})
    assert provenance.read(weights) == {"synthetic_cxr": [270, 540]}


@pytest.mark.parametrize("count", [-1, 2.5, True, "9", [9], [9, 8], [1, 2, 3], None])
def test_a_damaged_number_is_an_error(weights, count):
    with h5py.File(weights, "a") as file:
        file.attrs[provenance.NOTE] = json.dumps({"synthetic_cxr": count})
    with pytest.raises(
        DataError, match="'trained_with_synthetic' is damaged: expected"
    ):
        provenance.read(weights)


def test_steps_add_up_to_a_number_within_bounds_and_models_do_not():
    """The truth is between: all steps with the same images, or each with others."""
    counts = [{"drawn": 270}, {"drawn": [300, 400]}, {"other": 5}]
    assert provenance.combined(*counts) == {"drawn": [300, 670], "other": 5}
    assert provenance.largest(*counts) == {"drawn": [300, 400], "other": 5}
    assert provenance.combined() == {} and provenance.total({}) == 0
    assert (
        provenance.text(provenance.total(provenance.combined(*counts))) == "305 to 675"
    )


def test_the_run_of_an_earlier_version_is_asked(weights):
    path = weights.parent.parent / "manifest.json"
    facts = {"alpha": {"examples": 40}, "beta": {"examples": 23}}
    manifest = {"synthetic_datasets": ["alpha"], "datasets": facts}
    path.write_text(json.dumps(manifest))
    assert provenance.read(weights) == {"alpha": 40}
    for text in ("", "[]", '{"synthetic_datasets": ["alpha"]}'):
        path.write_text(text)
        assert provenance.read(weights) == {}


def test_files_in_half_precision_have_it_among_their_facts(tmp_path):
    path = tmp_path / "own.safetensors"
    facts = {"backbone": "tiny", "trained_with_synthetic": {"synthetic_cxr": 9000}}
    half_precision.write(path, {"norm/gamma": np.ones(4)}, facts)
    assert provenance.read(path) == {"synthetic_cxr": 9000}
    half_precision.write(path, {"norm/gamma": np.ones(4)}, {"backbone": "tiny"})
    assert provenance.read(path) == {}


def test_files_of_another_format_have_no_note(tmp_path):
    path = tmp_path / "own.weights.h5"
    path.write_bytes(b"not HDF5")
    assert provenance.read(path) == {}
