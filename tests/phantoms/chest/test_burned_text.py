"""Burned-in text: legible, at its place, cut at the border, and reproducible."""

import numpy as np
import pytest

from mdmt_tf.phantoms.chest import burned_text
from mdmt_tf.phantoms.chest.burned_text import GLYPHS, write


def page(rows=60, columns=80, grey=0.5):
    return np.full((rows, columns), grey, np.float32)


def changed(picture, grey=0.5):
    """Rows and columns that differ from the background."""
    return np.nonzero(np.abs(picture - grey) > 0.1)


def test_a_letter_is_as_high_as_asked_and_in_its_place():
    picture = page()
    write(picture, "L", (20, 10), 24, bold=0.1)
    rows, columns = changed(picture)
    assert abs(rows.min() - 10) <= 2 and abs(rows.max() - 34) <= 2
    assert abs(columns.min() - 20) <= 2 and columns.max() < 20 + 24
    # An L is dark ink at its left and its lower border only.
    assert picture[22, 20:23].max() > 0.9 and picture[20, 30] == 0.5
    assert picture[33:35, 24:32].max(axis=0).min() > 0.9


@pytest.mark.parametrize("character", [c for c in GLYPHS if c != " "])
def test_every_character_differs_from_every_other(character):
    def drawn(text):
        picture = page(40, 40, grey=0.0)
        write(picture, text, (8, 8), 20, bold=0.1)
        return picture

    this = drawn(character)
    assert this.max() > 0.9
    for other in GLYPHS:
        if other != character:
            assert np.abs(this - drawn(other)).sum() > 4


def test_black_on_a_white_box_and_a_ring():
    boxed, ringed = page(), page()
    write(boxed, "R", (30, 20), 16, value=0.0, box=1.0)
    assert boxed.min() < 0.1 and (boxed == 1.0).sum() > 100
    write(ringed, "R", (30, 20), 16, value=1.0, ring=True)
    rows, columns = changed(ringed)
    assert rows.max() - rows.min() > 20 and columns.max() - columns.min() > 20


def test_text_is_cut_at_the_border():
    for corner in ((-300, 5), (70, 50), (-5, -5), (500, 500)):
        picture = page()
        write(picture, "AB", corner, 20)
        assert picture.shape == (60, 80) and picture.min() >= 0.0


def burned(seed, picture=None):
    picture = page(384, 320) if picture is None else picture
    return burned_text.burn(picture, None, np.random.default_rng(seed))


def test_burning_is_reproducible_and_leaves_its_argument():
    picture = page(384, 320)
    first = burned(1, picture)
    np.testing.assert_array_equal(picture, 0.5)
    np.testing.assert_array_equal(first, burned(1))
    assert first.dtype == np.float32


def test_a_third_of_the_pictures_is_free_of_text_and_no_text_is_large():
    parts = np.array([(np.abs(burned(s) - 0.5) > 0.1).mean() for s in range(150)])
    assert 0.2 < (parts == 0).mean() < 0.6
    assert parts.max() < 0.15 and 0.0 < np.median(parts[parts > 0]) < 0.03
    small = [burned(seed, page(64, 50)) for seed in range(60)]
    assert all(np.isfinite(picture).all() for picture in small)


def test_a_ring_around_a_letter_of_a_pixel_is_drawn():
    picture = page(grey=0.0)
    write(picture, "R", (40, 30), 0.5, ring=True)
    rows, columns = changed(picture, grey=0.0)
    assert len(rows) and np.ptp(rows) < 6 and np.ptp(columns) < 6


@pytest.mark.parametrize("shape", [(40, 32), (64, 64), (78, 64)])
def test_small_pictures_take_all_texts(shape):
    """A detector may have fewer rows than the smallest `phantoms.matrix`, 64."""
    for seed in range(400):
        rng = np.random.default_rng(seed)
        for draw in (
            burned_text._panel,
            burned_text._side,
            burned_text._settings,
            burned_text._caption,
            burned_text._arrows,
            burned_text._scale_bar,
        ):
            picture = page(*shape)
            draw(picture, rng)
            assert np.isfinite(picture).all()
