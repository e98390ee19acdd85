"""Findings of the doctor on a card."""

import json

import pytest

from mdmt_tf.cards.doctor import findings_of
from mdmt_tf.cards.limits import limits
from mdmt_tf.errors import DataError

FINDINGS = [
    {"level": "serious", "kind": "shortcut", "where": "icu, ward", "text": "View."},
    {
        "level": "warning",
        "kind": "repeats_across_patients",
        "where": "all datasets",
        "text": "1 pair is the same: ward/a.png = ward/b.png.",
    },
    {"level": "note", "kind": "no_overlap", "where": "all", "text": "Nothing."},
]


@pytest.fixture
def folder(tmp_path, made_facts):
    """A function that writes what the doctor has found on so many images."""

    def folder(images, name="ward"):
        content = {"datasets": {name: {"images": images}}, "findings": FINDINGS}
        (tmp_path / "findings.json").write_text(json.dumps(content))
        return tmp_path

    return folder


def test_findings_are_limits_and_name_no_image(folder, made_facts):
    images = made_facts["data"][0]["flow"]["taken"]["images"]
    found = findings_of(folder(images), made_facts)
    assert [one["level"] for one in found] == ["serious", "warning"]
    texts = limits(made_facts | {"doctor": found})
    assert "Doctor, serious: icu, ward: View." in texts
    twice = "images that are there twice, under two patients"
    assert f"Doctor, warning: all datasets: {twice}." in texts
    assert not any("a.png" in text or "not looked for" in text for text in texts)


def test_findings_of_other_data_are_refused(folder, made_facts):
    with pytest.raises(DataError, match=r"other data .* Received: ward \(3\)"):
        findings_of(folder(3), made_facts)
    with pytest.raises(DataError, match=r"Received: other \(268\)"):
        findings_of(folder(268, "other"), made_facts)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"datasets": {}}'])
def test_a_folder_without_findings(tmp_path, made_facts, content):
    if content is not None:
        (tmp_path / "findings.json").write_text(content)
    with pytest.raises(DataError, match="expected the findings"):
        findings_of(tmp_path, made_facts)
