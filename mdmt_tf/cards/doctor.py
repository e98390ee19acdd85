"""What `python -m mdmt_tf.doctor` has found on the data of a run, for its card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mdmt_tf.errors import DataError

FILE = "findings.json"
_LEVELS = ("serious", "warning")
# Findings whose text names images, and what is said instead.
_WITHOUT_NAMES = {
    "repeats_across_patients": "images that are there twice, under two patients",
    "alike_across_patients": "images that are nearly the same, under two patients",
    "repeats_within_patients": "images that are there twice, of one patient",
    "repeats_with_other_labels": "images that are there twice, with different labels",
    "constant_images": "images with a single grey value",
}


def findings_of(folder: Path, facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """The serious findings and the warnings of a doctor's folder.

    Args:
        folder: that the doctor has written.
        facts: of the run, see `facts.gather`.
    Returns: level, kind, where and text of each, without names of images.
    Raises: DataError when the file is missing or damaged, or is of data with another
        number of images.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seen = {name: own["images"] for name, own in content["datasets"].items()}
        found = [
            {key: str(one[key]) for key in ("level", "kind", "where", "text")}
            for one in content["findings"]
            if one["level"] in _LEVELS
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected the findings that `python -m mdmt_tf.doctor` writes "
            f"({error!r})."
        ) from error
    _check_same_data(path, seen, facts)
    for one in found:
        one["text"] = _WITHOUT_NAMES.get(one["kind"], one["text"])
    return found


def _check_same_data(path: Path, seen: Mapping[str, int], facts) -> None:
    own = {
        one["name"]: one["flow"]["taken"]["images"]
        for one in facts["data"]
        if not one["synthetic"] or one["name"] in seen
    }
    if not own or own != {name: seen.get(name) for name in own}:
        raise DataError(
            f"{path}: is of other data than the run. Expected images of "
            f"{_listed(own) or 'real datasets, which the run has none of'}. Received: "
            f"{_listed(seen)}."
        )


def _listed(images: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in images.items())
