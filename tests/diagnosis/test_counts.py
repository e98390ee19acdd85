"""Labels by fold and split, by arithmetic."""

import numpy as np
import pytest
from made_material import FOLDS, made_dataset, made_material, made_task

from mdmt_tf.diagnosis.counts import count_labels
from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING
from mdmt_tf.tasks import make_task

N = 50


def dataset_of(labels, **options):
    return made_dataset(labels, **{"images": None, **options})


def examined(*datasets, **options):
    counts, findings = count_labels(made_material(*datasets, **options))
    return counts, {finding.kind: finding for finding in findings}


def test_balanced_labels_need_no_word():
    labels = np.arange(N) // FOLDS % 2
    counts, findings = examined(dataset_of(labels))
    assert findings == {}
    assert len(counts) == 3 * FOLDS
    assert {(c.split, c.images, c.patients) for c in counts} == {
        ("train", (15, 15), (15, 15)),
        ("validation", (5, 5), (5, 5)),
        ("test", (5, 5), (5, 5)),
    }


def test_a_class_that_a_split_lacks():
    # The patients of class yes are in the folds 0 and 1.
    labels = (np.arange(N) % FOLDS < 2).astype(int)
    _, findings = count_labels(made_material(dataset_of(labels)))
    missing = {
        (f.values["split"], f.values["class"]): f
        for f in findings
        if f.kind == "missing_class"
    }
    assert missing["test", "yes"].values["folds"] == [2, 3, 4]
    assert missing["test", "yes"].level == WARNING
    # Fold 0 tests and fold 1 validates them.
    assert missing["train", "yes"].values["folds"] == [0]
    assert missing["train", "yes"].level == SERIOUS
    assert "no image of class yes in 1 of 5 folds" in missing["train", "yes"].text


def test_a_class_that_no_image_has():
    task = made_task(kind="categorical", classes=("a", "b", "c"))
    _, findings = examined(dataset_of(np.arange(N) // FOLDS % 2), tasks=[task])
    assert findings["missing_class"].text == "No image of the dataset has class c."


def test_one_patient_with_many_images():
    # Patient 0 has 11 more images, and is tested in fold 0 with 9 others: 12 of 21.
    labels = np.concatenate([np.arange(N) // FOLDS % 2, np.zeros(11, int)])
    patients = np.concatenate([np.arange(N), np.zeros(11, int)])
    _, findings = examined(dataset_of(labels, patients=patients))
    assert findings["dominant_patient"].text == (
        "One no patient has 12 of 21 test images in 1 of 5 folds."
    )


def test_rare_classes_and_contradictions():
    labels = np.zeros(N, int)
    labels[:4] = 1
    _, findings = examined(dataset_of(labels))
    assert findings["rare_class"].text == "4 of 50 patients have class yes (8%)."
    # Two images of each patient; those of one contradict each other.
    pairs = np.repeat(np.arange(25) % 2, 2)
    pairs[0] = 1
    _, findings = examined(dataset_of(pairs, patients=np.arange(N) // 2))
    finding = findings["contradictory_labels"]
    assert finding.level == WARNING
    assert finding.text.startswith("1 of 25 patients with several images")
    pairs = np.arange(N) % 2
    _, findings = examined(dataset_of(pairs, patients=np.arange(N) // 2))
    assert findings["contradictory_labels"].level == NOTE


def test_sites_that_have_one_class():
    labels = np.arange(N) // FOLDS % 2
    sites = np.where(labels == 1, "north", "south").astype(object)
    _, findings = examined(dataset_of(labels, site=sites))
    assert findings["site_is_label"].level == SERIOUS
    assert "2 of 2 sites" in findings["site_is_label"].text
    sites[:10] = "east"
    _, findings = examined(dataset_of(labels, site=sites))
    assert findings["site_is_label"].level == WARNING
    assert "2 of 3 sites" in findings["site_is_label"].text


@pytest.mark.parametrize(("sites", "size", "positive"), [(10, 8, 0.1), (12, 6, 0.2)])
def test_sites_that_have_one_class_by_chance_are_not_told(sites, size, positive):
    site = np.repeat([f"s{number}" for number in range(sites)], size).astype(object)
    target = np.zeros(sites * size, int)
    target[: round(positive * len(target))] = 1
    told = 0
    for seed in range(100):
        labels = np.random.default_rng(seed).permutation(target)
        _, findings = examined(dataset_of(labels, site=site))
        told += "site_is_label" in findings
    # p < 0.05 of at least one site.
    assert told <= 10


def test_tasks_of_different_images_do_not_overlap():
    one = dataset_of(np.arange(N) // FOLDS % 2, name="one")
    two = dataset_of(np.arange(N) // FOLDS % 2, name="two", seed=1)
    tasks = [
        make_task(name=f"of_{name}", kind="binary", sources={name: "label"})
        for name in ("one", "two")
    ]
    _, findings = examined(one, two, tasks=tasks)
    assert (
        findings["no_overlap"].text == "No image has a label of both of_one and of_two."
    )


def test_a_task_without_labels_is_serious():
    _, findings = examined(dataset_of(np.full(N, -1)))
    assert findings["no_labels"].level == SERIOUS


def test_constant_images_are_named():
    images = np.random.default_rng(0).random((N, 8, 8, 1))
    images[7] = 0.25
    _, findings = examined(dataset_of(np.arange(N) // FOLDS % 2, images=images))
    assert findings["constant_images"].text == (
        "1 image with a single grey value: ward0007."
    )
