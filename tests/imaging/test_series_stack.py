"""Slices that make a volume, and those that do not."""

import copy

import numpy as np
import pytest
from made_dicom import make_dicom
from made_series import hu, make_slices, write_slices

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.series import read_series


def without(slices, *numbers):
    return [one for number, one in enumerate(slices) if number not in numbers]


def changed(slices, number, **elements):
    slices = copy.deepcopy(slices)
    for key, value in elements.items():
        setattr(slices[number], key, value)
    return slices


def tilted(slices, degrees):
    for number, one in enumerate(slices):
        x, y, z = one.ImagePositionPatient
        shift = number * 5 * np.tan(np.deg2rad(degrees))
        one.ImagePositionPatient = [x, float(y + shift), z]
    return slices


def bad_series():
    """Slices, and what is wrong with them. Slice i is in file `names[i]`."""
    good = make_slices(hu())
    place = good[2].ImagePositionPatient
    yield (
        without(good, 2),
        r"a slice every 5 mm. Received: none between {1} at 35.00 mm and {2} at "
        r"45.00 mm, where 1 is missing",
    )
    yield without(good, 2, 3), "none between .* where 2 are missing"
    # As of an animal, where the distance is that of rounded positions elsewhere.
    thin = without(make_slices(hu(), gap=0.1), 2)
    yield thin, "every 0.1 mm. Received: none between {1} .* where 1 is missing"
    yield (
        [*good, *make_slices(hu((1, 8, 10)), origin=place)],
        "at each position. Received: 2 at 40.00 mm, .*7 slices at 6 positions",
    )
    yield [*good, *good], "one slice at each position.*12 slices at 6 positions"
    yield (
        changed(good, 5, ImagePositionPatient=[-10, -20, 57.5]),
        "equal distances. Received: 5 mm for most, 7.5 mm between .* dcm2niix",
    )
    yield tilted(make_slices(hu()), 15), r"a gantry tilt of 15.0 degrees.* dcm2niix"
    yield (
        changed(good, 2, ImagePositionPatient=[-10, -15, 40]),
        "above each other. Received: {2}, 5.00 mm beside",
    )
    yield (
        [*without(good, 5), *make_slices(hu((1, 8, 12)), origin=(-10, -20, 55))],
        r"one size. Received: \[8, 10\] rows x columns for most, \[8, 12\] in {5}\.",
    )
    yield (
        changed(good, 4, PixelSpacing=[0.5, 0.7]),
        r"pixel spacing. Received: \[0.5, 0.75\] mm for most, \[0.5, 0.7\] in {4}\.",
    )
    yield (
        changed(good, 4, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
        r"one direction. Received: .* in {4}\. Move",
    )
    yield (
        make_slices(hu(), ImageOrientationPatient=[1, 0, 0, 0.5, 0.9, 0]),
        "at right angles. Received",
    )
    yield (
        make_slices(hu(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "000.dcm, 001.dcm, 002.dcm and 3 more, which the scanner marks as localizer",
    )
    yield good[:1], "a volume, at least 2. Received: 1.*with size, this one has shape"
    yield (
        changed(good, 3, RescaleSlope=None, RescaleIntercept=None),
        "in all slices or in none. Received: none in {3}, and in 5 slices",
    )
    # Older files of many frames say where the first one lies.
    for several in (1, 3):
        older = make_slices(hu((several, 8, 10)), NumberOfFrames=24)
        yield older, r"of one slice.*: \d+\.dcm, with 24 frames without places"
    radiograph = make_dicom(np.zeros((8, 10), np.uint16), SeriesInstanceUID="1.2.3.4")
    yield [*good, radiograph], "with ImagePositionPatient.* Received: {6} without"
    yield [radiograph], r"a volume.*\(modality \w+\), without.*with size, this one has"
    colour = make_dicom(np.zeros((8, 10, 3), np.uint8), photometric="RGB")
    for key in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        setattr(colour, key, getattr(good[2], key))
    colour.SeriesInstanceUID = "1.2.3.4"
    yield [*good[:2], colour, *good[3:]], "{2}: expected one measured value.*colour"


@pytest.mark.parametrize("case", range(len(list(bad_series()))))
def test_slices_that_are_no_volume(tmp_path, case):
    slices, message = list(bad_series())[case]
    paths = write_slices(tmp_path, slices)
    message = message.format(*[path.name for path in paths])
    with pytest.raises(DataError, match=message) as error:
        read_series(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}")
    assert str(error.value).count(str(tmp_path)) == 1


def test_rounded_positions_and_a_slight_tilt_are_no_fault(tmp_path):
    slices = tilted(make_slices(hu((9, 8, 10)), gap=0.625), 0)
    for one in slices:
        place = np.array(one.ImagePositionPatient, float)
        one.ImagePositionPatient = place.round(1).tolist()
    write_slices(tmp_path, slices)
    assert read_series(tmp_path).spacing_mm[2] == pytest.approx(0.625, abs=0.02)
    write_slices(tmp_path / "tilted", tilted(make_slices(hu()), 0.5))
    found = read_series(tmp_path / "tilted")
    # The affine follows the slices.
    top = found.affine @ [0, 0, 5, 1]
    shift = 25 * np.tan(np.deg2rad(0.5))
    np.testing.assert_allclose(top[:3], [10, 20 - shift, 55], atol=1e-4)
