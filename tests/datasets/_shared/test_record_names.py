"""Patients and sites in one spelling."""

from pathlib import Path

import pytest

from mdmt_tf.datasets._shared.image_records import Record
from mdmt_tf.datasets._shared.record_names import in_one_spelling
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import TableRow


def spelled(*pairs):
    """Patients and sites of records, and the warnings by kind."""
    records = [
        Record(
            f"i{number}",
            patient,
            site,
            Path(f"i{number}.png"),
            TableRow("t.csv", number, {}),
            {},
        )
        for number, (patient, site) in enumerate(pairs, 2)
    ]
    rejections = Rejections()
    found = in_one_spelling(records, rejections)
    return [(r.patient_id, r.site) for r in found], rejections.warnings_by_kind()


@pytest.mark.parametrize(
    "one, other, warning",
    [
        ("12", "12.0", {}),
        ("pa", "pa\u200b", {}),
        ("p\u00a01", "p 1", {}),
        ("12", "012", {"patients of like names": 1}),
        ("PC", "pc", {"patients of like names": 1}),
        ("p 1", "p1", {"patients of like names": 1}),
        ("p1", "p2", {}),
    ],
)
def test_patients(one, other, warning):
    (first, second), warnings = spelled((one, "A"), (other, "A"))
    assert warnings == warning
    assert (first == second) == (not warning and other != "p2")


def test_the_most_frequent_spelling_of_a_site_counts():
    sites = ["SIEMENS", "Siemens", "Siemens", "siemens ", "", "Fuji", "FUJI"]
    found, warnings = spelled(*((f"p{n}", site) for n, site in enumerate(sites)))
    assert [site for _, site in found] == [*["Siemens"] * 4, "", "Fuji", "Fuji"]
    assert warnings == {"site in another spelling": 3}


def test_sites_of_like_names_stay_apart():
    found, warnings = spelled(("p", "Ward 1"), ("q", "Ward 01"), ("r", "Ward 01"))
    assert [site for _, site in found] == ["Ward 1", "Ward 01", "Ward 01"]
    assert warnings == {"sites of like names": 1}


def test_images_that_are_patients_are_not_compared():
    _, warnings = spelled(("i2", "A"), ("I3", "A"), ("i3", "A"))
    assert warnings == {"patients of like names": 1}  # of the two others
