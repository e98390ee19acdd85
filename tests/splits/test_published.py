"""Fold lists in the format of the published code, made here."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.splits import published
from mdmt_tf.splits.files import read
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, count_folds, make_split

NAMES = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}


def write_fold(folder, lists, headings="img label center "):
    folder.mkdir(parents=True)
    for split, name in NAMES.items():
        lines = [headings, *(f"{image} MILD A" for image in lists.get(split, ()))]
        (folder / name).write_text("\n".join(lines) + "\n")


def table_of(**patients):
    """A patient each, or patient -> images."""
    rows = [(image, name) for name, images in patients.items() for image in images]
    images, names = zip(*rows, strict=True)
    return {
        "image_id": np.array(images, object),
        "patient_id": np.array(names, object),
        "site": np.array([""] * len(images), object),
    }


@pytest.fixture
def three_folds(tmp_path):
    """9 images; fold k tests images k, k + 3, k + 6 and validates the fold before."""
    folder = tmp_path / "AFC" / "3"
    images = [f"P_{number}" for number in range(9)]
    for fold in range(3):
        lists = {
            "test": images[fold::3],
            "validation": images[(fold - 1) % 3 :: 3],
            "train": images[(fold - 2) % 3 :: 3],
        }
        write_fold(folder / str(fold), lists)
    return folder


def test_the_folds_of_a_folder(three_folds):
    folds = published.read_folds(three_folds)
    assert [fold["test"] for fold in folds] == [
        ["P_0", "P_3", "P_6"],
        ["P_1", "P_4", "P_7"],
        ["P_2", "P_5", "P_8"],
    ]
    assert folds[1]["validation"] == folds[0]["test"]
    assert published.read_folds(three_folds / "2") == [folds[2]]


def test_scores_with_other_columns_and_empty_lines(tmp_path):
    write_fold(tmp_path / "0", {"train": ["a"]}, "img label_dim scores center")
    (tmp_path / "0" / "test.txt").write_bytes(
        b"\xef\xbb\xbfimg label_dim scores center\r\n9760 BIG [131233] SIEMENS\r\n\r\n"
    )
    (fold,) = published.read_folds(tmp_path)
    assert fold == {"train": ["a"], "validation": [], "test": ["9760"]}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: (f / "1").rename(f / "5"), r"folders 0, 1, 2.*Received: 0, 2, 5"),
        (lambda f: (f / "1" / "val.txt").unlink(), r"1/val.txt: cannot be read"),
        (
            lambda f: (f / "0" / "val.txt").write_text("P_1 MILD A\n"),
            r"val.txt: expected headings that begin with 'img'. Received: P_1 MILD A",
        ),
        (
            lambda f: (f / "0" / "val.txt").write_text(""),
            "expected headings.*Received: an empty file",
        ),
        (
            lambda f: (f / "0" / "val.txt").write_text("img\nP_2\nP_3\n"),
            r"test.txt, line 3: image 'P_3' is in .*val.txt, line 3, too",
        ),
    ],
)
def test_what_is_no_list(three_folds, change, message):
    change(three_folds)
    with pytest.raises(DataError, match=message):
        published.read_folds(three_folds)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="Received: no such folder"):
        published.read_folds(tmp_path / "nowhere")


def test_images_of_no_list_are_excluded_and_reported(three_folds):
    """all.txt has two images that no fold lists."""
    names = [*(f"P_{number}" for number in range(9)), "P_1_1", "P_1_2"]
    text = "img label center \n" + "".join(f"{name} MILD\n" for name in names)
    (three_folds / "all.txt").write_text(text)
    everything = published.read_all(three_folds)
    assert everything == names
    (three_folds / "all.txt").rename(three_folds.parent / "all.txt")
    assert published.read_all(three_folds) == names
    folds, found = published.check(
        published.read_folds(three_folds), everything=everything
    )
    assert [fold["excluded"] for fold in folds] == [["P_1_1", "P_1_2"]] * 3
    assert found.images == 9 and found.folds == 3
    assert found.unlisted == found.untested == ("P_1_1", "P_1_2")
    assert found.lines() == [
        "9 images on the lists of 3 folds",
        "2 in no test split: 'P_1_1', 'P_1_2'",
        "2 on no list, excluded: 'P_1_1', 'P_1_2'",
    ]


def test_an_image_that_one_fold_does_not_list_is_excluded_there():
    folds = [
        {"train": ["a"], "validation": ["b"], "test": ["c"]},
        {"train": ["d"], "validation": ["b"], "test": ["c"]},
    ]
    made, found = published.check(folds)
    assert [fold["excluded"] for fold in made] == [["d"], ["a"]]
    assert found.tested_twice == ("c",) and found.untested == ("a", "b", "d")


def test_the_lists_are_compared_with_the_prepared_images(three_folds):
    """P_3 was refused by `prepare`; P_9 is newer than the lists."""
    table = table_of(
        **{f"P_{number}": [f"P_{number}"] for number in (0, 1, 2, *range(4, 10))}
    )
    made, found = published.check(published.read_folds(three_folds), table)
    assert found.unknown == ("P_3",) and found.unlisted == ("P_9",)
    assert made[0]["test"] == ["P_0", "P_6"] and made[0]["excluded"] == ["P_9"]
    assert found.leaking == ()
    for fold in made:
        listed = sorted(image for images in fold.values() for image in images)
        assert listed == sorted(table["image_id"])


def test_lists_of_another_dataset(three_folds):
    with pytest.raises(DataError, match="none of the 9 listed images is prepared"):
        published.check(published.read_folds(three_folds), table_of(p=["x1", "x2"]))


def test_patients_in_several_splits(three_folds):
    """The images of q are in two splits of each fold, those of p in one only."""
    table = table_of(
        p=["P_0", "P_3"],
        q=["P_1", "P_2"],
        r=["P_4", "P_5", "P_6"],
        s=["P_7"],
        t=["P_8"],
    )
    folds, found = published.check(published.read_folds(three_folds), table)
    assert found.leaking == tuple((fold, name) for fold in range(3) for name in "qr")
    assert found.lines()[-1] == "2 patients in several splits: 'q', 'r'"
    kept = published.without_leaks(folds, table)
    _, again = published.check(kept, table)
    assert again.leaking == ()
    # Fold 0 tests P_0, P_3, P_6 (of r), and validates with P_2 (of q), P_5 (of r), P_8.
    assert kept[0] == {
        "train": ["P_7"],
        "validation": ["P_2", "P_8"],
        "test": ["P_0", "P_3", "P_6"],
        "excluded": ["P_1", "P_4", "P_5"],
    }
    for before, after in zip(folds, kept, strict=True):
        assert before["test"] == after["test"]


def test_datasets_with_different_numbers_of_folds():
    folds_of = {
        "a": [{"test": [f"a{fold}"]} for fold in range(6)],
        "b": [{"test": [f"b{fold}"]} for fold in range(3)],
    }
    pairs = {
        how: [
            (lists["a"]["test"][0], lists["b"]["test"][0])
            for lists in published.combine(folds_of, how)
        ]
        for how in ("cycle", "product")
    }
    assert pairs["cycle"] == [
        ("a0", "b0"),
        ("a1", "b1"),
        ("a2", "b2"),
        ("a3", "b0"),
        ("a4", "b1"),
        ("a5", "b2"),
    ]
    assert len(set(pairs["product"])) == 18
    one = {"a": folds_of["a"], "b": folds_of["b"][:1]}
    assert {lists["b"]["test"][0] for lists in published.combine(one, "cycle")} == {
        "b0"
    }


def test_what_is_written_is_read_as_the_splits_of_a_benchmark(three_folds, tmp_path):
    table = table_of(**{f"P_{number}": [f"P_{number}"] for number in range(9)})
    folds, _ = published.check(published.read_folds(three_folds), table)
    for number, lists in enumerate(published.combine({"cxr": folds}, "cycle")):
        split = Split(kind="file", fold=number, datasets=lists)
        split.write(tmp_path / f"{number}.json")
        assert read(tmp_path / f"{number}.json")[0] == {"cxr": folds[number]}
    settings = SplitSettings(kind="file", file=str(tmp_path / "{fold}.json"), fold=2)
    assert count_folds({"cxr": table}, settings) == 3
    split = make_split({"cxr": table}, [], settings)
    assert split.fold == 2 and split.datasets["cxr"]["test"] == ["P_2", "P_5", "P_8"]
