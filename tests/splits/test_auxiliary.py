"""Datasets that no fold divides: the same lists everywhere."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.splits.auxiliary import split_of_rows
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import count_folds, make_split


def table(patients, images=2, sites="AB"):
    rows = [(p, i) for p in range(patients) for i in range(images)]
    return {
        "image_id": np.array([f"p{p}-{i}" for p, i in rows], object),
        "patient_id": np.array([f"p{p}" for p, _ in rows], object),
        "site": np.array([sites[p % len(sites)] for p, _ in rows], object),
    }


TABLES = {"real": table(30), "drawn": table(200)}


def lists_of(tables=TABLES, **settings):
    settings = SplitSettings(auxiliary=["drawn"], **settings)
    return [
        make_split(tables, [], dataclasses.replace(settings, fold=fold)).datasets
        for fold in range(count_folds(tables, settings))
    ]


def test_patients_are_whole_and_ninety_of_a_hundred_are_for_training():
    drawn = TABLES["drawn"]
    split_of = split_of_rows("drawn", drawn)
    patients = {n: set(drawn["patient_id"][split_of == n]) for n in SPLITS}
    assert [len(patients[name]) for name in SPLITS] == [180, 10, 10]
    assert len(set.union(*patients.values())) == 200


def test_neither_the_order_of_rows_nor_the_number_of_images_matters():
    drawn = TABLES["drawn"]
    order = np.random.default_rng(0).permutation(len(drawn["patient_id"]))
    shuffled = {key: values[order] for key, values in drawn.items()}
    split_of = split_of_rows("drawn", drawn)
    assert (split_of_rows("drawn", shuffled) == split_of[order]).all()
    assert (split_of_rows("drawn", table(200, images=1)) == split_of[::2]).all()
    assert (split_of_rows("other", drawn) != split_of).any()


def test_the_lists_are_those_of_every_fold_seed_and_validation():
    found = [
        *lists_of(),
        *lists_of(seed=5, repeats=2, validation="fraction"),
        *lists_of(kind="leave_one_site_out", leave_out=["real"]),
    ]
    assert len(found) == 5 + 10 + 2
    assert all(lists["drawn"] == found[0]["drawn"] for lists in found)
    alone = make_split(
        {"drawn": TABLES["drawn"]}, [], SplitSettings(auxiliary=["drawn"])
    )
    assert alone.datasets["drawn"] == found[0]["drawn"]


def test_the_other_datasets_are_divided_as_without_it():
    alone = [
        make_split({"real": TABLES["real"]}, [], SplitSettings(fold=fold)).datasets
        for fold in range(5)
    ]
    assert [lists["real"] for lists in lists_of()] == [each["real"] for each in alone]


def test_lists_of_a_file_need_not_name_it(tmp_path):
    path = tmp_path / "own.csv"
    split_of = ["train", "validation", "test"]
    lines = [
        f"real,{name},{split_of[number // 2 % 3]}"
        for number, name in enumerate(TABLES["real"]["image_id"])
    ]
    path.write_text("\n".join(["dataset,image_id,split", *lines]))
    (found,) = lists_of(kind="file", file=str(path))
    assert found["drawn"] == lists_of()[0]["drawn"] and len(found["real"]["test"]) == 20
    # Lists for it are taken as they are.
    own = [f"drawn,{name},train" for name in TABLES["drawn"]["image_id"]]
    path.write_text("\n".join(["dataset,image_id,split", *lines, *own]))
    (found,) = lists_of(kind="file", file=str(path))
    assert len(found["drawn"]["train"]) == 400


def test_three_patients_are_needed():
    few = split_of_rows("drawn", table(3))
    assert sorted(few[::2]) == ["test", "train", "validation"]
    with pytest.raises(DataError, match="'drawn' has 2 patients; an auxiliary dataset"):
        split_of_rows("drawn", table(2))
