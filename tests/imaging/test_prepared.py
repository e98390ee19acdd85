"""One file, prepared for a trained model as the prepared datasets are."""

import math

import cv2
import numpy as np
import pytest
import tensorflow as tf
from made_dicom import make_dicom, to_bytes

from mdmt_tf.data.normalize import to_unit
from mdmt_tf.errors import DataError, collected_warnings
from mdmt_tf.imaging import crop
from mdmt_tf.imaging.lungs import segment_lungs
from mdmt_tf.imaging.prepared import check_prepared, cut, prepare_file, prepare_image
from mdmt_tf.imaging.preprocess import Preprocessing
from mdmt_tf.imaging.volume import Volume, prepare_volume, write_nifti
from mdmt_tf.phantoms.chest import radiograph


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(5)
    return np.clip(radiograph.render(rng, [0] * 6, matrix=220).pixels, 0, 1)


def test_lungs(image):
    prepared = prepare_image(image, "lungs_80")
    (mask,) = segment_lungs([image])
    np.testing.assert_array_equal(prepared.mask, mask)
    assert (prepared.box, prepared.box_source) == crop.lung_box(mask)
    y0, x0, y1, x1 = prepared.box
    expected = crop.to_uint8(crop.resize(image[y0:y1, x0:x1], 80))
    np.testing.assert_array_equal(prepared.pixels, expected)
    stored = cv2.imdecode(np.frombuffer(prepared.png(), np.uint8), -1)
    np.testing.assert_array_equal(stored, expected)


def test_full(image):
    prepared = prepare_image(image, Preprocessing("full", 64))
    assert (prepared.mask, prepared.box_source) == (None, "whole")
    assert prepared.box == (0, 0, *image.shape)
    np.testing.assert_array_equal(
        prepared.pixels, crop.to_uint8(crop.resize(image, 64))
    )


def test_masked_is_black_outside_the_lungs_and_the_same_inside(image):
    plain, masked = (prepare_image(image, f"{name}_64") for name in ("lungs", "masked"))
    assert masked.box == plain.box
    y0, x0, y1, x1 = masked.box
    inside = (masked.mask[y0:y1, x0:x1] > 0).astype(np.float32)
    fraction = crop.resize(inside, 64)
    whole, none = fraction == 1, fraction == 0
    np.testing.assert_array_equal(masked.pixels[whole], plain.pixels[whole])
    assert not masked.pixels[none].any()
    assert plain.pixels[none].mean() > 50
    assert 0.2 < whole.mean() < 0.9


@pytest.mark.parametrize("region", ["lungs", "masked"])
def test_without_lungs_the_whole_image_is_kept_and_nothing_blackened(image, region):
    none = np.zeros(image.shape, np.uint8)
    prepared = cut(image, none, Preprocessing(region, 64))
    assert prepared.box_source == "whole: no lungs"
    assert prepared.box == (0, 0, *image.shape)
    np.testing.assert_array_equal(
        prepared.pixels, crop.to_uint8(crop.resize(image, 64))
    )


def test_another_name_is_refused(image):
    with pytest.raises(ValueError, match="received 'lung_256'"):
        prepare_image(image, "lung_256")


def test_a_file_is_prepared_as_its_image(image, tmp_path):
    cv2.imwrite(str(tmp_path / "film.png"), crop.to_uint8(image))
    expected = prepare_image(crop.to_uint8(image) / np.float32(255), "lungs_64")
    found = prepare_file(tmp_path / "film.png", "lungs_64")
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.box == expected.box


def test_a_volume_is_prepared_by_the_same_door(tmp_path):
    values = np.random.default_rng(0).uniform(-50, 150, (6, 5, 4)).astype(np.float32)
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    write_nifti(tmp_path / "head.nii.gz", values, affine)
    found = prepare_file(str(tmp_path / "head.nii.gz"), "hu_0_80_4x5x6")
    expected = prepare_volume(Volume(values, affine, (1, 1, 5)), "hu_0_80_4x5x6")
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_allclose(found.affine, expected.affine)


def test_a_problem_of_the_values_names_the_file(tmp_path):
    values = np.zeros((6, 5, 4), np.float32)
    values[0, 0, 0] = 1  # a foreground without a spread
    write_nifti(tmp_path / "head.nii", values, np.eye(4))
    with pytest.raises(DataError, match=rf"{tmp_path}/head.nii: expected .* contrast"):
        prepare_file(tmp_path / "head.nii", "zscore_5_4x5x6")


def test_a_window_beside_the_values_of_a_volume(tmp_path):
    values = np.linspace(-1000, -200, 120, dtype=np.float32).reshape(6, 5, 4)
    write_nifti(tmp_path / "head.nii", values, np.eye(4))
    reason = "values from -1000 to -200, in a window from 0 to 80 HU"
    with pytest.raises(DataError, match=rf"^{tmp_path}/head.nii: .*{reason}"):
        prepare_file(tmp_path / "head.nii", "hu_0_80_4x5x6")


def test_a_window_beside_the_values_of_a_slice(tmp_path):
    values = np.linspace(-1000, -200, 120).reshape(12, 10).astype("<i2")
    path = tmp_path / "slice.dcm"
    path.write_bytes(to_bytes(make_dicom(values, Modality="CT")))
    reason = "values from -1000 to -200, in a window from 0 to 80 HU"
    with pytest.raises(DataError, match=rf"^{path}: .*visible.*{reason}"):
        prepare_file(path, "hu_0_80_16")


def test_nothing_is_visible_in_the_lungs():
    image = np.full((40, 60), 0.5, np.float32)
    image[:, 50:] = np.linspace(0, 1, 10)
    found = cut(
        image, None, Preprocessing.parse("lungs_8_grow_0"), lungs=(5, 10, 35, 40)
    )
    with pytest.raises(DataError, match=r"pixels are 128, in rows 5 to 35 and columns"):
        check_prepared(found)
    image[20, 20] = 1
    check_prepared(cut(image, None, Preprocessing("lungs", 8), lungs=(5, 10, 35, 40)))


@pytest.mark.parametrize("name, count", [("hu_0_80_4x5x6", 1), ("zscore_5_4x5x6", 0)])
def test_a_window_in_hu_of_a_picture_is_doubted(tmp_path, name, count):
    values = np.linspace(0, 255, 120, dtype=np.float32).reshape(6, 5, 4)
    write_nifti(tmp_path / "head.nii", values, np.diag([1.0, 1, 2, 1]))
    with collected_warnings() as found:
        assert prepare_file(tmp_path / "head.nii", name).pixels.any()
    assert len(found) == count
    for doubt in found:
        assert str(doubt).startswith(f"{tmp_path}/head.nii: expected Hounsf")
        assert doubt.kind == "not in Hounsfield units"


@pytest.mark.parametrize("name", ["full_16", "head_4x8x8"])
def test_a_model_sees_what_training_reads(image, tmp_path, name):
    if name == "full_16":
        found = prepare_image(image, name)
        stored = found.pixels[..., np.newaxis]
    else:
        values = np.random.default_rng(0).uniform(0, 120, (8, 8, 4)).astype(np.float32)
        found = prepare_volume(Volume(values, np.eye(4), (1, 1, 1)), name)
        stored = found.pixels
    expected = to_unit(tf.constant(stored)).numpy()
    np.testing.assert_array_equal(found.for_model(), expected)
    assert found.for_model().dtype == np.float32


def test_grey_values_are_clipped_at_percentiles_of_the_whole_image(image):
    """By scikit-image's words: rescale the intensity from percentile 2 to 98."""
    low, high = np.quantile(image.astype(np.float64), [0.02, 0.98])
    for region in ("full", "lungs"):
        plain = prepare_image(image, f"{region}_64")
        clipped = prepare_image(image, f"{region}_64_clip_2_98")
        assert (clipped.box, clipped.box_source) == (plain.box, plain.box_source)
        part = crop.crop(image, plain.box).astype(np.float64)
        scaled = np.clip((part - low) / (high - low), 0, 1).astype(np.float32)
        expected = crop.to_uint8(crop.resize(scaled, 64)).astype(int)
        assert np.abs(clipped.pixels.astype(int) - expected).max() <= 1
        assert np.abs(clipped.pixels.astype(int) - plain.pixels).max() > 5
        np.testing.assert_array_equal(clipped.original, image)


def test_an_image_of_nearly_one_grey_value_cannot_be_clipped():
    image = np.full((20, 30), 0.25, np.float32)
    image[0, 0] = 1  # between percentiles 2 and 98, there is one value
    pixels = prepare_image(image, "full_8_clip_2_98").pixels
    assert (pixels.ravel()[1:] == 64).all()


def test_the_margin_of_the_square_around_the_lungs(image):
    """Lungs are 5 % of the longer side away from both ends of it at 10 %."""
    plain, narrow = (
        prepare_image(image, name) for name in ("lungs_64", "lungs_64_grow_5")
    )
    y0, x0, y1, x1 = crop.smallest_box(plain.mask)
    longer = max(y1 - y0, x1 - x0)
    for prepared, factor in ((plain, 1.1), (narrow, 1.05)):
        top, left, bottom, right = prepared.box
        assert bottom - top == right - left == math.ceil(round(factor * longer, 6))
