import io

import numpy as np
import pytest
from matplotlib.image import imread

from mdmt_tf.saliency import overlays


def pixels(png):
    assert png.startswith(b"\x89PNG")
    return imread(io.BytesIO(png))[..., :3]


def coloured(picture):
    """Bool: where the picture is clearly not grey, colour bar left out."""
    height, width = picture.shape[:2]
    spread = picture.max(axis=-1) - picture.min(axis=-1)
    return (spread > 0.2)[: int(0.95 * height), : int(0.85 * width)]


def test_only_what_is_salient_is_coloured():
    image = np.full((40, 40), 0.5)
    saliency = np.zeros((40, 40))
    assert not coloured(pixels(overlays.draw(image, saliency, "t"))).any()
    saliency[30:38, 2:10] = 1  # below, left
    found = coloured(pixels(overlays.draw(image, saliency, "t")))
    ys, xs = np.nonzero(found)
    assert ys.min() > 0.6 * len(found)
    # In the second picture, which begins in the middle.
    assert 0.45 * found.shape[1] < xs.min() < xs.max() < 0.75 * found.shape[1]


@pytest.mark.parametrize("shape", [(40, 40), (6, 40, 40)])
@pytest.mark.parametrize("signed", [True, False])
def test_a_map_that_is_zero_is_said_to_be_so(shape, signed):
    """Without it the second picture would be that of a map, and have a scale."""
    image = np.full(shape, 0.5)
    zero = np.zeros(shape)
    words = {"signed": signed, "if_zero": "Nothing is here."}
    picture = pixels(overlays.draw(image, zero, "t", **words))
    other = pixels(overlays.draw(image, zero, "t", signed=signed, if_zero=""))
    assert not np.array_equal(picture, other)
    # No colour anywhere, as a scale would have.
    spread = picture.max(axis=-1) - picture.min(axis=-1)
    assert spread.max() < 0.2
    if len(shape) == 2:
        changed = np.nonzero((picture != other).any(axis=(0, 2)))[0]
        assert picture.shape == other.shape
        # In the second picture, white around the words.
        assert changed.min() > 0.45 * picture.shape[1]
        row = picture[picture.shape[0] // 5, int(0.5 * picture.shape[1]) :]
        assert row.min() > 0.95


def test_the_sign_is_seen_where_there_is_one():
    image = np.full((40, 40), 0.5)
    saliency = np.zeros((40, 40))
    saliency[5:15], saliency[25:35] = 1, -1
    for signed in (True, False):
        picture = pixels(overlays.draw(image, saliency, "t", signed=signed))
        found = coloured(picture)
        red = picture[..., 0][: found.shape[0], : found.shape[1]]
        blue = picture[..., 2][: found.shape[0], : found.shape[1]]
        warm, cold = found & (red > blue), found & (blue > red)
        assert warm.any() and cold.any() == signed
        if signed:
            assert np.nonzero(warm)[0].max() < np.nonzero(cold)[0].min()


def test_the_side_of_the_patient_is_written_into_a_slice():
    volume = np.zeros((4, 20, 20))
    plain = pixels(overlays.draw(volume, volume, "t"))
    with_side = pixels(overlays.draw(volume, volume, "t", left="A"))
    changed = np.argwhere((plain != with_side).any(axis=-1))
    height, width = plain.shape[:2]
    assert 0 < len(changed) < 0.01 * height * width
    assert (changed < [height, 0.1 * width]).all()


def test_a_volume_is_a_montage_of_the_slices_that_show_something():
    volume = np.zeros((60, 20, 20))
    volume[20:50, 5:15, 5:15] = 0.5
    strength = np.zeros_like(volume)
    strength[33, 8, 8] = 1
    chosen = overlays.chosen_slices(volume, strength)
    assert len(chosen) == 15 and chosen == sorted(set(chosen))
    assert chosen[0] == 20 and chosen[-1] == 49 and 33 in chosen
    picture = pixels(overlays.draw(volume, strength, "a\nb", "note"))
    assert coloured(picture).any()
    assert overlays.chosen_slices(volume[:10], strength[:10]) == list(range(10))
    overlays.draw(volume[:1], strength[:1], "empty")


def test_rows_keep_their_height():
    volume = np.zeros((4, 30, 30))
    volume[:, 2:28, 2:28] = 0.5
    flat = pixels(overlays.draw(volume, 0 * volume, "t")).shape
    high = pixels(overlays.draw(volume, 0 * volume, "t", spacing=(5, 2, 1))).shape
    assert high[0] > 1.5 * flat[0] and high[1] == flat[1]


def test_strength_is_relative_to_the_strongest():
    values = np.array([[0.0, -2.0], [1.0, 4.0]])
    unsigned = overlays.relative_strength(values, signed=False)
    np.testing.assert_allclose(unsigned, [[0, 0], [0.25, 1]])
    many = np.linspace(-1, 1, 1001)
    many[500:510] = 1000  # a few pixels do not hide the rest
    signed = overlays.relative_strength(np.append(many, [1e6]), signed=True)
    assert signed.min() < 0 and signed.max() == 1
    assert not overlays.relative_strength(0 * values, signed=True).any()


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(4, 4\) and \(4, 5\)"):
        overlays.draw(np.zeros((4, 4)), np.zeros((4, 5)), "t")
