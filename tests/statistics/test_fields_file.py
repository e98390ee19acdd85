"""The fields that divide the images into strata, written with the plan."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.statistics import fields_file
from mdmt_tf.tasks import make_task

TABLES = {
    "ward": {
        "image_id": np.array(["a", "b", "007"], object),
        "patient_id": np.array(["p", "p", "q"], object),
        "view": np.array(["AP", "PA, erect", ""], object),
        "death": np.array(["yes", "no", "no"], object),
        "crp": np.array([1.0, 2.0, 3.0]),
    },
    "clinic": {
        "image_id": np.array(["a"], object),
        "patient_id": np.array(["p"], object),
        "view": np.array(["AP"], object),
    },
}


def test_labels_and_numbers_are_no_strata(tmp_path):
    task = make_task(
        name="outcome",
        kind="categorical",
        classes=("no", "yes"),
        sources={"ward": "death"},
    )
    path = tmp_path / "fields.csv"
    fields_file.write(TABLES, [task], path)
    rows = fields_file.read(path)
    # A clinic with one view has no strata of it.
    assert rows.to_numpy().tolist() == [
        ["ward", "view", "a", "AP"],
        ["ward", "view", "b", "PA, erect"],
        ["ward", "view", "007", "unknown"],
    ]
    fields_file.write(TABLES, [], path)
    assert set(fields_file.read(path)["field"]) == {"view", "death"}


def test_labels_that_the_preparation_declares_are_no_strata(tmp_path):
    path = tmp_path / "fields.csv"
    fields_file.write(TABLES, [], path, declared={"ward": ("death", "crp")})
    assert set(fields_file.read(path)["field"]) == {"view"}
    # A view divides the images whatever it is declared as.
    fields_file.write(TABLES, [], path, declared={"ward": ("death", "view")})
    assert set(fields_file.read(path)["field"]) == {"view"}


def test_without_any_there_are_columns_only(tmp_path):
    path = tmp_path / "fields.csv"
    fields_file.write({"clinic": TABLES["clinic"]}, [], path)
    rows = fields_file.read(path)
    assert rows.empty and list(rows.columns) == fields_file.COLUMNS


@pytest.mark.parametrize("text", ["", "dataset,image_id\n", "a\n1,2,3\n"])
def test_damage_is_told(tmp_path, text):
    path = tmp_path / "fields.csv"
    path.write_text(text)
    with pytest.raises(DataError, match="fields.csv: expected the columns dataset"):
        fields_file.read(path)


def test_only_the_images_of_a_run_are_written(tmp_path):
    """The fields are those of the whole dataset."""
    path = tmp_path / "fields.csv"
    fields_file.write(TABLES, [], path, images={"ward": {"b"}})
    rows = fields_file.read(path).to_numpy().tolist()
    assert sorted(rows) == [
        ["ward", "death", "b", "no"],
        ["ward", "view", "b", "PA, erect"],
    ]
