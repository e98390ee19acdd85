"""Letters and markers near the border of a radiograph."""

import cv2
import numpy as np

from mdmt_tf.imaging.burned_in import CORNERS, count_marks


def film():
    """A smooth grey picture with broad bright stripes, as ribs are."""
    y, x = np.mgrid[:256, :256]
    return (90 + 50 * np.sin(y / 12) + 0.2 * x).astype(np.uint8)


def test_a_film_without_marks_has_none():
    assert count_marks(film()).tolist() == [0, 0, 0, 0]


def test_letters_are_counted_in_their_corner():
    picture = film()
    cv2.putText(picture, "L", (220, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 2)
    cv2.putText(picture, "AP", (10, 240), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 2)
    found = dict(zip(CORNERS, count_marks(picture).tolist(), strict=True))
    assert found["top right"] == 1 and found["top left"] == 0
    # Letters that touch count once.
    assert found["bottom left"] in (1, 2) and found["bottom right"] == 0


def test_letters_in_the_middle_and_bright_areas_do_not_count():
    picture = film()
    cv2.putText(picture, "L", (120, 130), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 2)
    picture[:60, :60] = 255  # a collimator's edge, or a shoulder
    assert count_marks(picture).tolist() == [0, 0, 0, 0]
