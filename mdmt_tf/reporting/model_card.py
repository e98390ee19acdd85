"""The card of a model as a page."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mdmt_tf.cards.content import opening, sections, warnings
from mdmt_tf.cards.writing import facts_of
from mdmt_tf.pages import render


def card_page(folder: str | os.PathLike) -> str:
    """The model card of a run or an exported model, a page of HTML in one file.

    Args:
        folder: of a finished run, or of its SavedModel. For a run of an earlier
            version, which has no card, the page is made from its files.
    Raises: DataError for a folder without a card that is no finished run, or whose card
        is damaged.
    """
    return page_of(facts_of(Path(folder)))


def page_of(facts: Mapping[str, Any]) -> str:
    """The page of the facts in a `model_card.json`."""
    # What the summary says stands above the sections.
    shown = [section for section in sections(facts) if section.id != "summary"]
    return render(
        "reporting/model_card.html",
        title=f"Model card: {facts['title']}",
        marks=warnings(facts),
        lead=[opening(facts)],
        intro=[],
        status=facts["not_for"],
        is_complete=facts["interrupted"] is None,
        links=[(section.id, section.title) for section in shown],
        sections=shown,
    )
