"""What a fit is given of the lists: auxiliary datasets, fractions of patients."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.splits.files import LISTS
from mdmt_tf.splits.fit_lists import of_fit
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split


def table(patients):
    """Two images of each patient."""
    images = np.array(
        [f"p{number // 2}-{number % 2}" for number in range(2 * patients)]
    )
    return {"image_id": images, "patient_id": np.array([i[:-2] for i in images])}


TABLES = {"real": table(30), "drawn": table(200)}
SPLIT = make_split(TABLES, [], SplitSettings(auxiliary=["drawn"]))
FOLD_1 = make_split(TABLES, [], SplitSettings(auxiliary=["drawn"], fold=1))


def given(fractions=None, *, names=("real", "drawn"), seed=0, split=SPLIT):
    tables = {name: TABLES[name] for name in names}
    return of_fit(split.only(names), tables, ["drawn"], fractions, seed).datasets


def patients(dataset, images):
    table = TABLES[dataset]
    return set(table["patient_id"][np.isin(table["image_id"], images)])


def numbers(lists):
    return [len(lists[name]) for name in LISTS]


def test_a_fraction_of_patients_that_are_numbered():
    numbered = {name: {**own} for name, own in TABLES.items()}
    for own in numbered.values():
        own["patient_id"] = np.array([int(name[1:]) for name in own["patient_id"]])
    lists = SPLIT.only(["real"])
    found = of_fit(lists, {"real": numbered["real"]}, [], {"real": 0.5}, 0)
    expected = round(len(lists.datasets["real"]["train"]) / 2)
    assert len(found.datasets["real"]["train"]) == pytest.approx(expected, abs=1)


def test_among_others_an_auxiliary_dataset_is_trained_with_alone():
    found = given()
    assert found["real"] == SPLIT.datasets["real"]
    assert found["drawn"]["train"] == SPLIT.datasets["drawn"]["train"]
    assert numbers(found["drawn"]) == [360, 0, 0, 40]


def test_auxiliary_datasets_alone_have_their_lists_in_every_fold():
    alone = given(names=["drawn"])
    assert alone["drawn"] == SPLIT.datasets["drawn"]
    assert alone == given(names=["drawn"], split=FOLD_1)


@pytest.mark.parametrize("name, count", [("real", 18), ("drawn", 180)])
def test_fractions_are_of_the_training_patients_and_nested(name, count):
    sets = {}
    for fraction in (0.01, 0.25, 0.5, 1):
        lists = given({name: fraction})[name]
        sets[fraction] = patients(name, lists["train"])
        wanted = max(1, int(fraction * count + 0.5))
        assert len(sets[fraction]) == wanted and len(lists["train"]) == 2 * wanted
        assert sum(numbers(lists)) == len(TABLES[name]["image_id"])
        for split in ("validation", "test"):
            assert lists[split] == given()[name][split]
    assert sets[0.01] < sets[0.25] < sets[0.5] < sets[1]


def test_who_is_drawn_depends_on_the_seed_and_the_training_patients():
    half = given({"drawn": 0.5})["drawn"]["train"]
    assert given({"drawn": 0.5}, split=FOLD_1)["drawn"]["train"] == half
    assert given({"drawn": 0.5}, names=["drawn"])["drawn"]["train"] == half
    assert given({"drawn": 0.5}, seed=1)["drawn"]["train"] != half


def test_with_fraction_0_the_auxiliary_validation_chooses_and_the_others_are_tested():
    found = given({"real": 0})
    assert found["real"]["test"] == SPLIT.datasets["real"]["test"]
    assert numbers(found["real"]) == [0, 0, 12, 48]
    assert found["drawn"]["validation"] == SPLIT.datasets["drawn"]["validation"]
    assert numbers(found["drawn"]) == [360, 20, 0, 20]


def test_with_fraction_0_an_auxiliary_dataset_is_left_out():
    found = given({"drawn": 0})
    assert found["real"] == SPLIT.datasets["real"]
    assert numbers(found["drawn"]) == [0, 0, 0, 400]


def test_nothing_to_train_with():
    with pytest.raises(DataError, match="fold 0: no train image is left to train with"):
        given({"real": 0}, names=["real"])


def test_a_changed_list_changes_the_hash_and_no_patient_leaks():
    tables = {name: TABLES[name] for name in ("real", "drawn")}
    found = of_fit(SPLIT, tables, ["drawn"], {"real": 0.5})
    found.check_leakage(tables)
    assert found.hash != SPLIT.hash
