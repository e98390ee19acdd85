"""Lists of what cannot be used, and of what is doubtful."""

import logging

from mdmt_tf.datasets._shared.rejections import Rejections


def test_a_warning_is_no_rejection(tmp_path, caplog):
    rejections = Rejections()
    with caplog.at_level(logging.WARNING, "mdmt_tf"):
        rejections.warn("a.nii", "t.csv:2", "not in HU", "nothing below 0")
        rejections.warn("a.nii", "t.csv:2", "not in HU", "nothing below 0")
        rejections.warn("", "t.csv:3", "alike names", "")
    assert caplog.messages == [
        "a.nii (t.csv:2): not in HU: nothing below 0",
        "t.csv:3: alike names",
    ]
    assert (len(rejections), rejections.by_kind()) == (0, {})
    assert rejections.warnings_by_kind() == {"not in HU": 1, "alike names": 1}
    rejections.write(tmp_path)
    assert (tmp_path / "rejected.csv").read_text() == "file,row,reason\n"
    assert (tmp_path / "warnings.csv").read_text() == (
        "file,row,reason\n"
        "a.nii,t.csv:2,not in HU: nothing below 0\n"
        ",t.csv:3,alike names\n"
    )


def test_a_fact_is_a_doubt_where_most_others_differ():
    rejections = Rejections()
    for number, fact in enumerate(("12 bits", "10 bits", "12 bits", "16 bits")):
        rejections.note(f"{number}.png", "", "depth", f"it is {fact}", fact)
    rejections.note("0.png", "", "colour", "it is grey", "grey")
    assert rejections.warnings_by_kind() == {}
    rejections.compare_notes()
    assert rejections.warnings_by_kind() == {"depth": 2}
    rejections.compare_notes()
    assert rejections.warnings_by_kind() == {"depth": 2}


def test_facts_that_agree_are_no_doubt():
    rejections = Rejections()
    for number in range(3):
        rejections.note(f"{number}.png", "", "depth", "it is 12 bits", "12 bits")
    rejections.compare_notes()
    assert rejections.warnings_by_kind() == {}


def test_no_file_of_warnings_without_any(tmp_path):
    Rejections().write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rejected.csv"]
