"""How many patients carry a metric."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.statistics.support import Support, effective_patients
from mdmt_tf.tasks import make_task


def rows_of(patients, **columns):
    return pd.DataFrame({"dataset": "ward", "patient_id": patients, **columns})


@pytest.mark.parametrize(
    "images, expected",
    [([1] * 7, 7.0), ([3] * 7, 7.0), ([2, 1, 1], 16 / 6), ([10], 1.0), ([], 0.0)],
)
def test_patients_with_many_images_are_worth_fewer(images, expected):
    rows = rows_of(np.repeat(np.arange(len(images)), images))
    assert effective_patients(rows) == pytest.approx(expected)


def test_the_same_id_in_two_datasets_is_two_patients():
    rows = rows_of(["a", "a"]).assign(dataset=["one", "two"])
    assert effective_patients(rows) == 2


def test_classes_with_their_rows():
    grade = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
    rows = rows_of(list("uuvwx"), target=[0, 0, 0, 2, 2], prediction=[0, 1, 0, 2, 0])
    support = Support.of(rows, grade)
    facts = [(own.name, own.rows, own.right) for own in support.classes]
    assert facts == [("a", 3, 2), ("b", 0, 0), ("c", 2, 1)]
    assert support.missing == ("b",) and support.rarest == 0
    assert support.classes[0].patients == pytest.approx(9 / 5)
    assert support.patients == pytest.approx(25 / 7)


def test_several_labels_are_named_with_theirs():
    signs = make_task(name="signs", kind="multilabel", classes=("edema", "effusion"))
    tasks = ["signs/edema"] * 2 + ["signs/effusion"] * 2
    rows = rows_of(list("abab"), task=tasks, target=[0, 1, 0, 0], prediction=0)
    assert Support.of(rows, signs).missing == ("signs/effusion: yes",)


def test_numbers_have_no_classes():
    age = make_task(name="age", kind="regression")
    support = Support.of(rows_of(list("ab"), target=1.0, prediction=2.0), age)
    assert support.classes == () and support.rarest == support.patients == 2
