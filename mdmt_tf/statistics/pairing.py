"""Test rows of two experiments, paired by fit and patient."""

import dataclasses
from collections.abc import Sequence

import pandas as pd

from mdmt_tf.runs.patients import PATIENT, by_patient, labelled, unit_of
from mdmt_tf.runs.predictions import labelled_rows
from mdmt_tf.tasks import Task

# One trained model; its cross-validations are repeats.
MODEL = ["backbone", "seed"]


@dataclasses.dataclass(frozen=True)
class Pair:
    """Rows of two experiments in the unit that the task is judged by.

    Attributes:
        candidate, other: one row for each fit and patient, or image, with the columns
            of `predictions.csv`, backbone, seed, fold, repeat and patient, the number
            of the patient from 0.
        unit: "patient" or "image".
        patients: number of patients.
        fits: number of pairs of fits, a fold each.
        reason: why the experiments cannot be paired; None if they can.
    """

    candidate: pd.DataFrame
    other: pd.DataFrame
    unit: str
    patients: int
    fits: int
    reason: str | None = None

    @property
    def rows_of_one(self) -> pd.DataFrame:
        """Rows of one model and repeat of the candidate; all have the same patients."""
        keys = self.candidate[[*MODEL, "repeat"]]
        return self.candidate[(keys == keys.iloc[0]).all(axis=1)]


def paired(
    candidate_rows: pd.DataFrame, other_rows: pd.DataFrame, task: Task, folds: int
) -> Pair:
    """Pair the test rows of two experiments.

    Args: see `mdmt_tf.statistics.primary.compare_metrics`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"patient_id": ["a", "b"], "image_id": ["1", "2"]})
        >>> rows = rows.assign(dataset="ward", task="age", target=1.0, prediction=2.0)
        >>> rows = rows.assign(backbone="resnet18", seed=0, fold=[0, 1])
        >>> pair = paired(rows, rows, age, folds=2)
        >>> pair.unit, pair.patients, pair.fits, pair.reason
        ('image', 2, 2, None)
        >>> paired(rows, rows[:1], age, folds=2).reason
        'The other experiment has 1 of 2 folds of resnet18 with seed 0.'
    """
    arms = [
        _prepared(labelled_rows(rows, task), folds)
        for rows in (candidate_rows, other_rows)
    ]
    reason = _unequal(*arms, folds)
    # Without rows there is no unit.
    unit = "image" if any(rows.empty for rows in arms) else None
    return _pair(arms, task, unit, reason)


def paired_by_site(
    candidate_rows: pd.DataFrame, other_rows: pd.DataFrame, task: Task, folds: int
) -> tuple[Pair, dict[str, Pair]]:
    """The pair of all rows, and that of each site; no sites if there is a reason.

    Sites that the same folds test are one: their differences have the same fits, as in
    a group of sites that is left out together (`split.site_groups`).

    Args: see `paired`; the rows have a column `site`.
    Returns: the pairs of the sites by their names, those of a group joined by " + ".

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"patient_id": ["a", "b"], "image_id": ["1", "2"]})
        >>> rows = rows.assign(dataset="ward", task="age", target=1.0, prediction=2.0)
        >>> rows = rows.assign(backbone="resnet18", seed=0)
        >>> rows = rows.assign(fold=[0, 1], site=["A", "B"])
        >>> pair, sites = paired_by_site(rows, rows, age, folds=2)
        >>> {site: of_site.patients for site, of_site in sites.items()}
        {'A': 1, 'B': 1}
    """
    pair = paired(candidate_rows, other_rows, task, folds)
    if pair.reason is not None:
        return pair, {}
    arms = [
        _prepared(labelled_rows(rows, task), folds)
        for rows in (candidate_rows, other_rows)
    ]
    together = _tested_together(arms[0])
    sites = {
        " + ".join(names): _pair(
            [rows[rows["site"].isin(names)] for rows in arms], task, pair.unit
        )
        for names in together
    }
    return pair, sites


def _tested_together(rows: pd.DataFrame) -> list[list[str]]:
    """The sites, in lists of those that are tested by the same folds."""
    folds = rows.groupby("site")["fold"].agg(lambda own: tuple(sorted(set(own))))
    return [sorted(names.index) for _, names in folds.groupby(folds)]


def _pair(arms, task, unit=None, reason=None) -> Pair:
    """The pair of prepared rows; `unit` None: that of the task."""
    tables = arms
    if unit != "image":
        tables = [by_patient(own, task, [*MODEL, "repeat", "fold"]) for own in arms]
        unit = unit or unit_of(tables[0])
    arms = arms if unit == "image" else [labelled(table) for table in tables]
    return _counted(arms, unit, reason)


def joined(pairs: Sequence[Pair]) -> Pair:
    """Some pairs as one, such as those of a few sites; a patient of two counts once.

    Args:
        pairs: of the same two experiments, with the same unit; at least one.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"patient_id": list("abcb"), "image_id": list("1234")})
        >>> rows = rows.assign(dataset="ward", task="age", target=1.0, prediction=2.0)
        >>> rows = rows.assign(backbone="resnet18", seed=0)
        >>> rows = rows.assign(fold=[0, 0, 1, 2], site=["A", "A", "B", "C"])
        >>> _, sites = paired_by_site(rows, rows, age, folds=3)
        >>> pair = joined([sites["A"], sites["C"]])
        >>> pair.patients, pair.fits
        (2, 2)
    """
    arms = [
        pd.concat([getattr(own, arm) for own in pairs], ignore_index=True)
        for arm in ("candidate", "other")
    ]
    return _counted(arms, pairs[0].unit)


def _counted(arms: list[pd.DataFrame], unit: str, reason: str | None = None) -> Pair:
    """The pair of rows in its unit, with patients numbered and fits counted."""
    patients = pd.concat([arm[PATIENT] for arm in arms]).drop_duplicates()
    names = pd.MultiIndex.from_frame(patients.sort_values(PATIENT))
    models = max((arm[MODEL].drop_duplicates() for arm in arms), key=len)
    fits = len(models) * arms[0]["fold"].nunique()
    arms = [_numbered(arm, names) for arm in arms]
    return Pair(*arms, unit, len(names), fits, reason)


def _prepared(rows: pd.DataFrame, folds: int) -> pd.DataFrame:
    # Baselines have no backbone, and groups of NaN would be dropped.
    backbone = rows["backbone"].astype(object).fillna("").astype(str)
    seed = rows["seed"].fillna(0).astype(int)
    return rows.assign(backbone=backbone, seed=seed, repeat=rows["fold"] // folds)


def _unequal(candidate: pd.DataFrame, other: pd.DataFrame, folds: int) -> str | None:
    """Why the two experiments cannot be paired."""
    rows_of_fold = []
    for name, rows in (("candidate", candidate), ("other", other)):
        if rows.empty:
            return f"The {name} experiment has no labelled test row of this task."
        fits = rows[[*MODEL, "fold"]].drop_duplicates()
        expected = folds * (rows["repeat"].max() + 1)
        of_models = fits.groupby(MODEL).size()
        if (of_models != expected).any():
            backbone, seed = of_models.index[(of_models != expected).argmax()]
            return (
                f"The {name} experiment has {of_models[backbone, seed]} of {expected} "
                f"folds of {backbone or 'its model'} with seed {seed}."
            )
        keys = rows[["fold", "task", *PATIENT, "image_id", "target"]]
        counts = keys.value_counts(sort=False).sort_index()
        if (counts != len(of_models)).any():
            return f"The models of the {name} experiment have different test rows."
        rows_of_fold.append((counts.index, of_models.index))
    (rows_a, models_a), (rows_b, models_b) = rows_of_fold
    if not rows_a.equals(rows_b):
        return "The two experiments have different test rows."
    if 1 in (len(models_a), len(models_b)) or models_a.equals(models_b):
        return None
    backbone, seed = models_a.symmetric_difference(models_b)[0]
    return f"One of the experiments has no fit of {backbone} with seed {seed}."


def _numbered(rows: pd.DataFrame, names: pd.MultiIndex) -> pd.DataFrame:
    patient = names.get_indexer(pd.MultiIndex.from_frame(rows[PATIENT]))
    return rows.assign(patient=patient)
