"""DICOM files through `read_image`, against arithmetic and pydicom's own functions."""

import cv2
import numpy as np
import pydicom
import pytest
from made_dicom import make_dicom, to_bytes
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi_lut
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import dicom, limits
from mdmt_tf.imaging.dicom import read_image


def read(dataset):
    return read_image(to_bytes(dataset), "test.dcm")


def table(entries, first, bits):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", [int(entry) for entry in entries])
    return item


RAMP = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)  # 12 bits, 0 to 4080


def test_without_window_the_range_of_the_pixels_becomes_0_to_1():
    image = read(make_dicom(RAMP + np.uint16(10), bits=12))
    assert image.dtype == np.float32
    assert image.shape == (16, 16)
    np.testing.assert_allclose(image, RAMP / 4080, atol=1e-6)


@pytest.mark.parametrize("dtype, bits", [("u1", 8), ("<u2", 10), ("<u2", 16)])
def test_depths(dtype, bits):
    pixels = np.array([[0, 1], [2, 2**bits - 1]], dtype)
    image = read(make_dicom(pixels, bits=bits))
    np.testing.assert_allclose(image, pixels / (2**bits - 1), rtol=1e-6)


def test_signed_pixels():
    pixels = np.array([[-1000, 0], [500, 1000]], "<i2")
    image = read(make_dicom(pixels, bits=12))
    np.testing.assert_allclose(image, [[0, 0.5], [0.75, 1]], rtol=1e-6)


def test_bits_above_those_stored_are_ignored():
    # An overlay of older files: the upper four bits of a 12-bit pixel.
    pixels = np.array([[0xF000, 0x0FFF], [0x3800, 0x0400]], "<u2")
    image = read(make_dicom(pixels, bits=12))
    np.testing.assert_allclose(
        image, np.array([[0, 4095], [2048, 1024]]) / 4095, rtol=1e-6
    )


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_functions_agree_with_pydicom(function, photometric):
    dataset = make_dicom(
        RAMP,
        bits=12,
        photometric=photometric,
        RescaleSlope=2,
        RescaleIntercept=-50,
        WindowCenter=3000,
        WindowWidth=2501,
    )
    if function:
        dataset.VOILUTFunction = function
    # pydicom's range is that of the rescaled 12 bits, 2 * 0 - 50 to 2 * 4095 - 50.
    expected = (apply_voi_lut(RAMP * 2.0 - 50, dataset) + 50) / 8190
    if photometric == "MONOCHROME1":
        expected = 1 - expected
    np.testing.assert_allclose(read(dataset), expected, atol=1e-6)


def test_linear_window_by_arithmetic():
    # PS3.3 C.11.2.1.2.1: c = 2048, w = 4096 is the identity on 0..4095.
    image = read(make_dicom(RAMP, bits=12, WindowCenter=2048, WindowWidth=4096))
    np.testing.assert_allclose(image, RAMP / 4095, atol=1e-6)


def test_linear_window_of_width_1_is_a_step():
    pixels = np.array([[99, 100, 101]], "<u2")
    image = read(make_dicom(pixels, WindowCenter=100.5, WindowWidth=1))
    np.testing.assert_array_equal(image, [[0, 0, 1]])


def test_of_several_windows_the_first_counts():
    image = read(
        make_dicom(RAMP, bits=12, WindowCenter=[2048, 50], WindowWidth=[4096, 10])
    )
    np.testing.assert_allclose(image, RAMP / 4095, atol=1e-6)


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 100, "WindowWidth": 0},
        {"WindowCenter": 100, "WindowWidth": 0.5},
        {"WindowCenter": 100, "WindowWidth": -5, "VOILUTFunction": "SIGMOID"},
    ],
)
def test_an_impossible_window_is_reported_and_left_out(window):
    width = str(float(window["WindowWidth"]))
    with pytest.warns(
        DataWarning, match=rf"^test\.dcm: .* width {width} is impossible"
    ):
        image = read(make_dicom(RAMP, bits=12, **window))
    np.testing.assert_allclose(image, RAMP / 4080, atol=1e-6)


def test_empty_window_elements_count_as_absent():
    image = read(make_dicom(RAMP, bits=12, WindowCenter=None, WindowWidth=None))
    np.testing.assert_allclose(image, RAMP / 4080, atol=1e-6)


def test_monochrome1_is_inverted_after_the_window():
    # Without the order, a window over the lower quarter would show the upper quarter.
    dataset = make_dicom(
        RAMP,
        bits=12,
        photometric="MONOCHROME1",
        PresentationLUTShape="INVERSE",
        WindowCenter=512,
        WindowWidth=1024,
    )
    expected = 1 - np.clip(RAMP / 1023, 0, 1)
    np.testing.assert_allclose(read(dataset), expected, atol=1e-6)


def test_lookup_table_goes_before_the_window():
    entries = np.linspace(0, 1, 3000) ** 2 * 1023
    entries = entries.astype(int)
    dataset = make_dicom(RAMP, bits=12, WindowCenter=100, WindowWidth=10)
    dataset.VOILUTSequence = [table(entries, first=500, bits=10)]
    expected = apply_voi_lut(RAMP, dataset) / 1023
    assert 0 < expected.mean() < 1
    np.testing.assert_allclose(read(dataset), expected, atol=1e-6)


def test_lookup_table_of_8_bit_entries_takes_12_bit_inputs():
    # pydicom 3.0 computes the index in the type of the entries and wraps at 256.
    dataset = make_dicom(RAMP, bits=12)
    dataset.VOILUTSequence = [table(np.arange(4096) // 16, first=0, bits=8)]
    np.testing.assert_allclose(read(dataset), (RAMP // 16) / 255, atol=1e-6)


@pytest.mark.parametrize("largest, white", [(4095, 4095), (65535, 65535)])
def test_lookup_table_of_16_bit_words_may_hold_fewer_bits(largest, white):
    entries = np.linspace(0, largest, 4096).astype(int)
    dataset = make_dicom(RAMP, bits=12)
    dataset.VOILUTSequence = [table(entries, first=0, bits=16)]
    np.testing.assert_allclose(read(dataset), entries[RAMP] / white, atol=1e-6)


@pytest.mark.parametrize("words", ["u1", "<u2"])
def test_lookup_table_stored_as_bytes(words):
    dataset = make_dicom(RAMP, bits=12)
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 8])
    item.add_new("LUTData", "OW", (np.arange(4096) // 16).astype(words).tobytes())
    dataset.VOILUTSequence = [item]
    np.testing.assert_allclose(read(dataset), (RAMP // 16) / 255, atol=1e-6)


def test_lookup_table_of_negative_inputs():
    pixels = np.array([[-101, -100], [-99, 5000]], "<i2")
    dataset = make_dicom(pixels)
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [3, -100, 8])
    item.add_new("LUTData", "US", [0, 51, 255])
    dataset.VOILUTSequence = [item]
    np.testing.assert_allclose(read(dataset), [[0, 0], [0.2, 1]], rtol=1e-6)


def test_modality_lookup_table_comes_before_the_window():
    dataset = make_dicom(RAMP, bits=12, WindowCenter=2048, WindowWidth=4096)
    item = table(4095 - np.arange(4096), first=0, bits=16)
    item.ModalityLUTType = "US"
    dataset.ModalityLUTSequence = [item]
    np.testing.assert_allclose(read(dataset), (4095 - RAMP) / 4095, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_stretch(photometric):
    pixels = np.array([[100, 200], [300, 65535]], "<u2")
    dataset = make_dicom(pixels, photometric=photometric, PixelPaddingValue=65535)
    grey = np.array([[0, 0.5], [1, 0]])
    if photometric == "MONOCHROME1":
        grey = np.array([[1, 0.5], [0, 0]])
    np.testing.assert_allclose(read(dataset), grey, atol=1e-6)


def test_padding_range():
    pixels = np.array([[-2000, -1990], [0, 100]], "<i2")
    dataset = make_dicom(pixels, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1900)
    np.testing.assert_allclose(read(dataset), [[0, 0], [0, 1]], atol=1e-6)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("dtype, bits", [("u1", 8), ("<u2", 12), ("<i2", 12)])
def test_compressed_equals_uncompressed(syntax, dtype, bits):
    pixels = np.random.default_rng(0).integers(0, 2 ** (bits - 1), (64, 48))
    dataset = make_dicom(pixels.astype(dtype), bits=bits)
    expected = read(dataset)
    dataset.compress(syntax, generate_instance_uid=False)
    assert dataset.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read(dataset), expected)


def test_jpeg_baseline():
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    _, code = cv2.imencode(".jpg", ramp, [cv2.IMWRITE_JPEG_QUALITY, 100])
    dataset = make_dicom(ramp)
    dataset.PixelData = pydicom.encaps.encapsulate([code.tobytes()])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    np.testing.assert_allclose(read(dataset), ramp / 252, atol=3 / 255)


def test_deflated():
    dataset = make_dicom(RAMP, bits=12)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    np.testing.assert_allclose(read(dataset), RAMP / 4080, atol=1e-6)


RGB = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [200, 100, 50]]], np.uint8)
LUMINANCE = (RGB @ [0.299, 0.587, 0.114]) / 255


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_becomes_luminance(planar):
    dataset = make_dicom(RGB, photometric="RGB")
    if planar:
        dataset.PlanarConfiguration = 1
        dataset.PixelData = RGB.transpose(2, 0, 1).tobytes()
    np.testing.assert_allclose(read(dataset), LUMINANCE, atol=1e-6)


def test_ybr_becomes_luminance():
    ycrcb = cv2.cvtColor(RGB, cv2.COLOR_RGB2YCrCb)
    dataset = make_dicom(ycrcb[..., [0, 2, 1]], photometric="YBR_FULL")
    np.testing.assert_allclose(read(dataset), LUMINANCE, atol=2 / 255)


def test_colour_jpeg_2000_becomes_luminance():
    pixels = np.kron(RGB, np.ones((16, 16, 1), np.uint8))
    dataset = make_dicom(pixels, photometric="RGB")
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    expected = np.kron(LUMINANCE, np.ones((16, 16)))
    np.testing.assert_allclose(read(dataset), expected, atol=1e-6)


def test_white_in_colour_is_1_at_most():
    white = np.full((3, 3, 3), 255, np.uint8)
    white[0, 0] = 0
    assert read(make_dicom(white, photometric="RGB")).max() == 1


def test_palette_colour():
    dataset = make_dicom(np.array([[0, 1], [2, 3]], np.uint8))
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for index, colour in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 8])
        entries = RGB[..., index].tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", entries)
    np.testing.assert_allclose(read(dataset), LUMINANCE, atol=1e-6)


@pytest.mark.parametrize("panic", [BaseException, MemoryError])
def test_panic_of_a_decoder_is_an_error_with_the_name_of_the_file(panic):
    """pylibjpeg-rle is written in Rust; its panics are no `Exception`."""
    match = f"^a.dcm: .*{panic.__name__}: index"
    with pytest.raises(DataError, match=match), dicom.reading("a.dcm"):
        raise panic("index out of range")


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_interrupts_pass_through_reading(end):
    with pytest.raises(end), dicom.reading("a.dcm"):
        raise end


SEGMENTS = {
    # PS3.3 C.7.9.2: discrete (0, count, entries), linear (1, count, last entry),
    # indirect (2, segments, low and high half of the byte offset).
    "linear": ([0, 1, 0, 1, 255, 65535], np.arange(256) * 257),
    "discrete": ([0, 3, 7, 300, 9, 1, 253, 9], [7, 300] + [9] * 254),
    "indirect": ([0, 2, 5, 6, 1, 126, 132, 2, 2, 0, 0], [5, 6, *range(7, 133)] * 2),
}


@pytest.mark.parametrize("kind", SEGMENTS)
def test_segmented_palette(kind):
    words, entries = SEGMENTS[kind]
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    dataset = make_dicom(indices, photometric="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        data = np.array(words, "<u2").tobytes()
        setattr(dataset, f"Segmented{colour}PaletteColorLookupTableData", data)
    white = 255 if max(entries) < 256 else 65535
    expected = np.array(entries)[indices] / white
    np.testing.assert_allclose(read(dataset), expected, atol=1e-6)


def test_palette_of_8_bits_in_words_of_16():
    dataset = make_dicom(np.array([[0, 1], [2, 3]], np.uint8))
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for index, colour in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        entries = RGB[..., index].astype("<u2").tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", entries)
    np.testing.assert_allclose(read(dataset), LUMINANCE, atol=1e-6)


def test_a_deflated_bomb_is_refused_before_it_is_unpacked():
    # 40 million zeros compress a thousandfold; the limit of this test is a hundredth.
    dataset = make_dicom(np.zeros((1000, 2000), "<u2"))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with (
        limits.using(limits.Limits(max_bytes=400_000)),
        pytest.raises(DataError, match=r"^test\.dcm: .*max_bytes"),
    ):
        read(dataset)
