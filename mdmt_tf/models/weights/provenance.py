"""Which synthetic images weights were trained with: a note in their file.

A model that starts from such weights has learned from these images, too. The note is in
the weights file itself, so it is not lost when the file is copied. No TensorFlow.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights import half_precision

NOTE = "trained_with_synthetic"
# A number of images; or the least and the largest, where steps of training may have had
# the same images.
Count = int | list[int]


def write(path: Path, images: Mapping[str, Count]) -> None:
    """Add the note to a `.weights.h5` file; nothing is added if there are no images.

    Args:
        images: dataset -> number of synthetic images.

    Example:
        >>> import h5py, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "backbone.weights.h5"
        >>> h5py.File(path, "w").close()
        >>> write(path, {"synthetic_cxr": 300})
        >>> read(path)
        {'synthetic_cxr': 300}
    """
    if images:
        import h5py

        with h5py.File(path, "a") as file:
            file.attrs[NOTE] = json.dumps(dict(images))


def read(path: Path) -> dict[str, Count]:
    """The images of the note of a weights file, by dataset; {} if there is none.

    Without a note, `manifest.json` of the run whose folder the file is in is read, of a
    run by an earlier version: all images of its synthetic datasets count.

    Raises: DataError for a damaged file, or a note that nobody has written so.

    Example:
        >>> read(Path("missing.weights.h5"))
        {}
    """
    if path.suffix == half_precision.SUFFIX:
        return _checked(half_precision.read_facts(path).get(NOTE, {}), path)
    import h5py

    note = None
    try:
        with h5py.File(path, "r") as file:
            note = file.attrs.get(NOTE)
    except (OSError, ValueError):
        return {}  # not in this format
    if note is not None:
        try:
            return _checked(json.loads(note), path)
        except (ValueError, TypeError, RecursionError) as error:
            raise DataError(f"{path}: its note {NOTE!r} is damaged.") from error
    try:
        text = (path.parent.parent / "manifest.json").read_text(encoding="utf-8")
        manifest = json.loads(text)
        return {
            name: manifest["datasets"][name]["examples"]
            for name in manifest.get("synthetic_datasets", ())
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _checked(images, path: Path) -> dict[str, Count]:
    if not isinstance(images, dict) or not all(map(_is_count, images.values())):
        raise DataError(
            f"{path}: its note {NOTE!r} is damaged: expected a number of images for "
            "each dataset, or the least and the largest."
        )
    return images


def _is_count(value) -> bool:
    numbers = value if isinstance(value, list) else [value, value]
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and len(numbers) == 2
        and numbers[0] <= numbers[1]
    )


def combined(*counts: Mapping[str, Count]) -> dict[str, Count]:
    """The images of several steps of training one model, by dataset.

    Two steps may have drawn the same images of a dataset, or others.

    Example:
        >>> combined({"synthetic_cxr": 300}, {}, {"synthetic_cxr": 90, "brixia": 8})
        {'brixia': 8, 'synthetic_cxr': [300, 390]}
    """
    return _by_dataset(counts, sum)


def largest(*counts: Mapping[str, Count]) -> dict[str, Count]:
    """The most images that one of several models was trained with, by dataset.

    Example:
        >>> largest({"synthetic_cxr": 300}, {"synthetic_cxr": [90, 400]})
        {'synthetic_cxr': [300, 400]}
    """
    return _by_dataset(counts, max)


def _by_dataset(counts: Sequence[Mapping[str, Count]], most: Callable) -> dict:
    found = {}
    for name in sorted({name for count in counts for name in count}):
        low, high = zip(
            *(ends(own[name]) for own in counts if name in own), strict=True
        )
        found[name] = _count(max(low), most(high))
    return found


def ends(count: Count) -> tuple[int, int]:
    """The least and the largest number.

    Example:
        >>> ends(300), ends([300, 390])
        ((300, 300), (300, 390))
    """
    return tuple(count) if isinstance(count, list) else (count, count)


def total(images: Mapping[str, Count]) -> Count:
    """The images of all datasets.

    Example:
        >>> total({"brixia": 8, "synthetic_cxr": [300, 390]})
        [308, 398]
    """
    low, high = zip(*map(ends, images.values()), strict=True) if images else ((), ())
    return _count(sum(low), sum(high))


def text(count: Count) -> str:
    """A number of images in words.

    Example:
        >>> text(2700), text([300, 390])
        ('2,700', '300 to 390')
    """
    return " to ".join(f"{number:,}" for number in dict.fromkeys(ends(count)))


def _count(low: int, high: int) -> Count:
    return low if low == high else [low, high]
