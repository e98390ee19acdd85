"""Text burned into pictures: letters of panels, sides, settings, arrows, scale bars.

Pictures of radiographs in publications carry them. They are drawn independently of the
patient. OpenCV's fonts differ by release, so the strokes of the letters are here.
"""

import cv2
import numpy as np

# Strokes by pairs of digits (x, y) in a box 4 wide and 6 high; "|" lifts the pen.
_O = "10 30 41 45 36 16 05 01 10"
_P = "06 00 30 41 42 33 03"
GLYPHS = {
    "A": "06 20 46|14 34",
    "B": "03 33 42 41 30 00 06 36 45 44 33",
    "C": "41 30 10 01 05 16 36 45",
    "D": "00 06 26 45 41 20 00",
    "E": "40 00 06 46|03 33",
    "F": "40 00 06|03 33",
    "G": "41 30 10 01 05 16 36 45 43 23",
    "H": "00 06|40 46|03 43",
    "I": "20 26",
    "J": "40 45 36 16 05",
    "K": "00 06|40 03|13 46",
    "L": "00 06 46",
    "M": "06 00 23 40 46",
    "N": "06 00 46 40",
    "O": _O,
    "P": _P,
    "Q": f"{_O}|24 46",
    "R": f"{_P}|23 46",
    "S": "41 30 10 01 02 13 33 44 45 36 16 05",
    "T": "00 40|20 26",
    "U": "00 05 16 36 45 40",
    "V": "00 26 40",
    "W": "00 16 23 36 40",
    "X": "00 46|40 06",
    "Y": "00 23 40|23 26",
    "Z": "00 40 06 46",
    "0": f"{_O}|31 15",
    "1": "11 20 26|16 36",
    "2": "01 10 30 41 42 06 46",
    "3": "00 40 23 33 44 45 36 16 05",
    "4": "36 30 04 44",
    "5": "40 00 02 32 43 45 36 06",
    "6": "40 20 02 05 16 36 45 44 33 03",
    "7": "00 40 16",
    "8": "13 33 42 41 30 10 01 02 13 04 05 16 36 45 44 33",
    "9": "06 26 44 41 30 10 01 02 13 43",
    "a": "12 32 43 46 16 05 14 44",
    "b": "00 06 36 45 43 32 02",
    "c": "43 32 12 03 05 16 36 45",
    "d": "40 46 16 05 03 12 42",
    "y": "02 26|42 26 18",
    ".": "25 26",
    ":": "22 23|25 26",
    "/": "40 06",
    "-": "13 33",
    "(": "30 12 14 36",
    ")": "10 32 34 16",
    " ": "",
}
_WORDS = (
    "AP", "PA", "PORTABLE", "MOBILE", "SUPINE", "ERECT", "AP ERECT", "SITTING",
    "UPRIGHT", "AP SUPINE", "BEDSIDE", "SEMI ERECT", "CHEST", "LETTO", "WARD",
)  # fmt: skip


def burn(picture, appearance, rng):
    """Draw what a publication or a device writes into its pictures.

    Args:
        picture: float32 (rows, columns), 0 black to 1 white.
        appearance: `detector.Appearance`; not used, all devices alike.
        rng: numpy Generator.
    Returns: float32 picture; the argument if nothing is drawn.
    """
    del appearance
    chance = rng.random(6)
    picture = picture.copy()
    if chance[0] < 0.22:
        _panel(picture, rng)
    if chance[1] < 0.25:
        _side(picture, rng)
    if chance[2] < 0.25:
        _settings(picture, rng)
    if chance[3] < 0.05:
        _caption(picture, rng)
    if chance[4] < 0.05:
        _arrows(picture, rng)
    if chance[5] < 0.05:
        _scale_bar(picture, rng)
    return picture


def write(picture, text, corner, height, *, value=1.0, box=None, bold=0.16, ring=False):
    """Write a line of text into a picture, in place; what lies outside is cut.

    Args:
        picture: float32 (rows, columns).
        text: characters of `GLYPHS`.
        corner: (x, y) in pixels of the upper left corner.
        height: of a capital letter in pixels.
        value: grey value, 0 to 1.
        box: grey value of a filled box behind the text, or None.
        bold: width of the strokes relative to the height.
        ring: draw a circle around the text.
    """
    unit = height / 6.0
    advance = 5.6 * unit
    pad = 0.45 * height
    wide, high = advance * len(text) - 1.6 * unit + 2 * pad, height + 2 * pad
    if ring:
        pad += 0.5 * (max(wide, high) - high)
        wide = high = max(wide, high)
    size = int(np.ceil(wide)) + 1, int(np.ceil(high)) + 1
    layer = np.zeros((size[1], size[0]), np.uint8)
    width = max(1, round(bold * height))
    start = 0.5 * (wide - (advance * len(text) - 1.6 * unit))
    for place, character in enumerate(text):
        for stroke in filter(None, GLYPHS[character].split("|")):
            points = np.array([(int(p[0]), int(p[1])) for p in stroke.split()])
            points = points * unit + (start + place * advance, 0.5 * (high - height))
            points = np.rint(16 * points).astype(np.int32)
            cv2.polylines(layer, [points], False, 255, width, cv2.LINE_AA, 4)
    if ring:
        middle = int(8 * wide), int(8 * high)
        # A letter of one pixel leaves no room in its ring.
        radius = max(0, int(8 * wide - 16 * width))
        cv2.circle(layer, middle, radius, 255, width, cv2.LINE_AA, 4)
    _blend(picture, layer, np.rint(np.asarray(corner) - pad), value, box)


def _blend(picture, layer, corner, value, box=None):
    x, y = (int(c) for c in corner)
    rows, columns = picture.shape
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + layer.shape[0], rows), min(x + layer.shape[1], columns)
    if bottom <= top or right <= left:
        return
    alpha = layer[top - y : bottom - y, left - x : right - x] * np.float32(1 / 255)
    view = picture[top:bottom, left:right]
    if box is not None:
        view[:] = box
    view += (np.float32(value) - view) * alpha


def _ink(rng):
    """Grey value, and the box behind it (None: no box)."""
    white, boxed = rng.random() < 0.75, rng.random() < 0.3
    return (1.0, 0.0 if boxed else None) if white else (0.0, 1.0 if boxed else None)


def _panel(picture, rng):
    """A letter of a panel in a corner: A, b, (c), B2."""
    rows, columns = picture.shape
    letter = "ABCDEFabcd"[rng.integers(10)]
    form, ring = rng.random(2)
    text = (
        letter
        if form < 0.7
        else f"({letter})"
        if form < 0.82
        else f"{letter}{rng.integers(1, 5)}"
    )
    value, box = _ink(rng)
    height = rows * rng.uniform(0.025, 0.09)
    right, low = rng.random(2)
    x = 0.88 * columns if right < 0.15 else 0.03 * columns
    y = 0.86 * rows if low < 0.2 else 0.03 * rows
    corner = x + rng.uniform(0, 0.03) * columns, y + rng.uniform(0, 0.03) * rows
    write(
        picture, text, corner, height, value=value, box=box,
        bold=rng.uniform(0.1, 0.24), ring=ring < 0.12,
    )  # fmt: skip


def _side(picture, rng):
    """L on the image's right or R on its left, written and not of lead."""
    rows, columns = picture.shape
    left = rng.random() < 0.5
    x = columns * (rng.uniform(0.86, 0.94) if left else rng.uniform(0.02, 0.1))
    value, box = _ink(rng)
    height = rows * rng.uniform(0.018, 0.06)
    ring = box is None and rng.random() < 0.3
    write(
        picture, "L" if left else "R", (x, rows * rng.uniform(0.02, 0.35)), height,
        value=value, box=box, bold=rng.uniform(0.1, 0.22), ring=ring,
    )  # fmt: skip


def _settings(picture, rng):
    """One to three lines of small print in a corner."""
    rows, columns = picture.shape
    height = max(rows * rng.uniform(0.010, 0.022), 4.0)
    value = rng.uniform(0.65, 1.0)
    right, low = rng.random(2)
    x = columns * (rng.uniform(0.6, 0.85) if right < 0.6 else rng.uniform(0.02, 0.1))
    y = rows * (rng.uniform(0.88, 0.95) if low < 0.2 else rng.uniform(0.02, 0.12))
    for line in range(rng.integers(1, 4)):
        form = rng.random()
        text = _WORDS[rng.integers(len(_WORDS))]
        number = rng.integers(0, 60, 3)
        if form < 0.2:
            text = f"{number[0] % 24:02d}:{number[1]:02d}:{number[2]:02d}"
        elif form < 0.35:
            text = f"{number[0] % 28 + 1}.{number[1] % 12 + 1}.20{number[2]:02d}"
        elif form < 0.5:
            text = f"KV {60 + number[0]} MAS {number[1]}.{number[2] % 10}"
        corner = x, y + 1.9 * height * line
        write(picture, text, corner, height, value=value, bold=0.13)


def _caption(picture, rng):
    """The day of the illness, in the middle of the lower border."""
    rows, columns = picture.shape
    height = rows * rng.uniform(0.03, 0.06)
    day = rng.integers(1, 29)
    text = f"day {day}" if rng.random() < 0.7 else f"DAY {day}"
    x = 0.5 * columns - 0.45 * height * len(text)
    value = float(rng.random() < 0.5)
    write(picture, text, (x, 0.9 * rows), height, value=value, bold=0.13)


def _arrows(picture, rng):
    """Arrows that point at something, at nothing in particular."""
    rows, columns = picture.shape
    value = (0.0, 0.25, 1.0)[rng.integers(3)]
    length = rows * rng.uniform(0.04, 0.08)
    shape = np.array(
        [(0, 0), (-0.45, -0.32), (-0.45, -0.1), (-1, -0.1), (-1, 0.1), (-0.45, 0.1)]
        + [(-0.45, 0.32)]
    )
    for _ in range(rng.integers(1, 4)):
        tip = rng.uniform(0.15, 0.85, 2) * (columns, rows)
        angle = rng.uniform(0.0, 2 * np.pi)
        cos, sin = np.cos(angle), np.sin(angle)
        points = shape @ np.array([(cos, sin), (-sin, cos)]) * length
        low = np.floor(points.min(axis=0)) - 1
        size = np.ceil(points.max(axis=0) - low).astype(int) + 2
        layer = np.zeros((size[1], size[0]), np.uint8)
        points = np.rint(16 * (points - low)).astype(np.int32)
        cv2.fillPoly(layer, [points], 255, cv2.LINE_AA, 4)
        _blend(picture, layer, np.rint(tip + low), value)


def _scale_bar(picture, rng):
    """A ruler at the right or the lower border."""
    rows, columns = picture.shape
    length = 0.2 * rows
    ticks = np.linspace(0.0, length, 6)
    layer = np.zeros((int(length) + 3, 9), np.uint8)
    layer[:, 4] = 255
    layer[np.rint(ticks).astype(int)] = 255
    if rng.random() < 0.5:
        corner = 0.95 * columns, rng.uniform(0.2, 0.6) * rows
    else:
        layer, corner = layer.T, (rng.uniform(0.3, 0.6) * columns, 0.96 * rows)
    _blend(picture, layer, corner, rng.uniform(0.6, 1.0))
