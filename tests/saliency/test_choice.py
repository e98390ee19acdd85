"""Which images are explained."""

import types

import numpy as np
import pandas as pd
import pytest
from made_series import make_slices, write_slices

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging.prepared import prepare_file
from mdmt_tf.imaging.resample import resized_affine
from mdmt_tf.imaging.series import read_series
from mdmt_tf.saliency import choice


def config(*names, image_shape):
    datasets = {f"d{i}": types.SimpleNamespace(config=n) for i, n in enumerate(names)}
    return types.SimpleNamespace(tested_datasets=datasets, image_shape=image_shape)


def test_ids_of_several_datasets_stay_apart():
    rows = pd.DataFrame(
        {"dataset": ["a", "a", "b"], "image_id": ["1", "2", "1"]},
    )
    assert choice.unique_ids(rows) == ["a:1", "2", "b:1"]


@pytest.mark.parametrize(
    "name, number",
    [("a:1", 0), ("A:1.png", 0), ("2", 1), ("2.0", 1), ("x/f", 3), ("F.PNG", 2)],
)
def test_named_images_in_any_spelling(name, number):
    ids = ["a:1", "2", "f.png", "x/f.dcm"]
    assert list(choice._numbers_of([name], ids)) == [number]


def test_names_of_no_image_and_of_several():
    with pytest.raises(DataError, match="no image 'film2' .* Did you mean 'film1'"):
        list(choice._numbers_of(["film2"], ["film1"]))
    with pytest.raises(DataError, match="'f' may be x/f.png, y/f.png. Write which one"):
        list(choice._numbers_of(["f"], ["x/f.png", "y/f.png"]))


@pytest.fixture
def series(tmp_path):
    """Two folders of slices."""
    for number, name in enumerate(("one", "two")):
        rng = np.random.default_rng(number)
        values = rng.uniform(-200, 400, (6, 8, 10)).astype(np.float32)
        slices = make_slices(values, series=f"1.2.{number}")
        write_slices(tmp_path / "heads" / name, slices)
    return tmp_path / "heads"


@pytest.mark.parametrize("shape", [(8, 6, 4), (4, 6, 8)])
def test_series_are_prepared_as_the_data_of_the_run(series, shape):
    name = "hu_-100_300_8x6x4_4x1x1mm_RAS"
    found = choice.of_files(config(name, image_shape=shape), [series])
    assert found.ids == ["one", "two"]
    for number, path in enumerate(sorted(series.iterdir())):
        prepared = prepare_file(path, name)
        image, about = found.images[number], found.geometry[number]
        assert image.shape == (*shape, 1)
        if shape == (8, 6, 4):
            np.testing.assert_array_equal(image, prepared.for_model())
        original = read_series(path)
        np.testing.assert_array_equal(about.original_affine, original.affine)
        assert about.original_shape == original.values.shape
        affine = resized_affine(prepared.affine, (8, 6, 4), shape)
        np.testing.assert_array_equal(about.prepared_affine, affine)


def test_ct_slices_have_no_geometry(series):
    run = config("hu_-100_300_8", image_shape=(8, 8))
    paths = [series / "one" / "000.dcm", series / "two" / "000.dcm"]
    found = choice.of_files(run, paths)
    assert found.ids == [str(path) for path in paths]
    assert found.geometry == [None, None]
    for path, image in zip(paths, found.images, strict=True):
        expected = prepare_file(path, "hu_-100_300_8").for_model()
        np.testing.assert_array_equal(image, expected)


def test_a_folder_without_masks_is_an_error(series):
    run = config("head_4x6x8", image_shape=(4, 6, 8))
    samples = choice.of_files(run, [series])
    with pytest.raises(
        DataError, match="expected masks of volumes.* none for one, two"
    ):
        choice.read_masks(series, samples)


def test_several_preprocessings_ask_for_one(series):
    run = config("head_4x6x8", "hu_0_80_4x6x8", image_shape=(4, 6, 8))
    with pytest.raises(ConfigError, match=r"head_4x6x8, hu_0_80_4x6x8.*--preproc"):
        choice.of_files(run, [series])
    assert choice.of_files(run, [series], "hu_0_80_4x6x8").ids == ["one", "two"]
    with pytest.raises(ConfigError, match="preprocessing of the files: expected lungs"):
        choice.of_files(run, [series], "hu_80_0_4x6x8")


def test_an_image_has_the_split_that_it_is_of():
    def of(*names):
        rows = pd.DataFrame({"dataset": "ward", "image_id": names})
        numbers = np.arange(len(names))
        return types.SimpleNamespace(rows=rows, image=numbers, dataset=0 * numbers)

    inputs = types.SimpleNamespace(
        samples={"train": of("a", "b"), "test": of("c")},
        answers=(),
        datasets=[types.SimpleNamespace(name="ward", table={"image_id": ()})],
        images=types.SimpleNamespace(batches=lambda numbers, n: [[n] for n in numbers]),
    )
    named = choice.of_split(inputs, "test", 8, ["c", "b"])
    assert dict(zip(named.ids, named.splits, strict=True)) == {
        "c": "test",
        "b": "train",
    }
    assert choice.of_split(inputs, "train", 8).splits == ["train", "train"]
