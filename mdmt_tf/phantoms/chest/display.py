"""The display of a radiograph: its window, and the curve from attenuation to grey."""

import numpy as np

MAX_CONTRAST = 1.5
# The curve is a table over these values; it ends half a range outside the window.
_GREYS = np.linspace(-0.5, 1.5, 4097, dtype=np.float32)


def displayed(picture, appearance, jitter):
    """Grey values of the automatic window and the display curve.

    Args:
        picture: float32 (rows, columns), logarithmic; changed in place.
        appearance: `detector.Appearance`.
        jitter: three standard normal numbers, of width, level and contrast.
    Returns: float32 (rows, columns), 0 black to 1 white, not clipped.
    """
    rows, columns = picture.shape
    chest = picture[rows // 8 : -rows // 5 : 6, columns // 8 : -columns // 8 : 6]
    chest = np.sort(chest, axis=None)
    air, bone = chest[int(0.02 * chest.size)], chest[int(0.995 * chest.size)]
    # The minimum span keeps a chest without air partly white.
    span = max(appearance.latitude * (bone - air), 2.2) * np.exp(0.06 * jitter[0])
    shift = appearance.brightness + 0.025 * jitter[1]
    # Grey = (attenuation - low) / span + shift, on a table of this curve.
    low = bone + 0.15 - span
    picture *= np.float32(1.0 / span)
    picture += np.float32(shift - low / span)
    contrast = min(appearance.contrast * np.exp(0.08 * jitter[2]), MAX_CONTRAST)
    table = display_curve(_GREYS, contrast)
    if appearance.gamma != 1.0:
        inside = (table > 0) & (table < 1)
        table = np.where(inside, np.abs(table) ** appearance.gamma, table)
    if appearance.equalise:
        table = _equalised(table, picture[::5, ::5], appearance.equalise)
    if (appearance.floor, appearance.ceiling) != (0.0, 1.0):
        # What is out of the window is as dark or bright as the ends.
        table = np.clip(table, 0.0, 1.0) * (appearance.ceiling - appearance.floor)
        table = table + appearance.floor
    return look_up(picture, table.astype(np.float32))


def look_up(picture, table):
    """The values of a table over `_GREYS`; it ends half a range outside the window."""
    place = picture * np.float32((_GREYS.size - 1) / 2)
    place += np.float32((_GREYS.size - 1) / 4 + 0.5)
    np.clip(place, 0, _GREYS.size - 1, out=place)
    return table.take(place.astype(np.uint16), mode="clip")


def _equalised(table, sample, fraction):
    """The table, bent towards equal frequency of all greys between 0 and 1."""
    counts = np.histogram(look_up(sample, table), bins=64, range=(0.0, 1.0))[0]
    # A tenth of the slope of a straight curve is the least: the curve stays increasing.
    counts = counts / max(counts.sum(), 1) + 0.1 / 64
    cumulated = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    flat = np.interp(table, np.linspace(0.0, 1.0, 65), cumulated)
    inside = (table > 0) & (table < 1)
    return np.where(inside, table + fraction * (flat - table), table)


def display_curve(picture, contrast):
    """S-curve through (0, 0), (0.5, 0.5), (1, 1) with slope `contrast` at the middle.

    y = x + 2 (contrast - 1) x (1 - x) (2 x - 1) inside [0, 1], linear outside. The
    curve is increasing up to a contrast of 1.5.
    """
    inside = np.clip(picture, 0.0, 1.0)
    return picture + 4.0 * (contrast - 1.0) * inside * (1.0 - inside) * (inside - 0.5)
