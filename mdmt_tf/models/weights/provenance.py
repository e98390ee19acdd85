"""Which synthetic images weights were trained with: a note in their file.

A model that starts from such weights has learned from these images, too. The note is in
the weights file itself, so it is not lost when the file is copied. No TensorFlow.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights import half_precision

NOTE = "trained_with_synthetic"


def write(path: Path, images: Mapping[str, int]) -> None:
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


def read(path: Path) -> dict[str, int]:
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


def _checked(images, path: Path) -> dict[str, int]:
    if not isinstance(images, dict) or not all(
        type(count) is int and count >= 0 for count in images.values()
    ):
        raise DataError(
            f"{path}: its note {NOTE!r} is damaged: expected a number of images for "
            "each dataset."
        )
    return images


def combined(*counts: Mapping[str, int]) -> dict[str, int]:
    """The images of several steps of training, by dataset.

    Steps with images of one dataset have drawn them from the same images, so the
    largest number counts.

    Example:
        >>> combined({"synthetic_cxr": 300}, {}, {"synthetic_cxr": 90, "brixia": 8})
        {'brixia': 8, 'synthetic_cxr': 300}
    """
    names = sorted({name for count in counts for name in count})
    return {name: max(count.get(name, 0) for count in counts) for name in names}
