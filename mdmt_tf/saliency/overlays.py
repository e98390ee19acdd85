"""PNG pictures of a saliency map over its image, or over a montage of slices.

The colour shows how strong the map is. For a map of gradients, it also shows whether a
brighter pixel would raise or lower the score. Where the map is weak, the grey image is
visible. A map that is zero everywhere is said to be so, in the place of its picture.
"""

import io
import textwrap

import numpy as np

from mdmt_tf.imaging.montage import montage

# The strongest values of a gradient are single pixels, which would hide the rest.
_SIGNED_PERCENTILE = 99.5
_OPACITY = 0.8  # of the strongest value
_COLUMNS = 5
_MOST_SLICES = 15
_TILE_INCHES = 1.75  # of a slice; a picture is twice as large
_LINE_INCHES = 0.17  # of text
_BAR_INCHES = 0.85  # with its labels
_MARGIN = 4  # pixels around the part that is not black
# From weak to strong, and from lowering to raising; none of them grey.
_UNSIGNED_COLOURS = ("#5b1a8b", "#c2306b", "#fa7d20", "#fde724")
_SIGNED_COLOURS = ("#35e0ff", "#1278ff", "#777777", "#ff3b1f", "#ffc23d")


def draw(
    image: np.ndarray,
    saliency: np.ndarray,
    title: str,
    note: str = "",
    *,
    signed: bool = False,
    spacing: tuple[float, ...] | None = None,
    left: str = "",
    if_zero: str = "The map is zero everywhere.",
) -> bytes:
    """A picture of one map.

    Args:
        image: float (h, w) or (d, h, w) in [0, 1], 0 black.
        saliency: float, the same shape.
        title: one or more lines above the picture.
        note: description of the data, a line below the picture.
        signed: whether it is a map of gradients; otherwise negative values count as 0.
        spacing: distance of neighbouring pixels along each axis, in one unit; None:
            equal distances.
        left: side of the patient on the left of the slices, such as R, written there.
        if_zero: what to say of a map without colour.
    Returns: the bytes of a PNG file.
    Raises: ValueError for different shapes or another number of axes.
    """
    if np.shape(image) != np.shape(saliency) or np.ndim(image) not in (2, 3):
        raise ValueError(
            "Expected an image and its map, (h, w) or (d, h, w) both. Received: shapes "
            f"{np.shape(image)} and {np.shape(saliency)}"
        )
    # Not pyplot, which would keep figures alive and choose a window system.
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    grey = np.clip(np.asarray(image, np.float32), 0, 1)
    strength = relative_strength(saliency, signed)
    is_zero = not strength.any()
    aspect = 1.0 if spacing is None else spacing[-2] / spacing[-1]
    palette, limits = _palette(signed), Normalize(-1 if signed else 0, 1)
    coloured = blended(grey, strength, signed)
    if is_zero and grey.ndim == 3:
        title = f"{title}\n{if_zero}"
    if grey.ndim == 2:
        plain = np.repeat(grey[..., np.newaxis], 3, axis=-1)
        # White, for the words.
        shown = np.ones_like(plain) if is_zero else coloured
        tiles, labels, columns = [plain, shown], ["", ""], 2
        inches = 2 * _TILE_INCHES
    else:
        numbers = chosen_slices(grey, strength)
        rows, cols = _content(grey)
        tiles = [coloured[number, rows, cols] for number in numbers]
        labels = [f"{number + 1}/{len(grey)}" for number in numbers]
        columns, inches = min(_COLUMNS, len(tiles)), _TILE_INCHES
    picture = montage(tiles, columns)

    height, width = tiles[0].shape[:2]
    lines = -(-len(tiles) // columns)
    across, down = columns * inches, lines * inches * height * aspect / width
    head = _LINE_INCHES * len(title.splitlines()) + 0.08
    size = (across + _BAR_INCHES, down + head + 2 * _LINE_INCHES)
    figure = Figure(figsize=size, dpi=130, facecolor="white")

    def place(x, width, height):  # in inches; a layout engine takes as long as the rest
        inside = (x / size[0], 2 * _LINE_INCHES / size[1])
        return figure.add_axes((*inside, width / size[0], height / size[1]))

    axis = place(0.08, across, down)
    axis.imshow(picture, aspect="auto", interpolation="bilinear")
    axis.set_axis_off()
    axis.set_title(title, fontsize=8, loc="left", linespacing=1.35)
    small = {"color": "white", "fontsize": 6.5, "va": "top"}
    for number, label in enumerate(labels):
        x = (number % columns) * width + 0.02 * width
        y = (number // columns) * height + 0.02 * height
        axis.text(x, y, label, **small)
    if grey.ndim == 3:
        axis.text(0.02 * width, 0.98 * height, left, **(small | {"va": "bottom"}))
    elif is_zero:
        text = "\n".join(textwrap.wrap(if_zero, 36))
        axis.text(1.5 * width, 0.5 * height, text, ha="center", va="center", fontsize=8)
    if note:
        y = 0.6 * _LINE_INCHES / size[1]
        figure.text(0.08 / size[0], y, note, fontsize=7, color="#b00020")
    if not is_zero:
        scale = place(across + 0.2, 0.13, down)
        bar = figure.colorbar(ScalarMappable(limits, palette), cax=scale)
        bar.set_ticks([-1, 0, 1] if signed else [0, 0.5, 1])
        bar.ax.tick_params(labelsize=7)
        meaning = "effect of a brighter pixel on the score" if signed else "saliency"
        bar.set_label(f"{meaning}, relative to the strongest", fontsize=7)
    buffer = io.BytesIO()
    # Good compression would take three times as long as drawing.
    figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


def small_picture(image: np.ndarray, saliency: np.ndarray, most: int = 4) -> np.ndarray:
    """An unsigned map over its image without any text, for a small place.

    Args:
        image, saliency: see `draw`.
        most: number of slices of a volume.
    Returns: float (h, w, 3) in [0, 1]: the image and the map, or slices with the map.
    """
    grey = np.clip(np.asarray(image, np.float32), 0, 1)
    strength = relative_strength(saliency, signed=False)
    coloured = blended(grey, strength, signed=False)
    if grey.ndim == 2:
        plain = np.repeat(grey[..., np.newaxis], 3, axis=-1)
        return montage([plain, coloured], columns=2)
    numbers = chosen_slices(grey, strength, most)
    # All pictures have one size; missing slices are black.
    tiles = [*coloured[numbers], *np.zeros((most - len(numbers), *coloured.shape[1:]))]
    return montage(tiles)


def relative_strength(saliency: np.ndarray, signed: bool) -> np.ndarray:
    """The map in [-1, 1], or in [0, 1] if it has no sign; 0 for an empty map.

    A map of gradients is divided by a high percentile of its magnitude, any other map
    by its maximum.
    """
    values = np.asarray(saliency, np.float32)
    values = values if signed else np.maximum(values, 0)
    magnitude = np.abs(values)
    largest = magnitude.max(initial=0.0)
    if signed and largest > 0:
        most = np.percentile(magnitude[magnitude > 0], _SIGNED_PERCENTILE)
        largest = most if most > 0 else largest
    return np.clip(values / largest, -1, 1) if largest > 0 else np.zeros_like(values)


def chosen_slices(
    image: np.ndarray, strength: np.ndarray, most: int = _MOST_SLICES
) -> list[int]:
    """Choose slices evenly from those that are not black, and the strongest one.

    Args:
        image, strength: (d, h, w).
        most: largest number of slices.
    Returns: numbers of slices in ascending order.
    """
    shown = (np.asarray(image) > 0).mean(axis=(1, 2))
    filled = np.flatnonzero(shown > 0.1 * shown.max(initial=0.0))
    if not len(filled):
        filled = np.arange(len(image))
    places = np.linspace(0, len(filled) - 1, min(most, len(filled))).round()
    numbers = filled[places.astype(int)]
    sums = np.abs(strength).sum(axis=(1, 2))
    peak = int(sums.argmax())
    if sums[peak] > 0:
        numbers[np.abs(numbers - peak).argmin()] = peak
    return sorted(set(numbers.tolist()))


def _content(volume: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns in which some slice is not black, with a margin."""
    seen = volume.max(axis=0) > 0
    slices = []
    for axis in (1, 0):
        filled = np.flatnonzero(seen.any(axis=axis))
        if not len(filled):
            filled = np.arange(seen.shape[1 - axis])
        first, last = max(0, filled[0] - _MARGIN), filled[-1] + 1 + _MARGIN
        slices.append(slice(int(first), int(last)))
    return tuple(slices)


def blended(grey: np.ndarray, strength: np.ndarray, signed: bool) -> np.ndarray:
    """The colour where a map is strong, the grey image where it is not.

    Args:
        grey: (...) in [0, 1].
        strength: the same shape, see `relative_strength`.
    Returns: (..., 3), red, green and blue in [0, 1].
    """
    scaled = (strength + 1) / 2 if signed else strength
    colours = _palette(signed)(scaled)[..., :3]
    opacity = _OPACITY * np.abs(strength)[..., np.newaxis] ** 0.75
    return (1 - opacity) * grey[..., np.newaxis] + opacity * colours


def _palette(signed: bool):
    from matplotlib.colors import LinearSegmentedColormap

    colours = _SIGNED_COLOURS if signed else _UNSIGNED_COLOURS
    return LinearSegmentedColormap.from_list("saliency", colours)
