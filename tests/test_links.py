"""Links that lead out of a folder of data: nothing behind them is read or shown."""

import os
import shutil

import pytest
from declared import SKETCH, write_image

from mdmt_tf import links
from mdmt_tf.config import files as config_files
from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.manual_files import ImageFiles, synthetic_details
from mdmt_tf.datasets._shared.prepare import load_builder
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging.image_files import find_images
from mdmt_tf.planning import draft
from mdmt_tf.planning.headers import look
from mdmt_tf.splits import files, published

SECRET = "q7-secret-of-another-user"


@pytest.fixture
def secret(tmp_path):
    """A text of somebody else, which reads as a table, a list and a configuration."""
    path = tmp_path / "elsewhere" / "secret.csv"
    path.parent.mkdir()
    path.write_text(f"{SECRET},{SECRET}-2\n{SECRET}-3,1\n")
    return path


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def link(path, target):
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    return path


def test_what_leads_out(data, tmp_path, secret):
    (data / "deep").mkdir()
    (data / "a.png").touch()
    out = link(data / "out.png", secret)
    loop = link(data / "loop", "loop")
    inside = link(data / "deep" / "inside.png", "../a.png")
    folder = link(data / "folder", secret.parent)
    hops = link(data / "hops.png", out)
    gone = link(data / "gone.png", tmp_path / "gone.png")
    for path in (out, folder, folder / "secret.csv", hops, gone, folder / ".." / "x"):
        assert links.leads_out(path, data), path
    for path in (
        inside,
        data,
        data / "a.png",
        data / "none",
        loop,
        data / "deep" / "..",
    ):
        assert not links.leads_out(path, data), path


def test_the_folder_of_data_may_be_a_link(data, tmp_path, secret):
    (data / "a.png").touch()
    link(data / "out.png", secret)
    other = link(tmp_path / "other", data)
    assert not links.leads_out(other / "a.png", other)
    assert not links.leads_out(data / "a.png", other / "..")
    assert links.leads_out(other / "out.png", other)
    # A name that begins with that of the folder is not in it.
    beside = tmp_path / "data-2"
    beside.mkdir()
    assert links.leads_out(link(data / "b.png", beside / "b.png"), data)


def test_a_path_that_names_another_place_may_go_there(data, tmp_path, secret):
    films = tmp_path / "films"
    films.mkdir()
    link(films / "a.png", "b.png")
    link(films / "out.png", secret)
    for start in (films, data / ".." / "films"):
        assert not links.leads_out(start / "a.png", data)
        assert links.leads_out(start / "out.png", data)


def test_a_slice_that_is_a_link(data, secret):
    (data / "series").mkdir()
    (data / "series" / "1").touch()
    assert links.first_out(data / "series", data) is None
    out = link(data / "series" / "2", secret)
    assert links.first_out(data / "series", data) == out


@pytest.fixture
def hannover(tmp_path):
    """A function: the dataset's dummy files, with links in place of some."""

    def make(**targets):
        folder = tmp_path / "hannover"
        shutil.copytree("datasets/hannover/dummy_data", folder)
        for name, target in targets.items():
            path = folder / name.replace("__", "/")
            if path.is_dir():
                shutil.move(path, target)
            link(path, target)
        return folder

    return make


def raises(kind, function, *arguments):
    with pytest.raises(kind, match="symbolic link that leads out of") as error:
        function(*arguments)
    assert SECRET not in str(error.value)


def test_tables_and_folders_of_a_dataset(hannover, secret, tmp_path):
    builder = load_builder("hannover")
    root = hannover()
    names = sorted(path.name for path in root.iterdir() if path.is_file())
    assert builder.checked_root(root) == root
    link(root / "data.csv", secret)
    raises(DataError, builder.checked_root, root)
    assert "data.csv" in names
    shutil.rmtree(root)
    raises(DataError, builder.checked_root, hannover(png=tmp_path / "elsewhere" / "p"))


def test_an_image_of_a_dataset_is_rejected_alone(hannover, secret, tmp_path):
    root = hannover()
    first, second = sorted((root / "png").iterdir())[:2]
    link(first, secret)
    images = ImageFiles(root, ["png"])
    with pytest.raises(RowError) as error:
        images.find(first.name)
    assert error.value.kind == links.KIND
    assert images.find(second.name) == second
    # The folder that the user gives may be a link itself.
    again = link(tmp_path / "linked", root)
    assert ImageFiles(again, ["png"]).find(second.name).name == second.name


def test_the_details_of_synthetic_data(data, secret):
    link(data / "SYNTHETIC.json", secret)
    raises(DataError, synthetic_details, data)


def test_images_of_a_declared_dataset(data, tmp_path, secret):
    write_image(data / "films" / "a.png")
    write_image(data / "films" / "deep" / "b.png")
    write_image(tmp_path / "elsewhere" / "c.png")
    link(data / "films" / "c.png", tmp_path / "elsewhere" / "c.png")
    link(data / "films" / "d.png", "../other/d.png")
    write_image(data / "other" / "d.png")
    link(data / "films" / "more", tmp_path / "elsewhere")
    for folders, start in ((["films"], ""), (None, "films/")):
        images = DeclaredImages(data, folders, volumes=False)
        assert images.find(f"{start}a.png")
        assert images.find(f"{start}d.png")
        for name in ("c.png", "more/c.png"):
            with pytest.raises(RowError) as error:
                images.find(start + name)
            assert error.value.kind == links.KIND
    # A folder that the declaration names may be a link, or lie behind one.
    link(data / "linked", tmp_path / "elsewhere")
    link(tmp_path / "elsewhere" / "out.png", tmp_path / "out.png")
    for folder in ("linked", str(tmp_path / "elsewhere")):
        images = DeclaredImages(data, [folder], volumes=False)
        assert images.find("c.png")
        with pytest.raises(RowError, match=links.KIND):
            images.find("out.png")


@pytest.mark.parametrize("name", ["../elsewhere/c.png", "/elsewhere/c", "x/../../c"])
def test_paths_in_cells_stay_below_the_folder(data, tmp_path, name):
    write_image(tmp_path / "elsewhere" / "c.png")
    write_image(tmp_path / "c.png")
    name = name.replace("/elsewhere/c", str(tmp_path / "elsewhere" / "c"), 1)
    with pytest.raises(RowError, match="Paths must lead to files below .*/data. For"):
        DeclaredImages(data, None, volumes=False).find(name)


def test_tables_of_a_declared_dataset(data, tmp_path, secret):
    from mdmt_tf.datasets._shared.declared import builder_of

    write_image(data / "films" / "a.png")
    (data / "ward.yaml").write_text(SKETCH.replace("outcomes.xlsx", "t/outcomes.csv"))
    (data / "t").mkdir()
    link(data / "t" / "outcomes.csv", secret)
    raises(DataError, builder_of, data / "ward.yaml")
    # A folder that the declaration names may be a link, but not the file in it.
    (data / "t").rename(tmp_path / "t")
    link(data / "t", tmp_path / "t")
    raises(DataError, builder_of, data / "ward.yaml")
    link(tmp_path / "t" / "outcomes.csv", tmp_path / "t" / "table.csv")
    (tmp_path / "t" / "table.csv").write_text("nothing,useful\n1,2\n")
    with pytest.raises(DataError, match="expected the columns file"):
        builder_of(data / "ward.yaml")


def test_a_new_dataset(data, secret):
    order = draft.order_of_folder
    link(data / "labels.csv", secret)
    raises(DataError, draft.read_columns, order(data).tables[0])
    with pytest.raises(DataError, match="no header of 1 files .*symbolic link"):
        look(data, ["labels.csv"])


def test_files_to_predict(data, tmp_path, secret):
    write_image(data / "a.png")
    write_image(secret.parent / "b.png")
    out = link(data / "b.png", secret.parent / "b.png")
    raises(DataError, lambda: find_images([data], False, confined=True))
    # What is named itself may be a link: a file, and a folder.
    assert find_images([out], False, confined=True) == [out]
    linked = link(tmp_path / "linked", secret.parent)
    assert find_images([linked], False, confined=True) == [linked / "b.png"]


def test_bases_of_configurations(data, secret):
    (data / "run.yaml").write_text("base: base.yaml\n")
    link(data / "base.yaml", secret)
    raises(ConfigError, config_files.read, str(data / "run.yaml"))
    # Named itself, it is read, but what it says is not repeated.
    (data / "run.yaml").write_text(f"base: {secret}\n")
    with pytest.raises(ConfigError, match=r"lines\. Received: a text\.") as error:
        config_files.read(str(data / "run.yaml"))
    assert SECRET not in str(error.value)


def test_lists_of_images(data, secret):
    for name in ("split.csv", "split.json"):
        raises(DataError, files.read, link(data / name, secret))
    for name in published.FILES.values():
        link(data / name, secret)
    raises(DataError, published.read_folds, data)


def test_rejections_do_not_name_the_target(hannover, secret):
    builder = load_builder("hannover")
    root = hannover()
    first = sorted((root / "png").iterdir())[0]
    link(first, secret)
    made = builder(data_dir=os.fspath(root / "prepared"), config="full_256")
    table = made._read(root)
    assert isinstance(table.rejections, Rejections)
    chosen, _ = made._choose(table)
    assert first not in [record.path for record in chosen]
    lines = table.rejections.examples(99)
    assert [line for line in lines if links.KIND in line and first.name in line]
    assert not [line for line in lines if "secret" in line]
