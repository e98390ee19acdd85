"""Metrics are drawn for what is there and say what is not."""

import io

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import plots
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.drawing import INK
from mdmt_tf.tasks import make_task


def texts_of(metric) -> str:
    found = [text.get_text() for text in metric.findobj(matplotlib.text.Text)]
    return "\n".join(found)


def test_files_of_a_whole_benchmark(report):
    names = {path.name for path in (report.folder / "plots").iterdir()}
    assert names == {
        f"{kind}_{task}.{suffix}"
        for kind in ("box", "curves")
        for task in ("prognosis", "severity")
        for suffix in ("svg", "png")
    }
    for name in names:
        content = (report.folder / "plots" / name).read_bytes()
        if name.endswith("png"):
            pixels = matplotlib.image.imread(io.BytesIO(content))
            assert pixels.shape[1] > 500 and pixels.std() > 0.01
        else:
            assert content.rstrip().endswith(b"</svg>")
            assert b"<dc:date>" not in content


@pytest.mark.parametrize("kind", ["slopes", "confusion", "calibration"])
def test_every_kind_draws_a_whole_benchmark(whole_aggregates, monkeypatch, kind):
    monkeypatch.setattr(plots, "KINDS", {kind: plots.KINDS[kind]})
    monkeypatch.setattr(plots, "render", lambda *drawing, **_: drawing)
    drawings = list(plots.draw_all(whole_aggregates))
    names = [name for _, name, _ in drawings]
    assert names == [f"{kind}_prognosis", f"{kind}_severity"]
    for figure, _, caption in drawings:
        assert "unit: " in caption and caption.startswith("SYNTHETIC data. ")
        assert figure.get_suptitle().startswith("SYNTHETIC data. ")


def test_calibration_names_the_brier_score(whole_aggregates):
    task = whole_aggregates.results.tasks["prognosis"]
    metric, _, _ = plots.calibration(whole_aggregates, task, "cv")
    brier = whole_aggregates.over_backbones("cv", "mdmt", "prognosis", "brier")
    (title,) = [a.get_title() for a in metric.axes if "mdmt" in a.get_title()]
    assert title == f"mdmt\nn = 234, 6 cells\nBrier {brier.number:.3f}"


@pytest.fixture(scope="module")
def whole_aggregates(whole):
    return Aggregates(Results.read(whole), resamples=0)


@pytest.fixture(scope="module")
def incomplete(benchmark_folder, tmp_path_factory):
    """mdmt lacks a fold of one backbone; two validations, so names have a suffix."""
    folder = benchmark_folder(
        tmp_path_factory.mktemp("metrics") / "b",
        run={"synthetic": False},
        cross_validation={
            "cv": {"kind": "kfold", "folds": 3},
            "loco": {"kind": "leave_one_site_out", "leave_out": ["aiforcovid"]},
        },
    )
    folder.add_all(
        lambda backbone, fold, experiment: {
            "missing": (backbone, fold, experiment) == ("resnet18", 1, "mdmt")
        }
    )
    folder.add("loco", "resnet18", 0, 0, "stl_prognosis", missing=True)
    return Aggregates(Results.read(folder.path), resamples=0)


def test_an_incomplete_experiment_has_points_but_no_box(incomplete):
    task = incomplete.results.tasks["prognosis"]
    metric, _, _ = plots.box(incomplete, task, "cv")
    assert "mdmt\n5 of 6" in texts_of(metric)
    assert "ft\nn = 6" in texts_of(metric)
    axis = metric.axes[0]
    medians = [line for line in axis.lines if line.get_color() == INK]
    assert len(medians) == 2
    points = [line for line in axis.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in points] == [6, 6, 5]


def test_slopes_leave_out_what_is_not_complete(incomplete):
    task = incomplete.results.tasks["prognosis"]
    metric, _, caption = plots.slopes(incomplete, task, "cv")
    lines = {line.get_label(): line.get_ydata() for line in metric.axes[0].lines}
    expected = incomplete.groups["cv", "mobilenet_v2", "mdmt", "prognosis"]
    assert lines["mobilenet_v2"][-1] == 100 * expected.mean("accuracy").number
    assert np.isnan(lines["resnet18"]).tolist() == [False, False, True]
    assert np.isnan(lines["mean"]).tolist() == [False, False, True]
    assert "1 of 2 are complete" in caption


def test_confusion_counts_every_prediction_once(incomplete):
    task = incomplete.results.tasks["severity"]
    metric, _, _ = plots.confusion(incomplete, task, "cv")
    for axis, experiment in zip(metric.axes, ("stl_severity", "mdmt"), strict=True):
        counts = [int(text.get_text().split("\n")[1]) for text in axis.texts]
        groups = incomplete.of("cv", experiment, "severity")
        rows = pd.concat([rows for group in groups for rows in group.rows])
        table = pd.crosstab(rows["target"], rows["prediction"])
        assert counts == table.to_numpy().ravel().tolist()
    assert "5 of 6 cells" in metric.axes[1].get_title()


def test_curves_draw_each_shared_fit_once(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "stl_severity", fit="shared")
    aggregates = Aggregates(Results.read(folder.path), 0)
    task = aggregates.results.tasks["severity"]
    metric, _, _ = plots.curves(aggregates, task, "cv")
    assert metric.axes[0].get_title() == "stl_severity (1 fit)"
    # One thin line and one median, for training and for validation.
    assert len(metric.axes[0].lines) == 4


def test_titles_are_silent_on_real_data_and_names_have_the_validation(
    incomplete, monkeypatch
):
    monkeypatch.setattr(plots, "KINDS", {"box": plots.box})
    drawings = list(plots.draw_all(incomplete))
    # Nothing is finished under loco.
    assert [d.name for d in drawings] == ["box_prognosis_cv", "box_severity_cv"]
    titles = []
    monkeypatch.setattr(
        plots, "render", lambda metric, *_, **__: titles.append(metric.get_suptitle())
    )
    list(plots.draw_all(incomplete))
    assert titles[0] == "Distribution over backbones and folds: prognosis, cv"


def test_a_regression_has_no_confusion_and_no_calibration(incomplete):
    task = make_task(name="prognosis", kind="regression")
    assert plots.confusion(incomplete, task, "cv") is None
    assert plots.calibration(incomplete, task, "cv") is None
