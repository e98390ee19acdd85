"""Names of preprocessings."""

import re

import pytest

from mdmt_tf.imaging.preprocess import (
    DEFAULT,
    DEFAULT_VOLUME,
    REGIONS,
    Preprocessing,
    VolumePreprocessing,
    parse,
    parse_declared,
)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("size", [1, 8, 256, 4096])
def test_names_are_read_as_they_are_written(region, size):
    preprocessing = Preprocessing(region, size)
    assert preprocessing.name == f"{region}_{size}"
    assert Preprocessing.parse(preprocessing.name) == preprocessing
    assert f"{size} x {size} pixels" in preprocessing.description


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("clip", [None, (2, 98), (0.5, 99.95), (0, 100)])
@pytest.mark.parametrize("growth", [10, 5, 0, 7.25])
def test_names_with_a_clip_and_a_margin_are_read_as_they_are_written(
    region, clip, growth
):
    if region == "full" and growth != 10:
        with pytest.raises(ValueError, match="region lungs or masked with growth_perc"):
            Preprocessing(region, 64, clip_percentiles=clip, growth_percent=growth)
        return
    recipe = Preprocessing(region, 64, clip_percentiles=clip, growth_percent=growth)
    assert Preprocessing.parse(recipe.name) == recipe == parse(recipe.name)
    assert ("_clip_" in recipe.name) == (clip is not None)
    assert ("_grow_" in recipe.name) == (growth != 10)
    declared = {"region": region, "size": 64, "growth_percent": growth}
    declared |= {"clip_percentiles": list(clip)} if clip else {}
    assert parse_declared(declared) == recipe
    assert "%" not in recipe.description or growth != 10


def test_the_preprocessing_of_the_published_code():
    recipe = parse("lungs_256_clip_2_98_grow_5")
    assert (recipe.clip_percentiles, recipe.growth_percent) == ((2, 98), 5)
    assert recipe.description == (
        "A square around the lungs; the whole image where none are found. Margin: 5 %. "
        "Grey values from percentile 2 to 98. Resized to 256 x 256 pixels."
    )


@pytest.mark.parametrize(
    "name",
    ["lungs_256_grow_10", "lungs_256_grow_5_clip_2_98", "lungs_256_clip_98_2"]
    + ["lungs_256_clip_2", "lungs_256_clip_-1_98", "lungs_256_clip_2_101"]
    + ["lungs_256_grow_05", "lungs_256_grow_5.0", "lungs_256_grow_101"]
    + ["full_256_grow_5", "hu_0_80_256_clip_2_98", "hu_0_80_256_grow_5"],
)
def test_a_name_has_one_spelling(name):
    with pytest.raises(ValueError, match="_clip_LOW_HIGH, _grow_PERCENT or both"):
        Preprocessing.parse(name)


def test_the_default_crops_to_the_lungs():
    assert Preprocessing.parse(DEFAULT) == Preprocessing("lungs", 256)


@pytest.mark.parametrize(
    "name",
    ["hu_256", "hu_0_80_0256", "hu_80_0_256", "hu_0.0_80_256", "hu_0_80.00001_256"]
    + ["", "lungs", "lungs_", "_256", "lung_256", "lungs_0", "lungs_-1", "lungs_007"]
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
    preprocessing = VolumePreprocessing(sizes, window_hu=(15, 100))
    assert preprocessing.name == "head_" + "x".join(map(str, sizes))
    assert VolumePreprocessing.parse(preprocessing.name) == preprocessing
    assert " x ".join(map(str, sizes)) in preprocessing.description


def test_the_default_of_volumes_is_the_size_and_the_window_of_the_paper():
    expected = VolumePreprocessing((40, 301, 301), window_hu=(15, 15 + 85))
    assert VolumePreprocessing.parse(DEFAULT_VOLUME) == expected
    assert expected.orientation == "SPL"
    assert expected.spacing_mm is None


@pytest.mark.parametrize(
    "scale, front",
    [
        ({"window_hu": (-100, 300)}, "hu_-100_300"),
        ({"window_hu": (0, 80.5)}, "hu_0_80.5"),
        ({"window_hu": (-0.0, 80)}, "hu_0_80"),
        ({"window_hu": (15, 100)}, "head"),
        ({"percentile": (0, 100)}, "percentile_0_100"),
        ({"percentile": (0.5, 99.5)}, "percentile_0.5_99.5"),
        ({"z_score": 5}, "zscore_5"),
        ({"z_score": 2.5}, "zscore_2.5"),
    ],
)
@pytest.mark.parametrize(
    "grid, back",
    [
        ({}, ""),
        ({"orientation": "RAS"}, "_RAS"),
        ({"spacing_mm": (5, 0.75, 0.7)}, "_5x0.75x0.7mm"),
        ({"spacing_mm": (2, 2, 2), "orientation": "LPI"}, "_2x2x2mm_LPI"),
    ],
)
def test_a_name_determines_all_of_a_preprocessing(scale, front, grid, back):
    preprocessing = VolumePreprocessing((4, 8, 6), **scale, **grid)
    assert preprocessing.name == f"{front}_4x8x6{back}"
    assert VolumePreprocessing.parse(preprocessing.name) == preprocessing
    assert parse(preprocessing.name) == preprocessing
    # tensorflow-datasets accepts it as the name of a config.
    assert re.fullmatch(r"[\w+.-]+", preprocessing.name)
    # The form of a declaration states the same.
    keys = {"shape": [4, 8, 6]}
    keys |= {
        name: value if name == "z_score" else list(value)
        for name, value in scale.items()
    }
    keys |= {name: list(value) for name, value in grid.items()}
    assert parse_declared(keys) == preprocessing


@pytest.mark.parametrize("limits", [(-100, 300), (0, 80), (-1350, 150.25)])
def test_names_of_ct_slices(limits):
    preprocessing = Preprocessing("full", 64, limits)
    low, high = limits
    assert preprocessing.name == f"hu_{low}_{high}_64"
    assert Preprocessing.parse(preprocessing.name) == preprocessing
    assert parse(preprocessing.name) == preprocessing
    assert parse_declared({"window_hu": list(limits), "size": 64}) == preprocessing
    assert f"{low} to {high} HU" in preprocessing.description


@pytest.mark.parametrize(
    "name",
    ["", "head", "head_40", "head_40x301", "head_0x8x8", "head_8x8x1025", "head_8x8x08"]
    + ["head_8x8x8x8", "40x301x301", "Head_8x8x8", "head_8x8x8 ", "head_-8x8x8"]
    # Each preprocessing has one name.
    + ["hu_15_100_8x8x8", "hu_0.0_80_8x8x8", "hu_-0_80_8x8x8", "head_8x8x8_SPL"]
    + ["hu_80_0_8x8x8", "percentile_1_101_8x8x8", "zscore_0_8x8x8", "zscore_8x8x8"]
    + ["head_8x8x8_1x1mm", "head_8x8x8_0x1x1mm", "head_8x8x8_RAS_1x1x1mm"]
    + ["head_8x8x8_RAR", "head_8x8x8_RA", "hu_0.00001_1_8x8x8"],
)
def test_other_names_of_volumes_are_refused(name):
    with pytest.raises(ValueError) as error:
        VolumePreprocessing.parse(name)
    assert "expected head_DEPTHxROWSxCOLUMNS" in str(error.value)
    assert "1 to 1024 voxels, for example head_40x301x301" in str(error.value)
    assert f"received {name!r}" in str(error.value)


def test_either_kind_is_read_by_its_name():
    assert parse("masked_8") == Preprocessing("masked", 8)
    assert parse("head_4x8x6").shape == (4, 8, 6)
    with pytest.raises(ValueError) as error:
        parse("head_256")
    message = str(error.value)
    assert "expected lungs_SIZE, full_SIZE, masked_SIZE" in message
    assert "for example lungs_256, for images; or head_DEPTHxROWSx" in message
    assert message.endswith("head_40x301x301, for volumes; received 'head_256'")


def test_short_forms_of_declarations():
    assert parse_declared("lungs_256") == Preprocessing("lungs", 256)
    assert parse_declared({"size": 9}) == Preprocessing("full", 9)
    assert parse_declared({"size": 9, "region": "lungs"}) == Preprocessing("lungs", 9)
    found = parse_declared({"z_score": True, "shape": [4, 8, 6], "orientation": "RAS"})
    assert found.name == "zscore_5_4x8x6_RAS"


SHAPE = {"shape": [4, 8, 6]}


@pytest.mark.parametrize(
    "keys, message",
    [
        (5, r"expected a name such as lungs_256, or keys .*\. Received: 5"),
        ({}, r"expected shape: .* or size: .*Received: no keys"),
        (
            {"spacing_mm": [5, 1, 1], "z_score": True},
            r"shape: .*also with spacing_mm, because a network .*: spacing_mm, z_score",
        ),
        (SHAPE, r"expected one of window_hu, percentile, z_score.*: none of them"),
        (
            SHAPE | {"z_score": True, "percentile": [0, 100]},
            "expected one of window_hu.*Received: percentile, z_score",
        ),
        (
            SHAPE | {"windw_hu": [0, 80]},
            "windw_hu.*of volumes. Did you mean 'window_hu'",
        ),
        ({"size": 8, "zscore": True}, "'zscore' is not a key of .* of images"),
        (SHAPE | {"z_score": False}, "z_score to be a number from 0.1 .*: False"),
        (SHAPE | {"window_hu": [0]}, r"window_hu to be 2 numbers from .*: \[0\]"),
        (SHAPE | {"window_hu": [80, 0]}, r"LOW below HIGH. Received: \[80, 0\]"),
        (SHAPE | {"window_hu": [0, "80"]}, "window_hu to be 2 numbers"),
        (SHAPE | {"window_hu": [0, float("nan")]}, "window_hu to be 2 numbers"),
        (SHAPE | {"percentile": [0, 101]}, "percentile to be 2 numbers from 0 to 100"),
        (
            SHAPE | {"percentile": [0.00001, 99]},
            "at most 4 decimals. Received: .1e-05, 99",
        ),
        ({"shape": [8, 6], "z_score": True}, r"shape to be 3 integers .*: \[8, 6\]"),
        ({"shape": 8, "z_score": True}, "shape to be 3 integers from 1 to 1024"),
        ({"shape": [1025, 8, 8], "z_score": True}, "shape to be 3 integers"),
        (SHAPE | {"z_score": True, "spacing_mm": [0, 1, 1]}, "spacing_mm to be 3 numb"),
        (SHAPE | {"z_score": True, "spacing_mm": 1}, "spacing_mm to be 3 numbers"),
        (SHAPE | {"z_score": True, "orientation": "RAL"}, "orientation .*: 'RAL'"),
        (SHAPE | {"z_score": True, "orientation": 3}, "orientation .*Received: 3"),
        (
            {"size": 8, "window_hu": [0, 80], "clip_percentiles": [2, 98]},
            "expected clip_percentiles or window_hu.*Received: both",
        ),
        (
            {"size": 8, "clip_percentiles": [98, 2]},
            r"LOW below HIGH. Received: \[98, 2\]",
        ),
        (
            {"size": 8, "region": "lungs", "growth_percent": -5},
            "growth_percent to be a number from 0 to 100.*Received: -5",
        ),
        ({"size": 8, "growth_percent": 5}, "region lungs or masked.*Received: 'full'"),
        ({"size": 0}, "size to be an integer from 1 to 4096. Received: 0"),
        ({"size": 8, "region": "heart"}, "region lungs, full, masked. Rec.*'heart'"),
        ({"size": 8, "region": ["lungs"]}, r"region lungs, full.*Rec.*\['lungs'\]"),
        (
            {"size": 8, "region": "lungs", "window_hu": [0, 80]},
            "the region full with window_hu.*Received: 'lungs'",
        ),
    ],
)
def test_other_declarations_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        parse_declared(keys)
