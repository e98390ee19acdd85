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


def test_no_file_of_warnings_without_any(tmp_path):
    Rejections().write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rejected.csv"]
