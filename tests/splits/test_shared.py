"""Datasets with the same patients, and datasets that may have them."""

import warnings

import numpy as np
import pytest

from mdmt_tf.errors import DataWarning, LeakageError
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, make_split
from mdmt_tf.tasks import make_task

TASK = make_task(
    name="outcome",
    kind="binary",
    classes=("good", "poor"),
    sources={"film": "poor", "ct": "poor"},
)
SAME = {"film": "ward", "ct": "ward"}


def table_of(mark, patients, sites="A"):
    """Two images of every other patient."""
    rows = [p for n, p in enumerate(patients) for _ in range(1 + n % 2)]
    poor = {patient: n % 3 == 0 for n, patient in enumerate(patients)}
    return {
        "image_id": np.array([f"{mark}{n:03d}" for n in range(len(rows))], object),
        "patient_id": np.array(rows, object),
        "site": np.array([sites[n % len(sites)] for n in range(len(rows))], object),
        "poor": np.array([int(poor[patient]) for patient in rows]),
    }


def named(numbers):
    return [f"p{number:03d}" for number in numbers]


@pytest.fixture
def tables():
    """60 patients have films, 60 have CTs, and 30 have both."""
    return {
        "film": table_of("f", named(range(60)), "AABC"),
        "ct": table_of("c", named(range(30, 90)), "XYZ"),
        "other": table_of("o", [f"q{number}" for number in range(40)]),
    }


def patients_of(tables, split):
    """split -> (dataset -> patients)."""
    found = {}
    for dataset, lists in split.datasets.items():
        table = tables[dataset]
        for name, images in lists.items():
            own = np.isin(table["image_id"], images)
            found.setdefault(name, {})[dataset] = set(table["patient_id"][own])
    return found


HOWS = {
    "kfold": {"folds": 5},
    "fraction": {"folds": 5, "validation": "fraction", "validation_fraction": 0.2},
    "site": {"kind": "leave_one_site_out", "leave_out": ["film"]},
    "sites": {"kind": "leave_one_site_out", "leave_out": ["film", "ct"]},
}


@pytest.mark.parametrize("how", HOWS)
def test_a_patient_of_two_datasets_is_in_one_split(tables, how):
    for fold in range(3):
        settings = SplitSettings(fold=fold, patients=SAME, **HOWS[how])
        found = patients_of(tables, make_split(tables, [TASK], settings))
        of = {name: own["film"] | own["ct"] for name, own in found.items()}
        assert not of["train"] & of["validation"]
        assert not of["test"] & (of["train"] | of["validation"])
        assert found["train"]["film"] and found["train"]["ct"]


@pytest.mark.parametrize("how", HOWS)
def test_without_the_declaration_they_leak_and_it_is_said(tables, how):
    """So that the test above can fail."""
    with pytest.warns(DataWarning, match=r"30 patient_ids are in ct and in film, such"):
        split = make_split(tables, [TASK], SplitSettings(**HOWS[how]))
    found = patients_of(tables, split)
    assert found["test"]["film"] & found["train"]["ct"]


def test_folds_of_both_are_even_and_stratified(tables):
    for fold in range(5):
        settings = SplitSettings(folds=5, fold=fold, patients=SAME)
        split = make_split(tables, [TASK], settings)
        for dataset in SAME:
            table = tables[dataset]
            tested = np.isin(table["image_id"], split.datasets[dataset]["test"])
            assert tested.mean() == pytest.approx(1 / 5, abs=0.06)
            poor = table["poor"]
            assert poor[tested].mean() == pytest.approx(poor.mean(), abs=0.12)


@pytest.mark.parametrize("how", HOWS)
def test_other_datasets_are_divided_as_before(tables, how):
    """Also one that has a name of its own, with which no other dataset is."""
    undeclared = {name: tables[name] for name in ("film", "other")}
    before = make_split(undeclared, [TASK], SplitSettings(**HOWS["kfold"]))
    named = SplitSettings(patients={"film": "ward"}, **HOWS["kfold"])
    assert make_split(undeclared, [TASK], named).datasets == before.datasets
    both = SplitSettings(patients=SAME, **HOWS["kfold"])
    after = make_split(tables, [TASK], both)
    assert after.datasets["other"] == before.datasets["other"]


@pytest.mark.parametrize(
    "patients, warned",
    [
        ({}, True),
        ({"film": "ward"}, True),
        ({"film": "ward", "ct": "clinic"}, False),
        (SAME, False),
    ],
)
def test_who_has_declared_it_is_not_warned(tables, patients, warned):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        make_split(tables, [TASK], SplitSettings(patients=patients))
    assert len(found) == warned


def test_a_few_common_ids_are_no_reason_to_warn(tables):
    tables["ct"] = table_of("c", named(range(56, 116)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_split(tables, [TASK], SplitSettings())


def test_ids_that_are_written_differently_are_told(tables):
    tables["ct"] = table_of("c", [str(number) for number in range(30, 90)])
    with pytest.warns(DataWarning, match="are 'ward', but no patient_id is in both"):
        make_split(tables, [TASK], SplitSettings(patients=SAME))


def test_lists_that_part_a_patient_of_two_datasets_are_refused(tables, tmp_path):
    split = make_split(tables, [TASK], SplitSettings(patients=SAME))
    split.write(tmp_path / "split.json")
    stored = Split.read(tmp_path / "split.json")
    stored.check_leakage(tables)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apart = make_split(tables, [TASK], SplitSettings())
    apart.write(tmp_path / "apart.json")
    settings = SplitSettings(
        kind="file", file=str(tmp_path / "apart.json"), patients=SAME
    )
    with pytest.raises(LeakageError, match=r"of dataset 'film' and 'ct' is in 2 split"):
        make_split(tables, [TASK], settings)
