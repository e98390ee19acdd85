"""How often patients are drawn, and metrics of resamples against copied rows."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.statistics import draws
from mdmt_tf.statistics.draws import PatientDraws, numbered_patients, resampled_metrics
from mdmt_tf.tasks import make_task

TWO = make_task(name="outcome", kind="binary", classes=("home", "icu"))


def rows_of(patients, labels, chances):
    chances = np.asarray(chances, float)
    return pd.DataFrame(
        {
            "dataset": "ward",
            "patient_id": patients,
            "target": np.asarray(labels, float),
            "prediction": (chances > 0.5).astype(int),
            "p_0": 1 - chances,
            "p_1": chances,
        }
    )


def test_patients_of_a_fold_are_drawn_among_themselves():
    made = PatientDraws(500, seed=1)
    first, second = made.of(list("abcde")), made.of(list("xyz"))
    assert (first.sum(axis=1) == 5).all() and (second.sum(axis=1) == 3).all()
    # Multinomial: the variance of a count is 1 - 1/n, folds are independent.
    assert first.var(axis=0).mean() == pytest.approx(0.8, abs=0.12)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.15
    np.testing.assert_array_equal(made.everyone(), np.hstack([first, second]))
    np.testing.assert_array_equal(PatientDraws(500, 1).of(list("abcde")), first)
    assert (PatientDraws(500, 2).of(list("abcde")) != first).any()


def test_patients_who_come_again_keep_their_counts():
    made = PatientDraws(50, seed=0)
    first = made.of(["a", "b", "c"])
    other = made.of(["c", "d", "a", "e"])
    np.testing.assert_array_equal(other[:, [2, 0]], first[:, [0, 2]])
    # New ones are drawn among themselves.
    assert (other[:, [1, 3]].sum(axis=1) == 2).all()
    assert made.everyone().shape == (50, 5)


def test_blocks_have_no_influence(monkeypatch):
    expected = PatientDraws(101, seed=0).of(list("abcdefg"))
    monkeypatch.setattr(draws, "BLOCK", 20)
    np.testing.assert_array_equal(PatientDraws(101, 0).of(list("abcdefg")), expected)


def test_nothing_is_drawn_of_no_patients():
    made = PatientDraws(7, seed=0)
    assert made.of([]).shape == made.everyone().shape == (7, 0)


def test_a_patient_is_the_pair_of_dataset_and_id():
    rows = pd.DataFrame({"dataset": list("aab"), "patient_id": ["1", "2", "1"]})
    names, patient = numbered_patients(rows)
    assert len(names) == 3 and patient.tolist() == [0, 1, 2]


def test_metrics_are_those_of_copied_rows():
    generator = np.random.default_rng(0)
    patients = np.repeat(np.arange(8), 2)
    rows = rows_of(patients, patients % 2, generator.random(16))
    made = PatientDraws(40, seed=5)
    found = resampled_metrics(TWO, rows, made)
    counts = made.everyone()
    for resample in (0, 17, 39):
        copies = np.repeat(np.arange(16), counts[resample][patients])
        drawn = rows.iloc[copies]
        chances = drawn[["p_0", "p_1"]].to_numpy()
        expected = task_metrics(TWO, drawn["target"].to_numpy(int), chances)
        for name in ("accuracy", "auc", "loss", "g_mean"):
            assert found.metrics[name][resample] == pytest.approx(expected[name])
    whole = task_metrics(TWO, patients % 2, rows[["p_0", "p_1"]].to_numpy())
    assert found.observed["auc"] == pytest.approx(whole["auc"])


def test_metrics_of_all_classes_need_all_classes():
    rows = rows_of(list("abcdefgh"), [1] + [0] * 7, [0.9] + [0.4] * 7)
    made = PatientDraws(300, seed=0)
    found = resampled_metrics(TWO, rows, made)
    lacking = made.everyone()[:, 0] == 0
    assert 0.2 < lacking.mean() < 0.5
    for name in ("balanced_accuracy", "g_mean", "auc"):
        np.testing.assert_array_equal(np.isnan(found.metrics[name]), lacking)
    assert (found.metrics["accuracy"] == 1).all()
    alone = resampled_metrics(TWO, rows[1:], PatientDraws(3, seed=0))
    assert np.isnan(alone.observed["balanced_accuracy"])


def test_unlabelled_rows_are_refused():
    rows = rows_of(list("ab"), [0, np.nan], [0.2, 0.3])
    with pytest.raises(ValueError, match="'outcome': 1 of 2 rows have no label"):
        resampled_metrics(TWO, rows, PatientDraws(3, seed=0))
