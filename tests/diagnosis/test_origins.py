"""What tells the datasets apart, and a dataset that stands for a label."""

import numpy as np
from made_material import made_dataset, made_images, made_material, made_task

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS
from mdmt_tf.diagnosis.origins import find_origins

N = 40


def material(first_labels, second_labels, change=0.0):
    first = made_dataset(first_labels, name="one", seed=1)
    images = made_images(len(second_labels), seed=2) * (1 - change)
    second = made_dataset(second_labels, name="two", images=images)
    return made_material(first, second)


def test_datasets_that_are_alike_are_not_told_apart():
    balanced = np.arange(N) % 2
    told, findings = find_origins(material(balanced, balanced))
    assert findings == []
    assert "16 x 16 thumbnail" in {one.name for one in told}


def test_darker_images_tell_the_dataset():
    balanced = np.arange(N) % 2
    _, (finding,) = find_origins(material(balanced, balanced, change=0.6))
    assert finding.level == NOTE and finding.kind == "datasets_differ"
    assert "mean grey and contrast 1.00" in finding.text


def test_a_dataset_that_is_the_label_is_serious():
    mostly_yes = (np.arange(N) % 10 > 0).astype(int)
    _, findings = find_origins(material(1 - mostly_yes, mostly_yes))
    (finding,) = [f for f in findings if f.kind == "dataset_is_label"]
    assert finding.level == SERIOUS
    assert finding.text.startswith("The dataset alone predicts outcome: AUC 0.9")


def test_one_dataset_is_told_from_nothing():
    assert find_origins(made_material(made_dataset(np.arange(N) % 2))) == ([], [])


def test_patients_of_two_datasets_are_different():
    """Both have patients of the same names."""
    one = made_dataset(np.arange(N) % 2, name="one")
    two = made_dataset(np.arange(N) % 2, name="two", seed=3)
    told, _ = find_origins(
        made_material(one, two, tasks=[made_task(datasets=["one", "two"])])
    )
    (by_dataset,) = [item for item in told if item.task == "outcome"]
    assert by_dataset.predicted.patient.n == 2 * N
