"""Whether labels depend on what is left and right in an image."""

import re
from collections.abc import Mapping, Sequence

from mdmt_tf.planning import words
from mdmt_tf.planning.labels import Label

UNSURE = "unsure: "


def find_sides(labels: Sequence[Label], sums: Mapping[str, Sequence[str]]) -> str:
    """Why left and right may not be exchanged in training; "" if they may.

    Sure are names of sides. Parts of a sum, and columns that differ in a letter or a
    number, may be scores of places: A to F, zone_1 to zone_6.

    Args:
        labels: all that the table may have; those without `against` are predicted.
        sums: column -> the columns whose sum it is, see `find_sums`.
    """
    used = [label for label in labels if not label.against]
    for label in used:
        if any(words.has(t, words.SIDES) for t in (label.column, *label.class_names)):
            return (
                f"no exchange of left and right: {label.name} has sides; tasks of both "
                "sides may name each other in `mirror` instead"
            )
    columns = [label.column for label in labels]
    for label in used:
        total = next((t for t, parts in sums.items() if label.column in parts), None)
        alike = [c for c in columns if _pattern(c) == _pattern(label.column)]
        if total is not None:
            doubt = f"{label.name} is a part of {total}, perhaps that of a place"
        elif len(alike) > 1 and _pattern(label.column) is not None:
            doubt = f"{', '.join(alike)} may be of places in the image"
        else:
            continue
        return (
            f"{UNSURE}{doubt}, so left and right are not exchanged (remove "
            "flip_probability if no label depends on the side, or if tasks name that "
            "of the other side in `mirror`)"
        )
    return ""


def _pattern(column: str) -> str | None:
    """The name with * for letters and numbers that count; None if it has none.

    Columns of one finding at several times differ in a number, too.
    """
    if words.has(column, words.DAYS | words.DIRECTIONS):
        return None
    found = [
        "*" if len(word) == 1 else re.sub(r"\d+$", "*", word)
        for word in words.words_of(column)
    ]
    text = " ".join(found)
    return text if "*" in text else None
