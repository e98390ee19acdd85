"""Which columns name the patient and the site, and which are fields to keep."""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mdmt_tf.config.declaration import RESERVED
from mdmt_tf.planning import words
from mdmt_tf.planning.columns import Column

Columns = Mapping[str, Column]

# Columns that are about a patient, and name none.
_NO_PATIENT = words.FIELDS | words.OUTCOMES | words.TIMES | words.DAYS


@dataclasses.dataclass(frozen=True)
class Guess:
    """A guess in words.

    Attributes:
        column: the column, or None for none.
        reason: why.
        sure: False if the user should look at it.
    """

    column: str | None
    reason: str
    sure: bool = True


def guess_patient(columns: Columns, image: str) -> Guess:
    """The column that names the patient; None if every image counts as one.

    Args:
        image: the column of the images.
    """
    n = len(columns[image].cells)
    named = [
        column
        for name, column in columns.items()
        if words.has(name, words.PATIENT)
        and not words.has(name, _NO_PATIENT)
        and len(column.counts) > min(5, 0.1 * n)
    ]
    # Unknown patients are worst; then coarser groups cannot leak between splits.
    named.sort(key=lambda c: (-len(c.known), len(c.counts)))
    if named:
        best = named[0]
        missing = n - len(best.known)
        reason = f"its name; {len(best.counts)} patients in {n} rows"
        if missing:
            reason += f", unknown in {missing}, which cannot be used"
        if others := [c.name for c in named[1:] if c.name != image]:
            reason += f"; also possible: {', '.join(others[:3])}"
        return Guess(best.name, reason, sure=not missing)
    groups = [c for name, c in columns.items() if name != image and _may_group(c)]
    scored = [(_constancy(c, columns), c.name) for c in groups]
    if scored and max(scored)[0] >= 0.6:
        score, name = max(scored)
        reason = f"{len(columns[name].counts)} values that repeat, within which "
        reason += f"{score:.0%} of the other columns do not change"
        return Guess(name, reason, sure=False)
    return Guess(None, _nobody(columns[image].cells, groups), sure=False)


def _nobody(files: Sequence[str], groups: Sequence[Column]) -> str:
    """What to do where no column names the patient.

    Args:
        groups: columns whose values repeat as those of patients may.
    """
    found = [
        match[0]
        for file in files
        if (
            match := re.search(
                r"(patient|subject|sub|pat|case|pid)[-_]?\d+", file, re.I
            )
        )
    ]
    advice = (
        "if patients have several images, add a column, or they will be in several "
    )
    advice += "splits"
    if len(found) == len(files) and len(set(found)) < len(found):
        advice = (
            f"but the files seem to name {len(set(found))}, such as {found[0]}: add "
        )
        advice += "a column with them, or they will be in several splits"
    elif others := [c for c in groups if not words.has(c.name, _NO_PATIENT)]:
        best = min(others, key=lambda c: len(c.counts))
        advice += f". {best.name} repeats, {len(best.counts)} values in {len(files)} "
        advice += f'rows: if it names them, give --patient "{best.name}"'
    return f"no column names the patient, so every image counts as one; {advice}"


def _may_group(column: Column) -> bool:
    """Whether values repeat as those of patients with several images do."""
    n, values = len(column.cells), len(column.counts)
    is_complete = len(column.known) == n
    is_id = column.numbers is None or column.is_whole
    return is_complete and is_id and not column.is_date and 0.1 * n < values < 0.95 * n


def _constancy(group: Column, columns: Columns) -> float:
    """Fraction of the columns with few values that are constant within groups."""
    repeated = {value for value, n in group.counts.items() if n > 1}
    constant = looked_at = 0
    for column in columns.values():
        if column is group or not 2 <= len(column.counts) < 0.5 * len(column.cells):
            continue
        seen: dict[str, set[str]] = defaultdict(set)
        for value, cell in zip(group.cells, column.or_empty, strict=True):
            if value in repeated:
                seen[value].add(cell)
        looked_at += 1
        constant += all(len(cells) == 1 for cells in seen.values())
    return constant / looked_at if looked_at else 0.0


def guess_site(columns: Columns, taken: Sequence[str]) -> Guess:
    """The column that names the hospital; None if there is none."""
    for name, column in columns.items():
        n, values = len(column.known), len(column.counts)
        if name in taken or not words.has(name, words.SITE) or column.is_unique:
            continue
        if values < 2:
            continue
        reason = f"its name; {values} sites"
        if values > 0.2 * n:
            reason += f" in {n} rows, many for a site"
        return Guess(name, reason, sure=values <= 0.2 * n)
    return Guess(None, "no column names a hospital, so there is one site")


def can_be_field(name: str) -> bool:
    """Whether a prepared dataset can have a field of this name."""
    return name not in RESERVED and "/" not in name and name.isprintable()


def guess_fields(columns: Columns, taken: Sequence[str]) -> tuple[Guess, ...]:
    """Columns to keep for baselines and strata: age, sex, projection, scanner, ..."""
    found = []
    for name, column in columns.items():
        if name in taken or column.is_constant or column.is_time or column.is_unique:
            continue
        known = len(column.known) / max(1, len(column.cells))
        few = len(column.counts) <= 20 or column.numbers is not None
        is_field = words.has(name, words.FIELDS) or column.is_view
        is_field = is_field and not words.has(name, words.OUTCOMES)
        is_field = is_field and can_be_field(name)
        if is_field and few and known >= 0.3 and len(column.counts) > 1:
            found.append(Guess(name, f"its name; known in {known:.0%} of the rows"))
    return tuple(found)
