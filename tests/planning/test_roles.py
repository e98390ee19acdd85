"""Columns of patient, site and fields."""

import pytest

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.roles import guess_fields, guess_patient, guess_site


def table(**cells):
    return {name: Column(name, tuple(texts)) for name, texts in cells.items()}


IMAGES = [f"i{n}" for n in range(12)]
PIDS = [f"p{n // 2}" for n in range(12)]


@pytest.mark.parametrize(
    "name",
    ["pid", "PatientID", "subject", "Case ID", "MRN", "PAT_ID", "Pat-Nr", "PatNr"]
    + ["Patienten-ID", "Patientennummer", "Fallnummer", "ID_paciente", "pazienti"],
)
def test_the_patient_is_found_by_its_name(name):
    columns = table(file=IMAGES, age=["60"] * 6 + ["70"] * 6) | {
        name: Column(name, tuple(PIDS))
    }
    guess = guess_patient(columns, "file")
    assert (
        guess.column == name and guess.sure and "6 patients in 12 rows" in guess.reason
    )


def test_a_fact_about_the_patient_is_no_patient():
    ages = [str(n) for n in range(40, 52)]
    columns = table(file=IMAGES, patient_age=ages, patient_outcome=["0", "1"] * 6)
    assert guess_patient(columns, "file").column is None


def test_the_coarser_of_two_complete_names_cannot_leak():
    columns = {
        name: Column(name, tuple(f"{i // k}" for i in range(60)))
        for name, k in (("file", 1), ("patient_id", 2), ("patient_group", 3))
    }
    guess = guess_patient(columns, "file")
    assert (
        guess.column == "patient_group" and "also possible: patient_id" in guess.reason
    )


def test_unknown_patients_are_counted():
    columns = table(file=IMAGES, pid=[*PIDS[:11], ""])
    guess = guess_patient(columns, "file")
    assert guess.column == "pid" and not guess.sure and "unknown in 1" in guess.reason


def test_a_column_within_which_others_do_not_change_may_be_the_patient():
    columns = table(
        file=IMAGES,
        key=PIDS,
        sex=["m", "m", "f", "f"] * 3,
        age=[str(50 + n // 2 % 4) for n in range(12)],
    )
    guess = guess_patient(columns, "file")
    assert guess.column == "key" and not guess.sure


def test_without_a_patient_every_image_counts_as_one():
    guess = guess_patient(table(file=IMAGES, sex=["m", "f"] * 6), "file")
    assert guess.column is None and not guess.sure


def test_a_column_that_repeats_is_named_where_nothing_names_the_patient():
    grades = [str(n % 3) for n in range(12)]
    columns = table(
        file=IMAGES, key=PIDS, grade=grades, age=[f"{60 + n // 2}" for n in range(12)]
    )
    guess = guess_patient(columns, "file")
    assert guess.column is None and not guess.sure
    assert guess.reason.endswith(
        'key repeats, 6 values in 12 rows: if it names them, give --patient "key"'
    )


def test_sites():
    columns = table(file=IMAGES, hospital=["A", "B"] * 6, centre=["X"] * 12)
    assert guess_site(columns, ["file"]).column == "hospital"
    assert guess_site(columns, ["file", "hospital"]).column is None
    places = table(location=[*(f"city {n}" for n in range(6)), *["A"] * 6])
    assert not guess_site(places, []).sure


def test_fields_are_known_facts_that_vary():
    columns = table(
        sex=["m", "f"] * 6,
        age=[str(40 + n) for n in range(12)],
        modality=["CR"] * 12,
        weight=["70", *[""] * 11],
        severity=["0", "1"] * 6,
        scan_date=["2020-01-01", "2020-01-02"] * 6,
    )
    assert [g.column for g in guess_fields(columns, ["age"])] == ["sex"]


def test_views_are_told_by_their_values():
    views = ["AP", "PA", "Lateral"] * 4
    columns = table(**{"AP or PA": views, "a/b": ["x", "y"] * 6, "AP/PA": views})
    assert [g.column for g in guess_fields(columns, [])] == ["AP or PA"]


def test_patients_in_the_names_of_files_are_pointed_out():
    files = [f"set/patient{n // 2:03d}_view{n % 2}.png" for n in range(12)]
    guess = guess_patient(table(file=files), "file")
    assert "the files seem to name 6, such as patient000" in guess.reason
    assert "seem to name" not in guess_patient(table(file=IMAGES), "file").reason
