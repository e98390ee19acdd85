"""The facts of several models whose answers are averaged, such as folds or seeds."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mdmt_tf import storage
from mdmt_tf.cards.ensemble_content import MEAN, POOLED
from mdmt_tf.cards.facts import FORMAT, evaluation_of
from mdmt_tf.cards.writing import facts_of
from mdmt_tf.errors import ConfigError
from mdmt_tf.marks import NOT_FOR_SENTENCE
from mdmt_tf.models.weights import provenance
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.statistics.assessment import assess
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.tasks import Answer, make_task
from mdmt_tf.tasks.alike import answers_text, are_alike


def gather_ensemble(
    folders: Sequence[Path], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """The facts of an ensemble.

    Args:
        folders: of finished runs, or of exported models.
        resamples: number of bootstrap resamples of the joint metrics.
    Raises: ConfigError for models with different answers, or one that is given twice;
        DataError as `facts_of`.
    """
    members = [facts_of(folder) for folder in folders]
    first = _answers(members[0])
    digests: list[str] = []
    for folder, other in zip(folders, members, strict=True):
        own = _answers(other)
        if not are_alike(own, first):
            raise ConfigError(
                f"{folder}: expected the answers of {folders[0]}, "
                f"{answers_text(first)}. Received: {answers_text(own)}."
            )
        digest = str(other["hashes"]["model"])
        if digest in digests:
            raise ConfigError(f"{folder} is given twice; it would count twice.")
        digests.append(digest)
    joint = hashlib.sha256("".join(digests).encode()).hexdigest()
    how, evaluation = _judged(folders, members, resamples)
    return storage.without_nan(
        {
            "format": FORMAT,
            "title": f"ensemble of {len(members)}: {members[0]['title']}",
            "finished": max(str(one["finished"]) for one in members),
            "synthetic": any(one["synthetic"] for one in members),
            provenance.NOTE: provenance.largest(
                *(one[provenance.NOTE] for one in members)
            ),
            "interrupted": next(
                filter(None, (m["interrupted"] for m in members)), None
            ),
            "not_for": NOT_FOR_SENTENCE,
            "hashes": {"model": f"sha256:{joint[:12]}"},
            "judged": how,
            "evaluation": evaluation,
            "members": members,
        }
    )


def _judged(folders, members, resamples: int) -> tuple[str | None, dict]:
    """How the members were judged together, and the metrics; {} if they were not."""
    runs = [RunFolder(folder) for folder in folders]
    data = [one["hashes"]["data"] for one in members]
    is_same = all(own == data[0] for own in data)
    if not is_same or not all(run.predictions.is_file() for run in runs):
        return None, {}
    answers = runs[0].read_answers(runs[0].settings())
    tables = [predictions.read(run.predictions, "test") for run in runs]
    if all(len(table) for table in tables):
        if len({one["hashes"]["split"] for one in members}) == 1:
            keys = [
                table[predictions.ROW_KEYS].drop(columns="fold") for table in tables
            ]
            if all(own.equals(keys[0]) for own in keys):
                table = predictions.mean_of_runs(tables, answers)
                return MEAN, _assessed(table, answers, resamples)
        elif not _share_patients(tables):
            table = pd.concat(tables, ignore_index=True)
            return POOLED, _assessed(table, answers, resamples)
    return None, {}


def _share_patients(tables: Sequence[pd.DataFrame]) -> bool:
    seen: set[tuple] = set()
    for table in tables:
        own = set(zip(table["dataset"], table["patient_id"], strict=True))
        if own & seen:
            return True
        seen |= own
    return False


def _assessed(table: pd.DataFrame, answers, resamples: int) -> dict:
    found = assess(table, answers, resamples=resamples)
    return evaluation_of("test", found, answers)


def _answers(member: Mapping[str, Any]) -> list[Answer]:
    """The answers of a member, as far as `are_alike` needs them."""
    keys = ("name", "kind", "classes", "cut_points", "descending", "terms", "unit")
    answers = member["model"]["answers"]
    return [
        make_task(
            **{key: one[key] for key in keys if key in one},
            **({"permute": True} if one.get("permuted") else {}),
        )
        for one in answers
    ]
