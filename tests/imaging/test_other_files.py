"""Files of other kinds are told by their start."""

import gzip

import nibabel
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.imaging.other_files import kind_of, known_kind
from mdmt_tf.imaging.prepared import prepare_file
from mdmt_tf.imaging.volume import read_volume

PACKED = "a file compressed by gzip"


@pytest.mark.parametrize(
    "start, kind",
    [
        (b"NRRD0004\ntype: short\n\n", "an NRRD volume. Convert it to .nii.gz"),
        (b"ObjectType = Image\nNDims = 3\n", "a MetaImage volume. Convert it"),
        (b"NDims = 3\nDimSize = 4 5 6\n", "a MetaImage volume. Convert it"),
        (b"GIF89a", "a GIF"),
    ],
)
def test_another_kind_is_named_with_what_to_do(tmp_path, start, kind):
    path = tmp_path / "x.nii.gz"
    for data in (start, gzip.compress(start * 100)):
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"^{path}: .*Received: {kind}"):
            read_volume(path)
    path.write_bytes(start)
    with pytest.raises(DataError, match=rf"^{path}: .*Received: {kind}"):
        read_image(path)


def test_a_picture_is_no_volume(tmp_path):
    path = tmp_path / "x.nii"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match="Received: a PNG picture"):
        read_volume(path)


def test_unknown_kinds():
    assert known_kind(b"Miller, Jane") == ""
    assert kind_of(b"Miller, Jane") == "a text, or a file of another kind"
    assert kind_of(b"\1\0\2") == "a file of another kind"


@pytest.mark.parametrize("preprocessing", ["full_64", "hu_0_100_64"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_for_a_model_of_images_is_named(
    tmp_path, preprocessing, kind, order, suffix
):
    path, values = tmp_path / f"x{suffix}", np.arange(60, dtype=np.int16)
    header = kind.header_class(endianness=order)
    kind(values.reshape(3, 4, 5), np.eye(4), header).to_filename(path)
    packed = "a file compressed by gzip, in it " if suffix.endswith("gz") else ""
    with pytest.raises(DataError, match=rf"^{path}: .*: {packed}a NIfTI volume"):
        prepare_file(path, preprocessing)


def test_a_compressed_dicom_file_is_named(tmp_path):
    path, data = tmp_path / "x.dcm.gz", bytes(128) + b"DICM" + bytes(600)
    path.write_bytes(gzip.compress(data))
    for read in (read_image, read_volume):
        with pytest.raises(DataError, match=rf"^{path}: .*Received: .*a DICOM file"):
            read(path)


def test_gzip_that_holds_gzip_or_nothing_known_is_gzip():
    for data in (gzip.compress(b"BM...."), b"\1\0\2", b""):
        assert known_kind(gzip.compress(gzip.compress(data))) == PACKED
    assert known_kind(gzip.compress(b"\1\0\2")) == PACKED
    assert known_kind(b"\x1f\x8b damaged") == PACKED
