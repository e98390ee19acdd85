"""What is drawn over a synthetic radiograph, and what its way to the file costs."""

import cv2
import numpy as np


def finish(picture, appearance, recipe, lungs):
    """The picture with shading, local equalisation, blades and the lead letter.

    Args:
        picture: float32 (rows, columns), as `detector.expose` returns it.
        appearance: `detector.Appearance`.
        recipe: `ingredients.Recipe`.
        lungs: uint8 (rows, columns); blades and margins do not cover them.
    Returns: float32 (rows, columns).
    """
    if appearance.shading or appearance.grid:
        picture = _uneven(picture, appearance, recipe.rng("shading"))
    if appearance.local:
        picture = _locally_equalised(picture, appearance.local)
    rng = recipe.rng("collimation")
    blades, margin = rng.random(2) < (appearance.border, appearance.margin)
    if blades:
        picture = collimate(picture, rng, free_space(lungs))
    rng = recipe.rng("text")
    if appearance.marker and rng.random() < 0.8:
        picture = letter(picture, appearance.marker, rng)
    if margin:
        picture = framed(picture, recipe.rng("margin"), free_space(lungs))
    return picture


def store(picture, appearance):
    """The picture after it was published: with fewer pixels and as a JPEG."""
    rows, columns = picture.shape
    if appearance.resolution < 1.0:
        size = (round(columns * appearance.resolution),)
        size += (round(rows * appearance.resolution),)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)
    if appearance.jpeg:
        grey = np.rint(255 * np.clip(picture, 0.0, 1.0)).astype(np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(appearance.jpeg)]
        encoded = cv2.imencode(".jpg", grey, quality)[1]
        grey = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
        picture = grey * np.float32(1 / 255)
    return picture


def _uneven(picture, appearance, rng):
    """Brightness that changes across the film, and the lines of a scatter grid."""
    rows, columns = picture.shape
    slope = rng.uniform(-appearance.shading, appearance.shading, 2).astype(np.float32)
    period = rng.uniform(2.1, 4.0)
    across = slope[0] * np.linspace(-0.5, 0.5, columns, dtype=np.float32)
    if appearance.grid:
        wave = np.sin(np.arange(columns, dtype=np.float32) * (2 * np.pi / period))
        across = across + np.float32(appearance.grid) * wave
    picture = picture + across
    picture += slope[1] * np.linspace(-0.5, 0.5, rows, dtype=np.float32)[:, None]
    return picture


def _locally_equalised(picture, limit):
    grey = np.rint(255 * np.clip(picture, 0.0, 1.0)).astype(np.uint8)
    return cv2.createCLAHE(limit, (4, 4)).apply(grey) * np.float32(1 / 255)


def free_space(lungs):
    """Pixels between the lungs and the film's borders: left, top, right, bottom."""
    rows, columns = lungs.shape
    left, top, width, height = cv2.boundingRect(lungs)
    if not width:
        return np.array([columns, rows, columns, rows]) / 4
    return np.array([left, top, columns - left - width, rows - top - height], float)


def collimate(picture, rng, free):
    """Draw the collimator's blades into the picture: black, slightly slanted.

    Args:
        picture: float32 (rows, columns).
        rng: numpy Generator.
        free: pixels at the left, top, right and bottom that may be covered.
    Returns: float32 (rows, columns), at most 12 % of it black at each border.
    """
    rows, columns = picture.shape
    most = np.minimum(free, 0.12 * np.array([columns, rows, columns, rows]))
    # Two numbers a border: how far each of its ends is moved inwards.
    ends = most[:, None] * (
        rng.uniform(0.0, 0.85, (4, 1)) + rng.uniform(0, 0.15, (4, 2))
    )
    (l0, l1), (t0, t1), (r0, r1), (b0, b1) = ends
    corners = [(l0, t0), (columns - r0, t1), (columns - r1, rows - b1), (l1, rows - b0)]
    shutter = np.zeros(picture.shape, np.uint8)
    cv2.fillPoly(shutter, [np.rint(corners).astype(np.int32)], 1)
    # Some devices show a little of what is behind the blades.
    behind = np.float32(rng.choice([0.0, 0.0, 0.02, 0.06]))
    return np.where(shutter > 0, picture, behind)


def framed(picture, rng, free):
    """Cover the borders in one grey, as pages and screens do; float32."""
    rows, columns = picture.shape
    most = np.minimum(free, 0.09 * np.array([columns, rows, columns, rows]))
    covered = rng.random(4) < 0.5
    left, top, right, bottom = (most * rng.random(4) * covered).astype(int).tolist()
    grey = np.float32(rng.choice([0.0, 0.0, 0.0, 1.0, 0.5]))
    framed = np.full(picture.shape, grey, np.float32)
    inside = slice(top, rows - bottom), slice(left, columns - right)
    framed[inside] = picture[inside]
    return framed


# Strokes of the lead letters, in a box of height 1. OpenCV's fonts differ by release.
_LETTERS = {
    "L": [[(0.0, 0.0), (0.0, 1.0), (0.55, 1.0)]],
    "R": [
        [(0.0, 1.0), (0.0, 0.0), (0.4, 0.0), (0.58, 0.12), (0.58, 0.38), (0.4, 0.5)],
        [(0.0, 0.5), (0.4, 0.5)],
        [(0.3, 0.5), (0.6, 1.0)],
    ],
}


def letter(picture, text, rng):
    """Draw a lead letter next to a shoulder: L on the image's right, R on its left.

    Args:
        picture: float32 (rows, columns).
        text: "L" or "R".
        rng: numpy Generator, for position and size.
    Returns: float32 picture.
    """
    rows, columns = picture.shape
    size = 0.045 * rows * rng.uniform(0.8, 1.2)
    left = 0.88 if text == "L" else 0.05
    corner = columns * (left + rng.uniform(0, 0.04)), rows * rng.uniform(0.06, 0.3)
    reach = int(1.5 * size)
    x, y = int(corner[0]), int(corner[1])
    view = picture[y : y + reach, x : x + reach]
    layer = np.zeros(view.shape, np.uint8)
    for stroke in _LETTERS[text]:
        points = size * np.array(stroke) + 0.2 * size
        points = np.rint(16 * points).astype(np.int32)
        width = max(1, round(0.2 * size))
        cv2.polylines(layer, [points], False, 255, width, cv2.LINE_AA, 4)
    picture = picture.copy()
    view = picture[y : y + reach, x : x + reach]
    np.maximum(view, layer * np.float32(1.05 / 255), out=view)
    return picture
