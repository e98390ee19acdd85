"""Draw the curves of the study of a synthetic start from its table.

    python tools/draw_curves.py

The table is docs/results/synthetic_start/curves.csv. The plot is written beside the
page, as SVG and PNG: kappa and mean error over the number of real images, with and
without the start, and over the number of synthetic images.
"""

import re
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from mdmt_tf.reporting.drawing import STYLE, Drawing, render
from mdmt_tf.reporting.panels import COLOURS

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
# Column of the table -> label of the axis.
FIGURES = {"kappa": "quadratic kappa", "mean_error": "mean error (0 to 18)"}
# Experiment -> colour, and how far it is moved aside, as a factor of the number.
_LINES = {"start": (COLOURS[0], 1.02), "both": (COLOURS[4], 0.98)}
_USUAL = (0, 2700)  # synthetic images of the curves over real ones
_NONE = 90  # where the rows without synthetic images stand on the logarithmic axis


def read(file: Path) -> pd.DataFrame:
    """The rows of the table: numbers, and each figure with the ends of its interval."""
    rows = pd.read_csv(file, dtype=str)
    rows["experiment"] = rows["experiment"].str.strip("`")
    for name in ("real_images", "synthetic_images", "seeds"):
        rows[name] = rows[name].str.replace(",", "").astype(int)
    for name in FIGURES:
        numbers = [re.findall(r"[-+.\d]+", cell) for cell in rows[name]]
        rows[[name, f"{name}_low", f"{name}_high"]] = [
            [float(number) for number in cell] for cell in numbers
        ]
    return rows


def draw(rows: pd.DataFrame) -> Figure:
    """The figure: a row for each of `FIGURES`, and a column for each kind of images."""
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.subplots(len(FIGURES), 2, sharex="col", sharey="row")
    most = rows["real_images"].max()
    # With all real images, rows without synthetic ones are part of the same curve.
    none = rows["synthetic_images"].where(rows["synthetic_images"] > 0, _NONE)
    whole = rows.assign(shown=none)[rows["real_images"] == most]
    usual = rows[rows["synthetic_images"].isin(_USUAL)]
    for (left, right), name in zip(axes, FIGURES, strict=True):
        for experiment, (colour, aside) in _LINES.items():
            own = usual[usual["experiment"] == experiment]
            label = f"{experiment}: {own['synthetic_images'].max():,} synthetic images"
            _curve(left, own, own["real_images"] * aside, name, colour, label)
        _curve(right, whole, whole["shown"], name, COLOURS[0], None)
        left.set_ylabel(FIGURES[name])
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=2
    )
    _ticks(axes[-1][0], sorted(set(usual["real_images"])), "real images")
    shown = sorted(set(whole["shown"]))
    _ticks(axes[-1][1], shown, f"synthetic images ({most} real ones)")
    return figure


def _curve(axis, rows, places, name, colour, label) -> None:
    order = places.sort_values().index
    rows, places = rows.loc[order], places.loc[order]
    axis.plot(places, rows[name], "-", color=colour, linewidth=1.2)
    ends = (rows[name] - rows[f"{name}_low"], rows[f"{name}_high"] - rows[name])
    axis.errorbar(places, rows[name], ends, fmt="none", color=colour, linewidth=0.9)
    single = rows["seeds"] == 1
    for chosen, filled in ((~single, colour), (single, "none")):
        axis.plot(
            places[chosen],
            rows.loc[chosen, name],
            "o",
            color=colour,
            markerfacecolor=filled,
            label=label if filled == colour else None,
        )


def _ticks(axis, places: list[int], label: str) -> None:
    axis.set_xscale("log")
    axis.set_xticks(places, ["0" if p == _NONE else f"{p:,}" for p in places])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(label)


def drawing(table: Path) -> Drawing:
    """The plot of a table, rendered."""
    with matplotlib.rc_context(STYLE):
        return render(draw(read(table)), "synthetic_curves", "")


def main() -> None:
    plot = drawing(RESULTS / "synthetic_start" / "curves.csv")
    (RESULTS / f"{plot.name}.svg").write_bytes(plot.svg)
    (RESULTS / f"{plot.name}.png").write_bytes(plot.png)


if __name__ == "__main__":
    main()
