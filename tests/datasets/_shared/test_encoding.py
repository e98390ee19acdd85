"""Parallel decoding, segmenting and cropping: the same results, bounded memory."""

import itertools
import threading
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_series import make_slices, write_slices

from mdmt_tf.datasets._shared import encoding
from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import crop, dicom, isolation
from mdmt_tf.imaging.lungs import network, segment_lungs
from mdmt_tf.imaging.preprocess import Preprocessing
from mdmt_tf.phantoms.chest import radiograph

LUNGS, FULL = Preprocessing("lungs", 64), Preprocessing("full", 64)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Seven chests, no chest, and no image."""
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for number in range(7):
        rng = np.random.default_rng([11, number])
        drawn = radiograph.render(rng, rng.integers(0, 3, 6).tolist(), matrix=200)
        pixels = crop.to_uint8(np.clip(drawn.pixels, 0, 1))
        paths.append(folder / f"{number}.png")
        cv2.imwrite(str(paths[-1]), pixels)
    blank = folder / "blank.png"
    # Nearly of one grey value, so it has no lungs.
    cv2.imwrite(str(blank), np.tile(np.linspace(90, 100, 70).astype(np.uint8), (50, 1)))
    damaged = folder / "damaged.png"
    damaged.write_bytes(paths[0].read_bytes()[:400])
    return [*paths[:3], damaged, *paths[3:], blank]


def prepare(files, preprocessing):
    return list(encoding.process(files, Path, preprocessing, lambda item, image: image))


def test_each_image_is_what_the_steps_make_of_it_alone(files):
    for path, cropped in prepare(files, LUNGS):
        if path.stem == "damaged":
            assert isinstance(cropped, DataError)
            continue
        image = dicom.read_image(path)
        np.testing.assert_array_equal(cropped.original, image)
        (mask,) = segment_lungs([image])
        assert np.mean(cropped.mask != mask) < 1e-3  # the last digit of the logits
        assert (cropped.box, cropped.box_source) == crop.lung_box(cropped.mask)
        y0, x0, y1, x1 = cropped.box
        expected = crop.to_uint8(crop.resize(image[y0:y1, x0:x1], 64))
        np.testing.assert_array_equal(cropped.pixels, expected)
        decoded = cv2.imdecode(np.frombuffer(cropped.png(), np.uint8), -1)
        np.testing.assert_array_equal(decoded, expected)


def test_ct_slices_have_the_window_of_the_preprocessing(tmp_path, files):
    hu = np.tile(np.arange(-200, 312, 16, dtype=np.float32), (16, 1))
    slices = [*make_slices(hu[np.newaxis], WindowCenter=900, WindowWidth=1)]
    (path,) = write_slices(tmp_path, slices)
    results = dict(prepare([path, files[0]], Preprocessing("full", 16, (-100, 300))))
    expected = np.clip((hu + 100) / 400, 0, 1)
    np.testing.assert_allclose(results[path].original, expected, atol=1e-6)
    # Two columns become one.
    expected = expected.reshape(16, 16, 2).mean(axis=-1)
    np.testing.assert_allclose(results[path].pixels / 255, expected, atol=0.51 / 255)
    assert results[path].box_source == "whole"
    assert isinstance(results[files[0]], DataError)  # a PNG file has no HU
    assert "expected a DICOM file in Hounsfield units" in str(results[files[0]])


def test_items_come_back_in_order_with_their_own_results(files):
    for preprocessing in (LUNGS, FULL):
        assert [path for path, _ in prepare(files, preprocessing)] == files


def test_where_the_box_comes_from(files):
    sources = {
        path.stem: getattr(c, "box_source", None) for path, c in prepare(files, LUNGS)
    }
    assert sources.pop("damaged") is None
    assert sources.pop("blank") == "whole: no lungs"
    assert set(sources.values()) == {"lungs"}


def test_the_whole_image(files):
    for path, cropped in prepare(files, FULL):
        if path.stem != "damaged":
            assert cropped.mask is None
            assert cropped.box == (0, 0, *cropped.original.shape)
            assert cropped.box_source == "whole"


def test_the_network_sees_batches_of_one_size(files, monkeypatch):
    shapes = set()

    def predict(inputs):
        shapes.add(inputs.shape)
        return np.zeros((len(inputs), 128, 128, 3), np.float32)

    monkeypatch.setattr(network, "predict", predict)
    prepare(files, LUNGS)
    assert len(shapes) == 1


def test_no_network_where_no_lungs_are_requested(files, monkeypatch):
    monkeypatch.setattr(network, "predict", None)
    assert len(prepare(files, FULL)) == len(files)


def test_decoding_runs_ahead_by_a_bounded_number(monkeypatch):
    started, lock = itertools.count(1), threading.Lock()
    highest = 0

    def decode(path, preprocessing, is_segmented):
        nonlocal highest
        with lock:
            highest = next(started)
        return DataError(str(path))

    monkeypatch.setattr(encoding, "_decode", decode)
    results = encoding.process(range(300), str, FULL, None)
    for consumed, (item, _) in enumerate(results):
        assert item == consumed
        assert highest - consumed <= (encoding._BATCHES_AHEAD + 1) * encoding._BATCH
    assert consumed == 299


def test_it_stops_when_the_consumer_does(monkeypatch):
    called = []
    monkeypatch.setattr(
        encoding, "_decode", lambda path, *_: called.append(path) or DataError("x")
    )
    results = encoding.process(range(300), str, FULL, None)
    next(results)
    results.close()
    assert len(called) < 50
    alive = [thread.name for thread in threading.enumerate()]
    assert not [name for name in alive if name.startswith(("decode", "segment"))]


def test_a_fault_of_the_program_is_not_taken_for_a_bad_file(files):
    def fail(item, cropped):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(encoding.process(files[:1], Path, FULL, fail))


@pytest.fixture
def doubtful(monkeypatch):
    """Each image is read with a warning that names it, in a thread of its own."""

    def read(path, preprocessing):
        warnings.warn(f"{path}: odd", DataWarning, stacklevel=2)
        return np.zeros((8, 8))

    monkeypatch.setattr(encoding, "read_file", read)


@pytest.mark.filterwarnings("ignore::mdmt_tf.errors.DataWarning")
def test_warnings_come_with_their_image(doubtful):
    came = []
    results = encoding.process(
        range(9),
        str,
        FULL,
        lambda item, image: item,
        warned=lambda item, doubts: came.append((item, *map(str, doubts))),
    )
    for item, _ in results:
        assert came.pop() == (item, f"{item}: odd")
        assert not came


def test_warnings_that_nobody_takes_are_shown(doubtful):
    with pytest.warns(DataWarning) as shown:
        list(encoding.process(range(3), str, FULL, lambda item, image: item))
    texts = [str(warning.message) for warning in shown]
    assert [texts.count(f"{item}: odd") for item in range(3)] == [2, 2, 2]


def test_an_image_on_which_nothing_is_visible_is_rejected(tmp_path):
    path = tmp_path / "constant.png"
    cv2.imwrite(str(path), np.full((50, 70), 90, np.uint8))
    ((_, error),) = prepare([path], FULL)
    assert isinstance(error, DataError)
    assert str(error).startswith(f"{path}: expected an image on which something")


CRASHES = """
import os, cv2

decode = cv2.imdecode

def crash(data, flags):
    if b"ABORT" in bytes(data):
        os.abort()
    return decode(data, flags)

cv2.imdecode = crash
"""


def test_a_decoder_that_crashes_costs_its_file_alone(files, tmp_path, monkeypatch):
    """The processes that decode get a decoder that crashes for marked files."""
    (tmp_path / "sitecustomize.py").write_text(CRASHES)
    monkeypatch.syspath_prepend(tmp_path)
    isolation._workers.stop()
    paths = []
    good = files[0].read_bytes()
    for number, mark in enumerate(["", "ABORT", "", ""]):
        paths.append(tmp_path / f"{number}{mark}.png")
        paths[-1].write_bytes(good + mark.encode())
    try:
        results = list(encoding.process(paths, Path, FULL, lambda _, image: image))
    finally:
        isolation._workers.stop()
    assert [path for path, _ in results] == paths
    for path, result in results:
        if path.name.startswith("1"):
            text = f"{path}: the decoder crashed (SIGABRT"
            assert str(result).startswith(text)
        else:
            assert result.pixels.shape == (FULL.size, FULL.size)
