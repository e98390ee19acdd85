"""The drawing of the architecture: readable, true, and the same every time."""

import itertools

import draw_architecture
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch

from mdmt_tf.models.backbones.table import BACKBONES


@pytest.fixture(scope="module")
def figure():
    figure = draw_architecture.draw()
    figure.canvas.draw()
    yield figure
    plt.close(figure)


def test_no_text_lies_on_another_or_crosses_the_edge_of_a_box(figure):
    (axes,) = figure.axes
    texts = {text.get_text(): text.get_window_extent() for text in axes.texts}
    edges = [
        patch.get_window_extent()
        for patch in axes.patches
        if isinstance(patch, FancyBboxPatch)
    ]
    boxes = [text.get_window_extent() for text in axes.texts]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for name, text in texts.items():
        for box in edges:
            inside = box.contains(*text.min) and box.contains(*text.max)
            assert inside or not box.overlaps(text), name


def test_it_counts_the_backbones(figure):
    texts = [text.get_text() for text in figure.axes[0].texts]
    dimensions = [row.dimensions for row in BACKBONES.values()]
    assert f"{dimensions.count(2)} networks for images" in texts
    assert f"{dimensions.count(3)} for volumes" in texts


def test_the_same_file_every_time(tmp_path):
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    for file in (one, other):
        draw_architecture.main([str(file)])
    assert one.read_bytes() == other.read_bytes()
    assert one.read_text(encoding="utf-8").count("<svg") == 1
