"""Calibrated probabilities: the formula, tables, files."""

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.special
from task_kinds import EXAMPLES, logits_of, task_of

from mdmt_tf.errors import DataError
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.predictions import prediction_table, probabilities_of
from mdmt_tf.statistics.calibration import (
    Calibration,
    calibrate_table,
    calibrated,
    read,
)
from mdmt_tf.storage import write_json
from mdmt_tf.tasks import Property, make_task

WITH_CLASSES = [
    kind for kind in EXAMPLES if Property.CLASSES in task_of(kind).properties
]


def some_calibrations(task):
    """A different one for each component."""
    generator = np.random.default_rng(0)
    return {
        component.name: Calibration(
            temperature=float(generator.uniform(0.5, 3)),
            prior_ratio=tuple(generator.uniform(0.3, 3, component.n_classes)),
        )
        for component in task.components
    }


def test_one_formula_is_temperature_and_prior_of_softmax_logits():
    """softmax((z + ln r) / T), for any number of classes."""
    logits = np.random.default_rng(0).normal(0, 2, (50, 4))
    ratio = np.array([0.5, 1.0, 2.0, 4.0])
    own = Calibration(temperature=1.7, prior_ratio=tuple(ratio))
    expected = scipy.special.softmax((logits + np.log(ratio)) / 1.7, axis=1)
    received = own.apply(scipy.special.softmax(logits, axis=1))
    np.testing.assert_allclose(received, expected, rtol=1e-10)


def test_without_temperature_and_prior_nothing_changes():
    chances = np.random.default_rng(1).dirichlet(np.ones(3), 20)
    same = Calibration(prior_ratio=(1.0, 1.0, 1.0)).apply(chances)
    np.testing.assert_allclose(same, chances, rtol=1e-12)


def test_a_prior_is_put_right_by_the_theorem_of_bayes():
    """Prevalence 0.2; trained as if it were 0.5: odds are 4 times too high."""
    ratio = (0.8 / 0.5, 0.2 / 0.5)
    received = Calibration(prior_ratio=ratio).apply(np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(received, [[0.8, 0.2]])


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_certain_probabilities_stay_finite_and_in_order(certain):
    own = Calibration(temperature=0.1, prior_ratio=(3.0, 0.5))
    received = own.apply(np.array([[1 - certain, certain]]))
    assert np.isfinite(received).all()
    np.testing.assert_allclose(received, [[1 - certain, certain]], atol=1e-12)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_in_numpy_and_in_a_graph(kind):
    task = task_of(kind)
    raw = task.probabilities(logits_of(task))
    if kind not in WITH_CLASSES:
        assert calibrated(task, raw, {}) is None
        return
    own = some_calibrations(task)
    expected = calibrated(task, raw, own)
    assert expected.shape == raw.shape and (np.abs(expected - raw) > 0.01).any()
    in_graph = calibrated(task, keras.ops.convert_to_tensor(raw), own, keras.ops)
    np.testing.assert_allclose(np.asarray(in_graph), expected, rtol=1e-6, atol=1e-9)
    assert keras.backend.standardize_dtype(in_graph.dtype) == "float64"
    # A component without a calibration leaves the task without one.
    own.popitem()
    assert calibrated(task, raw, own) is None


@pytest.mark.parametrize("kind", WITH_CLASSES)
def test_a_table_is_calibrated_as_its_probabilities(kind):
    task = task_of(kind)
    raw = task.probabilities(logits_of(task))
    count = len(raw)
    rows = pd.DataFrame(
        {"dataset": "ward", "split": "test", "fold": 0, "site": "x"},
        index=range(count),
    ).assign(image_id=range(count), patient_id=range(count))
    labels = np.full((count, *task.label_shape), np.nan)
    own = some_calibrations(task)
    expected = prediction_table(task, rows, labels, calibrated(task, raw, own))
    table = prediction_table(task, rows, labels, raw)
    before = table.copy()
    received = calibrate_table(table, [task], own)
    pd.testing.assert_frame_equal(table, before)
    for component in task.components:
        of_both = [t[t["task"] == component.name] for t in (received, expected)]
        chances = [probabilities_of(t, component) for t in of_both]
        np.testing.assert_allclose(*chances, rtol=1e-10)
        assert of_both[0]["prediction"].tolist() == of_both[1]["prediction"].tolist()


def test_only_components_with_a_calibration_are_in_the_table():
    death = make_task(name="death", kind="binary")
    row = {"prediction": 0, "p_0": 0.7, "p_1": 0.3}
    table = pd.DataFrame([row | {"task": "death"}, row | {"task": "other"}])
    known = {"death": Calibration(prior_ratio=(1.0, 1.0))}
    assert calibrate_table(table, [death], known)["task"].tolist() == ["death"]
    nothing = calibrate_table(table, [death], {})
    assert nothing.empty and list(nothing) == list(table)


def test_files(tmp_path):
    run = RunFolder(tmp_path)
    assert read(run) == {}
    own = Calibration(
        temperature=1.5,
        prior_ratio=(1.2, 0.7),
        rows=40,
        patients=30,
        note="at the limit",
        operating_points={"youden": 0.4},
    )
    write_json(run.calibration, {"death": own.to_plain()})
    assert read(run) == {"death": own}


@pytest.mark.parametrize("text", ["[", '{"death": {"temperature": 1}}', '["death"]'])
def test_a_damaged_file_is_an_error(tmp_path, text):
    run = RunFolder(tmp_path)
    run.calibration.write_text(text)
    with pytest.raises(DataError, match="calibration.json"):
        read(run)
