"""The flow of patients as a table."""

import pandas as pd

from mdmt_tf.reporting.flow_table import flow_table
from mdmt_tf.runs.flow import Count, DatasetFlow, PatientFlow

WARD = DatasetFlow(
    name="ward",
    rows=1200,
    left_out={"unreadable image": 2},
    taken=Count(1190, 900),
    splits={
        "train": Count(700, 500),
        "validation": Count(200, 200),
        "test": Count(290, 200),
        "excluded": Count(0, 0),
    },
    labelled={"icu": {"train": Count(700, 500), "test": Count(0, 0)}},
    classes={"icu": {"train": {"no": Count(400, 300), "yes": Count(300, 200)}}},
)
OTHER = DatasetFlow(
    name="other",
    taken=Count(None, None),
    splits={"train": Count(5, None), "excluded": Count(3, 3)},
)


def steps(table):
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def test_only_steps_that_a_dataset_has_are_shown():
    table = flow_table(PatientFlow((WARD,)))
    assert steps(table.sections[0]) == {
        "rows found": ["1,200"],
        "left out: unreadable image": ["2"],
        "left out: no stated reason": ["8"],
        "taken": ["1,190 (900)"],
        "train": ["700 (500)"],
        "validation": ["200 (200)"],
        "test": ["290 (200)"],
    }
    assert len(table.notes) == 1


def test_what_is_not_known_is_empty_and_never_0():
    table = flow_table(PatientFlow((WARD, OTHER)))
    found = steps(table.sections[0])
    assert found["taken"] == ["1,190 (900)", ""]
    assert found["train"] == ["700 (500)", "5 (?)"]
    assert found["in no split"] == ["", "3 (3)"]
    assert "not known" in table.notes[1]
    data = table.data.set_index(["dataset", "step"])
    assert pd.isna(data.loc[("other", "taken"), "images"])


def test_labels_have_their_classes():
    whole, labels = flow_table(PatientFlow((WARD,))).sections
    (row,) = labels.rows
    assert [cell.text for cell in row] == [
        "icu",
        "ward",
        "700 (500); no: 400, yes: 300",
        "not known",
        "0",
    ]
    section = flow_table(PatientFlow((WARD,)), ("train",)).sections[1]
    assert section.headings == ("answer", "dataset", "train")


def test_without_datasets_there_is_no_table():
    assert flow_table(PatientFlow(())) is None
