"""Headers of image files."""

import gzip

import cv2
import nibabel
import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes
from made_series import make_slices, write_slices

from mdmt_tf.errors import DataError
from mdmt_tf.planning.headers import list_images, look, read_header


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_size_of_raster_files(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    cv2.imwrite(str(path), np.full((40, 72), 9, np.uint8))
    header = read_header(path)
    assert header.shape == (40, 72)
    assert header.kind == {"png": "PNG", "jpg": "JPEG", "tif": "TIFF"}[suffix]


def test_modality_and_spacing_of_dicom(tmp_path):
    path = tmp_path / "x.dcm"
    elements = {
        "Modality": "DX",
        "PixelSpacing": [0.2, 0.1],
        "BodyPartExamined": "CHEST",
    }
    pixels = np.zeros((30, 50), np.uint16)
    path.write_bytes(to_bytes(make_dicom(pixels, bits=12, **elements)))
    header = read_header(path)
    assert header.shape == (30, 50) and header.spacing_mm == (0.2, 0.1)
    assert (header.kind, header.bits) == ("DICOM", 12)
    assert (header.modality, header.part) == ("DX", "chest")


def test_a_file_of_frames_is_a_volume(tmp_path):
    dataset = make_dicom(np.zeros((8, 9), np.uint16), Modality="MR")
    dataset.NumberOfFrames = 5
    (tmp_path / "x.dcm").write_bytes(to_bytes(dataset))
    header = read_header(tmp_path / "x.dcm")
    assert header.shape == (5, 8, 9) and header.modality == "MR"


def test_a_folder_of_slices_is_a_series(tmp_path):
    for index in range(3):
        dataset = make_dicom(
            np.zeros((8, 9), np.uint16),
            Modality="CT",
            PixelSpacing=[0.5, 0.5],
            SliceThickness="2.5",
        )
        (tmp_path / f"{index}.dcm").write_bytes(to_bytes(dataset))
    header = read_header(tmp_path)
    assert header.kind == "DICOM series" and header.shape == (3, 8, 9)
    assert header.spacing_mm == (2.5, 0.5, 0.5) and header.modality == "CT"


def test_other_files_beside_the_slices_do_not_count(tmp_path):
    slices = make_slices(np.zeros((4, 8, 9), np.float32))
    write_slices(tmp_path, slices)
    (tmp_path / "000_AUTORUN.INF").write_bytes(b"x" * 200)
    (tmp_path / "DICOMDIR").write_bytes(b"x" * 128 + b"DICM")
    scout = make_slices(np.zeros((1, 5, 5), np.float32), series="9.9")[0]
    scout.save_as(tmp_path / "000_scout", enforce_file_format=True)
    header = read_header(tmp_path)
    assert (header.kind, header.shape) == ("DICOM series", (4, 8, 9))
    assert read_header(write_slices(tmp_path / "one", slices[:1])[0]).shape == (8, 9)


def test_a_folder_without_slices(tmp_path):
    (tmp_path / "AUTORUN.INF").write_bytes(b"x" * 200)
    with pytest.raises(DataError, match=f"^{tmp_path}: expected DICOM slices"):
        read_header(tmp_path)


def test_a_volume_of_one_time_is_a_volume(tmp_path):
    values = np.zeros((10, 20, 30, 1), np.int16)
    image = nibabel.Nifti1Image(values, np.diag([0.001, 0.002, 0.003, 1.0]))
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "x.nii.gz")
    header = read_header(tmp_path / "x.nii.gz")
    assert header.shape == (30, 20, 10)
    assert header.spacing_mm == pytest.approx((3, 2, 1))
    values = np.zeros((10, 20, 30, 2), np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "x.nii.gz")
    with pytest.raises(DataError, match=r"x\.nii\.gz: expected one volume of three"):
        read_header(tmp_path / "x.nii.gz")


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "ASL"])
def test_axes_of_nifti_are_those_of_the_patient(tmp_path, codes):
    """Slices from the feet to the head first, whatever the order in the file."""
    values = np.zeros((10, 20, 30), np.int16)
    image = nibabel.Nifti1Image(values, np.diag([1.0, 2.0, 3.0, 1.0]))
    target = nibabel.orientations.axcodes2ornt(codes)
    path = tmp_path / "x.nii.gz"
    turned = image.as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.orientations.axcodes2ornt("RAS"), target
        )
    )
    nibabel.save(turned, path)
    header = read_header(path)
    assert header.shape == (30, 20, 10) and header.spacing_mm == (3, 2, 1)


@pytest.mark.parametrize(("air", "modality"), [(-1000, "CT"), (0, "")])
def test_hounsfield_units_tell_a_ct(tmp_path, air, modality):
    values = np.full((16, 16, 16), air, np.int16)
    values[4:12, 4:12, 4:12] = 40
    path = tmp_path / "x.nii"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    assert read_header(path).modality == modality


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.png", b""),
        ("x.png", b"\x89PNG\r\n\x1a\n"),
        ("x.jpg", b"\xff\xd8\xff\xe0"),
        ("x.jpg", b"\xff\xd8\xff\xe0\0\x02"),
        ("x.tif", b"II*\0\xff\xff\xff\xff"),
        ("x.dcm", b"\0" * 128 + b"DICM"),
        ("x.nii.gz", b"no"),
        ("x.png", b"text"),
    ],
)
def test_a_damaged_file_is_listed_and_others_are_read(tmp_path, name, content):
    cv2.imwrite(str(tmp_path / "good.png"), np.zeros((8, 9), np.uint8))
    (tmp_path / name).write_bytes(content)
    images = look(tmp_path, ["good.png", name])
    assert images.median_shape == (8, 9)
    assert len(images.unreadable) == 1 and images.unreadable[0].startswith(name)
    with pytest.raises(DataError, match="no header of 1 file"):
        look(tmp_path, [name])


def test_volumes_come_before_other_images_and_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        list(list_images(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="Received: an empty folder"):
        list(list_images(tmp_path))
    (tmp_path / "a.mha").touch()
    with pytest.raises(
        DataError, match=r"\.png.*1 \.mha.*\. Convert .* volumes are \.nii, \.nii\.gz"
    ):
        list(list_images(tmp_path))
    (tmp_path / "a.png").touch()
    assert list(list_images(tmp_path)) == [("a.png",)]
    (tmp_path / "b.nii.gz").touch()
    assert list(list_images(tmp_path)) == [("b.nii.gz",), ("a.png",)]


def test_only_a_sample_is_read(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 9), np.uint8))
    images = look(tmp_path, ["a.png"] * 1000)
    assert len(images.headers) == 50 and len(images.files) == 1000


@pytest.mark.parametrize("length", [3, 21, 150, 250, 330])
@pytest.mark.parametrize("kind", ["x.png", "x.jpg", "x.tif", "x.dcm", "x.nii"])
def test_a_damaged_header_is_a_named_error_or_read(tmp_path, kind, length):
    """Cut off, and with other bytes from there on; whatever a reader raises."""
    path = tmp_path / kind
    if kind == "x.dcm":
        path.write_bytes(to_bytes(make_dicom(np.zeros((4, 5), np.uint16))))
    elif kind == "x.nii":
        volume = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
        nibabel.save(volume, path)
    else:
        cv2.imwrite(str(path), np.zeros((4, 5), np.uint8))
    content = path.read_bytes()
    for end in (b"", b"\xff" * (len(content) - length), b"\x02" * len(content)):
        path.write_bytes(content[:length] + end)
        try:
            read_header(path)
        except DataError as error:
            assert str(path) in str(error)


def test_a_compressed_volume_that_claims_too_much(tmp_path):
    path = tmp_path / "x.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), path)
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[42:48] = np.array([5000, 5000, 500], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(DataError, match=r"x\.nii\.gz: a volume of .* is too large"):
        read_header(path)


def test_files_that_cannot_be_read_are_a_warning(tmp_path):
    names = [f"{number}.png" for number in range(6)]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 9), np.uint8))
    assert look(tmp_path, names).warnings == ()
    for name in names[1::2]:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:20])
    (text,) = look(tmp_path, names).warnings
    assert text.startswith("3 of 6 sampled files cannot be read, first: 1.png: ")
    assert "header cannot be read" in text
