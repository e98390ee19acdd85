"""Images that a list leaves out: by id or file name, in any spelling."""

from pathlib import Path

import pytest

from mdmt_tf.datasets._shared.exclusion import check, check_in_any, find_excluded
from mdmt_tf.datasets._shared.image_records import Record
from mdmt_tf.datasets._shared.manual_files import ImageFiles
from mdmt_tf.datasets._shared.table_rows import TableRow
from mdmt_tf.errors import DataError

ROW = TableRow("t.csv", 2, {})


@pytest.fixture
def excluded(tmp_path):
    """`excluded(names)`: what they stand for."""
    for name in ("good/12_brain.nii.gz", "good/7_brain.nii.gz", "bad/a.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "good" / "a.png").touch()
    images = ImageFiles(tmp_path, ["good", "bad"])
    record = Record("12", "12", "", images.find("12_brain"), ROW, {})

    def get(*names):
        return find_excluded(names, [record], images, ["12", "99"])

    return get


@pytest.mark.parametrize(
    "name, found",
    [
        ("12", ["12_brain.nii.gz"]),
        ("12.0", ["12_brain.nii.gz"]),
        ("12_BRAIN", ["12_brain.nii.gz"]),
        ("7_brain", ["7_brain.nii.gz"]),
        ("good/a", ["a.png"]),
        ("99", []),  # a row without a file
    ],
)
def test_names(excluded, name, found):
    made = excluded(name)
    assert sorted(Path(path).name for path in made.files) == found
    assert not made.problems
    check("ich", made)


def test_names_of_nothing_and_of_several(excluded):
    with pytest.raises(DataError) as error:
        check("ich", excluded("13", "a", *(f"zzz{number}" for number in range(4))))
    assert str(error.value).splitlines() == [
        "--exclude: expected ids or file names of images of ich, one per line.",
        "  '13' is no image. Did you mean '12'?",
        "  'a' may be good/a.png, bad/a.png. Write which one.",
        "  'zzz0' is no image. There are '12', ...",
        "  'zzz1' is no image. There are '12', ...",
        "  'zzz2' is no image. There are '12', ...",
        "  and 1 more",
    ]


def test_several_datasets(excluded):
    check_in_any([excluded("12", "13"), excluded("99")])
    with pytest.raises(DataError, match="'13' is no image"):
        check_in_any([excluded("12", "13"), excluded("13")])


def test_an_empty_list(excluded):
    assert excluded().files == frozenset()
