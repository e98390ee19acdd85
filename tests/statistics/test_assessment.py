"""Metrics with intervals by patient and by image, against simple cases and truth."""

import json
import math
import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.runs.predictions import metrics_of
from mdmt_tf.statistics.assessment import assess, assess_splits
from mdmt_tf.statistics.draws import PatientDraws, resampled_metrics
from mdmt_tf.statistics.interval import expanded_level
from mdmt_tf.storage import without_nan, write_json
from mdmt_tf.tasks import make_task

TWO = make_task(name="outcome", kind="binary", classes=("home", "icu"))
GRADE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
SIGNS = make_task(name="signs", kind="multilabel", classes=("edema", "effusion"))

OF_ALL_CLASSES = {"f1", "f1_macro", "g_mean", "balanced_accuracy", "mcc", "auc"}
OF_ALL_CLASSES |= {"pr_auc", "recall", "specificity", "g_mean_weighted"}


def table_of(patients, targets, icu, task="outcome", split="test"):
    icu = np.asarray(icu, float)
    return pd.DataFrame(
        {
            "dataset": "ward",
            "split": split,
            "task": task,
            "patient_id": patients,
            "target": np.asarray(targets, float),
            "prediction": (icu > 0.5).astype(int),
            "p_0": 1 - icu,
            "p_1": icu,
        }
    )


def simulated(generator, patients=40, images=3, prevalence=0.5, distance=1.5):
    """Patients with 1 to `images` images and a score that is theirs in part."""
    of = np.repeat(np.arange(patients), generator.integers(1, images + 1, patients))
    severe = generator.random(patients) < prevalence
    score = distance * (severe[of] - 0.5) + generator.normal(0, 0.9, patients)[of]
    score += generator.normal(0, 0.44, len(of))
    return table_of(of, severe[of], 1 / (1 + np.exp(-score)))


def ends(entry):
    return entry["low"], entry["high"]


def test_values_by_image_are_those_of_the_metrics():
    table = simulated(np.random.default_rng(0))
    found = assess(table, [TWO], resamples=50)["outcome"]
    expected = metrics_of(table, [TWO])["test"]["outcome"]
    assert found["by_image"]["n"] == expected.pop("n") == len(table)
    values = {k: v["value"] for k, v in found["by_image"]["metrics"].items()}
    assert values == expected


def test_by_patient_is_the_mean_probability_of_its_images():
    table = simulated(np.random.default_rng(1))
    found = assess(table, [TWO], resamples=50)["outcome"]
    means = table.groupby("patient_id")[["target", "p_0", "p_1"]].mean()
    expected = task_metrics(
        TWO, means["target"].to_numpy(int), means[["p_0", "p_1"]].to_numpy()
    )
    assert found["unit"] == "patient"
    assert found["by_patient"]["n"] == found["by_patient"]["patients"] == 40
    assert found["by_patient"]["contradictory"] == 0
    for name, entry in found["by_patient"]["metrics"].items():
        assert entry["value"] == pytest.approx(expected[name], abs=1e-12), name
        assert entry["low"] <= entry["value"] <= entry["high"], name


def test_with_one_image_a_patient_both_are_the_same():
    table = simulated(np.random.default_rng(2), images=1)
    found = assess(table, [TWO], resamples=200)["outcome"]
    assert found["unit"] == "image"
    assert found["by_patient"]["metrics"] == found["by_image"]["metrics"]
    assert found["by_patient"]["patients"] == found["by_image"]["patients"] == 40


def test_contradictory_patients_are_counted_and_left_out():
    table = simulated(np.random.default_rng(3), patients=12)
    more = table_of(["x", "x", "y", "y"], [0, 1, 1, 0], [0.9, 0.1, 0.1, 0.9])
    found = assess(pd.concat([table, more]), [TWO], resamples=200)["outcome"]
    expected = assess(table, [TWO], resamples=200)["outcome"]
    assert found["unit"] == "image" and expected["unit"] == "patient"
    assert found["by_patient"]["contradictory"] == 2
    assert found["by_patient"]["patients"] == 12
    metrics = [without_nan(one["by_patient"]["metrics"]) for one in (found, expected)]
    assert metrics[0] == metrics[1]
    assert found["by_image"]["patients"] == 14


def test_rows_without_a_label_do_not_count():
    table = simulated(np.random.default_rng(4))
    unknown = table.assign(target=np.nan, patient_id="new")
    both = assess(pd.concat([table, unknown]), [TWO], resamples=100)
    assert both == assess(table, [TWO], resamples=100)


def test_intervals_are_of_resampled_patients_at_the_expanded_level():
    """For an accuracy, the quantiles of sums of multinomial counts."""
    patients = np.arange(20)
    icu = np.where(patients < 6, 0.1, 0.9)
    table = table_of(patients, patients % 2, icu)
    right = (icu > 0.5) == (patients % 2 == 1)
    found = assess(table, [TWO], resamples=4000)["outcome"]["by_image"]["metrics"]
    tail = (1 - expanded_level(20)) / 2
    # Each of 20 draws is right with this probability.
    drawn = scipy.stats.binom(20, right.mean())
    expected = drawn.ppf([tail, 1 - tail]) / 20
    assert ends(found["accuracy"]) == pytest.approx(expected, abs=0.0501)
    assert found["accuracy"]["value"] == right.mean()


def test_the_rarest_class_determines_the_level_of_metrics_that_treat_classes_apart():
    table = simulated(np.random.default_rng(12), images=1)
    table["target"] = (np.arange(40) % 5 == 0) * 1.0
    found = assess(table, [TWO])["outcome"]["by_image"]["metrics"]
    drawn = resampled_metrics(TWO, table, PatientDraws(1000, seed=0)).metrics
    for name, patients in {"accuracy": 40, "balanced_accuracy": 8, "recall": 8}.items():
        values = drawn[name][~np.isnan(drawn[name])]
        # The quantile of Student's t is beyond that of the normal distribution.
        t = scipy.stats.t.isf(0.025, patients - 1) * math.sqrt(
            patients / (patients - 1)
        )
        tail = 0.5 * math.erfc(t / math.sqrt(2))
        low, high = np.quantile(values, [tail, 1 - tail])
        # Extended where the resamples are biased; no influence of a patient is large.
        width = high - low
        assert low - 0.15 * width <= found[name]["low"] <= low + 1e-12, name
        assert high - 1e-12 <= found[name]["high"] <= high + 0.15 * width, name


@pytest.mark.parametrize("n, tail", [(10, 0.0086), (20, 0.0159), (100, 0.0231)])
def test_expanded_levels_are_those_of_the_formula(n, tail):
    """Integrals of the densities by another route than the quantile functions."""
    t = scipy.stats.t.isf(0.025, n - 1) * math.sqrt(n / (n - 1))
    assert 0.5 * math.erfc(t / math.sqrt(2)) == pytest.approx(tail, abs=1.5e-4)
    assert (1 - expanded_level(n)) / 2 == pytest.approx(
        0.5 * math.erfc(t / math.sqrt(2)), rel=1e-9
    )


def test_a_rare_class_leaves_metrics_of_all_classes_without_interval():
    table = simulated(np.random.default_rng(5), patients=12, images=1)
    table["target"] = np.r_[1.0, np.zeros(11)]
    found = assess(table, [TWO], resamples=2000)["outcome"]["by_image"]["metrics"]
    for name in OF_ALL_CLASSES:
        assert all(math.isnan(end) for end in ends(found[name])), name
        assert found[name]["reason"] == "fewer than 5 patients of a class"
        # Not drawn in (1 - 1/12)^12 of the resamples; specificity does not need it.
        lacking = 0.0 if name == "specificity" else (11 / 12) ** 12
        assert found[name].get("undefined", 0.0) == pytest.approx(lacking, abs=0.03)
        assert not math.isnan(found[name]["value"]), name
    assert found["accuracy"]["low"] < found["accuracy"]["high"]
    assert "undefined" not in found["accuracy"]
    # A threshold separates the only positive row, so there is no slope at all.
    calibration = {"calibration_slope", "calibration_intercept"}
    # The uniform index is of ordinal classes.
    marked = {name for name in METRICS if METRICS[name].every_class}
    assert marked == OF_ALL_CLASSES | calibration | {"uoc"}


def test_a_split_with_one_class_has_no_metric_of_all_classes():
    table = table_of(np.arange(12), np.zeros(12), np.linspace(0.1, 0.4, 12))
    found = assess(table, [TWO], resamples=20)["outcome"]["by_patient"]
    assert found["missing_classes"] == [TWO.class_names[1]]
    values = {name: own["value"] for name, own in found["metrics"].items()}
    for name in OF_ALL_CLASSES - {"specificity"}:
        assert math.isnan(values[name]), name
    assert values["accuracy"] == values["specificity"] == values["npv"] == 1.0


def test_a_small_class_without_errors_leaves_the_means_of_recalls_without_interval():
    targets = np.arange(48) % 4 == 0
    icu = np.where(targets, 0.9, np.where(np.arange(48) % 3 == 0, 0.6, 0.1))
    found = assess(table_of(np.arange(48), targets, icu), [TWO], resamples=300)
    metrics = found["outcome"]["by_image"]["metrics"]
    for name in ("balanced_accuracy", "g_mean", "recall"):
        assert all(math.isnan(end) for end in ends(metrics[name])), name
    for name in ("accuracy", "specificity", "f1"):
        assert metrics[name]["low"] < metrics[name]["high"], name
    # 36 patients without an error are many enough to say something.
    swapped = table_of(np.arange(48), ~targets, 1 - icu)
    swapped["target"], swapped["p_1"] = (
        1.0 * ~targets,
        np.where(targets, np.where(np.arange(48) % 8 == 0, 0.9, 0.1), 0.9),
    )
    swapped["p_0"], swapped["prediction"] = 1 - swapped["p_1"], swapped["p_1"] > 0.5
    swapped["prediction"] = swapped["prediction"].astype(int)
    metrics = assess(swapped, [TWO], resamples=300)["outcome"]["by_image"]["metrics"]
    entry = metrics["balanced_accuracy"]
    assert metrics["recall"]["value"] == 1 and entry["low"] < entry["high"]


def test_patients_with_many_images_are_worth_fewer_patients():
    """One of 31 patients has 30 of 60 images: 60^2 / (30^2 + 30) = 3.87 patients."""
    patients = np.r_[np.zeros(30, int), 1 + np.arange(30)]
    generator = np.random.default_rng(13)
    table = table_of(patients, np.arange(60) % 2, generator.random(60))
    metrics = assess(table, [TWO], resamples=100)["outcome"]["by_image"]["metrics"]
    assert all(math.isnan(end) for end in ends(metrics["accuracy"]))
    # 10 of 40: 40^2 / (10^2 + 30) = 12.3 patients.
    table = table[20:].assign(target=generator.integers(0, 2, 40))
    found = assess(table, [TWO], resamples=500)["outcome"]["by_image"]["metrics"]
    drawn = resampled_metrics(TWO, table, PatientDraws(500, seed=0))
    tail = (1 - expanded_level(1600 / 130)) / 2
    low, high = np.quantile(drawn.metrics["accuracy"], [tail, 1 - tail])
    # The influence of the patient with ten images makes it a little wider.
    assert low - 0.06 <= found["accuracy"]["low"] <= low + 1e-12
    assert high - 1e-12 <= found["accuracy"]["high"] <= high + 0.06


def test_a_class_without_a_label_is_named():
    generator = np.random.default_rng(6)
    chances = generator.dirichlet([1, 1, 1], 30)
    table = table_of(np.arange(30), np.arange(30) % 2, 0 * np.arange(30), task="grade")
    table[["p_0", "p_1", "p_2"]] = chances
    table["prediction"] = GRADE.prediction(chances)
    found = assess(table, [GRADE], resamples=100)["grade"]
    assert found["by_image"]["missing_classes"] == ["c"]
    assert found["by_patient"]["missing_classes"] == ["c"]
    metrics = found["by_image"]["metrics"]
    assert metrics["balanced_accuracy"]["undefined"] == 1
    assert math.isnan(metrics["balanced_accuracy"]["high"])
    # An error in classes has nothing to do with the missing one.
    assert metrics["mae"]["low"] < metrics["mae"]["value"] < metrics["mae"]["high"]


def test_a_label_of_a_multilabel_task_that_is_never_present_is_named():
    edema = simulated(np.random.default_rng(7)).assign(task="signs/edema")
    effusion = edema.assign(task="signs/effusion", target=0.0)
    found = assess(pd.concat([edema, effusion]), [SIGNS], resamples=50)["signs"]
    assert found["by_image"]["missing_classes"] == ["signs/effusion: yes"]
    assert found["by_patient"]["n"] == 2 * found["by_patient"]["patients"] == 80


def test_a_perfect_result_has_no_interval():
    table = table_of(np.arange(30), np.arange(30) % 2, np.arange(30) % 2 * 0.6 + 0.2)
    found = assess(table, [TWO], resamples=200)["outcome"]["by_image"]["metrics"]
    assert found["auc"]["value"] == found["accuracy"]["value"] == 1
    assert all(math.isnan(end) for end in ends(found["auc"]) + ends(found["accuracy"]))


@pytest.mark.parametrize("patients", [0, 1, 4])
def test_a_handful_of_patients_has_values_only(patients):
    table = simulated(np.random.default_rng(8), patients=patients)
    table = pd.concat([table, table_of(["z"], [np.nan], [0.5])])
    found = assess(table, [TWO], resamples=50)["outcome"]
    for unit in ("by_image", "by_patient"):
        assert found[unit]["patients"] == patients
        for entry in found[unit]["metrics"].values():
            assert all(math.isnan(end) for end in ends(entry))
            assert math.isnan(entry["value"]) or patients


def test_validation_and_test_are_assessed_and_fit_into_json(tmp_path):
    generator = np.random.default_rng(9)
    tables = [
        simulated(generator).assign(split=split)
        for split in ("train", "validation", "test")
    ]
    found = assess_splits(pd.concat(tables), [TWO], resamples=50)
    assert list(found) == ["validation", "test"]
    assert found["test"] == assess(tables[2], [TWO], resamples=50)
    write_json(tmp_path / "assessment.json", found)
    read = json.loads((tmp_path / "assessment.json").read_text())
    assert read["test"]["outcome"]["unit"] == "patient"


def test_a_run_is_assessed_in_less_than_a_second():
    """As large as Hannover's test fold, with both units."""
    table = simulated(np.random.default_rng(10), patients=58, images=6)
    start = time.process_time()
    assess(table, [TWO])
    assert time.process_time() - start < 1


def coverage(runs, truth, **settings):
    """Fraction of intervals by image that contain the truth; and how many exist."""
    generator = np.random.default_rng(11)
    covered, given = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for run in range(runs):
        table = simulated(generator, **settings)
        found = assess(table, [TWO], resamples=400, seed=run)["outcome"]
        for name, value in truth.items():
            low, high = ends(found["by_image"]["metrics"][name])
            given[name] += not math.isnan(low)
            covered[name] += low <= value <= high
    return {name: covered[name] / given[name] for name in truth}, given


@pytest.mark.parametrize(
    "runs, prevalence, least",
    [
        # Three standard errors of 50 runs are 9 %; of 200 runs, 5 %.
        (50, 0.5, 0.86),
        pytest.param(200, 0.5, 0.92, marks=pytest.mark.large),
        pytest.param(200, 0.2, 0.90, marks=pytest.mark.large),
    ],
)
def test_intervals_cover_the_truth_as_often_as_they_say(runs, prevalence, least):
    """40 patients with up to three images; the rarest class has 20 patients, or 8."""
    spread = math.hypot(0.9, 0.44)
    right = scipy.stats.norm.cdf(1.5 / 2 / spread)
    truth = dict.fromkeys(("accuracy", "balanced_accuracy", "recall"), right)
    truth["auc"] = scipy.stats.norm.cdf(1.5 / (spread * math.sqrt(2)))
    covered, given = coverage(runs, truth, prevalence=prevalence)
    for name in truth:
        assert given[name] > 0.75 * runs, name
        # Of 600 runs, 93 to 97 % cover.
        assert covered[name] >= least, name
