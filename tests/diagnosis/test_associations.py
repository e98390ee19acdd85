"""Associations of fields and labels, on training patients only."""

import numpy as np
from made_material import FOLDS, made_dataset, made_material, made_task

from mdmt_tf.diagnosis.associations import associate

N = 60
LABELS = np.arange(N) // FOLDS % 2


def dataset_of(**fields):
    return made_dataset(LABELS, images=None, **fields)


def test_test_patients_cannot_matter():
    # Patient p is tested in fold p % 5, and fold 0 trains with 2, 3 and 4.
    trained = np.isin(np.arange(N) % FOLDS, (2, 3, 4))
    noise = np.random.default_rng(0).normal(size=N)
    informative = np.where(trained, LABELS + 0.1 * noise, noise)
    reversed_ = np.where(trained, noise, LABELS + 0.1 * noise)
    dataset = dataset_of(crp=informative, wbc=reversed_)
    table, (finding,) = associate(made_material(dataset))
    rho = table[table["p"].notna()].set_index("field")["value"]
    assert rho["crp"] > 0.8 and abs(rho["wbc"]) < 0.5
    assert set(table["n"]) == {36}
    assert "crp (Spearman's rho" in finding.text and "wbc" not in finding.text
    assert "training patients of fold 0" in finding.text


def test_the_outcome_and_constant_fields_are_left_out():
    dataset = dataset_of(
        icu_offset=np.where(LABELS == 1, 2.0, np.nan), crp=np.full(N, 3.0)
    )
    table, findings = associate(made_material(dataset))
    assert table.empty and findings == []


def test_tasks_without_classes_have_none():
    task = made_task(kind="regression", classes=())
    table, findings = associate(
        made_material(dataset_of(age=LABELS * 1.0), tasks=[task])
    )
    assert table.empty and findings == []
    assert "field" in table
