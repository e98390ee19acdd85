import dataclasses
import json

import pytest
from mean_models import TASKS, Means, model

from mdmt_tf.imaging import limits
from mdmt_tf.serving.web import description
from mdmt_tf.serving.web.bounds import Bounds
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.tasks import make_task


def calibrations(**points):
    known = Calibration(prior_ratio=(1.0, 1.0), operating_points=points)
    plain = Calibration(prior_ratio=(1.0, 1.0))
    return {"outcome": known, "signs/a": plain, "signs/b": plain}


def test_tasks_and_what_is_calibrated(means):
    found = description.describe([means], [], Bounds(files=7))
    assert list(found.tasks) == ["outcome", "signs/a", "signs/b", "stay"]
    assert [one.calibrated for one in found.tasks.values()] == [True, True, True, False]
    assert found.tasks["outcome"].classes == ["mild", "severe"]
    assert found.tasks["stay"].classes == []
    assert found.takes == "images" and found.limits.files == 7
    assert found.limits.pixels == limits.current().max_pixels
    assert not any(one.saliency for one in found.tasks.values())
    assert "folder of the run" in found.saliency_note


def test_a_number_has_the_unit_that_its_data_state(means):
    days = make_task(kind="regression", name="stay", unit="days")
    coma = make_task(kind="ordinal", name="coma", cut_points=(9,), unit="points")
    own = dataclasses.replace(means, tasks=(days, coma))
    found = description.describe([own], [], Bounds()).tasks
    assert found["stay"].unit == "days"
    assert found["stay"].classes == [] and found["coma"].classes
    assert found["coma"].unit is None  # its answer is a class


def test_an_answer_that_means_nothing_says_why(means):
    text = "nothing has trained its head; the answers mean nothing"
    own = dataclasses.replace(means, meaningless={"signs": text})
    found = description.describe([means, own], [], Bounds()).tasks
    reasons = {name: one.meaningless for name, one in found.items()}
    assert reasons == {"outcome": None, "signs/a": text, "signs/b": text, "stay": None}


def test_probabilities_without_a_fitted_calibration_are_not_called_calibrated():
    few = Calibration(prior_ratio=(1.0, 1.0), note="not fitted: 14 images")
    known = calibrations(youden=0.2) | {"signs/b": few}
    own = model(Means(calibrated=True), calibrations=known)
    found = description.describe([own], [], Bounds()).tasks
    assert [one.calibrated for one in found.values()] == [True, False, False, False]
    assert not own.is_calibrated
    fitted = model(Means(calibrated=True), calibrations=calibrations())
    both = description.describe([fitted, own], [], Bounds()).tasks
    assert fitted.is_calibrated and not both["signs/a"].calibrated


def test_operating_points_of_several_models_are_those_of_all_at_their_mean():
    first = model(Means(), calibrations=calibrations(youden=0.2, sensitivity_90=0.1))
    second = model(Means(), calibrations=calibrations(youden=0.6))
    assert description.operating_points([first, second]) == {
        "outcome": {"youden": pytest.approx(0.4)}
    }
    assert description.operating_points([first, model(Means())]) == {}


def test_metrics_at_the_points_are_those_of_the_test_split(tmp_path):
    entry = {"value": 0.875, "low": 0.5, "high": None, "level": 0.95}
    point = {
        "threshold": 0.2,
        "metrics": {"sensitivity": entry, "npv": {"value": None}},
    }
    stored = {"test": {"outcome": {"operating_points": {"outcome": {"youden": point}}}}}
    (tmp_path / "assessment.json").write_text(json.dumps(stored))
    own = model(Means(), calibrations=calibrations(youden=0.2), path=tmp_path)
    (found,) = (
        description.describe([own], [], Bounds())
        .tasks["outcome"]
        .operating_points.values()
    )
    assert found.threshold == 0.2 and "Youden" in found.meaning
    assert {name: one.model_dump() for name, one in found.test.items()} == {
        "sensitivity": {"value": 0.875, "low": 0.5, "high": None}
    }
    # The mean of several models has no test split of its own.
    several = description.describe([own, own], [], Bounds()).tasks["outcome"]
    assert several.operating_points["youden"].test == {}


def test_the_task_of_a_label(means):
    assert description.task_of([means], "signs/b") is TASKS[1]
    assert description.task_of([means], "stay") is TASKS[2]
    assert description.task_of([means], "signs") is None
