"""What gives a label away without the image, and outcomes before the image."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from mdmt_tf.planning import words
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import Label

# Mean over the classes of the fraction of rows that a rule gets right.
SUSPECT = 0.8
_LEAST = 5  # rows of a value, or it explains nothing


def tells(values: Sequence[str], classes: Sequence[str]) -> float:
    """Balanced accuracy of the rule "the most frequent class of this value".

    A value with fewer than 5 rows gets the most frequent class of all rows, so that
    names that hardly repeat explain nothing.

    Args:
        values: the value of each row.
        classes: its class.

    Example:
        >>> tells(["a"] * 6 + ["b"] * 6, ["no"] * 6 + ["yes"] * 6)
        1.0
        >>> tells(list("abcdef"), ["no", "yes"] * 3)
        0.5
    """
    everywhere = Counter(classes)
    by_value: dict[str, Counter[str]] = defaultdict(Counter)
    for value, name in zip(values, classes, strict=True):
        by_value[value][name] += 1
    usual = everywhere.most_common(1)[0][0]
    right: Counter[str] = Counter()
    for counts in by_value.values():
        rule = counts.most_common(1)[0][0] if counts.total() >= _LEAST else usual
        right[rule] += counts[rule]
    return sum(right[name] / n for name, n in everywhere.items()) / len(everywhere)


def find_leaks(
    label: Label,
    columns: Mapping[str, Column],
    files: Sequence[str | None],
    skip: Iterable[str],
) -> list[str]:
    """Columns and parts of the file names that determine a label, one sentence each.

    Args:
        files: path of the image of each row.
        skip: columns that may determine it: its own, the patient, other labels.
    """
    if label.classes is None:
        return []
    skip = {*skip, label.column}
    cells = columns[label.column].or_empty
    rows = [i for i, cell in enumerate(cells) if cell in label.classes and files[i]]
    classes = [label.classes[cells[i]] for i in rows]
    if len(set(classes)) < 2:
        return []
    found = []
    for text, rule in _NAME_RULES:
        score = tells([rule(files[i]) for i in rows], classes)
        if score >= SUSPECT:
            found.append(f"{text} tells {label.name} ({score:.0%} balanced accuracy)")
    for name, column in columns.items():
        if name in skip:
            continue
        score = tells([column.or_empty[i] for i in rows], classes)
        known = tells([str(bool(column.or_empty[i])) for i in rows], classes)
        if known >= SUSPECT:
            found.append(
                f"whether {name} is known tells {label.name} ({known:.0%} balanced "
                "accuracy)"
            )
        elif score >= SUSPECT and len(column.counts) <= max(20, len(rows) // 10):
            found.append(f"{name} tells {label.name} ({score:.0%} balanced accuracy)")
    return found


def _first_letters(path: str) -> str:
    return re.match(r"[^\d]*", PurePosixPath(path).name)[0].casefold()


_NAME_RULES = (
    ("the folder of the image", lambda path: str(PurePosixPath(path).parent)),
    ("the beginning of the file name", _first_letters),
    ("the suffix of the file", lambda path: PurePosixPath(path).suffix.casefold()),
)


def find_conditions(
    columns: Mapping[str, Column], events: Collection[str]
) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Outcomes before the image, and conditions on rows that the user may want.

    Args:
        events: columns that are labels of events. A condition on one of them would keep
            no row of the other class.
    Returns: (column, condition in YAML, reason) of each; and a sentence for each event.
    """
    found, warnings = [], []
    for name, column in columns.items():
        frontal = [v for v in column.counts if v.casefold() in words.FRONTAL]
        others = sum(n for v, n in column.counts.items() if v not in frontal)
        if column.is_view and frontal and others:
            condition = f"{{in: [{', '.join(frontal)}]}}"
            found.append((name, condition, f"{others} rows are no frontal views"))
        is_outcome = words.has(name, words.OUTCOMES)
        if not (column.is_time and is_outcome) or column.numbers is None:
            continue
        before = sum(number < 0 for number in column.numbers)
        if before and name in events:
            warnings.append(
                f"{before} of {len(column.known)} rows have {name} before the image: "
                "no prognosis there"
            )
        elif before:
            reason = f"{before} rows have {name} before the image"
            if unknown := len(column.cells) - len(column.known):
                reason += f"; it leaves out the {unknown} rows where it is unknown, too"
            found.append((name, "{min: 0}", reason))
    return found, warnings
