"""Lists of images in files: `split.json`, or a table with a row an image."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError, nearest

SIDES = ("train", "validation", "test")
# Images that are on no side: neither trained with nor counted.
PARTS = (*SIDES, "excluded")

# dataset -> part -> image_ids
Lists = Mapping[str, Mapping[str, Sequence[str]]]

_COLUMNS = ("dataset", "image_id", "split")


def read(path: str | Path) -> tuple[Lists, dict]:
    """Read lists of images.

    Args:
        path: JSON as `split.json` has it, {"datasets": {dataset: {part: [image_id]}}},
            where only `datasets` is required; or CSV, UTF-8, with the columns dataset,
            image_id, split. The parts are train, validation, test and excluded.
    Returns: the lists, and all of the JSON file (empty for CSV).
    Raises: DataError for a file that is neither, with the row or key.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return _read_csv(path), {}
    if path.suffix.lower() != ".json":
        raise DataError(f"{path}: expected a file .json or .csv.")
    plain = read_json(path)
    return plain["datasets"], plain


def read_json(path: str | Path) -> dict:
    """The content of a JSON file with lists, their form checked.

    Raises: DataError when it cannot be read or has another form.
    """
    text = _read_text(path)
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: no JSON (line {error.lineno}: {error.msg})."
        ) from error
    lists = plain.get("datasets") if isinstance(plain, dict) else None
    if not isinstance(lists, dict):
        raise DataError(
            f'{path}: expected {{"datasets": {{NAME: {{"train": [image_id, ...], '
            '"validation": [...], "test": [...]}}}}. The key `datasets` is missing.'
        )
    for name, parts in lists.items():
        if not isinstance(parts, dict):
            raise DataError(f"{path}: datasets.{name}: expected parts with lists.")
        for part, images in parts.items():
            _check_part(part, f"{path}: datasets.{name}")
            if not isinstance(images, list) or any(
                not isinstance(image, str) for image in images
            ):
                raise DataError(
                    f"{path}: datasets.{name}.{part}: expected a list of image_ids as "
                    "strings."
                )
        plain["datasets"][name] = {part: sorted(parts.get(part, [])) for part in PARTS}
    return plain


def assign(
    dataset: str, parts: Mapping[str, Sequence[str]], image_ids: np.ndarray, source: str
) -> np.ndarray:
    """The part of each image, str (n,).

    Args:
        dataset: its name.
        parts: part -> image_ids.
        image_ids: (n,), all images that the dataset has.
        source: where the lists are from, for messages.
    Raises: DataError for an image that is unknown, on no list, or on two.
    """
    part_of: dict[str, str] = {}
    for part, images in parts.items():
        for image in images:
            if image in part_of:
                raise DataError(
                    f"{source}: image {image!r} of dataset {dataset!r} is listed twice "
                    f"({part_of[image]}, {part}). An image has one part."
                )
            part_of[image] = part
    known = set(image_ids)
    unknown = sorted(set(part_of) - known)
    if unknown:
        raise DataError(
            f"{source}: dataset {dataset!r} has no image {some(unknown)}; "
            f"{len(unknown)} listed images are unknown."
            f"{nearest(unknown[0], sorted(known))} Are the lists of another version of "
            "the dataset?"
        )
    missing = sorted(known - set(part_of))
    if missing:
        raise DataError(
            f"{source}: {len(missing)} images of dataset {dataset!r} are on no list: "
            f"{some(missing)}. List them; `excluded` is the part for images that are "
            "not to be used."
        )
    return np.array([part_of[image] for image in image_ids], object)


def some(words: Sequence[str], most: int = 4) -> str:
    """The first few words, quoted."""
    shown = ", ".join(repr(str(word)) for word in words[:most])
    return f"{shown}, ..." if len(words) > most else shown


def _read_csv(path: Path) -> Lists:
    lines = _read_text(path).splitlines()
    reader = csv.DictReader(lines)
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(_COLUMNS)}, separated by commas. "
            f"Missing: {', '.join(missing)}. "
            f"Received: {lines[0] if lines else 'nothing'}."
        )
    lists: dict[str, dict[str, list[str]]] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if any(not row[name] for name in _COLUMNS):
            raise DataError(f"{where}: a value is missing.")
        _check_part(row["split"], where)
        parts = lists.setdefault(row["dataset"], {part: [] for part in PARTS})
        parts[row["split"]].append(row["image_id"])
    return {
        name: {part: sorted(images) for part, images in parts.items()}
        for name, parts in lists.items()
    }


def _check_part(part: str, where: str) -> None:
    if part not in PARTS:
        raise DataError(
            f"{where}: {part!r} is no part.{nearest(part, PARTS)} Expected one of "
            f"{', '.join(PARTS)}."
        )


def _read_text(path: str | Path) -> str:
    try:
        # utf-8-sig: spreadsheet programs write a byte order mark.
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
