"""Grey values of X-ray attenuation, by the device of a hospital or manufacturer."""

import dataclasses
import functools
import math

import cv2
import numpy as np

from mdmt_tf.phantoms.chest import display


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
    pose: scale of the errors of position and rotation.
    latitude: width of the display window relative to the range of the picture.
    gamma: exponent of the display curve; above 1 is darker.
    equalise: fraction of histogram equalisation in the display curve.
    local: clip limit of a local equalisation (CLAHE), 0 none.
    sharpen, sharpen_cm: strength and radius of the edge enhancement.
    grain_cm: size of the grains of the noise; 0 a pixel.
    grid: amplitude of the lines of a scatter grid, as a fraction of the range.
    shading: slope of the brightness across the film, as a fraction of the range.
    floor, ceiling: darkest and brightest grey value; photographs have less than 0 to 1.
    margin: probability of a margin in one grey around the picture.
    resolution: columns of the picture that was published, relative to those stored.
    jpeg: quality of the published JPEG, 0 none.
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
    pose: float = 1.0
    latitude: float = 1.15
    gamma: float = 1.0
    equalise: float = 0.0
    local: float = 0.0
    sharpen: float = 0.0
    sharpen_cm: float = 0.3
    grain_cm: float = 0.0
    grid: float = 0.0
    shading: float = 0.0
    floor: float = 0.0
    ceiling: float = 1.0
    margin: float = 0.0
    resolution: float = 1.0
    jpeg: int = 0
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


# Fields that are as in `Appearance()` without the ingredient.
_FIELDS = {
    "exposure": ("contrast", "brightness", "latitude", "gamma", "equalise", "local")
    + ("grid", "shading", "floor", "ceiling"),
    "noise": ("exposure", "grain_cm"),
    "detector": ("scatter", "blur_cm", "flatten", "sharpen", "sharpen_cm"),
    "pose": ("pose", "field_cm"),
    "storage": ("resolution", "jpeg"),
}
_OFF = {"collimation": {"border": 0.0, "margin": 0.0}, "text": {"marker": ""}}


def plain(appearance, recipe):
    """The appearance without the ingredients that the recipe leaves out."""
    changed, usual = {}, Appearance()
    for ingredient, fields in _FIELDS.items():
        if ingredient not in recipe:
            changed |= {name: getattr(usual, name) for name in fields}
    for ingredient, values in _OFF.items():
        if ingredient not in recipe:
            changed |= values
    return dataclasses.replace(appearance, **changed) if changed else appearance


def film_shape(appearance, matrix):
    """(rows, columns) of a site's pictures for a nominal number of columns."""
    columns = round(matrix * appearance.matrix)
    return round(columns * appearance.aspect), columns


def expose(attenuation, appearance, recipe, cm_per_px):
    """Simulate a site's device: from an attenuation map to a picture.

    signal = (1 - s) exp(-P) + s blur(exp(-P)), with s the fraction of scatter. Then
    follow quantum noise of variance signal / exposure, detector blur, logarithm,
    dynamic range control, edge enhancement, automatic windowing on the quantiles of the
    picture's middle and a display curve.

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
    signal = cv2.exp(-attenuation)
    scatter = _coarse_blur(signal, 3.5 / cm_per_px)
    scatter *= np.float32(appearance.scatter)
    signal *= np.float32(1 - appearance.scatter)
    signal += scatter
    if "noise" in recipe:
        exposure = appearance.exposure * np.exp(0.3 * jitter[0])
        grain = noise(
            recipe.rng("noise"), signal.shape, appearance.grain_cm / cm_per_px
        )
        grain *= cv2.sqrt(signal * np.float32(1 / exposure))
        signal += grain
    sigma = max(appearance.blur_cm / cm_per_px, 0.35)
    size = 2 * math.ceil(2.5 * sigma) + 1
    signal = cv2.GaussianBlur(signal, (size, size), sigma)
    np.maximum(signal, np.float32(1e-4), out=signal)
    picture = cv2.log(signal, dst=signal)
    np.negative(picture, out=picture)
    if appearance.flatten:
        flatten = np.float32(appearance.flatten * np.exp(0.15 * jitter[1]))
        coarse = _coarse_blur(picture, 3.0 / cm_per_px)
        coarse -= coarse.mean()
        coarse *= flatten
        picture -= coarse
    if appearance.sharpen:
        smooth = _coarse_blur(picture, appearance.sharpen_cm / cm_per_px)
        strength = appearance.sharpen
        picture = cv2.addWeighted(picture, 1.0 + strength, smooth, -strength, 0.0)
    return display.displayed(picture, appearance, jitter[2:])


@functools.cache
def _noise_bank(size):
    """White noise of unit variance, (size, size) float32, from a fixed seed."""
    return np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)


def noise(rng, shape, grain_px=0.0):
    """Noise of unit variance, float32, a random piece of one large noise field.

    Drawing it anew took 10 % of the time per image.

    Args:
        rng: numpy Generator, for the piece.
        shape: (rows, columns).
        grain_px: width of the grains, 0 for white noise.
    """
    bank = _noise_bank(1 << max(10, int(1.2 * max(shape)).bit_length()))
    top, left = (int(rng.integers(len(bank) - n)) for n in shape)
    flip = rng.integers(2, size=3)
    piece = bank[top : top + shape[0], left : left + shape[1]]
    piece = piece[:: 1 - 2 * flip[0], :: 1 - 2 * flip[1]]
    piece = piece * np.float32(1 - 2 * flip[2])
    if grain_px > 0.3:
        size = 2 * math.ceil(2.5 * grain_px) + 1
        piece = cv2.GaussianBlur(piece, (size, size), grain_px)
        piece *= np.float32(1.0 / max(piece.std(), 1e-6))
    return piece


def _coarse_blur(image, sigma_px):
    """Gaussian blur, computed on a smaller picture if it is wide."""
    rows, columns = image.shape
    factor = min(max(int(sigma_px / 1.6), 1), 8)
    size = (max(columns // factor, 1), max(rows // factor, 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma_px / factor, 0.3))
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)
