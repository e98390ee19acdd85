"""Files of other kinds are told by their start."""

import gzip

import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.imaging.other_files import kind_of, known_kind
from mdmt_tf.imaging.volume import read_volume


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
