"""What the patients of each task can show."""

import dataclasses

import numpy as np
import pytest
from made_material import FOLDS, made_dataset, made_material, made_task

from mdmt_tf.diagnosis.findings import NOTE, WARNING
from mdmt_tf.diagnosis.limits import find_limits
from mdmt_tf.statistics.power import auc_variance, interval_width

N = 50


def limits_of(labels, patients=None, **options):
    dataset = made_dataset(labels, images=None, patients=patients)
    tasks = [made_task(**options)] if options else None
    return find_limits(made_material(dataset, tasks=tasks))


def test_patients_count_once():
    labels = np.repeat(np.arange(N) // FOLDS % 2, 3)
    limits, (finding,) = limits_of(labels, patients=np.repeat(np.arange(N), 3))
    by_place = {(one.tested, one.metric): one for one in limits}
    assert by_place["all folds", "auc"].patients == (25, 25)
    assert by_place["fold 0", "auc"].patients == (5, 5)
    assert by_place["all folds", "accuracy"].patients == (50,)
    width = interval_width(auc_variance(0.8, 25, 25))
    assert by_place["all folds", "auc"].width == pytest.approx(width)
    assert finding.level == WARNING
    assert finding.text.startswith(
        "With 25 and 25 patients in all folds, a gain of 0.1"
    )


def test_patients_who_are_never_tested_do_not_count():
    dataset = made_dataset(np.arange(N) // FOLDS % 2, images=None)
    material = made_material(dataset)
    one = dataclasses.replace(material, folds=material.folds[:1])
    limits, (finding,) = find_limits(one)
    # One of five folds.
    assert {limit.patients for limit in limits if limit.metric == "auc"} == {(5, 5)}
    assert finding.level == WARNING
    assert finding.text.startswith("With 5 and 5 patients in all folds, no gain at all")


def test_few_patients_with_numbers():
    _, (finding,) = limits_of(
        np.arange(FOLDS, dtype=np.float32), kind="regression", classes=()
    )
    # (1.96 + 0.84) / sqrt(5)
    assert "a difference in MAE of 1.25 or more" in finding.text


def test_what_no_fold_tests_has_no_limits():
    dataset = made_dataset(np.arange(N) // FOLDS % 2, images=None)
    material = dataclasses.replace(made_material(dataset), auxiliary=(dataset.name,))
    assert find_limits(material) == ([], [])


def test_many_patients_are_a_note():
    _, (finding,) = limits_of(np.arange(1000) // FOLDS % 2)
    assert finding.level == NOTE


def test_several_classes_have_an_accuracy_only():
    limits, _ = limits_of(np.arange(N) % 3, kind="categorical", classes=("a", "b", "c"))
    assert {one.metric for one in limits} == {"accuracy"}


def test_numbers_have_an_error_in_std():
    limits, (finding,) = limits_of(
        np.arange(N, dtype=np.float32), kind="regression", classes=()
    )
    # (1.96 + 0.84) / sqrt(50)
    assert limits[0].metric == "mae"
    assert limits[0].detectable == pytest.approx(2.801585 / np.sqrt(50), rel=1e-4)
    assert "0.40 or more" in finding.text
