"""Blades, margins, letters and what publication costs a picture."""

import numpy as np
import pytest

from mdmt_tf.phantoms.chest import borders, detector

LUNGS = np.zeros((200, 300), np.uint8)
LUNGS[40:180, 20:270] = 1
FREE = [20, 40, 30, 20]  # left, top, right, bottom


def test_free_space_is_what_lies_beside_the_lungs():
    assert borders.free_space(LUNGS).tolist() == FREE
    assert borders.free_space(LUNGS * 0).tolist() == [75, 50, 75, 50]


@pytest.mark.parametrize("cover", [borders.collimate, borders.framed])
def test_blades_and_margins_leave_the_lungs_free(cover):
    picture = np.full(LUNGS.shape, 0.3, np.float32)
    changed = 0
    for seed in range(20):
        covered = cover(picture, np.random.default_rng(seed), np.array(FREE))
        assert (covered[LUNGS > 0] == picture[LUNGS > 0]).all()
        outside = covered[covered != picture]
        assert np.unique(outside).size <= 1  # one grey
        changed += outside.size > 0
    assert changed > 15
    assert (picture == np.float32(0.3)).all()


def test_a_published_picture_has_fewer_details():
    noise = np.random.default_rng(0).random((64, 80), dtype=np.float32)
    assert borders.store(noise, detector.Appearance()) is noise
    half = borders.store(noise, detector.Appearance(resolution=0.5))
    assert half.shape == noise.shape
    assert half.mean() == pytest.approx(noise.mean(), abs=0.01)
    # The mean of four independent pixels has half the std; interpolation takes more.
    assert half.std() < 0.5 * noise.std()


def test_jpeg_keeps_the_picture_and_costs_accuracy():
    ramp = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (64, 1))
    ramp += np.float32(0.1) * np.random.default_rng(0).random(ramp.shape) - 0.05
    seen = np.clip(ramp, 0, 1)
    error = [
        np.abs(borders.store(ramp, detector.Appearance(jpeg=q)) - seen).mean()
        for q in (10, 95)
    ]
    assert error[1] < 0.01 < error[0] < 0.1


@pytest.mark.parametrize(("text", "right"), [("L", True), ("R", False)])
def test_letter_lies_on_its_side(text, right):
    dark = np.zeros((200, 200), np.float32)
    for seed in range(5):
        lead = borders.letter(dark, text, np.random.default_rng(seed))
        columns = np.nonzero(lead.any(axis=0))[0]
        assert (columns > 150).all() if right else (columns < 50).all()
        assert 20 < (lead > 0.5).sum() < 400
