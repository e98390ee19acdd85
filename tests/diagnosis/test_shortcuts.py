"""A planted leak is found, and independent data raise no alarm."""

import dataclasses

import numpy as np
import pytest
from made_material import made_dataset, made_images, made_material, made_task

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING
from mdmt_tf.diagnosis.shortcuts import find_shortcuts

N = 80
LABELS = np.arange(N) % 2
MIXED = np.array(list("xxyy" * (N // 4)), object)
ORIGINAL = np.tile([[600, 800]], (N, 1)).astype(np.int32)


def levels(*datasets, **options):
    tasks = [made_task(**options)] if options else None
    _, findings = find_shortcuts(made_material(*datasets, tasks=tasks))
    return {
        f.text.split(" alone")[0]: f.level for f in findings if f.kind == "shortcut"
    }


def test_independent_data_are_not_flagged():
    dataset = made_dataset(
        LABELS, sex=MIXED, scanner=MIXED[::-1], age=np.arange(N) // 2 % 11 + 40.0,
        original_shape=ORIGINAL + np.arange(N)[:, None] // 2,
    )  # fmt: skip
    shortcuts, findings = find_shortcuts(made_material(dataset))
    assert findings == []
    names = [one.name for one in shortcuts]
    assert {"sex", "scanner", "age", "size of the original"} <= set(names)
    assert {"border of the image", "16 x 16 thumbnail"} <= set(names)


def test_fields_that_are_the_label_are_found():
    words = np.where(LABELS == 1, "AP", "PA").astype(object)
    age = np.where(LABELS == 1, 80.0, 30.0)
    reader = np.where(LABELS == 1, "b", "a").astype(object)
    dataset = made_dataset(LABELS, projection=words, age=age, second_score=reader)
    assert levels(dataset) == {
        "The field projection": SERIOUS,
        "The field age": WARNING,
        "The field second_score": NOTE,
    }


def test_a_declared_label_of_no_task_is_another_label():
    """It is no fact on the patient to compare a model with."""
    zone = np.where(LABELS == 1, "3", "0").astype(object)
    age = np.where(LABELS == 1, 80.0, 30.0)
    dataset = made_dataset(LABELS, zone=zone, age=age)
    assert levels(dataset)["The field zone"] == WARNING
    declared = dataclasses.replace(dataset, declared_labels=("label", "zone", "age"))
    assert levels(declared) == {"The field zone": NOTE, "The field age": WARNING}


def test_what_the_sentence_states():
    words = np.where(LABELS == 1, "AP", "PA").astype(object)
    images = made_images(N)
    images[LABELS == 1] *= 0.5
    dataset = made_dataset(LABELS, projection=words, images=images)
    shortcuts, findings = find_shortcuts(made_material(dataset))
    (text,) = [f.text for f in findings if "projection" in f.text]
    assert text == (
        "The field projection alone predicts outcome: AUC 1.00, balanced accuracy "
        "1.00, accuracy 1.00 (80 patients). It can be seen: the 16 x 16 thumbnail "
        "tells it at AUC 1.00 by image."
    )
    (one,) = [one for one in shortcuts if one.name == "projection"]
    assert one.visible == pytest.approx(1.0)


def test_pixels_and_sizes_that_tell_the_label_are_found():
    images = made_images(N)
    images[LABELS == 1, :1] = 1.0  # a white line at the top
    size = ORIGINAL + 400 * LABELS[:, None].astype(np.int32)
    found = levels(made_dataset(LABELS, images=images, original_shape=size))
    assert found["The size of the original"] == SERIOUS
    assert found["The border of the image"] == WARNING


def test_marks_are_found():
    labels = LABELS[:40]
    images = made_images(40, side=256) * 0.5
    images[labels == 1, 20:32, 230:233] = 1.0  # an L
    images[labels == 1, 30:32, 230:238] = 1.0
    found = levels(made_dataset(labels, images=images))
    assert found["The number of marks near the border"] == SERIOUS


def test_label_and_identity_are_no_measures():
    names = [one.name for one in find_shortcuts(made_material(made_dataset(LABELS)))[0]]
    assert not {"label", "image_id", "patient_id", "site"} & set(names)


def test_fields_that_are_known_for_one_class_only_are_named():
    days = np.where(LABELS == 1, 3.0, np.nan)
    dataset = made_dataset(LABELS, icu_offset=days)
    shortcuts, findings = find_shortcuts(made_material(dataset))
    (finding,) = findings
    assert finding.kind == "follows_the_label" and "icu_offset 1.00" in finding.text
    # It is the outcome itself.
    assert "icu_offset" not in [one.name for one in shortcuts]


def test_too_few_patients_are_said():
    _, (finding,) = find_shortcuts(made_material(made_dataset(LABELS[:12])))
    assert finding.kind == "too_few"
    assert finding.text.startswith("12 patients have a label of outcome")


def test_numbers_have_a_concordance():
    stay = np.arange(N, dtype=np.float32)
    ward = np.where(stay < N / 2, "a", "b").astype(object)
    dataset = made_dataset(stay, ward=ward)
    _, findings = find_shortcuts(
        made_material(dataset, tasks=[made_task(kind="regression", classes=())])
    )
    (text,) = [f.text for f in findings if "ward" in f.text]
    # Half of the pairs are of different wards and right, the others are ties.
    assert "concordance 0.7" in text and "accuracy" not in text
