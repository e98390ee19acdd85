"""A plot as SVG and PNG; equal plots have equal bytes.

One look for all of them: draw within `matplotlib.rc_context(STYLE)`, series in
`panels.COLOURS`, which can be read on white and on black. What is neither a series nor
a surface (text, axes, a line at zero, medians) has the colour `INK`, which is also the
default of text and axes. In the SVG, `INK` follows the theme of the page or viewer, and
the ground is transparent; the PNG has black ink on white, for papers. So nothing may be
"black" or "white" but what lies on a coloured surface, such as a count on its cell; a
hollow marker has the face colour "none". A grey (0.5) is fine.
"""

import dataclasses
import io

from matplotlib.figure import Figure

# The colour that becomes light on a dark page.
INK = "#1b1f24"
# Of the PNG.
DPI = 150
_THEME = """<style>
svg { color: #1b1f24; }
@media (prefers-color-scheme: dark) { svg { color: #e6e9ec; } }
@media print { svg { color: #1b1f24; } }
</style>"""
# Without a salt, the ids in an SVG are random, and equal plots would differ.
STYLE = {
    "svg.hashsalt": "mdmt_tf",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "0.5",
    "grid.alpha": 0.5,
}


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A rendered plot.

    Attributes:
        name: name of the files, without suffix.
        caption: what the plot shows, with unit and n.
        title: what it is, in a few words; for those who cannot see it.
        folded: whether it is a detail that a page folds away.
    """

    name: str
    caption: str
    svg: bytes
    png: bytes
    title: str = ""
    folded: bool = False


def render(figure: Figure, name: str, caption: str, *, folded: bool = False) -> Drawing:
    """Render a figure, within `matplotlib.rc_context(STYLE)`."""
    # With a layout, `savefig` would draw the figure twice for each file.
    figure.set_dpi(DPI)
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
    figure.set_layout_engine(None)
    png = _as(figure, "png", {"Software": None})
    svg = _as(figure, "svg", {"Date": None, "Creator": None}, transparent=True)
    title = " ".join(figure.get_suptitle().split()) or name.replace("_", " ")
    return Drawing(name, caption, _themed(svg), png, title, folded)


def _as(figure: Figure, form: str, metadata: dict, **options) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=DPI, metadata=metadata, **options)
    return buffer.getvalue()


def _themed(svg: bytes) -> bytes:
    """The SVG whose ink follows the theme of what shows it."""
    text = svg.decode("utf-8").replace(INK, "currentColor")
    start = text.index(">", text.index("<svg")) + 1
    return (text[:start] + _THEME + text[start:]).encode("utf-8")
