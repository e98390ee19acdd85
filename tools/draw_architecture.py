"""Draw the architecture for the README: `tools/draw_architecture.py [FILE]`.

FILE is docs/architecture.svg by default; its suffix chooses the format.

Coordinates are pixels of a canvas of WIDTH x HEIGHT, the origin at the lower left.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch, Polygon

DEFAULT = Path(__file__).resolve().parent.parent / "docs" / "architecture.svg"
WIDTH, HEIGHT = 1000, 372

INK, GREY, LINE, PALE = "#1f2933", "#5f6b7a", "#8a96a3", "#eef1f4"
BLUE, ORANGE, GREEN = "#2f6fb3", "#d9822b", "#3f8f6b"
TINT = {BLUE: "#e3edf8", ORANGE: "#fbeeda", GREEN: "#e2f2ea"}

# The rows of the batch: dataset (colour), outcome, score; None where it is not known.
BATCH = [
    (BLUE, "severe", None),
    (ORANGE, None, "11"),
    (ORANGE, None, "4"),
    (BLUE, "mild", None),
    (GREEN, "mild", "7"),
    (GREEN, "severe", None),
]
TOP, ROW = 262, 33  # of the first row of the batch; from one row to the next


def draw() -> plt.Figure:
    """The picture as a figure; close it when it is saved."""
    figure = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    _box(axes, (2, 2), (WIDTH - 4, HEIGHT - 4), "white", "#d5dbe1", radius=10)
    for x, title in (
        (102, "Datasets"),
        (346, "One batch (tf.data)"),
        (620, "Shared backbone"),
        (862, "One head per task"),
    ):
        _text(axes, x, 337, title, size=14, weight="bold", align="baseline")
    _datasets(axes)
    _batch(axes)
    _network(axes)
    _loss(axes)
    return figure


def _datasets(axes: Axes) -> None:
    cards = (
        (BLUE, "AIforCOVID", "chest X-rays\nlabel: outcome"),
        (ORANGE, "BRIXIA", "chest X-rays\nlabel: severity score"),
        (GREEN, "Your dataset", "images or volumes\nany of the labels"),
    )
    for number, (color, name, text) in enumerate(cards):
        y = 242 - 86 * number
        dashed = "--" if color == GREEN else "-"
        _box(axes, (22, y), (160, 72), TINT[color], color, style=dashed)
        _text(axes, 102, y + 53, name, size=13, weight="bold", color=color)
        _text(axes, 102, y + 24, text, size=11.8, color=GREY, spacing=1.35)
        _arrow(axes, (184, y + 36), (226, 195 + 22 * (1 - number)), color=color)


def _batch(axes: Axes) -> None:
    _box(axes, (230, 70), (232, 250), "white", LINE)
    for x, title, color in ((331, "prognosis", BLUE), (415, "severity", ORANGE)):
        _text(axes, x, 303, title, size=12, color=color, weight="bold")
    for number, (color, *labels) in enumerate(BATCH):
        y = TOP - ROW * number
        _radiograph(axes, 262, y + 13, color)
        for x, label, column in zip((293, 377), labels, (BLUE, ORANGE), strict=True):
            known = label is not None
            fill, ink = (column, "white") if known else (PALE, GREY)
            _box(axes, (x, y), (76, 26), fill, fill, radius=4)
            text = f"{label}" if known else "unknown"
            _text(axes, x + 38, y + 13, text, size=11.8, color=ink)
    _text(axes, 346, 82, r"filled: $I(x, t) = 1$   grey: $I(x, t) = 0$", size=11.8)


def _radiograph(axes: Axes, x: float, y: float, color: str) -> None:
    """A small picture of two lungs; the frame says from which dataset."""
    _box(axes, (x - 14, y - 13), (28, 26), "#c9d1d9", color, radius=3, width=2)
    for side in (-1, 1):
        lung = Ellipse((x + 5.5 * side, y), 7.5, 17, angle=-8 * side, color="#39424e")
        axes.add_patch(lung)


def _network(axes: Axes) -> None:
    _arrow(axes, (464, 215), (512, 215))
    _text(axes, 488, 229, "images", size=11.8, color=GREY)
    corners = [(516, 318), (516, 112), (724, 162), (724, 268)]
    axes.add_patch(
        Polygon(
            corners, facecolor=PALE, edgecolor=INK, linewidth=1.4, joinstyle="round"
        )
    )
    _text(axes, 616, 227, "20 networks for images", size=12)
    _text(axes, 616, 204, "3 for volumes", size=12)
    heads = (
        (BLUE, "prognosis", "mild, severe", 258),
        (ORANGE, "severity", "4 classes", 189),
        (GREEN, "your task", "classes, scores, values", 120),
    )
    for color, name, text, y in heads:
        _arrow(axes, (726, 215), (776, y + 26))
        dashed = "--" if color == GREEN else "-"
        _box(axes, (780, y), (164, 52), TINT[color], color, style=dashed)
        _text(axes, 862, y + 35, name, size=13, weight="bold", color=color)
        _text(axes, 862, y + 16, text, size=11.8, color=GREY)
        axes.plot([946, 962], [y + 26, y + 26], color=INK, linewidth=1.4)


def _loss(axes: Axes) -> None:
    _box(axes, (516, 20), (462, 66), "white", INK, width=1.4)
    _text(axes, 600, 64, "Loss", size=14, weight="bold")
    _text(axes, 600, 41, "images $x$, tasks $t$", size=11.8, color=GREY)
    formula = r"$L = \sum_{x}\;\sum_{t}\;\lambda_t\; I(x, t)\; L_t(x)$"
    _text(axes, 790, 53, formula, size=16)
    axes.plot([962, 962], [284, 92], color=INK, linewidth=1.4, solid_capstyle="butt")
    _arrow(axes, (962, 110), (962, 89))
    _text(axes, 910, 101, "predictions", size=11.8, color=GREY)
    axes.plot([346, 346, 490], [68, 53, 53], color=INK, linewidth=1.4)
    _arrow(axes, (480, 53), (512, 53))
    _text(axes, 428, 39, "labels and masks", size=11.8, color=GREY)


def _box(axes, corner, size, fill, edge, *, radius=7, width=1.2, style="-") -> None:
    (x, y), (w, h), r = corner, size, radius
    axes.add_patch(
        FancyBboxPatch(
            (x + r, y + r),
            w - 2 * r,
            h - 2 * r,
            boxstyle=f"round,pad={r},rounding_size={r}",
            facecolor=fill,
            edgecolor=edge,
            linewidth=width,
            linestyle=style,
        )
    )


def _arrow(axes: Axes, start, end, *, color: str = INK) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=12,
            color=color,
            linewidth=1.4,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _text(
    axes, x, y, text, *, size, color=INK, weight="normal", spacing=1.2, align="center"
) -> None:
    axes.text(
        x,
        y,
        text,
        fontsize=size * 0.72,  # a point is 100 / 72 pixels
        color=color,
        weight=weight,
        linespacing=spacing,
        ha="center",
        va=align,
    )


def main(argv: list[str]) -> None:
    file = Path(argv[0]) if argv else DEFAULT
    # Outlines instead of text: the same in every viewer. No date, fixed names: the
    # same file every time.
    settings = {"svg.fonttype": "path", "svg.hashsalt": "mdmt_tf"}
    with plt.rc_context(settings):
        figure = draw()
        metadata = {"Date": None} if file.suffix == ".svg" else {}
        figure.savefig(file, dpi=200, transparent=True, metadata=metadata)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
