"""What is said of labels that were taken for something."""

import types

import numpy as np

from mdmt_tf.data.label_notes import label_notes, numbers_read
from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.units import with_units


def dataset(name, units=None, **table):
    table |= {"image_id": np.array(["a", "b", "c"], object)}
    return types.SimpleNamespace(name=name, table=table, units=units or {})


WARD = dataset("ward", {"age": "years"}, died=np.array([1, 0, 1]), age=np.ones(3))
CLINIC = dataset("clinic", died=np.array([0, -1, 1]), age=np.ones(3))
TEXTS = dataset("texts", died=np.array(["no", "", "yes"], object), age=np.ones(3))


def answers(*names):
    died = {"kind": "binary", "classes": ("no", "yes")}
    return with_units(
        [
            make_task(name="died", sources=dict.fromkeys(names, "died"), **died),
            make_task(
                name="age", kind="regression", sources=dict.fromkeys(names, "age")
            ),
        ],
        {"ward": WARD.units},
    )


def test_the_reading_of_numbers_is_counted_in_all_images():
    assert numbers_read(answers("ward"), [WARD]) == {"died": "0 -> no: 1, 1 -> yes: 2"}


def test_each_of_several_datasets_has_its_counts_and_text_has_none():
    names = ("ward", "clinic", "texts")
    found = numbers_read(answers(*names), [WARD, CLINIC, TEXTS])
    clinic = "0 -> no: 1, 1 -> yes: 1 (clinic)"
    assert found == {"died": f"0 -> no: 1, 1 -> yes: 2 (ward); {clinic}"}
    assert numbers_read(answers("texts"), [TEXTS]) == {}


def test_the_unit_of_others_is_said_where_a_dataset_states_none():
    (_, line) = label_notes(answers("ward", "texts"), [WARD, TEXTS])
    assert line == "labels of age: taken as years; no unit is stated in texts"
    assert list(label_notes(answers("ward"), [WARD])) == [
        "labels of died: numbers read as 0 -> no: 1, 1 -> yes: 2"
    ]
