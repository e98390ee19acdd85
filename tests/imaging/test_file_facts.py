"""Modality and colour of files, from their headers and their pixels."""

import cv2
import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes

from mdmt_tf.imaging.file_facts import FileFacts, read_facts

GREY = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def test_a_dicom_file_tells_its_modality(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(to_bytes(make_dicom(GREY, Modality="DX")))
    assert read_facts(path) == FileFacts("DX", is_colour=False)
    # A folder tells what its first DICOM file does.
    (tmp_path / "AUTORUN.INF").write_bytes(b"x" * 200)
    assert read_facts(tmp_path) == FileFacts("DX", is_colour=False)


def test_a_dicom_file_without_modality(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(to_bytes(make_dicom(GREY)))
    assert read_facts(path) == FileFacts()


def test_a_dicom_file_in_colour(tmp_path):
    path = tmp_path / "a.dcm"
    pixels = np.zeros((8, 8, 3), np.uint8)
    path.write_bytes(to_bytes(make_dicom(pixels, photometric="RGB", Modality="US")))
    assert read_facts(path) == FileFacts("US", is_colour=True)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_picture_is_in_colour_if_its_channels_differ(suffix, tmp_path):
    grey = np.tile(np.linspace(0, 255, 256).astype(np.uint8), (256, 1))
    same = np.stack([grey] * 3, axis=-1)
    coloured = np.stack([grey, 255 - grey, grey], axis=-1)
    for name, pixels, is_colour in (
        ("grey", grey, False),
        ("same", same, False),
        ("coloured", coloured, True),
    ):
        path = tmp_path / f"{name}{suffix}"
        cv2.imwrite(str(path), pixels)
        assert read_facts(path).is_colour is is_colour, name


def test_a_damaged_file_tells_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\2" * 40
    )
    (tmp_path / "b.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 5)
    (tmp_path / "c").write_bytes(b"")
    (tmp_path / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for path in (*tmp_path.iterdir(), tmp_path / "missing"):
        assert read_facts(path) == FileFacts()
