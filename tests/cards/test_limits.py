"""The limits that the facts of a run show."""

import copy

import pytest

from mdmt_tf.cards.limits import limits


@pytest.fixture
def facts(made_facts):
    return copy.deepcopy(made_facts)


def found(facts, words):
    """The limits that have these words."""
    return [text for text in limits(facts) if words in text]


def test_few_patients_and_one_fold(facts):
    assert found(facts, "Judged on one fold of 3.")
    (text,) = found(facts, "intervals are wide")
    assert text == "Judged on 50 patients (icu, days), so intervals are wide."
    for own in facts["evaluation"]["tasks"].values():
        own["patients"] = 100
    assert not found(facts, "intervals are wide")


def test_no_other_hospital_is_claimed(facts):
    assert found(facts, "of other hospitals it may be worse")
    facts["split"] |= {"kind": "leave_one_site_out", "sites": {"ward": "south"}}
    assert not found(facts, "of other hospitals it may be worse")
    assert found(facts, "a site that was left out")


def test_one_site(facts):
    assert not found(facts, "one site")
    facts["data"][0]["sites"] = 1
    assert found(facts, "ward: all images are of one site.")


def test_synthetic_images(facts):
    facts["trained_with_synthetic"] = {"synthetic_cxr": 2700}
    (text,) = found(facts, "synthetic")
    assert text.startswith("Trained with 2,700 synthetic images (synthetic_cxr); jud")
    facts["synthetic"] = True
    (text,) = found(facts, "synthetic")
    assert "say nothing about patients" in text


def test_controls_and_fractions(facts):
    facts["model"]["answers"][0]["permuted"] = True
    facts["model"]["answers"][1]["fraction"] = 0.25
    assert found(facts, "icu: the training labels were permuted")
    assert found(facts, "days: trained with the labels of 25%")


def test_a_task_that_nothing_trains(facts):
    facts["model"]["answers"][1] |= {"fraction": 0.0, "trained": False}
    assert found(facts, "days: nothing has trained its head")
    assert not found(facts, "days: trained with the labels")
    # Its head may know what the start has learned.
    facts["model"]["start_heads"] = True
    assert not found(facts, "nothing has trained")
    assert found(facts, "days: trained with the labels of 0%")


def test_a_derived_answer_is_as_meaningless_as_its_tasks(facts):
    answers = facts["model"]["answers"]
    derived = {"name": "sum", "terms": {"icu": [0, 1], "days": []}, "trained": False}
    answers.append(derived | {"permuted": False, "fraction": None})
    assert not found(facts, "sum: ")
    answers[1] |= {"fraction": 0.0, "trained": False}
    assert found(facts, "sum: nothing has trained the head of days; the answers mean")
    answers[0]["permuted"] = True
    assert found(facts, "sum: the training labels of icu were permuted, nothing has")


def test_metrics_that_chose_the_epoch(facts):
    assert not found(facts, "chose the epoch")
    facts["evaluation"]["split"] = "validation"
    assert found(facts, "chose the epoch, so they are too good")
    facts["training"]["kept_epoch"] = {"number": 2, "chosen": False}
    assert found(facts, "There is no test split.")
    assert not found(facts, "chose the epoch")


def test_rare_and_missing_classes(facts):
    assert not found(facts, "classes with fewer")
    counts = facts["data"][0]["flow"]["classes"]["icu"]["test"]
    counts["yes"]["patients"] = 7
    facts["evaluation"]["tasks"]["icu"]["missing_classes"] = ["no"]
    (text,) = found(facts, "classes with fewer than 20 test patients")
    assert text == "ward: classes with fewer than 20 test patients: icu: yes (7)."
    assert found(facts, "icu: no test label of the class no.")


def test_rare_classes_of_one_of_several_labels(facts):
    count = {"images": 9, "patients": 4}
    own = {"findings": {}, "findings/effusion": {"test": {"no": count, "yes": count}}}
    own["findings/effusion"]["test"]["no"] = {"images": 90, "patients": 40}
    facts["data"][0]["flow"]["classes"] |= own
    (text,) = found(facts, "classes with fewer than 20 test patients")
    assert text.endswith("test patients: findings/effusion: yes (4).")


def test_shortcuts(facts):
    assert found(facts, "not looked for")
    facts["shortcuts"] = {"ward": {"icu": {"view": 0.9}}}
    (text,) = found(facts, "view")
    assert "reaches a balanced accuracy of 90%" in text
    facts["shortcuts"] = {"ward": {"icu": {}}}
    assert not found(facts, "view") and not found(facts, "not looked for")


@pytest.mark.parametrize(
    "accuracy, is_told", [(0.9, True), (0.6, False), (None, False)]
)
def test_features_that_tell_the_datasets_apart(facts, accuracy, is_told):
    facts["features_probe"] = {"balanced_accuracy": accuracy, "chance": 0.5}
    assert bool(found(facts, "tell the datasets apart")) == is_told


def test_calibration_that_was_not_fitted(facts):
    assert not found(facts, "calibration")
    fitted = facts["calibration"]["icu"]["fitted"]["icu"]
    fitted["note"] = "not fitted: 3 images"
    assert found(facts, "icu: calibration not fitted: 3 images.")
