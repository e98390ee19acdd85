"""Tables of a study in the documentation."""

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def study_doc(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    import study_doc

    yield study_doc
    sys.modules.pop("study_doc")


def test_blocks_are_replaced_and_the_rest_is_kept(tmp_path, study_doc):
    (tmp_path / "gains.md").write_text(
        "# Gain\n\nSYNTHETIC data. All 4 cells.\n\n## near\n\n| a |\n| --- |\n| 1 |\n"
        "\n- a note\n"
    )
    page = "# Page\n\n<!-- table: gains -->\nold\n<!-- end -->\n\nText.\n"
    made = study_doc.filled(page, tmp_path)
    assert made == (
        "# Page\n\n<!-- table: gains -->\n\nSYNTHETIC data. All 4 cells.\n\n"
        "**near**\n\n| a |\n| --- |\n| 1 |\n\n<!-- end -->\n\nText.\n"
    )
    assert study_doc.filled(made, tmp_path) == made
