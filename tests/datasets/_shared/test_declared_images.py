"""Images by name or path, as people write them into tables."""

import time

import numpy as np
import pytest
from declared import write_image
from made_series import make_slices

from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.errors import DataError


@pytest.fixture
def root(tmp_path):
    for name in ("a1.png", "B2.PNG", "p1/front.png", "p2/front.png", "006.png"):
        write_image(tmp_path / "films" / name)
    write_image(tmp_path / "films" / "Ko\u0308ln.png")
    return tmp_path


@pytest.fixture
def images(root):
    return DeclaredImages(root, ["films"], volumes=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a1.png", "a1.png"),
        ("a1", "a1.png"),
        ("A1.PNG", "a1.png"),
        ("a1.dcm", "a1.png"),
        ("b2", "B2.PNG"),
        ("K\u00f6ln", "K\u00f6ln.png"),
        ("p1/front", "p1/front.png"),
        ("p2\\front.png", "p2/front.png"),
        ("films/p2/front.png", "p2/front.png"),
        ("/old/disk/films/a1.png", "a1.png"),
        ("./a1.png", "a1.png"),
        ("006", "006.png"),
        ("006.0", "006.png"),
    ],
)
def test_names_that_are_found(images, name, expected):
    assert images.id_of(images.find(name)) == expected


@pytest.mark.parametrize("name", ["6", "a", "front2", "p3/front.png", "a1.x.png"])
def test_names_that_are_of_no_file(images, name):
    with pytest.raises(RowError) as error:
        images.find(name)
    assert error.value.kind == "image missing"
    assert f"there is no file for {name!r}." in str(error.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ACC7", "ACC7 is a folder of 2 images (P3/ACC7/1.png, ...)"),
        ("acc8", "acc8 is a folder of 1 image (P3/ACC8/1.png)"),
        ("E5", "E5 is the beginning of the names of 2 images (E5_1.png, ...)"),
    ],
)
def test_a_name_of_an_exam_is_not_that_of_the_nearest_image(tmp_path, name, hint):
    paths = ("P3/ACC7/1", "P3/ACC7/2", "P3/ACC8/1", "ACC2", "E5_1", "P1/E5-2", "E51")
    for path in paths:
        write_image(tmp_path / "films" / f"{path}.png")
    images = DeclaredImages(tmp_path, ["films"], volumes=False)
    with pytest.raises(RowError) as error:
        images.find(name)
    assert error.value.detail == (
        f"there is no file for {name!r}. {hint}; the first table needs one row for "
        "each image."
    )


def test_the_nearest_name(images):
    with pytest.raises(RowError, match=r"Did you mean 'a1\.png'\?"):
        images.find("a11.png")


def test_a_name_of_several_files(images):
    with pytest.raises(RowError) as error:
        images.find("front")
    assert error.value.kind == "several images"
    assert "films/p1/front.png, films/p2/front.png; write the path" in str(error.value)


def test_the_suffix_decides_between_two(root):
    write_image(root / "films" / "a1.jpg")
    images = DeclaredImages(root, ["films"], volumes=False)
    assert images.find("a1.jpg").name == "a1.jpg"
    with pytest.raises(RowError, match="several images"):
        images.find("a1")


def test_files_that_nobody_asked_for(images):
    for name in ("a1", "b2", "p1/front", "p2/front"):
        images.find(name)
    names = [images.relative(path) for path in images.not_requested()]
    assert names == ["films/006.png", "films/Ko\u0308ln.png"]


def test_several_folders(root):
    write_image(root / "more" / "c3.png")
    images = DeclaredImages(root, ["films", "more"], volumes=False)
    assert images.id_of(images.find("c3")) == "more/c3.png"


def test_paths_without_a_folder(root):
    images = DeclaredImages(root, None, volumes=False)
    for name in ("films/a1.png", "films/a1", "films/A1.PNG"):
        assert images.id_of(images.find(name)) == "films/a1.png"
    with pytest.raises(RowError, match="no file for 'a1'"):
        images.find("a1")
    assert images.not_requested() == []


def test_a_folder_that_is_missing_or_empty(root):
    with pytest.raises(DataError, match=r"dataset\.images\. There is no such folder"):
        DeclaredImages(root, ["flims"], volumes=False)
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="expected image files.*`preprocess` is for"):
        DeclaredImages(root, ["empty"], volumes=False)
    with pytest.raises(DataError, match=r"dataset\.images\. It is a file\."):
        DeclaredImages(root, ["films/a1.png"], volumes=False)


def test_a_file_that_cannot_be_read_says_nothing_about_preprocessing(root):
    (root / "films" / "README").symlink_to("nothing")
    with pytest.raises(DataError) as error:
        DeclaredImages(root, ["films"], volumes=False)
    assert str(error.value).endswith(
        "films/README: cannot be read: No such file or directory. Make it readable, or "
        "remove it from the folder."
    )


@pytest.mark.parametrize("name", ["/", ".", "./", "..", "x" * 300, "p1/" + "y" * 5000])
def test_text_that_is_no_path_is_of_no_file(root, name):
    for folders in (["films"], ["films/p1"], None):
        with pytest.raises(RowError, match="there is no file for"):
            DeclaredImages(root, folders, volumes=False).find(name)


def test_every_path_to_an_image_is_the_same_image(root):
    for folders, start in ((["films"], ""), (None, "films/")):
        images = DeclaredImages(root, folders, volumes=False)
        names = ["a1.png", "p1/../a1.png", "./p1/.././a1", "p1//../a1.png"]
        assert {images.id_of(images.find(start + n)) for n in names} == {
            f"{start}a1.png"
        }


def test_files_outside_the_folder_are_not_its_images(root):
    write_image(root / "masks" / "a1.png")
    write_image(root / "masks" / "z9.png")
    images = DeclaredImages(root, ["films"], volumes=False)
    for place in ("../masks", str(root / "masks")):
        with pytest.raises(RowError, match="image missing"):
            images.find(f"{place}/z9.png")
        # A path of another machine ends like that of the file in the folder.
        assert images.id_of(images.find(f"{place}/a1.png")) == "a1.png"


def test_folders_agree_as_far_as_both_say(tmp_path):
    for name in ("v.png", "s1/v.png", "p1/s1/v.png", "p2/s1/v.png", "p1/s2/w.png"):
        write_image(tmp_path / "films" / name)
    images = DeclaredImages(tmp_path, ["films"], volumes=False)
    expected = {
        "s2/w": 1, "q/s2/w": 0, "p1/s2/w": 1, "old/p1/s2/w.png": 1, "w": 1,
        # `v.png` at the top agrees with any folder.
        "x/v": 1, "v": 4, "x/s1/v": 2, "x/p1/s1/v": 3,
        # But the whole path is that of one.
        "p1/s1/v.png": 1, "s1/v": 1,
    }  # fmt: skip
    assert {name: len(images.matches(name)) for name in expected} == expected


def test_many_images_of_one_name(tmp_path):
    """As in collections with a folder for each study; each row is looked up alone."""
    names = [f"p{n}/s1/view.png" for n in range(2000)]
    for name in names:
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True)
        path.touch()
    images = DeclaredImages(tmp_path, ["films"], volumes=False)
    before = time.process_time()
    found = [images.id_of(images.find(f"chest-v1/train/{name}")) for name in names]
    missing = [images.matches(f"q{n}/s2/view") for n in range(2000)]
    # Comparing each with all takes minutes.
    assert time.process_time() - before < 3
    assert found == names
    assert not any(missing)


@pytest.mark.parametrize("folders", [["films"], None])
def test_a_link_to_an_image_is_not_another_image(root, folders):
    start = "" if folders else "films/"
    (root / "films" / "z9.png").symlink_to(root / "films" / "a1.png")
    images = DeclaredImages(root, folders, volumes=False)
    images.find(f"{start}a1")
    images.find(f"{start}a1.png")
    with pytest.raises(RowError, match="z9.png is a link to the file of films/a1.png"):
        images.find(f"{start}z9")


@pytest.fixture
def scans(tmp_path):
    """Two series of each patient, as `ct/p1/soft0.dcm`, and one in `ct/p3`."""
    values = np.zeros((2, 4, 5), np.float32)
    for patient in ("p1", "p2", "p3"):
        for kind in ("soft", "bone") if patient != "p3" else ("soft",):
            slices = make_slices(values, series=f"1.{patient}.{kind}")
            for number, one in enumerate(slices):
                path = tmp_path / "ct" / patient / f"{kind}{number}.dcm"
                path.parent.mkdir(parents=True, exist_ok=True)
                one.save_as(path, enforce_file_format=True)
    return tmp_path


def test_a_slice_stands_for_its_series_among_several(scans):
    images = DeclaredImages(scans, ["ct"], volumes=True)
    found = [images.find(f"{p}/soft1.dcm") for p in ("p1", "p2", "p3")]
    assert [images.id_of(path) for path in found] == [
        "p1/soft1.dcm",
        "p2/soft1.dcm",
        "p3",
    ]
    for path in found:
        assert {file.name[:4] for file in images.files_of(path)} == {"soft"}
    assert images.not_requested() == []
    # The other series of the same folder is another image.
    assert images.id_of(images.find("p1/bone0.dcm")) == "p1/bone0.dcm"


def test_slices_in_one_flat_folder_are_told_by_their_series(scans):
    for path in sorted(scans.glob("ct/p?/*.dcm")):
        (scans / "flat").mkdir(exist_ok=True)
        path.rename(scans / "flat" / f"{path.parent.name}_{path.name}")
    images = DeclaredImages(scans, ["flat"], volumes=True)
    names = ["p1_soft0.dcm", "p2_soft0.dcm", "p3_soft0.dcm"]
    assert [images.id_of(images.find(name)) for name in names] == names


@pytest.mark.parametrize(
    "folders, first, second",
    [
        (["ct"], "p1/soft0.dcm", "p1/soft1.dcm"),
        (None, "ct/p1/soft0.dcm", "ct/p1/soft1.dcm"),
        (None, "ct/p3/soft0.dcm", "ct/p3/soft1.dcm"),
        (None, "ct/p3", "ct/p3/soft1.dcm"),
    ],
)
def test_two_names_of_one_series_are_one_image(scans, folders, first, second):
    images = DeclaredImages(scans, folders, volumes=True)
    assert images.find(first) == images.find(first)
    with pytest.raises(
        RowError, match=f"{second} is of the same series as .*{first}; name one"
    ) as error:
        images.find(second)
    assert error.value.kind == "image twice"


def test_slices_that_are_images_are_not_told_by_their_series(scans):
    images = DeclaredImages(scans, ["ct"], volumes=False)
    assert images.find("p3/soft0.dcm") != images.find("p3/soft1.dcm")
