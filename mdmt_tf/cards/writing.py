"""Write the card of a run, and of its exported model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mdmt_tf import storage
from mdmt_tf.cards.content import card_of
from mdmt_tf.cards.doctor import findings_of
from mdmt_tf.cards.facts import FORMAT, gather
from mdmt_tf.cards.markdown import as_markdown
from mdmt_tf.cards.strata import shortcuts_of_inputs, strata_of_run
from mdmt_tf.config import Config
from mdmt_tf.errors import DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.flow import measure_flow, patient_flow
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.statistics import fields_file

if TYPE_CHECKING:
    from mdmt_tf.data.inputs import Inputs

FILE, TEXT_FILE = "model_card.json", "model_card.md"


def write_run_card(
    run: RunFolder,
    inputs: "Inputs | None" = None,
    doctor: Path | None = None,
    settings: Config | None = None,
) -> dict[str, Any]:
    """Write `model_card.json` and `model_card.md` of a run, and beside its SavedModel.

    Args:
        run: with all files but, perhaps, `metrics.json`.
        inputs: its opened data; None: what only they have is taken from the card of the
            same model that is there, or is missing: the fields that are shortcuts, and
            terms of builders of other packages.
        doctor: folder that `mdmt_tf.doctor` has written; None: as in that card.
        settings: those of the run; None: they are read.
    Returns: the facts of the card.
    Raises: DataError for a run without the files that it needs, or a doctor's folder of
        other data.
    """
    facts = facts_of_run(run, inputs, settings)
    if doctor is not None:
        facts["doctor"] = findings_of(doctor, facts)
    exported = run.saved_model if run.saved_model.is_dir() else None
    for folder in filter(None, (exported, run.path)):
        write_card(facts, folder)
    return facts


def facts_of_run(
    run: RunFolder, inputs: "Inputs | None" = None, settings: Config | None = None
) -> dict[str, Any]:
    """The facts of the card of a run; arguments and errors as `write_run_card`."""
    settings = settings or run.settings()
    answers = run.read_answers(settings)
    assessed = run.read_json(run.assessment) if run.assessment.is_file() else {}
    table, strata = predictions.read(run.predictions), None
    if assessed:
        split = "test" if "test" in assessed else "validation"
        units = {name: own["unit"] for name, own in assessed[split].items()}
        # Runs of earlier versions have none.
        fields = fields_file.read(run.fields) if run.fields.is_file() else None
        judged = table[table["split"] == split]
        strata = strata_of_run(judged, answers, units, fields)
    facts = gather(
        run,
        settings,
        patient_flow(run, settings),
        folders=_folders(inputs),
        sites=_sites(inputs, table),
        strata=strata,
        shortcuts=None if inputs is None else shortcuts_of_inputs(inputs),
        exported=run.saved_model if run.saved_model.is_dir() else None,
    )
    return facts if inputs is not None else _with_what_was_known(facts, run)


def _with_what_was_known(facts: dict[str, Any], run: RunFolder) -> dict[str, Any]:
    """The facts with what an earlier card of the same model knows from the data."""
    try:
        before = facts_of(run.path) if run.card.is_file() else None
    except DataError:
        before = None
    if before is None or before["hashes"]["model"] != facts["hashes"]["model"]:
        return facts
    terms = {one["name"]: one["terms"] for one in before["data"]}
    for one in facts["data"]:
        one["terms"] = terms.get(one["name"], one["terms"])
    known = {key: before[key] for key in ("shortcuts", "doctor") if before[key]}
    return facts | known


def write_interrupted_card(
    run: RunFolder, inputs: "Inputs", table: pd.DataFrame, about: Mapping[str, int]
) -> None:
    """Write the card of what a run has exported when it was interrupted.

    Args:
        run: with `saved_model_so_far`.
        inputs: its opened data.
        table: predictions of the validation split.
        about: number of epochs, and of the best one.
    """
    flow = measure_flow(
        datasets={
            one.name: {"synthetic": one.synthetic, "prepared": len(one)}
            for one in inputs.datasets
        },
        lists=inputs.split.datasets,
        table=table,
        # Labels of the other splits are counted when the run ends.
        answers=(),
    )
    facts = gather(
        run,
        run.settings(),
        flow,
        folders=_folders(inputs),
        sites=_sites(inputs, None),
        interrupted=about,
        exported=run.saved_model_so_far,
    )
    write_card(facts, run.saved_model_so_far)


def write_card(facts: Mapping[str, Any], folder: Path) -> None:
    """Write the facts, and their text; each file whole or not at all."""
    text = as_markdown(card_of(storage.without_nan(dict(facts))))
    storage.write_text(folder / TEXT_FILE, text)
    storage.write_json(folder / FILE, dict(facts))


def facts_of(folder: Path) -> dict[str, Any]:
    """The facts of the card of a finished run or a SavedModel.

    Those of a run that has no card, because an earlier version has made it, are
    gathered from its files.

    Raises: DataError for a folder without a card that is no finished run; for a card
        that cannot be read, or that another version has written.
    """
    path = folder / FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}, expected {FORMAT}")
        card_of(facts)  # a key that is missing is told here
        return facts
    except FileNotFoundError:
        run = RunFolder(folder)
        if not run.config.is_file():
            raise DataError(
                f"{folder}: has no {FILE}. Expected the folder of a run, or of a model "
                "that this version has exported. `python -m mdmt_tf.card RUN` writes "
                "the card of a run, and puts it beside its exported model."
            ) from None
        run.require_finished()
        return storage.without_nan(facts_of_run(run))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: is no model card of this version ({error!r}). Write it again: "
            "python -m mdmt_tf.card RUN."
        ) from error


def _folders(inputs: "Inputs | None") -> dict[str, Path] | None:
    return inputs and {one.name: one.folder for one in inputs.datasets}


def _sites(inputs: "Inputs | None", table: pd.DataFrame | None) -> dict[str, int]:
    """Number of the sites of each dataset, without unknown ones."""
    if inputs is not None:
        sites = {one.name: set(map(str, one.table["site"])) for one in inputs.datasets}
    else:
        sites = table.groupby("dataset")["site"].agg(set).to_dict()
    return {name: len(own - {"", "unknown"}) for name, own in sites.items()}
