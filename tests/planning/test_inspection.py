"""What a table and a folder seem to hold."""

import cv2
import nibabel
import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.inspection import Given, inspect

N = 40
FILES = [f"i{n}.png" for n in range(N)]
FLAG = [str(n % 2) for n in range(N)]


@pytest.fixture
def films(tmp_path):
    for name in FILES:
        cv2.imwrite(str(tmp_path / name), np.full((70, 80), 9, np.uint8))
    return tmp_path


def look(folder, given=None, **cells):
    columns = {name: Column(name, tuple(c)) for name, c in cells.items()}
    return inspect(columns, folder, given or Given())


def test_each_column_has_a_role_or_a_reason(films):
    seen = look(
        films,
        film=FILES,
        PID=[f"p{n // 2}" for n in range(N)],
        hospital=["A", "B"] * 20,
        died=FLAG[1:] + ["0"],
        smokes=["y", "n", "n", "y"] * 10,
        sex=["m", "f", "f", "m"] * 10,
        empty=[""] * N,
        always=["x"] * N,
        note=[f"text {n}" for n in range(N)],
        url=["a", "b"] * 20,
        icu_offset=[str(n - 5) for n in range(N)],
    )
    assert seen.match.column == "film" and seen.n_files == N
    assert (seen.patient.column, seen.site.column) == ("PID", "hospital")
    assert [label.name for label in seen.used] == ["died"]
    assert [label.name for label in seen.labels if label.against] == ["smokes"]
    assert [guess.column for guess in seen.fields] == ["sex"]
    assert seen.left_out == {
        "empty": "empty",
        "always": "always the same value",
        "note": "another value in nearly every row",
        "url": "its name is about the table",
        "icu_offset": "a date or an offset",
    }
    (condition,) = seen.conditions
    assert condition[:2] == ("icu_offset", "{min: 0}")


def test_a_number_that_means_unknown_is_said_of_its_label_alone(films):
    ages = [str(60 + n) for n in range(N)]
    seen = look(films, film=FILES, died=[*FLAG[2:], "99", "99"], age=ages)
    assert seen.unknown == {} and list(seen.unknown_of["died"]) == ["99"]
    assert seen.columns["age"].counts["99"] == 1
    words = look(films, film=FILES, died=[*FLAG[1:], "unknown"], age=ages)
    assert list(words.unknown) == ["unknown"] and words.unknown_of == {}


def test_a_number_with_decimals_is_no_mark_of_other_columns(films):
    died = [f"{flag}.0" for flag in FLAG[1:]] + ["-1.0"]
    seen = look(films, film=FILES, died=died, age=[str(20 + n) for n in range(N)])
    assert seen.unknown == {} and list(seen.unknown_of["died"]) == ["-1.0"]


def test_a_mark_of_one_field_that_is_a_value_of_another_is_told(films):
    fields = {"sex": ["0", "1", "0"] * 13 + ["99"]}
    fields["age"] = [str(80 + n // 2) for n in range(N)]
    seen = look(films, film=FILES, died=FLAG, **fields)
    assert {guess.column for guess in seen.fields} == {"sex", "age"}
    assert seen.unknown == {}
    assert any(
        "'99' seems to mean unknown in the field sex" in w and "age" in w
        for w in seen.warnings
    )
    fields["age"] = [str(30 + n // 2) for n in range(N)]
    seen = look(films, film=FILES, died=FLAG, **fields)
    assert list(seen.unknown) == ["99"]


def test_given_text_means_unknown_in_every_column(films):
    seen = look(
        films, Given(unknown=("x",)), film=FILES, died=[*FLAG[1:], "x"], pid=FILES
    )
    assert seen.used[0].n_rows == N - 1 and list(seen.unknown) == ["x"]


def test_what_is_unsure_is_listed(films):
    seen = look(films, film=FILES, group=["a", "b", "b", "a"] * 10)
    assert [line.partition(":")[0] for line in seen.unsure] == [
        "patient",
        "label group",
        "preprocess",
    ]


def test_a_series_is_told_from_slices_by_the_table(tmp_path):
    for patient in ("P1", "P2"):
        (tmp_path / patient).mkdir()
        for number in range(3):
            dataset = make_dicom(
                np.zeros((8, 9), np.uint16),
                Modality="CT",
                PixelSpacing=[1, 1],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                ImagePositionPatient=[0, 0, 2.5 * number],
            )
            dataset.SeriesInstanceUID = f"1.2.{patient[1]}"
            dataset.SOPInstanceUID = f"1.2.{patient[1]}.{number}"
            path = tmp_path / patient / f"{patient}_{number}.dcm"
            path.write_bytes(to_bytes(dataset))
    labels = ["0", "1"]
    whole = look(tmp_path, scan=["P1", "P2"], died=labels)
    assert whole.images.is_volume and whole.match.n_files == 2
    names = [f"{p}_{n}.dcm" for p in ("P1", "P2") for n in range(3)]
    slices = look(tmp_path, file=names, died=labels * 3)
    assert not slices.images.is_volume and slices.match.n_files == 6


def test_volumes_are_preferred_to_pictures_of_them(tmp_path):
    for n in range(4):
        image = nibabel.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4))
        nibabel.save(image, tmp_path / f"s{n}.nii.gz")
        cv2.imwrite(str(tmp_path / f"s{n}.png"), np.zeros((8, 9), np.uint8))
    seen = look(tmp_path, scan=[f"s{n}" for n in range(4)], died=["0", "1"] * 2)
    assert seen.images.is_volume


def test_no_patient_no_site_and_no_fields_may_be_given(films):
    cells = {"file": FILES, "pid": [f"p{n // 2}" for n in range(N)], "died": FLAG}
    cells |= {"site": ["a", "b", "b", "a"] * 10, "sex": ["m", "m", "f", "f"] * 10}
    assert look(films, **cells).site.column == "site"
    nothing = Given(patient="-", site="-", fields=("-",))
    seen = look(films, nothing, **cells)
    assert (seen.patient.column, seen.patient.sure) == (None, True)
    assert seen.site.column is None and seen.fields == ()
