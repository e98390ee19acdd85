"""NIfTI headers that contradict themselves, the voxels or each other."""

import gzip
import struct

import nibabel
import numpy as np
import pytest

from mdmt_tf.errors import DataError, DataWarning, collected_warnings
from mdmt_tf.imaging import limits
from mdmt_tf.imaging.volume import read_volume

SHAPE = (6, 7, 8)
VALUES = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
RAS = np.diag([2.0, 2, 3, 1])


def save(path, values=VALUES, sform=RAS, qform=RAS, changes=()):
    """A NIfTI file; `changes` are pairs of an offset and the bytes to put there."""
    image = nibabel.Nifti1Image(values, RAS)
    image.set_sform(sform, code=0 if sform is None else 1)
    image.set_qform(qform, code=0 if qform is None else 1)
    data = bytearray(image.to_bytes())
    for offset, new in changes:
        data[offset : offset + len(new)] = new
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else bytes(data))
    return path


def flipped(axis):
    affine = RAS.copy()
    affine[axis, axis] *= -1
    return affine


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_good_file_raises_no_doubt(tmp_path, name):
    with collected_warnings() as found:
        volume = read_volume(save(tmp_path / name))
    assert found == []
    np.testing.assert_array_equal(volume.values, VALUES)
    np.testing.assert_array_equal(volume.affine, RAS)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ([(344, b"ni1\0")], "pair of files"),
        ([(0, struct.pack("<i", 999))], "sizeof_hdr is 999, not 348"),
        ([(42, struct.pack("<h", 5))], "Received: at least .* header is damaged"),
        ([(42, struct.pack("<h", 7))], "truncated"),
        ([(70, struct.pack("<h", 999))], "damaged header"),
        ([(108, struct.pack("<f", np.nan))], "damaged header"),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_damaged_headers(tmp_path, name, changes, reason, capfd):
    path = save(tmp_path / name, changes=changes)
    with pytest.raises(DataError, match=rf"^{path}: expected .*{reason}"):
        read_volume(path)
    assert capfd.readouterr().err == ""


def test_a_big_endian_file(tmp_path):
    image = nibabel.Nifti1Image(VALUES, RAS)
    header = image.header.as_byteswapped()
    nibabel.save(nibabel.Nifti1Image(VALUES, RAS, header), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").values, VALUES)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_few_bytes_after_the_voxels_are_doubtful(tmp_path, name):
    path = save(tmp_path / name, changes=[(10**6, b"xxx")])
    with pytest.warns(DataWarning, match=rf"^{path}: 3 bytes after the voxels"):
        volume = read_volume(path)
    np.testing.assert_array_equal(volume.values, VALUES)


@pytest.mark.parametrize("value", [0, 40])
def test_constant_volumes(tmp_path, value):
    path = save(tmp_path / "a.nii", np.full(SHAPE, value, np.int16))
    with pytest.raises(
        DataError, match=rf"^{path}: .*all voxels have the value {value}"
    ):
        read_volume(path)


@pytest.mark.parametrize("space, mm", [(0, 1), (1, 1000), (2, 1), (3, 0.001), (5, 1)])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_affines_are_in_millimetres_whatever_the_unit(tmp_path, space, mm, form):
    """Metres are 1, millimetres 2, micrometres 3; time in seconds is 8."""
    stored = np.diag([*RAS.diagonal()[:3] / mm, 1])
    stored[:3, 3] = np.array([10, 20, 30]) / mm
    forms = {"sform": None, "qform": None, form: stored}
    path = save(tmp_path / "a.nii", changes=[(123, bytes([space + 8]))], **forms)
    volume = read_volume(path)
    np.testing.assert_allclose(volume.spacing_mm, (2, 2, 3), rtol=1e-6)
    np.testing.assert_allclose(volume.affine[:3, 3], (10, 20, 30), rtol=1e-6)


def test_left_and_right_that_contradict(tmp_path):
    path = save(tmp_path / "a.nii", qform=flipped(0))
    with pytest.raises(DataError, match=rf"^{path}: .*sform says RAS, the qform LAS"):
        read_volume(path)
    # The axis from left to right is another one.
    turned = RAS[:, [1, 0, 2, 3]]
    path = save(tmp_path / "b.nii", qform=turned)
    with pytest.raises(DataError, match="sform says RAS, the qform ARS"):
        read_volume(path)


@pytest.mark.parametrize(
    "qform, reason",
    [(flipped(1), "the qform RPS"), (2 * RAS, r"2 x 2 x 3 and 4 x 4 x 6 mm")],
)
def test_other_contradictions_are_doubtful(tmp_path, qform, reason):
    path = save(tmp_path / "a.nii", qform=qform)
    with pytest.warns(DataWarning, match=rf"^{path}: the sform says RAS.*{reason}"):
        volume = read_volume(path)
    np.testing.assert_allclose(volume.affine, RAS)


def test_a_small_rotation_is_no_contradiction(tmp_path):
    angle = np.radians(4)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    with collected_warnings() as found:
        read_volume(save(tmp_path / "a.nii", qform=turn @ RAS))
    assert found == []


def tilted(degrees):
    """Slices are stacked towards the front, not upwards, by an angle."""
    affine = np.diag([0.5, 0.5, 5.0, 1])
    affine[1, 2] = 5 * np.tan(np.radians(degrees))
    return affine


@pytest.mark.parametrize("degrees", [2, -20])
def test_a_gantry_tilt_is_doubtful(tmp_path, degrees):
    path = save(tmp_path / "a.nii", sform=tilted(degrees), qform=None)
    with pytest.warns(
        DataWarning,
        match=rf"^{path}: {90 - degrees}\.0 degrees between axes 2 and 3.*dcm2niix",
    ):
        read_volume(path)


def test_a_slight_tilt_is_no_fault(tmp_path):
    volume = read_volume(save(tmp_path / "a.nii", sform=tilted(0.5), qform=None))
    np.testing.assert_allclose(volume.affine, tilted(0.5), rtol=1e-6)


@pytest.mark.parametrize("place, count", [(0, 1), (-90, 0)])
def test_the_identity_is_a_doubtful_affine(tmp_path, place, count):
    affine = np.eye(4)
    affine[2, 3] = place
    with collected_warnings() as found:
        read_volume(save(tmp_path / "a.nii", sform=affine, qform=None))
    assert [one.kind for one in found] == ["identity as affine"] * count


def test_an_empty_sform_gives_way_to_the_qform(tmp_path):
    empty = [(280, bytes(48))]
    path = save(tmp_path / "a.nii", qform=flipped(0), changes=empty)
    with pytest.warns(DataWarning, match=rf"^{path}: the sform is zero everywhere"):
        volume = read_volume(path)
    np.testing.assert_allclose(volume.affine, flipped(0))
    path = save(tmp_path / "b.nii", qform=None, changes=empty)
    with pytest.raises(DataError, match="can be inverted"):
        read_volume(path)


def test_limits_hold_before_anything_is_unpacked(tmp_path):
    path = save(tmp_path / "a.nii.gz")
    for limit in ({"max_pixels": 41}, {"max_voxels": 335}, {"max_bytes": 600}):
        with (
            limits.using(limits.Limits(**limit)),
            pytest.raises(DataError, match=rf"^{path}: .*{next(iter(limit))}"),
        ):
            read_volume(path)
