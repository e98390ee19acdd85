"""Fitted calibrations: known miscalibration is found, and put right on other rows."""

import tracemalloc
import types

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.special
import sklearn.metrics

from mdmt_tf.data.sampling import plan_draws
from mdmt_tf.data.training_set import TrainingSet
from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.calibration_fit import (
    choose_thresholds,
    fit_calibrations,
    prior_ratios,
)
from mdmt_tf.tasks import make_task

TWO = make_task(name="death", kind="binary", classes=("no", "yes"))
THREE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
FINDINGS = make_task(name="x", kind="multilabel", classes=("edema", "effusion"))
AGE = make_task(name="age", kind="regression")


def table_of(targets, chances, task="death", patients=None):
    chances = np.asarray(chances, float)
    patients = range(len(chances)) if patients is None else patients
    columns = {f"p_{c}": chances[:, c] for c in range(chances.shape[1])}
    return pd.DataFrame(
        {
            "dataset": "ward",
            "patient_id": list(patients),
            "task": task,
            "target": np.asarray(targets, float),
            **columns,
        }
    )


def drawn(seed, n, k=2, temperature=1.0, shift=0.0):
    """Labels from softmax(z), and the model softmax(T z + shift e_last)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.2, (n, k))
    truth = scipy.special.softmax(logits, axis=1)
    labels = (generator.random((n, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    model = temperature * logits + shift * (np.arange(k) == k - 1)
    return labels, scipy.special.softmax(model, axis=1), truth


# --- The temperature


@pytest.mark.parametrize("task", [TWO, THREE], ids=["binary", "ordinal"])
def test_the_temperature_has_the_maximum_likelihood(task):
    labels, chances, _ = drawn(0, 150, task.n_classes, 1.8)
    table = table_of(labels, chances, task.name)
    found = fit_calibrations(table, [task])[task.name]

    def log_loss(temperature):
        heated = scipy.special.softmax(np.log(chances) / temperature, axis=1)
        return sklearn.metrics.log_loss(labels, heated)

    best = scipy.optimize.brute(
        lambda t: log_loss(t[0]), [(0.2, 5.0)], Ns=200, finish=scipy.optimize.fmin
    )
    assert found.temperature == pytest.approx(float(best[0]), abs=1e-3)
    assert found.rows == found.patients == 150 and found.note == ""


@pytest.mark.parametrize("k", [2, 3])
def test_a_temperature_of_2_5_is_found_and_put_right_on_other_rows(k):
    task = TWO if k == 2 else THREE
    labels, chances, _ = drawn(1, 2000, k, 2.5)
    own = fit_calibrations(table_of(labels, chances, task.name), [task])[task.name]
    assert own.temperature == pytest.approx(2.5, rel=0.1)
    labels, chances, truth = drawn(2, 4000, k, 2.5)
    before = task_metrics(task, labels, chances)
    after = task_metrics(task, labels, own.apply(chances))
    oracle = task_metrics(task, labels, truth)
    assert before["ece"] > 4 * oracle["ece"]
    assert after["ece"] == pytest.approx(oracle["ece"], abs=0.01)
    assert after["loss"] == pytest.approx(oracle["loss"], abs=0.003)
    if k == 2:
        assert before["calibration_slope"] == pytest.approx(0.4, abs=0.05)
        assert after["calibration_slope"] == pytest.approx(1.0, abs=0.12)


def test_oversampling_by_4_is_found_and_put_right_on_other_rows():
    """Of a model that is right for the classes as they were drawn."""
    labels, _, truth = drawn(3, 6000, shift=0)
    rare = np.random.default_rng(0).random(6000) < 0.25
    kept = (labels == 0) | rare
    labels, truth = labels[kept], truth[kept]
    # One of four positive rows is kept, so their odds are a quarter.
    oracle = truth * [1.0, 0.25]
    oracle /= oracle.sum(axis=1, keepdims=True)
    model = truth  # As trained with the positive rows drawn four times.
    counts = np.bincount(labels)
    samples = samples_of(labels)
    training_set = TrainingSet(
        samples=samples,
        weights={"death": np.ones(len(labels), np.float32)},
        row_weights={"death": np.ones(len(labels), np.float32)},
        class_counts={"death": counts},
        draws=types.SimpleNamespace(
            stream=labels, counts=np.array([counts[0], 4 * counts[1]])
        ),
    )
    ratio = prior_ratios(training_set)
    assert ratio["death"][0] / ratio["death"][1] == pytest.approx(4, rel=1e-4)
    half = len(labels) // 2
    own = fit_calibrations(table_of(labels[:half], model[:half]), [TWO], ratio)["death"]
    assert own.temperature == pytest.approx(1.0, abs=0.1)
    before, after, best = (
        task_metrics(TWO, labels[half:], chances[half:])
        for chances in (model, own.apply(model), oracle)
    )
    assert before["calibration_intercept"] == pytest.approx(-np.log(4), abs=0.15)
    assert after["calibration_intercept"] == pytest.approx(0, abs=0.15)
    assert after["calibration_slope"] == pytest.approx(1, abs=0.15)
    assert before["ece"] > 0.1
    assert after["ece"] == pytest.approx(best["ece"], abs=0.01)


def test_each_label_of_several_has_its_own():
    found = {}
    for seed, (name, temperature) in enumerate([("x/edema", 2.5), ("x/effusion", 0.5)]):
        labels, chances, _ = drawn(seed, 1500, 2, temperature)
        found[name] = table_of(labels, chances, name)
    own = fit_calibrations(pd.concat(found.values()), [FINDINGS, AGE])
    assert list(own) == ["x/edema", "x/effusion"]
    assert own["x/edema"].temperature == pytest.approx(2.5, rel=0.15)
    assert own["x/effusion"].temperature == pytest.approx(0.5, rel=0.15)


def test_every_patient_counts_once():
    labels, chances, _ = drawn(4, 60, 2, 1.5)
    once = fit_calibrations(table_of(labels, chances), [TWO])["death"]
    # The first patient has 50 images.
    times = np.where(np.arange(60) == 0, 50, 1)
    rows = np.repeat(np.arange(60), times)
    table = table_of(labels[rows], chances[rows], patients=rows)
    often = fit_calibrations(table, [TWO])["death"]
    assert often.temperature == pytest.approx(once.temperature, rel=1e-6)
    assert (often.rows, often.patients) == (109, 60)


def noted(targets, chances, **options):
    table = table_of(targets, chances, **options)
    own = fit_calibrations(table, [TWO], {"death": (1.5, 0.5)})["death"]
    assert own.prior_ratio == (1.5, 0.5)
    return own


def test_too_little_to_fit():
    labels, chances, _ = drawn(5, 200)
    for rows, text in (
        (slice(0, 19), "19 labelled validation images"),
        ([], "0 label"),
    ):
        own = noted(labels[rows], chances[rows])
        assert own.temperature == 1.0 and own.operating_points == {}
        assert own.note.startswith("not fitted") and text in own.note
        assert not own.is_fitted
        assert Calibration.from_plain(own.to_plain()) == own
    fitted = noted(labels, chances)
    assert fitted.is_fitted and not fitted.is_identity
    own = noted(labels, chances, patients=np.arange(200) % 9)
    assert "of 9 patients" in own.note and own.temperature == 1.0
    own = noted(np.zeros(200), chances)
    assert "0 of 200 labelled validation images are not 'no'" in own.note
    # Unknown labels do not count.
    own = noted(np.where(np.arange(200) < 15, labels, np.nan), chances)
    assert own.rows == 15 and own.note


def test_all_right_has_no_maximum_but_operating_points():
    labels = np.arange(40) % 2
    score = np.where(labels, 0.9, 0.2)
    own = fit_calibrations(
        table_of(labels, np.stack([1 - score, score], axis=1)), [TWO]
    )["death"]
    assert own.temperature == 1.0 and "no maximum" in own.note
    expected = {"youden": 0.9, "sensitivity_90": 0.9}
    assert own.operating_points == pytest.approx(expected, abs=2e-5)


def test_scores_that_say_nothing_end_at_the_limit():
    labels, chances, _ = drawn(6, 300)
    own = fit_calibrations(table_of(1 - labels, chances), [TWO])["death"]
    assert own.temperature == pytest.approx(10.0, rel=1e-3) and "limit" in own.note


# --- The prior


def samples_of(labels, dataset=None, task=TWO):
    dataset = np.zeros(len(labels), int) if dataset is None else dataset
    return types.SimpleNamespace(
        tasks=[task], dataset=dataset, labels={task.name: labels}
    )


def trained(labels, task=TWO, dataset=None, classes=None, images=1.0, **sampling):
    samples = samples_of(labels, dataset, task)
    counts = task.class_counts(labels)
    row_weights = (labels >= 0) / images
    weights = row_weights * task.label_weights(labels, counts)
    return TrainingSet(
        samples=samples,
        weights={task.name: weights},
        row_weights={task.name: row_weights},
        class_counts={task.name: counts},
        draws=plan_draws(samples.dataset, classes, **sampling),
    )


def odds(ratio):
    return ratio[0] / ratio[1]


@pytest.mark.parametrize("weights", [(1.0, 3.0), "balanced"])
def test_class_weights_are_undone(weights):
    labels = np.array([0] * 6 + [1] * 2 + [-1] * 5)
    task = make_task(name="death", kind="binary", class_weights=weights)
    # Balanced: 8 / (2 n_c), so the second class weighs 3 times the first.
    found = prior_ratios(trained(labels, task))["death"]
    assert odds(found) == pytest.approx(3.0, rel=1e-5)


def test_oversampling_is_undone():
    labels = np.array([0] * 12 + [1] * 3 + [-1] * 5)
    found = prior_ratios(trained(labels, classes=labels))["death"]
    assert odds(found) == pytest.approx(4.0)
    # Prevalence 0.8 and 0.2, drawn as 0.5 and 0.5.
    assert found == pytest.approx((1.6, 0.4))


@pytest.mark.parametrize("sampling", ["union", "balanced", "temperature"])
def test_drawing_a_dataset_more_often_changes_no_prior(sampling):
    """Within a dataset the classes keep their proportions."""
    labels = np.array([0] * 40 + [1] * 10 + [0] * 2 + [1] * 8)
    dataset = np.repeat([0, 1], [50, 10])
    options = {"sampling": sampling, "temperature": 2.0}
    found = prior_ratios(trained(labels, dataset=dataset, **options))["death"]
    assert found == pytest.approx((1.0, 1.0))
    # With class weights on top, these alone are undone.
    task = make_task(name="death", kind="binary", class_weights=(1.0, 3.0))
    found = prior_ratios(trained(labels, task, dataset=dataset, **options))["death"]
    assert odds(found) == pytest.approx(3.0, rel=1e-5)


def test_a_row_that_is_hardly_drawn_changes_no_prior():
    """One row without a label of a large dataset, which is drawn less often."""
    labels = np.array([0] * 800 + [1] * 199 + [-1] + [0, 1] * 15)
    dataset = np.repeat([0, 1, 2, 3], [1000, 10, 10, 10])
    classes = np.where(dataset, -1, labels)
    training_set = trained(
        labels, classes=classes, dataset=dataset, sampling="balanced"
    )
    draws = training_set.draws
    assert draws.counts[draws.stream[999]] == 1
    found = prior_ratios(training_set)["death"]
    # 815 and 214 rows, trained as 815 and 815.
    assert odds(found) == pytest.approx(815 / 214, rel=0.01)


def test_weights_of_patients_are_no_class_weights():
    labels = np.array([0] * 6 + [1] * 2)
    images = np.array([3, 3, 3, 1, 1, 1, 1, 1])
    task = make_task(name="death", kind="binary", class_weights=(1.0, 3.0))
    found = prior_ratios(trained(labels, task, images=images))["death"]
    assert odds(found) == pytest.approx(3.0, rel=1e-5)


def test_a_class_without_rows_and_a_regression():
    task = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
    found = prior_ratios(trained(np.array([0, 0, 2, -1]), task))
    assert found == {"grade": (1.0, 1.0, 1.0)}
    ages = np.array([30.0, np.nan])
    samples = samples_of(ages, task=AGE)
    training_set = TrainingSet(
        samples=samples,
        weights={"age": np.array([1.0, 0.0])},
        row_weights={"age": np.array([1.0, 0.0])},
        class_counts={"age": np.array([1])},
        draws=plan_draws(samples.dataset),
    )
    assert prior_ratios(training_set) == {}


def test_several_labels_have_each_their_own_prior():
    labels = np.array([[0, 1], [0, -1], [1, 0], [0, 0]])
    classes = np.array([0, 0, 1, 0])  # Oversampled for another task.
    found = prior_ratios(trained(labels, FINDINGS, classes=classes))
    assert odds(found["x/edema"]) == pytest.approx(3.0)
    # One of three is positive, drawn once; the negatives three times and once.
    assert odds(found["x/effusion"]) == pytest.approx((2 / 1) / (4 / 1))


# --- The operating points


@pytest.mark.parametrize("seed", range(10))
def test_thresholds_are_the_best_of_all(seed):
    labels, chances, _ = drawn(seed, 60)
    score = chances[:, 1].round(1) if seed % 2 else chances[:, 1]
    found = choose_thresholds(labels, score)

    def rates(threshold):
        called = score >= threshold
        return called[labels == 1].mean(), 1 - called[labels == 0].mean()

    candidates = sorted(set(score))
    youden = {t: round(sum(rates(t)) - 1, 12) for t in candidates}
    best = max(youden.values())
    enough = [t for t in candidates if rates(t)[0] >= 0.9]
    wanted = {
        "youden": max(t for t in candidates if youden[t] == best),
        "sensitivity_90": max(enough),
    }
    for name, score_itself in wanted.items():
        lower = max([0.0, *(t for t in candidates if t < score_itself)])
        # Positive, and also if rounding lowers it; the next lower score is not.
        assert lower < found[name] < score_itself
        assert score_itself - found[name] == pytest.approx(
            min(1e-5, (score_itself - lower) / 2)
        )


def test_thresholds_of_many_images_need_little_memory():
    """A table of all thresholds and images would have 400 million entries."""
    generator = np.random.default_rng(0)
    labels, scores = generator.integers(0, 2, 20_000), generator.random(20_000)
    tracemalloc.start()
    choose_thresholds(labels, scores)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6


def test_thresholds_are_those_of_calibrated_probabilities():
    labels, chances, _ = drawn(7, 100, 2, 2.0)
    own = fit_calibrations(table_of(labels, chances), [TWO], {"death": (3.0, 1.0)})
    own = own["death"]
    raw = choose_thresholds(labels, chances[:, 1])
    for name, threshold in raw.items():
        expected = own.apply(np.array([[1 - threshold, threshold]]))[0, 1]
        assert own.operating_points[name] == pytest.approx(expected, abs=5e-5)


def test_several_classes_have_no_operating_points():
    labels, chances, _ = drawn(8, 100, 3)
    own = fit_calibrations(table_of(labels, chances, "grade"), [THREE])["grade"]
    assert own.operating_points == {} and isinstance(own, Calibration)
