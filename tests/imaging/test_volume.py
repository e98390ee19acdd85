"""Head CTs: oriented, windowed, resized; and maps on their own voxels."""

import gzip
import itertools

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.preprocess import HEAD_WINDOW_HU, VolumePreprocessing
from mdmt_tf.imaging.resample import to_original_grid
from mdmt_tf.imaging.volume import (
    FULL_SCALE,
    Volume,
    prepare_volume,
    read_volume,
    write_nifti,
)

SPACING = (0.5, 0.75, 5.0)  # right, front, up


def head(*shape):
    return VolumePreprocessing(shape, window_hu=HEAD_WINDOW_HU)


def world(affine, voxels):
    """Coordinates in mm of voxel indices (n, 3)."""
    voxels = np.atleast_2d(voxels)
    return voxels @ affine[:3, :3].T + affine[:3, 3]


def make(hu, affine=None):
    if affine is None:
        affine = np.diag([*SPACING, 1.0])
        affine[:3, 3] = (-20, -31, 7)
    spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0))
    return Volume(np.asarray(hu, np.float32), affine, spacing)


def turned(original, order, flips):
    """The same head in a file whose axes are swapped and flipped."""
    hu = original.values.transpose(order)
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, old in enumerate(order):
        matrix[old, new] = 1
    for axis in range(3):
        if flips[axis]:
            hu = np.flip(hu, axis)
            reverse = np.eye(4)
            reverse[axis, axis], reverse[axis, 3] = -1, hu.shape[axis] - 1
            matrix = matrix @ reverse
    return make(hu, original.affine @ matrix)


def rotation(degrees, axis):
    angle = np.deg2rad(degrees)
    one, two = (i for i in range(3) if i != axis)
    matrix = np.eye(4)
    matrix[one, one] = matrix[two, two] = np.cos(angle)
    matrix[one, two], matrix[two, one] = -np.sin(angle), np.sin(angle)
    return matrix


def noise(shape, seed=0):
    return np.random.default_rng(seed).uniform(-20, 130, shape).astype(np.float32)


@pytest.mark.parametrize("tilt", [0, 20])
@pytest.mark.parametrize("order", itertools.permutations(range(3)))
@pytest.mark.parametrize("flips", itertools.product([False, True], repeat=3))
def test_the_order_of_the_axes_in_the_file_cannot_matter(order, flips, tilt):
    original = make(noise((9, 14, 6)))
    original = make(original.values, rotation(tilt, 0) @ original.affine)
    expected = prepare_volume(original, head(8, 10, 12))
    other = turned(original, order, flips)
    corner = [[0, 0, 0]]
    found = prepare_volume(other, "head_8x10x12")
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-9)
    assert found.original_shape == other.values.shape
    # The helper of this test keeps voxels where they were.
    where = np.argwhere(other.values == original.values[0, 0, 0])
    np.testing.assert_allclose(
        world(other.affine, where), world(original.affine, corner), atol=1e-9
    )


def test_axes_go_upwards_backwards_and_to_the_left():
    hu = np.full((5, 6, 7), 15.0)
    hu[4, 3, 3] = 100  # to the patient's right
    hu[2, 5, 3] = 75  # in front
    hu[2, 3, 6] = 50  # above
    pixels = prepare_volume(make(hu), "head_7x6x5").pixels[..., 0]
    assert pixels.shape == (7, 6, 5)
    assert pixels[3, 2, 0] == FULL_SCALE  # right: the first column
    assert pixels[3, 0, 2] == round(60 / 85 * FULL_SCALE)  # front: the first row
    assert pixels[6, 2, 2] == round(35 / 85 * FULL_SCALE)  # above: the last slice
    assert np.count_nonzero(pixels) == 3


@pytest.mark.parametrize(
    "shape, size",
    [
        ((40, 50, 60), (15, 17, 11)),  # shrinks
        ((12, 10, 9), (30, 28, 33)),  # grows, after filling up
        ((40, 30, 8), (21, 25, 40)),  # filled up, and shrinks
        ((20, 24, 60), (40, 48, 40)),  # both
        ((21, 17, 12), (12, 17, 21)),  # as it is
    ],
)
@pytest.mark.parametrize("tilt", [0, 15])
def test_a_mark_is_found_where_it_is_in_the_world(shape, size, tilt):
    hu = np.full(shape, 15.0)
    where = [int(0.7 * shape[0]), int(0.4 * shape[1]), int(0.55 * shape[2])]
    hu[tuple(slice(i - 1, i + 2) for i in where)] = 100
    original = make(hu)
    original = make(hu, rotation(tilt, 1) @ original.affine)
    prepared = prepare_volume(original, head(*size))
    values = prepared.pixels[..., 0].astype(float)
    centre = [(i * values).sum() / values.sum() for i in np.indices(size)]
    expected = world(original.affine, where)
    voxels = world(np.linalg.inv(prepared.affine), expected)
    np.testing.assert_allclose([centre], voxels, atol=0.05)
    nearest = tuple(np.rint(voxels[0]).astype(int))
    assert values[nearest] > 0.8 * values.max()
    np.testing.assert_allclose(
        world(prepared.affine, centre), expected, atol=0.05 * max(SPACING)
    )


PREPROCESSINGS = [
    "hu_-50_150_20x24x22_RAS",
    "hu_-50_150_30x30x60_5x1x0.5mm",
    "hu_-50_150_26x50x18_1.5x1x5mm_LAS",
    "percentile_1_99_16x20x22_PIR",
    "percentile_0_100_34x44x40_1x1x1mm_ASL",
    "zscore_4_28x28x18_SAR",
    "zscore_5_32x32x32_1.5x1.5x1.5mm_IPR",
]


def blob_head(tilt):
    """A head of 50 HU with a bright Gaussian blob; and where the blob is, in mm."""
    original = make(np.zeros((60, 46, 9)))
    affine = rotation(tilt, 1) @ rotation(tilt / 2, 2) @ original.affine
    voxels = np.moveaxis(np.indices((60, 46, 9)), 0, -1)
    place = world(affine, [33, 20, 5])
    distance = ((world(affine, voxels.reshape(-1, 3)) - place) ** 2).sum(-1)
    values = 50 + 90 * np.exp(-distance / (2 * 3.0**2)).reshape(60, 46, 9)
    values[:2] = values[-2:] = -200  # air
    return make(values, affine), place


@pytest.mark.parametrize("tilt", [0, 12])
@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_a_blob_is_found_where_it_is_in_the_world(name, tilt):
    original, place = blob_head(tilt)
    prepared = prepare_volume(turned(original, (2, 0, 1), (True, False, True)), name)
    preprocessing = VolumePreprocessing.parse(name)
    assert prepared.pixels.shape == (*preprocessing.shape, 1)
    axes = nibabel.aff2axcodes(prepared.affine)
    assert "".join(axes) == preprocessing.orientation
    if preprocessing.spacing_mm is not None:
        spacing = np.linalg.norm(prepared.affine[:3, :3], axis=0)
        np.testing.assert_allclose(spacing, preprocessing.spacing_mm)
    values = prepared.for_model()[..., 0].astype(float)
    values = np.maximum(values - np.median(values[values > 0.3]) - 0.1, 0)
    centre = [(i * values).sum() / values.sum() for i in np.indices(values.shape)]
    # Along the axis of the slices, the blob has only a few samples.
    np.testing.assert_allclose(world(prepared.affine, centre), place, atol=0.6)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_any_preprocessing_returns_to_the_voxels_of_the_file(name):
    original, place = blob_head(12)
    original = turned(original, (1, 2, 0), (False, True, True))
    prepared = prepare_volume(original, name)
    # Where each prepared voxel is, mapped back, is where the voxel of the file is.
    positions = world(
        prepared.affine, np.indices(prepared.pixels.shape[:3]).reshape(3, -1).T
    )
    inside = to_original_grid(
        np.ones(prepared.pixels.shape[:3]),
        prepared.affine,
        prepared.original_affine,
        prepared.original_shape,
    )
    expected = world(
        original.affine, np.indices(original.values.shape).reshape(3, -1).T
    )
    for axis in range(3):
        back = to_original_grid(
            positions[:, axis].reshape(prepared.pixels.shape[:3]),
            prepared.affine,
            prepared.original_affine,
            prepared.original_shape,
        )
        spacing = np.linalg.norm(prepared.affine[:3, :3], axis=0)
        # Half a voxel at the border has no neighbour beyond it.
        np.testing.assert_allclose(
            back[inside > 0], expected[inside.ravel() > 0, axis], atol=spacing.max()
        )
        interior = ndimage.binary_erosion(inside > 0, iterations=3)
        assert interior.any()
        np.testing.assert_allclose(
            back[interior], expected[interior.ravel(), axis], atol=1e-3
        )


def test_empty_slices_of_a_z_score_are_as_dark_as_the_background():
    values = np.random.default_rng(0).uniform(50, 90, (8, 8, 4)).astype(np.float32)
    values[0] = 0
    pixels = prepare_volume(make(values), "zscore_20_10x8x8").pixels[..., 0]
    darkest = pixels[3:7].min()
    assert 0 < darkest < FULL_SCALE / 2
    np.testing.assert_array_equal(pixels[:3], darkest)
    np.testing.assert_array_equal(pixels[7:], darkest)


@pytest.mark.parametrize("size", [(15, 17, 11), (40, 48, 40), (60, 50, 40)])
def test_the_outer_faces_stay_where_they_are(size):
    original = make(noise((40, 50, 60)))
    prepared = prepare_volume(original, head(*size))

    def faces(shape):
        return np.array(list(itertools.product(*[(-0.5, n - 0.5) for n in shape])))

    before = world(original.affine, faces(original.values.shape))
    after = world(prepared.affine, faces(prepared.pixels.shape[:3]))
    order = [np.lexsort(corners.round(6).T) for corners in (before, after)]
    np.testing.assert_allclose(after[order[1]], before[order[0]], atol=1e-9)


@pytest.mark.parametrize("slices, below, above", [(7, 1, 2), (8, 1, 1), (10, 0, 0)])
def test_missing_slices_are_empty_and_the_odd_one_is_above(slices, below, above):
    original = make(np.full((3, 4, slices), 100.0))
    prepared = prepare_volume(original, "head_10x4x3")
    filled = prepared.pixels.any(axis=(1, 2, 3))
    expected = [False] * below + [True] * slices + [False] * above
    assert filled.tolist() == expected
    lowest = world(prepared.affine, [below, 0, 0])[0, 2]
    assert lowest == pytest.approx(original.affine[2, 3])


@pytest.mark.parametrize(
    "hu, fraction",
    [(-1000, 0), (15, 0), (15 + 85 / 4, 0.25), (57.5, 0.5), (100, 1), (3000, 1)],
)
@pytest.mark.parametrize("size", [(4, 5, 6), (2, 3, 3), (4, 9, 11)])
def test_the_window_and_constant_volumes(hu, fraction, size):
    prepared = prepare_volume(make(np.full((6, 5, 4), hu)), head(*size))
    assert prepared.pixels.dtype == np.int16
    assert prepared.pixels.shape == (*size, 1)
    # Python and NumPy round halves to even alike.
    assert set(np.unique(prepared.pixels)) == {round(fraction * 32767)}


@pytest.mark.parametrize("size", [(40, 30, 36), (9, 20, 25)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_map_returns_to_the_place_it_speaks_of(size, order):
    grid = np.indices((30, 34, 12))
    centre = np.array([11, 20, 7])
    distance = np.moveaxis(grid, 0, -1) - centre
    blob = np.exp(-((distance * SPACING) ** 2).sum(-1) / (2 * 8.0**2))
    original = turned(make(15 + 85 * blob), order, (True, False, True))
    prepared = prepare_volume(original, head(*size))
    back = to_original_grid(
        prepared.pixels[..., 0] / FULL_SCALE,
        prepared.affine,
        prepared.original_affine,
        prepared.original_shape,
    )
    assert back.shape == original.values.shape
    assert back.dtype == np.float32
    peak = np.unravel_index(back.argmax(), back.shape)
    expected = np.unravel_index(original.values.argmax(), back.shape)
    np.testing.assert_allclose(
        world(original.affine, peak), world(original.affine, expected), atol=0.76
    )
    np.testing.assert_allclose(back, (original.values - 15) / 85, atol=0.12)


def test_a_map_reaches_to_the_border_of_the_volume_and_no_further():
    original = make(np.full((20, 21, 50), 100.0))
    prepared = prepare_volume(original, "head_10x6x30")
    ones = np.ones(prepared.pixels.shape[:3])
    same = to_original_grid(
        ones, prepared.affine, original.affine, original.values.shape
    )
    np.testing.assert_array_equal(same, 1)
    # 3 voxels further to the right, front and top: beyond three of the faces
    moved = original.affine.copy()
    moved[:3, 3] += 3 * np.array(SPACING)
    found = to_original_grid(ones, prepared.affine, moved, original.values.shape)
    inside = np.ones(original.values.shape)
    inside[-3:], inside[:, -3:], inside[:, :, -3:] = 0, 0, 0
    np.testing.assert_array_equal(found, inside)


# Files


# Two real head CTs: 0.72 x 0.72 x 1 mm; 0.81 x 0.81 x 2.4 mm, rotated by 16 degrees


@pytest.fixture(params=["CT_AVM", "CT_pitch"])
def real(request, shared):
    return shared / "data" / "head_ct" / f"{request.param}.nii.gz"


def test_a_real_head_is_read_and_prepared(real):
    found = read_volume(real)
    image = nibabel.load(real)
    assert found.values.shape == image.shape
    np.testing.assert_allclose(found.values, image.get_fdata(), rtol=1e-6)
    assert -1100 < found.values.min() <= 0
    assert 200 < found.values.max() < 4000
    prepared = prepare_volume(found, "head_40x301x301")
    assert prepared.pixels.shape == (40, 301, 301, 1)
    assert 0 <= prepared.pixels.min() < prepared.pixels.max() <= FULL_SCALE
    scale = np.divide(found.values.shape[::-1], (40, 301, 301))
    for depth, row, column in itertools.product((0, 39), (0, 300), (0, 300)):
        # Both files count to the right, forwards and upwards.
        k, j, i = (np.array([depth, row, column]) + 0.5) * scale - 0.5
        voxel = [found.values.shape[0] - 1 - i, found.values.shape[1] - 1 - j, k]
        np.testing.assert_allclose(
            world(prepared.affine, [depth, row, column]),
            world(found.affine, voxel),
            atol=1e-9,
        )
    # The mean over a region far larger than a voxel is that of the window.
    window = np.clip((found.values - 15) / 85, 0, 1)
    np.testing.assert_allclose(
        prepared.pixels.mean() / FULL_SCALE, window.mean(), atol=5e-3
    )


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2)])
def test_a_real_head_in_another_order_of_axes(real, order):
    found = read_volume(real)
    expected = prepare_volume(found, "head_40x64x64")
    other = prepare_volume(turned(found, order, (True, False, True)), "head_40x64x64")
    np.testing.assert_array_equal(other.pixels, expected.pixels)
    np.testing.assert_allclose(other.affine, expected.affine, atol=1e-6)


def test_a_real_head_returns_to_its_voxels(real, tmp_path):
    found = read_volume(real)
    prepared = prepare_volume(found, "head_40x301x301")
    back = to_original_grid(
        prepared.pixels[..., 0],
        prepared.affine,
        prepared.original_affine,
        prepared.original_shape,
    )
    window = np.clip((found.values - 15) / 85, 0, 1)
    assert np.corrcoef(back.ravel(), window.ravel())[0, 1] > 0.8
    path = tmp_path / "map.nii.gz"
    write_nifti(path, back, found.affine)
    again = nibabel.load(path)
    assert again.shape == found.values.shape
    np.testing.assert_allclose(again.affine, found.affine, atol=1e-4)


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_real_head_cut_off(real, tmp_path, kept):
    data = real.read_bytes()
    path = tmp_path / "cut.nii.gz"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataError, match="cannot be unpacked: Compre"):
        read_volume(path)
    plain = gzip.decompress(data)
    path = tmp_path / "cut.nii"
    path.write_bytes(plain[: int(kept * len(plain))])
    with pytest.raises(DataError, match=r"expected \d+ bytes for \d+ x .*truncated"):
        read_volume(path)


def test_a_real_head_with_a_changed_byte(real, tmp_path):
    data = bytearray(real.read_bytes())
    data[len(data) // 2] ^= 0x10
    path = tmp_path / "changed.nii.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_volume(path)


@pytest.mark.parametrize(
    "start, stop, value, expected",
    [
        (0, 348, b"\xff", "expected a NIfTI file"),  # all of it
        (344, 348, b"\x07", "expected a NIfTI file"),  # the name of the format
        (40, 56, b"\x7f", "expected"),  # dimensions
        (42, 48, b"\0", "three axes"),  # lengths of the axes
        (70, 72, b"\x7f", "damaged header"),  # type of the voxels
        (252, 256, b"\0", "code 0 for both"),
        (280, 328, b"\x3f", "can be inverted"),
    ],
)
def test_a_real_head_with_an_overwritten_header(
    real, tmp_path, start, stop, value, expected
):
    data = bytearray(gzip.decompress(real.read_bytes()))
    data[start:stop] = value * (stop - start)
    path = tmp_path / "overwritten.nii"
    path.write_bytes(data)
    with pytest.raises(DataError, match=expected) as error:
        read_volume(path)
    assert str(error.value).startswith(f"{path}: expected")
