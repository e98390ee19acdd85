"""The same picture under two patients is found before a model is trained."""

import dataclasses
import logging

import numpy as np
import pytest
from hashed_datasets import SIDE, jpeg, pictures

from mdmt_tf.data.repeated_images import check_repeated, find_repeated
from mdmt_tf.errors import DataError, LeakageError
from mdmt_tf.imaging import image_hashes
from mdmt_tf.splits.split import Split


@pytest.fixture(scope="module")
def datasets(write_hashed):
    """One picture twice in a, under p0 and p1; one of b is in a, stored again.

    In a, 5 is the mirror image of 4; 6 and 7 are one picture of one patient.
    """
    a, b = pictures(8, 0), pictures(3, 5)
    a[1], b[2] = a[0], jpeg(a[2])
    a[5] = np.ascontiguousarray(a[4][:, ::-1])
    a[7] = a[6]
    one = write_hashed("a", a, ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p6"])
    # The same names of patients, in another dataset, are other patients.
    return one, write_hashed("b", b, ["p0", "p1", "p2"], metadata={"synthetic": True})


def split_of(**lists):
    """ "a0=train" ...; images that are not named are excluded."""
    found = {name: {"train": [], "validation": [], "test": []} for name in "ab"}
    for image, split in lists.items():
        found[image[0]][split].append(image)
    return Split(kind="kfold", fold=0, datasets=found)


EVERY = {f"a{n}": "train" for n in range(8)} | {f"b{n}": "train" for n in range(3)}


def ids(pairs):
    return {(pair.first[1], pair.second[1]) for pair in pairs}


def test_equal_and_near_pictures_of_different_patients_are_found(datasets):
    split = split_of(**{**EVERY, "a1": "test", "b2": "validation"})
    found = find_repeated(datasets, [split])
    assert ids(found.identical) == {("a0", "a1")}
    assert ids(found.near) == {("a2", "b2"), ("a4", "a5")}
    (pair,) = found.identical
    assert pair.splits == ("train", "test") and pair.parted == 1
    assert {p.first[1]: (p.parted, p.mirrored) for p in found.near} == {
        "a2": (1, False),
        "a4": (0, True),
    }


def test_only_images_that_one_fold_uses_together_matter(datasets):
    apart = {name: of for name, of in EVERY.items() if name not in ("a1", "a2", "a5")}
    assert find_repeated(datasets, [split_of(**apart)]).identical == []
    other = {name: of for name, of in EVERY.items() if name != "a0"}
    found = find_repeated(datasets, [split_of(**apart), split_of(**other)])
    # No fold has both a0 and a1; the second has both of the near ones.
    assert found.identical == []
    assert ids(found.near) == {("a2", "b2"), ("a4", "a5")}


def test_pairs_count_in_how_many_folds_they_are_parted(datasets):
    folds = [split_of(**EVERY), split_of(**EVERY | {"a1": "test"})] * 2
    (pair,) = find_repeated(datasets, folds).identical
    assert pair.parted == 2 and pair.splits is None
    with pytest.raises(LeakageError) as caught:
        check_repeated(datasets, folds)
    assert "1 of them in two splits in at least one of 4 folds" in str(caught.value)


def test_equal_pixels_are_an_error_that_names_them_and_the_way_out(datasets, caplog):
    split = split_of(**EVERY | {"a1": "test"})
    with pytest.raises(LeakageError) as caught:
        check_repeated(datasets, [split])
    text = str(caught.value)
    assert "a/a0 (patient p0, train) = a/a1 (patient p1, test)" in text
    assert "1 pair of images under two patients is the same in every pixel" in text
    assert "pipeline.allow_identical_images=true" in text and "--exclude" in text
    # The near ones are said first.
    (near,) = caplog.messages
    assert near.startswith(
        "2 pairs of images under two patients are nearly the same (1 mirrored), none "
        "of them in two splits: "
    )


def test_equal_pixels_in_two_datasets_are_those_of_one_patient_if_declared(
    write_hashed,
):
    """An equal patient_id alone is that of another patient in another dataset."""
    (picture,) = pictures(1, 0)
    one, other = (write_hashed(name, [picture], ["p0"]) for name in "ab")
    lists = {
        name: {"train": [], "validation": [], "test": [f"{name}0"]} for name in "ab"
    }
    split = Split(kind="kfold", fold=0, datasets=lists)
    with pytest.raises(
        LeakageError, match="datasets.a.patients=shared datasets.b.patients=shared"
    ):
        check_repeated([one, other], [split])
    same = dataclasses.replace(split, patients={"a": "ward", "b": "ward"})
    check_repeated([one, other], [same])


def test_who_knows_better_gets_a_warning(datasets, caplog):
    check_repeated(datasets, [split_of(**EVERY)], allow_identical=True)
    _, same = caplog.messages
    assert "the same in every pixel" in same
    assert same.endswith("(pipeline.allow_identical_images)")


def test_equal_prepared_pixels_of_other_originals_are_equal(write_hashed):
    """16-bit and 8-bit files of one picture are the same to the network."""
    (picture,) = pictures(1, 7, SIDE)
    dataset = write_hashed("a", [picture, picture], ["p0", "p1"])
    stored = image_hashes.read(dataset.folder)
    other = stored["a1"].__class__("p1", "0" * 64, *[stored["a1"].phash] * 2)
    image_hashes.write({**stored, "a1": other}, dataset.folder)
    found = find_repeated([dataset], [split_of(a0="train", a1="test")])
    assert ids(found.identical) == {("a0", "a1")} and found.near == []


def test_datasets_without_hashes_are_left_out(alpha, beta, datasets, caplog):
    """beta is real and alpha synthetic, of which nobody needs to know."""
    whole = {
        d.name: {"train": list(d.table["image_id"]), "validation": [], "test": []}
        for d in (alpha, beta)
    }
    split = Split(kind="kfold", fold=0, datasets=whole)
    with caplog.at_level(logging.WARNING):
        check_repeated([alpha, beta], [split])
    (said,) = caplog.messages
    assert str(beta.folder) in said and "--overwrite" in said


def test_hashes_of_another_dataset_are_refused(write_hashed):
    shown = [np.full((SIDE, SIDE), 9, np.uint8), np.eye(SIDE, dtype=np.uint8)]
    dataset = write_hashed("a", shown, ["p0", "p1"])
    split = split_of(a0="train", a1="test")
    assert find_repeated([dataset], [split]).identical == []
    stored = image_hashes.read(dataset.folder)
    for wrong in ({"a0": stored["a0"]}, {"a0": stored["a1"], "a1": stored["a1"]}):
        image_hashes.write(wrong, dataset.folder)
        with pytest.raises(DataError, match="expected a row of the image 'a"):
            find_repeated([dataset], [split])
