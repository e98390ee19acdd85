"""Preprocessing that fits the images."""

import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.headers import Header, Images
from mdmt_tf.planning.preprocessing import guess_preprocessing, volume_size

HEAD_CT = Header("NIfTI", (30, 512, 512), (5.0, 0.5, 0.5), modality="CT")


def guess(
    *headers, folder="/data/images", has_gpu=False, given=None, weights=None, **columns
):
    made = {name: Column(name, tuple(cells)) for name, cells in columns.items()}
    images = Images(tuple(f"{n}" for n in range(len(headers))), headers)
    return guess_preprocessing(images, made, folder, given, has_gpu, weights)


@pytest.mark.parametrize(
    ("header", "columns", "folder", "value", "sure"),
    [
        (Header("PNG", (900, 800)), {"view": ["PA", "AP"]}, "x", "lungs_256", True),
        (Header("PNG", (900, 800)), {}, "/data/chest-films", "lungs_256", False),
        (
            Header("DICOM", (900, 800), modality="DX", part="chest"),
            {},
            "x",
            "lungs_256",
            True,
        ),
        (Header("PNG", (200, 180)), {"projection": ["ap"]}, "x", "lungs_128", True),
        (Header("PNG", (900, 800)), {}, "x", "full_256", False),
        (Header("DICOM", (900, 800), modality="MG"), {}, "x", "full_256", True),
        (
            Header("DICOM", (900, 800), modality="MG"),
            {"view": ["AP"]},
            "x",
            "full_256",
            True,
        ),
        (Header("PNG", (28, 28)), {}, "x", "full_64", False),
    ],
)
def test_chest_films_are_cropped_and_other_images_are_not(
    header, columns, folder, value, sure
):
    recipe = guess(header, folder=folder, **columns)
    assert recipe.value == value and recipe.sure is sure
    assert recipe.size == int(value.rpartition("_")[2])


def test_weights_of_lungs_want_crops_to_the_lungs():
    film = Header("PNG", (900, 800))
    recipe = guess(film, weights="phantoms")
    assert (recipe.value, recipe.sure) == ("lungs_256", False)
    assert "are these radiographs of the chest?" in recipe.reason
    assert guess(film, weights="imagenet").value == "full_256"
    assert guess(film, weights="phantoms", given="full_128").value == "full_128"
    mammogram = Header("DICOM", (900, 800), modality="MG")
    assert guess(mammogram, weights="phantoms").value == "full_256"


@pytest.mark.parametrize(
    ("folder", "window", "sure"),
    [
        ("/data/head_ct", [0, 80], True),
        ("/data/lung", [-1000, 400], True),
        ("/data/abdomen", [-160, 240], True),
        ("/data/x", [-100, 300], False),
    ],
)
def test_a_ct_has_the_window_of_its_part(folder, window, sure):
    recipe = guess(HEAD_CT, folder=folder)
    assert recipe.value["window_hu"] == window and recipe.sure is sure
    slices = guess(Header("DICOM", (512, 512), modality="CT"), folder=folder)
    assert slices.value == {"window_hu": window, "size": 256}


def test_volumes_that_are_no_ct_are_scaled_by_themselves():
    plain = Header("NIfTI", (40, 64, 64), (1.0, 1.0, 1.0))
    assert guess(plain).value == {"z_score": True, "shape": [40, 64, 64]}
    assert not guess(plain).sure and guess(plain, folder="/data/t1").sure
    # In 8 bits no window in HU fits.
    assert guess(plain, folder="/data/ct").value["percentile"] == [0.5, 99.5]


def test_a_given_preprocessing_wins():
    recipe = guess(Header("PNG", (900, 800)), given="masked_512")
    assert (recipe.value, recipe.size, recipe.sure) == ("masked_512", 512, True)
    recipe = guess(HEAD_CT, given="head_40x301x301", folder="/data/head")
    assert recipe.size == (40, 301, 301) and recipe.is_head


def test_a_gpu_allows_larger_volumes():
    # 32 x 96 x 96 = 294,912 and 32 x 248 x 248 = 1,968,128 voxels
    assert guess(HEAD_CT).size == (32, 96, 96)
    assert guess(HEAD_CT, has_gpu=True).size == (32, 248, 248)


def test_a_preprocessing_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match="--preprocess lung_256: expected"):
        guess(HEAD_CT, given="lung_256")


@pytest.mark.parametrize(
    ("shape", "spacing", "budget", "size"),
    [
        # Fits as it is; each axis is a multiple of 8, and of 32 at least.
        ((40, 64, 64), (1.0, 1.0, 1.0), 10**6, (40, 64, 64)),
        ((47, 65, 71), (1.0, 1.0, 1.0), 10**6, (40, 64, 64)),
        ((8, 64, 64), (1.0, 1.0, 1.0), 10**6, (32, 64, 64)),
        # 30 thick slices stay while pixels get larger.
        ((32, 512, 512), (5.0, 0.5, 0.5), 32 * 128**2, (32, 128, 128)),
        # Cubes stay cubes.
        ((256, 256, 256), (1.0, 1.0, 1.0), 64**3, (64, 64, 64)),
        ((256, 256, 256), None, 64**3, (64, 64, 64)),
        ((256, 256, 256), (1.0, 1.0, 1.0), 1, (32, 32, 32)),
    ],
)
def test_the_shape_of_a_volume_fits_the_budget(shape, spacing, budget, size):
    assert volume_size(shape, spacing, budget) == size
