"""A plot as SVG and PNG; equal plots have equal bytes."""

import dataclasses
import io

from matplotlib.figure import Figure

# Without a salt, the ids in an SVG are random, and equal plots would differ.
STYLE = {
    "svg.hashsalt": "mdmt_tf",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "legend.frameon": False,
}


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A rendered plot.

    Attributes:
        name: name of the files, without suffix.
        caption: what the plot shows, with unit and n.
    """

    name: str
    caption: str
    svg: bytes
    png: bytes


def render(figure: Figure, name: str, caption: str) -> Drawing:
    """Render a figure, within `matplotlib.rc_context(STYLE)`."""
    png = _as(figure, "png", {"Software": None})
    # The layout is done once; a second pass would not change it.
    figure.set_layout_engine("none")
    svg = _as(figure, "svg", {"Date": None, "Creator": None})
    return Drawing(name, caption, svg, png)


def _as(figure: Figure, form: str, metadata: dict) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=150, metadata=metadata)
    return buffer.getvalue()
