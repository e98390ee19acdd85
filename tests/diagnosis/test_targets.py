"""Known labels of a task in one dataset."""

import numpy as np
from made_material import made_dataset, made_material, made_task

from mdmt_tf.diagnosis.targets import targets_of
from mdmt_tf.tasks import make_task


def dataset_of(labels, **fields):
    return made_dataset(labels, images=None, **fields)


def test_unknown_labels_are_left_out_and_patients_numbered():
    dataset = dataset_of([1, -1, 0, 1], patients=[5, 5, 7, 9])
    ((_, target),) = targets_of((made_task(),), {"ward": dataset.table})
    assert target.rows.tolist() == [0, 2, 3]
    assert target.values.tolist() == [1, 0, 1]
    assert target.patients.tolist() == [0, 1, 2]
    assert target.matrix.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert target.classes == ("no", "yes") and target.ordered
    assert target.where == "outcome, ward"


def test_a_patient_whose_images_contradict_each_other_has_no_label():
    dataset = dataset_of([1, 0, 1, 1, 0], patients=[0, 0, 1, 1, 2])
    ((_, target),) = targets_of((made_task(),), {"ward": dataset.table})
    assert np.array_equal(target.patient_values(), [np.nan, 1, 0], equal_nan=True)
    # One of two patients with several images.
    assert not target.is_of_patient()
    assert target.class_patients().tolist() == [2, 2]


def test_each_of_several_labels_is_a_target():
    signs = np.array([[1, 0], [0, -1], [1, 1]], np.int8)
    task = make_task(
        name="signs",
        kind="multilabel",
        classes=("opacity", "effusion"),
        sources={"ward": "signs"},
    )
    dataset = dataset_of([0, 0, 0], signs=signs)
    found = [target for _, target in targets_of((task,), {"ward": dataset.table})]
    assert [target.name for target in found] == ["signs/opacity", "signs/effusion"]
    assert [target.values.tolist() for target in found] == [[1, 0, 1], [0, 1]]
    assert found[1].rows.tolist() == [0, 2]


def test_a_task_without_known_labels_has_no_target():
    dataset = dataset_of([-1, -1])
    material = made_material(dataset)
    assert not list(targets_of(material.tasks, material.tables))
