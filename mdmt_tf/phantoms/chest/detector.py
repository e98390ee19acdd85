"""Grey values of X-ray attenuation, by the device of a hospital or manufacturer."""

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Appearance:
    """Appearance and storage format of the radiographs of one site.

    exposure: X-ray quanta per pixel in air; fewer quanta give more noise.
    scatter: fraction of the signal that is scattered radiation.
    blur_cm: spread of the detector.
    flatten: fraction of the coarse brightness that is removed (dynamic range control).
    contrast: slope of the display curve at its middle, 1 (linear) to 1.5.
    brightness: shift of the display, as a fraction of its range.
    field_cm: width of the exposed field.
    aspect: rows / columns.
    matrix: columns relative to the requested number.
    border: probability that the collimator's blades are in the picture.
    marker: "L" or "R", the lead letter next to that shoulder, or "".
    ap: fraction of bedside (AP) radiographs.
    monochrome1: fraction stored with 0 = white.
    bits: bits stored.
    modality: "CR" or "DX".
    voi: how the display range is stored: "none" (full range), "window", "sigmoid",
        "lut".
    rescale: slope and intercept of the modality rescale.
    compressed: fraction of files compressed with RLE Lossless.
    """

    exposure: float = 9e4
    scatter: float = 0.32
    blur_cm: float = 0.05
    flatten: float = 0.25
    contrast: float = 1.25
    brightness: float = 0.0
    field_cm: float = 32.5
    aspect: float = 1.0
    matrix: float = 1.0
    border: float = 0.1
    marker: str = "L"
    ap: float = 0.5
    monochrome1: float = 0.0
    bits: int = 12
    modality: str = "DX"
    voi: str = "none"
    rescale: tuple[float, float] = (1.0, 0.0)
    compressed: float = 0.0


HOSPITALS = {
    "A": Appearance(modality="CR", monochrome1=0.3, marker="L", voi="window", ap=0.4),
    "B": Appearance(
        exposure=2.5e4, contrast=1.5, flatten=0.45, aspect=0.82, matrix=0.92,
        modality="CR", bits=10, marker="R", ap=0.8, border=0.5, brightness=-0.04,
    ),
    "C": Appearance(
        exposure=2e5, blur_cm=0.03, flatten=0.12, contrast=1.05, aspect=1.18,
        voi="sigmoid", ap=0.15, bits=14, brightness=0.05, matrix=1.0, field_cm=32.0,
    ),
    "D": Appearance(
        scatter=0.5, flatten=0.55, contrast=1.45, monochrome1=1.0, compressed=0.5,
        modality="CR", rescale=(0.5, -100.0), voi="window", ap=0.6, field_cm=35.0,
    ),
    "E": Appearance(
        exposure=1.2e4, blur_cm=0.11, bits=8, contrast=1.15, brightness=0.09, ap=0.9,
        modality="CR", border=0.35, aspect=0.85, marker="R", flatten=0.3, matrix=0.85,
    ),
    "F": Appearance(
        monochrome1=0.15, voi="window", aspect=1.0, ap=0.5, flatten=0.35, contrast=1.3,
        compressed=0.25,
    ),
}  # fmt: skip

MANUFACTURERS = {
    "Siemens": Appearance(modality="CR", voi="window", ap=0.5, aspect=1.15),
    "Agfa": Appearance(
        modality="CR", monochrome1=1.0, flatten=0.5, contrast=1.5, aspect=0.82, ap=0.8,
        voi="lut",
    ),
    "Agfa-Gevaert": Appearance(
        modality="CR", monochrome1=0.5, flatten=0.45, contrast=1.4, ap=0.8,
        exposure=4e4, voi="sigmoid",
    ),
    "Carestream Health": Appearance(
        modality="DX", monochrome1=0.3, flatten=0.3, aspect=0.85, compressed=0.3,
        ap=0.7,
    ),
    "Villa Sistemi Medicali": Appearance(
        modality="DX", contrast=1.1, brightness=0.05, field_cm=35.0, voi="window",
        ap=0.3,
    ),
    "Kodak": Appearance(
        modality="CR", exposure=2e4, blur_cm=0.09, scatter=0.45, bits=12, marker="R",
        monochrome1=0.5,
    ),
    "Fujifilm Corporation": Appearance(
        modality="CR", bits=10, flatten=0.15, contrast=1.15, monochrome1=1.0,
        aspect=1.2, border=0.4,
    ),
    "Digitec": Appearance(
        modality="DX", bits=14, exposure=1.5e5, border=0.6, voi="window",
        rescale=(1.0, -1024.0), ap=0.2,
    ),
}  # fmt: skip

# One device for all sites, and another one: noisier, blurred and processed more.
ONE_DEVICE = Appearance()
OTHER_DEVICE = Appearance(
    exposure=1e4, scatter=0.5, blur_cm=0.12, flatten=0.55, contrast=1.5,
    brightness=-0.05, field_cm=35.0, modality="CR", marker="R", bits=10,
)  # fmt: skip


MAX_CONTRAST = 1.5


# What the fields are without the ingredient; those not named keep their value.
_PLAIN = {
    "exposure": {"contrast": 1.25, "brightness": 0.0},
    "detector": {"scatter": 0.32, "blur_cm": 0.05, "flatten": 0.25},
    "collimation": {"border": 0.0},
    "text": {"marker": ""},
}


def plain(appearance, recipe):
    """The appearance without the ingredients that the recipe leaves out."""
    for ingredient, fields in _PLAIN.items():
        if ingredient not in recipe:
            appearance = dataclasses.replace(appearance, **fields)
    return appearance


def film_shape(appearance, matrix):
    """(rows, columns) of a site's pictures for a nominal number of columns."""
    columns = round(matrix * appearance.matrix)
    return round(columns * appearance.aspect), columns


def expose(attenuation, appearance, recipe, cm_per_px):
    """Simulate a site's device: from an attenuation map to a picture.

    signal = (1 - s) exp(-P) + s blur(exp(-P)), with s the fraction of scatter. Then
    follow quantum noise of variance signal / exposure, detector blur, logarithm,
    dynamic range control, automatic windowing on the quantiles of the picture's middle
    and an S-shaped display curve.

    Args:
        attenuation: float32 (rows, columns), line integrals P >= 0.
        appearance: `Appearance`.
        recipe: `ingredients.Recipe`; noise and the jitter of exposure and windowing.
        cm_per_px: pixel size.
    Returns: float32 (rows, columns), 0 black (air) to 1 white, not clipped: devices
        store a little more than their display window at both ends.
    """
    jitter = recipe.rng("exposure").normal(0.0, 1.0, 5) * ("exposure" in recipe)
    jitter = np.clip(jitter, -2.5, 2.5)
    exposure = appearance.exposure * np.exp(0.3 * jitter[0])
    primary = cv2.exp(-attenuation)
    scatter = _coarse_blur(primary, 3.5 / cm_per_px)
    signal = np.float32(1 - appearance.scatter) * primary
    signal += np.float32(appearance.scatter) * scatter
    if "noise" in recipe:
        grain = _noise(recipe.rng("noise"), signal.shape)
        signal += grain * cv2.sqrt(signal * np.float32(1 / exposure))
    signal = cv2.GaussianBlur(signal, (0, 0), max(appearance.blur_cm / cm_per_px, 0.35))
    picture = -cv2.log(np.maximum(signal, np.float32(1e-4), out=signal))
    if appearance.flatten:
        flatten = np.float32(appearance.flatten * np.exp(0.15 * jitter[1]))
        coarse = _coarse_blur(picture, 3.0 / cm_per_px)
        picture -= flatten * (coarse - coarse.mean())
    rows, columns = picture.shape
    chest = picture[rows // 8 : -rows // 5 : 6, columns // 8 : -columns // 8 : 6]
    air, bone = np.quantile(chest, [0.02, 0.995])
    # The minimum span keeps a chest without air partly white.
    span = max(1.15 * (bone - air), 2.2) * np.exp(0.06 * jitter[2])
    low = bone + 0.15 - span
    shift = appearance.brightness + 0.025 * jitter[3]
    picture = (picture - np.float32(low)) * np.float32(1.0 / span) + np.float32(shift)
    contrast = appearance.contrast * np.exp(0.08 * jitter[4])
    return display_curve(picture, min(contrast, MAX_CONTRAST))


def _noise(rng, shape):
    """White noise of unit variance: the sum of four bytes, close to normal.

    This is four times faster than `standard_normal`, which took 10 % of the time per
    image.
    """
    count = shape[0] * shape[1]
    draws = np.frombuffer(rng.bytes(4 * count), np.uint8).reshape(4, *shape)
    total = draws[0].astype(np.uint16) + draws[1] + draws[2] + draws[3]
    # Variance of a uniform byte: (256^2 - 1) / 12.
    std = (4 * (256**2 - 1) / 12) ** 0.5
    return (total.astype(np.float32) - np.float32(510.0)) * np.float32(1 / std)


def display_curve(picture, contrast):
    """S-curve through (0, 0), (0.5, 0.5), (1, 1) with slope `contrast` at the middle.

    y = x + 2 (contrast - 1) x (1 - x) (2 x - 1) inside [0, 1], linear outside. The
    curve is increasing up to a contrast of 1.5.
    """
    inside = np.clip(picture, 0.0, 1.0)
    change = inside * (1.0 - inside)
    change *= inside - np.float32(0.5)
    change *= np.float32(4.0 * (contrast - 1.0))
    return picture + change


def _coarse_blur(image, sigma_px):
    """Wide Gaussian blur, computed on an eight times smaller picture."""
    rows, columns = image.shape
    size = (max(columns // 8, 1), max(rows // 8, 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma_px / 8, 0.3))
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)


def finish(picture, appearance, recipe):
    """The picture with the collimator's blades and the lead letter."""
    rng = recipe.rng("collimation")
    if rng.random() < appearance.border:
        picture = collimate(picture, rng)
    rng = recipe.rng("text")
    if appearance.marker and rng.random() < 0.8:
        picture = letter(picture, appearance.marker, rng)
    return picture


def collimate(picture, rng):
    """Draw the collimator's blades into the picture: black, slightly slanted.

    Returns: float32 (rows, columns), with up to 3 % black at each border.
    """
    rows, columns = picture.shape
    inset = rng.uniform(0.0, 0.03, (4, 2)) * np.array([columns, rows])
    corners = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], float)
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    shutter = np.zeros(picture.shape, np.uint8)
    cv2.fillPoly(shutter, [np.rint(corners + inward * inset).astype(np.int32)], 255)
    return np.where(shutter > 0, picture, np.float32(0.0))


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
    layer = np.zeros(picture.shape, np.uint8)
    for stroke in _LETTERS[text]:
        points = np.rint(16 * (size * np.array(stroke) + corner)).astype(np.int32)
        width = max(1, round(0.2 * size))
        cv2.polylines(layer, [points], False, 255, width, cv2.LINE_AA, 4)
    return np.maximum(picture, layer * np.float32(1.05 / 255))
