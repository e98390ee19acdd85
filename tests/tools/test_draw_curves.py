"""The curves of the study: points of the table, and the plot of the page."""

import re

import draw_curves
import numpy as np
import pytest

TABLE = """\
experiment,real_images,synthetic_images,seeds,kappa,kappa_of_the_zones,mean_error,Spearman
`both`,80,0,3,"0.5 [0.4, 0.6]",,"3.0 [2.5, 3.5]",0.6
`both`,8,0,3,"-0.1 [-0.2, 0.1]",,"4.0 [3.5, 4.5]",0.2
`start`,80,"2,700",3,"0.7 [0.6, 0.8]",,"2.4 [2.0, 2.9]",0.7
`start`,8,"2,700",3,"0.6 [0.5, 0.7]",,"2.8 [2.4, 3.1]",0.6
`start`,80,"27,000",1,"0.8 [0.7, 0.9]",,"2.2 [1.9, 2.5]",0.8
"""


@pytest.fixture
def figure(tmp_path):
    (tmp_path / "curves.csv").write_text(TABLE)
    return draw_curves.draw(draw_curves.read(tmp_path / "curves.csv"))


def points(axis):
    """(filled, heights) of each set of markers that has some."""
    marked = [line for line in axis.lines if line.get_marker() == "o"]
    return [
        (line.get_markerfacecolor() != "none", list(line.get_ydata()))
        for line in marked
        if len(line.get_ydata())
    ]


def test_every_row_is_a_point(figure):
    (kappa, over_synthetic), (error, _) = np.array(figure.axes).reshape(2, 2)
    assert points(kappa) == [(True, [0.6, 0.7]), (True, [-0.1, 0.5])]
    assert points(error) == [(True, [2.8, 2.4]), (True, [4.0, 3.0])]
    # One seed: hollow.
    assert points(over_synthetic) == [(True, [0.5, 0.7]), (False, [0.8])]


def test_intervals_reach_from_end_to_end(figure):
    bars = figure.axes[1].collections[0].get_segments()
    ends = [sorted(y for _, y in bar) for bar in bars]
    np.testing.assert_allclose(ends, [[0.4, 0.6], [0.6, 0.8], [0.7, 0.9]])


def test_the_plot_of_the_page_is_that_of_its_table():
    results = draw_curves.RESULTS
    plot = draw_curves.drawing(results / "synthetic_start" / "curves.csv")
    kept = (results / f"{plot.name}.svg").read_text(encoding="utf-8")
    shown, drawn = lines(kept), lines(plot.svg.decode("utf-8"))
    assert len(shown) >= 6  # two and one in each of two rows
    # Another version of matplotlib may place the axes a little differently.
    np.testing.assert_allclose(np.concatenate(shown), np.concatenate(drawn), atol=2)


def lines(svg):
    """The points of the lines between markers, in 1/72 inch."""
    paths = re.findall(r'<g id="line2d_\d+">\s*<path d="([^"]*)" clip-path', svg)
    return [np.array(re.findall(r"[-.\d]+", path), float) for path in paths]
