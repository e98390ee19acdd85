"""Reliability diagram and decision curve show the numbers that they are given."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.reporting.calibration_plots import (
    decision_curve_plot,
    reliability_diagram,
)
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.operating_points import decision_curve
from mdmt_tf.tasks import make_task

TWO = make_task(name="death", kind="binary", classes=("home", "icu"))
GRADE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))


def table_of(n=200, seed=0, task="death"):
    generator = np.random.default_rng(seed)
    score = generator.random(n)
    return pd.DataFrame(
        {
            "task": task,
            "target": (generator.random(n) < score).astype(float),
            "p_0": 1 - score,
            "p_1": score,
        }
    )


def test_a_reliability_diagram_has_a_curve_for_each_table():
    raw = table_of()
    other = raw.assign(p_1=raw["p_1"] / 2, p_0=1 - raw["p_1"] / 2)
    figure, title, caption = reliability_diagram(TWO, {"raw": raw, "calibrated": other})
    axis, below = figure.axes
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["raw (n = 200)", "calibrated (n = 200)"]
    assert below.get_xlabel() == "predicted probability of icu"
    drawn = axis.containers[1].lines[0].get_xdata()
    assert max(drawn) < 0.5 and "10 bins" in caption and title == "Reliability"


def test_several_classes_are_curves_of_one_table():
    table = table_of(task="grade").assign(p_2=0.0)
    figure, *_ = reliability_diagram(GRADE, {"raw": table, "calibrated": table})
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [label.split()[0] for label in labels] == ["a", "b", "c"]


def test_without_labelled_rows_there_is_nothing_to_draw():
    table = table_of().assign(target=np.nan)
    assert reliability_diagram(TWO, {"raw": table}) is None
    assert decision_curve_plot(TWO, {}, {}) is None


def test_a_decision_curve_shows_model_all_none_and_points():
    same = {"death": Calibration(prior_ratio=(1.0, 1.0))}
    curve = decision_curve(table_of(), [TWO], same)["death"]
    figure, _, caption = decision_curve_plot(TWO, curve, {"youden": 0.42})
    (axis,) = figure.axes
    model, everyone, none, point = axis.get_lines()
    assert model.get_ydata() == pytest.approx(curve["model"])
    assert everyone.get_ydata() == pytest.approx(curve["treat_all"])
    assert set(none.get_ydata()) == {0.0}
    assert point.get_xdata()[0] == 0.42 and point.get_label() == "youden (0.420)"
    assert "n = 200" in caption
    low, high = axis.get_ylim()
    assert low < 0 < max(curve["model"]) < high
