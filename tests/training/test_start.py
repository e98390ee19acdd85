"""What a fit starts from has not seen what the fit is judged on."""

import json
import logging

import h5py
import numpy as np
import pytest

from mdmt_tf.errors import LeakageError
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.models.weights import (
    half_precision,
    lineage,
    phantom_weights,
    pretrained,
)
from mdmt_tf.storage import sha256_of
from mdmt_tf.training.inputs import open_inputs
from mdmt_tf.training.start import check_start, data_of_start, known_start


@pytest.fixture(scope="module")
def folds(settings):
    """The inputs of two folds of the same data."""
    return [open_inputs(settings(f"split.fold={fold}")) for fold in (0, 1)]


def note_of(inputs):
    return lineage.of_lists(inputs.datasets, inputs.split.datasets)


def checked(note, inputs):
    check_start(note, inputs.datasets, inputs.split.datasets)


def empty_file(path):
    h5py.File(path, "w").close()
    return str(path)


def test_a_start_of_the_same_fold_passes_without_a_word(folds, caplog):
    for inputs in folds:
        checked(note_of(inputs), inputs)
    checked(lineage.empty(), folds[0])
    assert not caplog.records


def test_a_start_of_another_fold_is_refused_with_counts(folds):
    trained, new = folds
    (name,) = {"alpha"} & set(new.judged)
    lists = trained.split.datasets[name]
    rows = new.samples["test"].rows
    tested = rows.loc[rows["dataset"] == name, "image_id"]
    seen = {*lists["train"], *lists["validation"]} & set(tested)
    assert seen
    text = f"{len(seen)} of the {len(tested)} test images of dataset 'alpha', such as "
    with pytest.raises(LeakageError, match=text + f"'{min(seen)}'"):
        checked(note_of(trained), new)


def test_validation_images_may_have_chosen_the_epoch_of_the_start_too(folds):
    new = folds[0]
    lists = new.split.datasets["alpha"]
    chosen = {"train": lists["train"], "validation": lists["validation"]}
    others = {n: {} for n in new.split.datasets if n != "alpha"}
    note = lineage.of_lists(new.datasets, {**others, "alpha": chosen})
    checked(note, new)
    taught = {"train": [*lists["train"], *lists["validation"]]}
    note = lineage.of_lists(new.datasets, {**others, "alpha": taught})
    with pytest.raises(LeakageError, match="validation images of dataset 'alpha'"):
        checked(note, new)


def test_a_start_of_nothing_or_of_the_package_is_known():
    for backbone in phantom_weights.shipped():
        for weights in (None, "imagenet", "phantoms"):
            assert data_of_start(backbone, weights) == lineage.empty()


def test_phantoms_that_began_with_unknown_weights_are_a_warning(monkeypatch, tmp_path):
    """Earlier versions made such a file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = phantom_weights.path_in_cache("resnet18")
    path.parent.mkdir(parents=True)
    facts = {
        "backbone": "resnet18",
        "trained_with_synthetic": {"synthetic_cxr": 9000},
        "start": {"file": "/x/ours.weights.h5"},
    }
    half_precision.write(path, {"bn1/gamma": np.ones(4)}, facts)
    assert data_of_start("resnet18", "phantoms")["unknown"] == ["ours.weights.h5"]


def test_data_of_files_are_read_and_those_of_others_are_unknown(
    tmp_path, folds, caplog
):
    own, other = (empty_file(tmp_path / f"{n}.weights.h5") for n in ("own", "other"))
    lineage.write(tmp_path / "own.weights.h5", note_of(folds[0]))
    assert data_of_start("resnet18", own) == note_of(folds[0])
    both = data_of_start("resnet18", {own: 0.5, other: 0.5})
    assert both == {**note_of(folds[0]), "unknown": ["other.weights.h5"]}
    with caplog.at_level(logging.WARNING):
        checked(both, folds[0])
    (record,) = caplog.records
    assert "data of the start other.weights.h5 are unknown" in record.getMessage()


def test_of_files_that_are_not_here_a_dry_run_knows_nothing(tmp_path, folds):
    own = empty_file(tmp_path / "own.weights.h5")
    lineage.write(tmp_path / "own.weights.h5", note_of(folds[0]))
    assert known_start("resnet18", own) == note_of(folds[0])
    assert known_start("resnet18", str(tmp_path / "gone")) == lineage.empty()


def test_converted_published_weights_are_known(tmp_path):
    path = tmp_path / "mine.weights.h5"
    weights = empty_file(path)
    for checkpoint, unknown in (
        ("0" * 64, ["mine.weights.h5"]),
        (BACKBONES["resnet18"].weights.sha256.ljust(64, "0"), []),
    ):
        facts = {"sha256": sha256_of(path), "checkpoint_sha256": checkpoint}
        pretrained.manifest_path(path).write_text(json.dumps({**facts, "source": ""}))
        assert data_of_start("resnet18", weights)["unknown"] == unknown
