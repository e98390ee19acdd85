"""Lists of images in files: `split.json`, or a table with one row per image."""

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError, nearest
from mdmt_tf.names import Names

SPLITS = ("train", "validation", "test")
# Excluded images are in no split: neither trained with nor counted.
LISTS = (*SPLITS, "excluded")

# dataset -> name of the list -> image_ids
Lists = Mapping[str, Mapping[str, Sequence[str]]]

# In the path of a file of lists: the number of the fold.
FOLD = "{fold}"

_COLUMNS = ("dataset", "image_id", "split")


def read(path: str | Path) -> tuple[Lists, dict]:
    """Read lists of images.

    Args:
        path: JSON as `split.json` has it, {"datasets": {dataset: {split: [image_id]}}},
            where only `datasets` is required; or CSV, UTF-8, with the columns dataset,
            image_id, split. A split is train, validation, test or excluded.
    Returns: the lists, and all of the JSON file (empty for CSV).
    Raises: DataError for a file that is neither, with the row or key.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "own.csv")
        ...     lines = ["dataset,image_id,split", "cxr,a,train", "cxr,b,test"]
        ...     _ = path.write_text("\\n".join(lines))
        ...     lists, _ = read(path)
        >>> lists["cxr"]["train"], lists["cxr"]["test"]
        (['a'], ['b'])
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return _read_csv(path), {}
    if path.suffix.lower() != ".json":
        raise DataError(f"{path}: expected a file .json or .csv.")
    plain = read_json(path)
    return plain["datasets"], plain


def read_json(path: str | Path) -> dict:
    """The checked content of a JSON file with lists.

    Raises: DataError when it cannot be read or holds something else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "own.json")
        ...     _ = path.write_text('{"datasets": {"cxr": {"test": ["b", "a"]}}}')
        ...     read_json(path)["datasets"]["cxr"]["test"]
        ['a', 'b']
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
    for name, of_dataset in lists.items():
        if not isinstance(of_dataset, dict):
            raise DataError(f"{path}: datasets.{name}: expected splits with lists.")
        for split, images in of_dataset.items():
            _check_split(split, f"{path}: datasets.{name}")
            if not isinstance(images, list) or any(
                not isinstance(image, str) for image in images
            ):
                raise DataError(
                    f"{path}: datasets.{name}.{split}: expected a list of image_ids as "
                    "strings."
                )
        plain["datasets"][name] = {
            split: sorted(of_dataset.get(split, [])) for split in LISTS
        }
    return plain


def of_fold(path: str, fold: int) -> str:
    """The file of a fold: `{fold}` in the path stands for its number.

    Example:
        >>> of_fold("lists/fold_{fold}.json", 2), of_fold("own.csv", 2)
        ('lists/fold_2.json', 'own.csv')
    """
    return path.replace(FOLD, str(fold))


def count(path: str) -> int:
    """The number of folds of a path: 1, or of its files 0, 1, 2, ... with `{fold}`.

    Raises: DataError when there is no file 0, or one is missing between two others.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     template = str(Path(folder, "{fold}.csv"))
        ...     for fold in range(3):
        ...         Path(of_fold(template, fold)).touch()
        ...     count(template), count(of_fold(template, 0))
        (3, 1)
    """
    if FOLD not in path:
        return 1
    folds = 0
    while Path(of_fold(path, folds)).is_file():
        folds += 1
    if not folds:
        raise DataError(
            f"{path}: there is no file of fold 0, {of_fold(path, 0)}. {FOLD} stands "
            "for the number of the fold, from 0."
        )
    front, _, back = Path(path).name.partition(FOLD)
    numbers = [
        name.removeprefix(front).removesuffix(back)
        for name in (file.name for file in Path(path).parent.iterdir())
        if name.startswith(front) and name.endswith(back)
    ]
    if later := [text for text in numbers if text.isdigit() and int(text) > folds]:
        raise DataError(
            f"{path}: fold {folds} has no file, but fold {min(map(int, later))} has "
            "one. Folds are numbered from 0 without a gap."
        )
    return folds


def in_spelling(
    lists: Mapping[str, Sequence[str]], image_ids: Iterable[str]
) -> dict[str, list[str]]:
    """The lists with the ids of a dataset in place of other spellings of them.

    What is of no image, or of several, stays as it is.

    Args:
        lists: split -> image_ids, in any spelling of `mdmt_tf.names`.
        image_ids: all images that the dataset has.

    Example:
        >>> in_spelling({"train": ["A1.png", "b"], "test": ["c"]}, ["a1", "b"])
        {'train': ['a1', 'b'], 'test': ['c']}
    """
    known = set(map(str, image_ids))
    if all(known.issuperset(images) for images in lists.values()):
        return {split: list(images) for split, images in lists.items()}
    names = Names((image, image) for image in sorted(known))
    return {
        split: sorted(_in_spelling(image, known, names) for image in images)
        for split, images in lists.items()
    }


def _in_spelling(image: str, known: Collection[str], names: Names[str]) -> str:
    found = [image] if image in known else names.find(image)
    return found[0] if len(found) == 1 else image


def assign(
    dataset: str, lists: Mapping[str, Sequence[str]], image_ids: np.ndarray, source: str
) -> np.ndarray:
    """The split of each image, str (n,); "excluded" for images in no split.

    Args:
        dataset: its name.
        lists: split -> image_ids.
        image_ids: (n,), all images that the dataset has.
        source: origin of the lists, for messages.
    Raises: DataError for an image that is unknown, on no list, or on two.

    Example:
        >>> lists = {"train": ["a", "c"], "test": ["b"]}
        >>> assign("cxr", lists, np.array(["a", "b", "c"]), "own.csv").tolist()
        ['train', 'test', 'train']
    """
    split_of: dict[str, str] = {}
    for split, images in lists.items():
        for image in images:
            if image in split_of:
                raise DataError(
                    f"{source}: image {image!r} of dataset {dataset!r} is listed twice "
                    f"({split_of[image]}, {split}). An image has one split."
                )
            split_of[image] = split
    known = set(image_ids)
    unknown = sorted(set(split_of) - known)
    if unknown:
        raise DataError(
            f"{source}: dataset {dataset!r} has no image {some(unknown)}; "
            f"{len(unknown)} listed images are unknown."
            f"{nearest(unknown[0], sorted(known))} Are the lists of another version of "
            "the dataset?"
        )
    missing = sorted(known - set(split_of))
    if missing:
        raise DataError(
            f"{source}: {len(missing)} images of dataset {dataset!r} are on no list: "
            f"{some(missing)}. List them; `excluded` is for images that are not to be "
            "used."
        )
    return np.array([split_of[image] for image in image_ids], object)


def some(words: Sequence[str], most: int = 4) -> str:
    """The first few words, quoted.

    Example:
        >>> some(["a", "b", "c"], most=2)
        "'a', 'b', ..."
    """
    shown = ", ".join(repr(str(word)) for word in words[:most])
    return f"{shown}, ..." if len(words) > most else shown


def _read_csv(path: Path) -> Lists:
    text = _read_text(path)
    header, *rows = _cells(path, text) or [(1, [])]
    names = header[1]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        first = text.splitlines()[0] if text.strip() else "nothing"
        raise DataError(
            f"{path}: expected the columns {', '.join(_COLUMNS)}, separated by commas. "
            f"Missing: {', '.join(missing)}. Received: {first}."
        )
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        raise DataError(
            f"{path}, line {header[0]}: the column {twice[0]} is there "
            f"{names.count(twice[0])} times. Remove all but one."
        )
    lists: dict[str, dict[str, list[str]]] = {}
    for number, cells in rows:
        where = f"{path}, line {number}"
        if any(cells[len(names) :]):
            raise DataError(
                f"{where}: expected {len(names)} cells. Received: {len(cells)}, the "
                f"last is {cells[-1]!r}. Put names with a comma in quotes."
            )
        row = dict(zip(names, cells, strict=False))
        if not all(row.get(name) for name in _COLUMNS):
            raise DataError(f"{where}: a value is missing.")
        _check_split(row["split"], where)
        of_dataset = lists.setdefault(row["dataset"], {split: [] for split in LISTS})
        of_dataset[row["split"]].append(row["image_id"])
    return {
        name: {split: sorted(images) for split, images in of_dataset.items()}
        for name, of_dataset in lists.items()
    }


def _cells(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """The number of each line that is not empty, and its cells."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        for cells in reader:
            if any(cells):
                rows.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: no CSV: {error}. Is a quote not closed?"
        ) from error
    return rows


def _check_split(split: str, where: str) -> None:
    if split not in LISTS:
        raise DataError(
            f"{where}: {split!r} is no split.{nearest(split, LISTS)} Expected one of "
            f"{', '.join(LISTS)}."
        )


def _read_text(path: str | Path) -> str:
    try:
        # utf-8-sig: spreadsheet programs write a byte order mark.
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
