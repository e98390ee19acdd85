"""The card of a model as a page."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mdmt_tf.cards.content import card_of
from mdmt_tf.cards.ensemble import gather_ensemble
from mdmt_tf.cards.writing import (
    FILE,
    TEXT_FILE,
    facts_of,
    write_card,
    write_run_card,
)
from mdmt_tf.errors import DataError
from mdmt_tf.pages import render
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.storage import without_nan, write_text

PAGE_FILE = "model_card.html"


def card_page(folders: Sequence[str | os.PathLike]) -> str:
    """The model card of a model or of an ensemble, a page of HTML in one file.

    Args:
        folders: of finished runs, or of their SavedModels; several are an ensemble,
            whose answers are averaged. For a run of an earlier version, which has no
            card, the page is made from its files.
    Raises: DataError for a folder without a card that is no finished run, or whose card
        is damaged; ConfigError for an ensemble of models with different answers.
    """
    return page_of(_facts([Path(folder) for folder in folders]))


def page_of(facts: Mapping[str, Any]) -> str:
    """The page of the facts in a `model_card.json`."""
    card = card_of(facts)
    return render(
        "reporting/model_card.html",
        title=f"Model card: {card.title}",
        marks=card.warnings,
        lead=[card.opening],
        status=card.not_for,
        links=[(section.id, section.title) for section in card.sections],
        sections=card.sections,
    )


def write_pages(
    models: Sequence[Path],
    out: Path | None = None,
    doctor: Path | None = None,
    *,
    resamples: int = RESAMPLES,
) -> list[Path]:
    """Write `model_card.json`, `.md` and `.html` of a model, or of an ensemble.

    Args:
        models: folders of finished runs or of exported models.
        out: folder to write to; None, for one model: its own, and if it is a run with
            an exported model, the folder of this, too.
        doctor: folder that `mdmt_tf.doctor` has written, for one run.
        resamples: number of bootstrap resamples of the joint metrics.
    Returns: the files.
    Raises: DataError, ConfigError for models that have no card, or differ in answers;
        DataError when a file cannot be written.
    """
    folder = out or models[0]
    try:
        is_written_again = len(models) == 1 and (out is None or doctor is not None)
        if is_written_again and (run := RunFolder(models[0])).config.is_file():
            run.require_finished()
            facts = write_run_card(run, doctor=doctor)
        else:
            facts = _facts(models, resamples)
        folder.mkdir(parents=True, exist_ok=True)
        write_card(facts, folder)
        page = folder / PAGE_FILE
        write_text(page, page_of(without_nan(facts)))
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: cannot be written: {error.strerror}."
        ) from error
    return [folder / FILE, folder / TEXT_FILE, page]


def _facts(models: Sequence[Path], resamples: int = RESAMPLES) -> dict:
    if len(models) > 1:
        return gather_ensemble(models, resamples)
    return facts_of(models[0])
