"""Lists of images that somebody wrote by hand."""

import dataclasses
import json

import numpy as np
import pytest

from mdmt_tf.errors import DataError, LeakageError
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import count_folds, make_split

IMAGES = ["a", "b", "c", "d"]
TABLES = {
    "cxr": {
        "image_id": np.array(IMAGES, object),
        "patient_id": np.array(IMAGES, object),
        "site": np.array([""] * 4, object),
    }
}
LISTS = {"train": ["b"], "validation": ["c"], "test": ["a"], "excluded": ["d"]}


def read(path, tables=TABLES, **settings):
    return make_split(
        tables, [], SplitSettings(kind="file", file=str(path), **settings)
    )


def write_json(tmp_path, lists, **more):
    path = tmp_path / "lists.json"
    path.write_text(json.dumps({"datasets": lists, **more}), encoding="utf-8")
    return path


def write_csv(tmp_path, text):
    path = tmp_path / "lists.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_json(tmp_path):
    split = read(
        write_json(tmp_path, {"cxr": LISTS, "other": {"train": ["x"]}}), fold=2
    )
    assert split.datasets == {"cxr": LISTS}
    assert (split.kind, split.fold) == ("file", 2)
    assert read(write_json(tmp_path, {"cxr": LISTS}, fold=7)).fold == 7


def test_csv(tmp_path):
    rows = "".join(
        f"{image},cxr,{split}\r\n"
        for split, images in LISTS.items()
        for image in images
    )
    path = write_csv(tmp_path, "image_id,dataset,split\r\n" + rows)
    assert read(path).datasets == {"cxr": LISTS}


def test_blanks_and_empty_lines_and_further_columns_of_csv_mean_nothing(tmp_path):
    text = "dataset, image_id ,split,note\n\n"
    text += "".join(f'cxr,"{i}", {split} ,\n' for split in LISTS for i in LISTS[split])
    assert read(write_csv(tmp_path, f"{text},,,\n")).datasets == {"cxr": LISTS}


def test_order_in_the_file_does_not_matter(tmp_path):
    tables = {"cxr": {key: v[:3] for key, v in TABLES["cxr"].items()}}
    hashes = set()
    for order in (["a", "b"], ["b", "a"]):
        lists = {"train": order, "validation": ["c"], "test": []}
        path = write_json(tmp_path, {"cxr": lists})
        with pytest.raises(DataError, match="the test split holds no image"):
            read(path, tables)
        lists = {"train": ["c"], "validation": ["b"], "test": ["a"]}
        items = sorted(lists.items(), reverse=order[0] == "a")
        hashes.add(read(write_json(tmp_path, {"cxr": dict(items)}), tables).hash)
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"train": ["b", "e"]}, r"dataset 'cxr' has no image 'e'; 1 listed images are"),
        ({"train": []}, r"1 images of dataset 'cxr' are on no list: 'b'\. List them"),
        ({"train": ["b", "a"]}, r"image 'a' of dataset 'cxr' is listed twice"),
        ({"train": ["b", "b"]}, r"image 'b' .* is listed twice \(train, train\)"),
        ({"tset": []}, r"datasets\.cxr: 'tset' is no split\. Did you mean 'test'\?"),
        ({"train": "b"}, r"datasets\.cxr\.train: expected a list of image_ids"),
        ({"train": [1]}, r"datasets\.cxr\.train: expected a list of image_ids"),
    ],
)
def test_wrong_lists(tmp_path, change, message):
    path = write_json(tmp_path, {"cxr": LISTS | change})
    with pytest.raises(DataError, match=r"lists\.json: .*" + message):
        read(path)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "dataset;image_id;split\n",
            r"Missing: dataset, image_id, split\. Received: da",
        ),
        ("", r"Received: nothing\."),
        ("dataset,image_id,split\ncxr,a,train\ncxr,b\n", r"line 3: a value is missing"),
        ("dataset,image_id,split\ncxr,a,trian\n", r"line 2: 'trian' is no split\. Did"),
        (
            "dataset,image_id,split,split\ncxr,a,train,test\n",
            r"line 1: the column split is there 2 times",
        ),
        (
            "dataset,image_id,split\ncxr,a,b,train\n",
            r"line 2: expected 3 cells\. Received: 4, the last is 'train'",
        ),
        ("dataset,image_id,split\ncxr,a,b\n", r"line 2: 'b' is no split"),
        ('dataset,image_id,split\ncxr,"a,train\ncxr,b,test\n', r"line 3: no CSV"),
        ('dataset,image_id,split\ncxr,"a"b,train\n', r"line 2: no CSV: .* quote"),
    ],
)
def test_wrong_table(tmp_path, text, message):
    with pytest.raises(DataError, match=r"lists\.csv.*" + message):
        read(write_csv(tmp_path, text))


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("lists.txt", b"", r"lists\.txt: expected a file \.json or \.csv"),
        ("lists.json", b"{", r"lists\.json: no JSON \(line 1: "),
        ("lists.json", b"[]", r"The key `datasets` is missing"),
        ("lists.json", b'{"datasets": {"cxr": []}}', r"datasets\.cxr: expected splits"),
        ("lists.json", b"\xff\xff", r"lists\.json: cannot be read"),
        ("lists.json", None, r"lists\.json: cannot be read"),
    ],
)
def test_unreadable_file(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_dataset_without_lists(tmp_path):
    path = write_json(tmp_path, {"other": LISTS})
    with pytest.raises(DataError, match="no lists for dataset 'cxr'. It has .* other"):
        read(path)


def test_lists_that_tear_a_patient_apart(tmp_path):
    patients = np.array(["p", "q", "r", "p"], object)
    tables = {"cxr": {**TABLES["cxr"], "patient_id": patients}}
    lists = {"train": ["b", "d"], "validation": ["c"], "test": ["a"]}
    path = write_json(tmp_path, {"cxr": lists})
    with pytest.raises(
        LeakageError, match=r"lists\.json: patient 'p' of dataset 'cxr'"
    ):
        read(path, tables)


def test_no_file():
    with pytest.raises(DataError, match="needs split.file"):
        make_split(TABLES, [], SplitSettings(kind="file"))


def test_lists_may_test_a_dataset_that_is_not_used(tmp_path):
    """Left out a site of one dataset, a fit on another has nothing to be tested on."""
    lists = {
        "used": {"train": ["a", "b"], "validation": ["c"], "test": []},
        "tested": {"train": [], "validation": [], "test": ["x"]},
    }
    path = tmp_path / "lists.json"
    path.write_text(json.dumps({"datasets": lists}))
    ids = np.array(list("abc"), object)
    table = {"image_id": ids, "patient_id": ids, "site": ids}
    section = SplitSettings(kind="file", file=str(path))
    split = make_split({"used": table}, [], section)
    assert split.datasets["used"]["test"] == []
    path.write_text(json.dumps({"datasets": {"used": lists["used"]}}))
    with pytest.raises(DataError, match="the test split holds no image"):
        make_split({"used": table}, [], section)


def test_one_file_for_each_fold(tmp_path):
    """{fold} in the path is the number of the fold."""
    for fold, tested in enumerate("ab"):
        rest = sorted({"a", "b", "c", "d"} - {tested})
        lists = {"test": [tested], "validation": rest[:1], "train": rest[1:]}
        text = json.dumps({"datasets": {"cxr": lists}, "fold": fold})
        (tmp_path / f"fold{fold}.json").write_text(text)
    tables = {
        "cxr": {
            "image_id": np.array(list("abcd")),
            "patient_id": np.array(list("pqrs")),
        }
    }
    template = str(tmp_path / "fold{fold}.json")
    settings = SplitSettings(kind="file", file=template)
    assert count_folds(tables, settings) == 2
    for fold, tested in enumerate("ab"):
        split = make_split(tables, [], dataclasses.replace(settings, fold=fold))
        assert split.fold == fold and split.datasets["cxr"]["test"] == [tested]
        assert split.file == str(tmp_path / f"fold{fold}.json")
    one = SplitSettings(kind="file", file=str(tmp_path / "fold1.json"))
    assert count_folds(tables, one) == 1 and make_split(tables, [], one).fold == 1


def test_files_of_folds_that_are_numbered_wrongly(tmp_path):
    template = str(tmp_path / "{fold}.json")
    settings = SplitSettings(kind="file", file=template)
    with pytest.raises(DataError, match=r"no file of fold 0, .*0\.json"):
        count_folds({}, settings)
    for number in (0, 1, 4, 3):
        (tmp_path / f"{number}.json").write_text('{"datasets": {}, "fold": 7}')
    with pytest.raises(DataError, match="fold 2 has no file, but fold 3 has one"):
        count_folds({}, settings)
    with pytest.raises(
        DataError, match="states fold 7, but its name is that of fold 0"
    ):
        make_split({}, [], settings)


@pytest.mark.parametrize(
    "spelled", ["c.png", "C", " c", "c\u200b", "films/c.dcm", "\uff43"]
)
def test_other_spellings_are_the_images_of_the_dataset(tmp_path, spelled):
    lists = {name: [i if i != "c" else spelled for i in LISTS[name]] for name in LISTS}
    plain = read(write_json(tmp_path, {"cxr": LISTS}))
    assert read(write_json(tmp_path, {"cxr": lists})).datasets == plain.datasets


def test_two_spellings_of_one_image_are_one_image_twice(tmp_path):
    path = write_json(tmp_path, {"cxr": LISTS | {"train": ["a", "A.png"]}})
    with pytest.raises(DataError, match=r"image 'a' .* is listed twice"):
        read(path)
