"""Whole, damaged and unusual DICOM files through `read_image`."""

import concurrent.futures
import io
import warnings

import numpy as np
import pydicom
import pytest
from made_dicom import make_dicom, to_bytes
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import dicom
from mdmt_tf.imaging.dicom import read_image


def read(dataset):
    return read_image(to_bytes(dataset), "test.dcm")


RAMP = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)  # 12 bits, 0 to 4080


def test_content_decides_not_the_name(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(to_bytes(make_dicom(RAMP, bits=12)))
    np.testing.assert_allclose(read_image(path), RAMP / 4080, atol=1e-6)


def test_preamble_of_another_format():
    data = to_bytes(make_dicom(RAMP, bits=12))
    for start in (b"II*\0", b"MM\0*"):
        np.testing.assert_allclose(read_image(start + data[4:]), RAMP / 4080, atol=1e-6)


@pytest.mark.parametrize("group", [2, 8])
def test_bare_data_set_without_preamble(group):
    dataset = make_dicom(RAMP, bits=12)
    data = to_bytes(dataset)[132:]
    if group == 8:  # nor the group that names the transfer syntax
        buffer = io.BytesIO()
        bare = Dataset(dataset)
        pydicom.dcmwrite(buffer, bare, implicit_vr=True, little_endian=True)
        data = buffer.getvalue()
    assert data[0] == group
    np.testing.assert_allclose(read_image(data), RAMP / 4080, atol=1e-6)


def test_header_of_the_patient_is_neither_read_nor_complained_about():
    dataset = make_dicom(RAMP, bits=12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.add_new("PatientAge", "AS", "sixty or so")
        dataset.add_new("StudyDate", "DA", "yesterday")
        data = to_bytes(dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(data)


def without(key):
    dataset = make_dicom(RAMP, bits=12)
    delattr(dataset, key)
    return to_bytes(dataset)


def three_frames():
    dataset = make_dicom(RAMP, bits=12, NumberOfFrames=3)
    dataset.PixelData = dataset.PixelData * 3
    return to_bytes(dataset)


def cubic_window():
    window = {"WindowCenter": 1, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}
    return to_bytes(make_dicom(RAMP, bits=12, **window))


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "bad.dcm: the file is empty"),
        (b"GIF89a, no radiograph", "expected a DICOM, PNG, JPEG or TIFF"),
        (b"\0" * 128 + b"DICM", "has no image"),
        (without("PixelData"), "has no image"),
        (three_frames(), "received 3 frames"),
        (to_bytes(make_dicom(RAMP, bits=12))[:-100], "412 vs 512 bytes"),
        (to_bytes(make_dicom(RAMP, bits=12))[:400], "bad.dcm"),
        (without("Rows"), "Rows"),
        (
            cubic_window(),
            "VOILUTFunction LINEAR, LINEAR_EXACT or SIGMOID, received another",
        ),
    ],
)
def test_errors_name_the_file_and_the_reason(data, message):
    with pytest.raises(DataError) as error:
        read_image(data, "bad.dcm")
    assert "bad.dcm" in str(error.value)
    assert message in str(error.value)


def test_frames_that_the_header_does_not_announce_are_left_out():
    dataset = make_dicom(RAMP, bits=12)
    dataset.PixelData = dataset.PixelData + bytes(RAMP.nbytes)
    with pytest.warns(DataWarning, match="2 frames of pixels, where the header"):
        image = read(dataset)
    np.testing.assert_allclose(image, RAMP / 4080, atol=1e-6)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_truncated_compressed_pixels(syntax, keep):
    pixels = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype("<u2")
    dataset = make_dicom(pixels, bits=12)
    dataset.compress(syntax, generate_instance_uid=False)
    data = to_bytes(dataset)
    with pytest.raises(DataError, match=r"cut\.dcm"):
        read_image(data[: int(keep * len(data))], "cut.dcm")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.dcm: cannot be read: No such file"):
        read_image(tmp_path / "none.dcm")


def test_folder(tmp_path):
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_image(tmp_path)


def test_threads_get_their_own_images():
    rng = np.random.default_rng(0)
    files, expected = [], []
    for index in range(24):
        pixels = rng.integers(0, 4096, (40 + index, 50)).astype("<u2")
        dataset = make_dicom(pixels, bits=12, WindowCenter=2048, WindowWidth=4096)
        if index % 3:
            dataset.compress(
                (RLELossless, JPEG2000Lossless)[index % 2], generate_instance_uid=False
            )
        files.append(to_bytes(dataset))
        expected.append(pixels / 4095)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        images = list(pool.map(read_image, files * 4))
    for image, wanted in zip(images, expected * 4, strict=True):
        np.testing.assert_allclose(image, wanted, atol=1e-6)


def test_values_of_the_header_are_not_repeated():
    """They may be those of a patient, in an element where nobody expects them."""
    text = (
        "Zebrastein: 'Zebrastein^Q', b'Zebrastein', \"19431217\" in 'PatientName', "
        "'JPEG Lossless, Non-Hierarchical (Process 14)' by 'pylibjpeg'"
    )
    assert dicom.without_values(text) == (
        "Zebrastein: ..., ..., ... in 'PatientName', "
        "'JPEG Lossless, Non-Hierarchical (Process 14)' by 'pylibjpeg'"
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"Zebrastein^Q 1943", "a text, or a file of another kind"),
        (b"Zebra\0stein", "a file of another kind"),
        (b"GIF89a Zebrastein", "a GIF"),
        (b"%PDF-1.7 Zebrastein", "a PDF"),
    ],
)
def test_another_file_is_named_by_its_kind(data, kind):
    with pytest.raises(DataError) as error:
        read_image(data, "bad.png")
    assert str(error.value).endswith(f"Received: {kind}")
