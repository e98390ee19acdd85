"""Names of preprocessings."""

import pytest

from mdmt_tf.imaging.preprocess import (
    DEFAULT,
    DEFAULT_VOLUME,
    REGIONS,
    Preprocessing,
    VolumePreprocessing,
    parse,
)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("size", [1, 8, 256, 4096])
def test_names_are_read_as_they_are_written(region, size):
    preprocessing = Preprocessing(region, size)
    assert preprocessing.name == f"{region}_{size}"
    assert Preprocessing.parse(preprocessing.name) == preprocessing
    assert f"{size} x {size} pixels" in preprocessing.description


def test_the_default_crops_to_the_lungs():
    assert Preprocessing.parse(DEFAULT) == Preprocessing("lungs", 256)


@pytest.mark.parametrize(
    "name",
    ["", "lungs", "lungs_", "_256", "lung_256", "lungs_0", "lungs_-1", "lungs_007"]
    + ["lungs_4097", "lungs_99999", "lungs_2.5", "lungs_256 ", "Lungs_256", "256"],
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError) as error:
        Preprocessing.parse(name)
    assert "expected lungs_SIZE, full_SIZE, masked_SIZE" in str(error.value)
    assert "example lungs_256" in str(error.value)
    assert f"received {name!r}" in str(error.value)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (40, 301, 301), (7, 1024, 96)])
def test_names_of_volumes_are_read_as_they_are_written(sizes):
    preprocessing = VolumePreprocessing(*sizes)
    assert preprocessing.name == "head_" + "x".join(map(str, sizes))
    assert VolumePreprocessing.parse(preprocessing.name) == preprocessing
    assert " x ".join(map(str, sizes)) in preprocessing.description


def test_the_default_of_volumes_is_the_size_of_the_paper():
    assert VolumePreprocessing.parse(DEFAULT_VOLUME) == VolumePreprocessing(
        40, 301, 301
    )


@pytest.mark.parametrize(
    "name",
    ["", "head", "head_40", "head_40x301", "head_0x8x8", "head_8x8x1025", "head_8x8x08"]
    + ["head_8x8x8x8", "40x301x301", "Head_8x8x8", "head_8x8x8 ", "head_-8x8x8"],
)
def test_other_names_of_volumes_are_refused(name):
    with pytest.raises(ValueError) as error:
        VolumePreprocessing.parse(name)
    assert "expected head_DEPTHxROWSxCOLUMNS" in str(error.value)
    assert "1 to 1024 voxels, for example head_40x301x301" in str(error.value)
    assert f"received {name!r}" in str(error.value)


def test_either_kind_is_read_by_its_name():
    assert parse("masked_8") == Preprocessing("masked", 8)
    assert parse("head_4x8x6") == VolumePreprocessing(4, 8, 6)
    with pytest.raises(ValueError) as error:
        parse("head_256")
    message = str(error.value)
    assert "expected lungs_SIZE, full_SIZE, masked_SIZE" in message
    assert "for example lungs_256, for radiographs; or head_DEPTHxROWSx" in message
    assert message.endswith("head_40x301x301, for head CTs; received 'head_256'")
