"""Which synthetic images weights were trained with: a note in their file.

A model that starts from such weights has learned from these images, too. The note is in
the weights file itself, so it is not lost when the file is copied. No TensorFlow.
"""

import json
from collections.abc import Mapping
from pathlib import Path

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

    Raises: DataError for a damaged file in the form of `half_precision`.

    Example:
        >>> read(Path("missing.weights.h5"))
        {}
    """
    if path.suffix == half_precision.SUFFIX:
        return half_precision.read_facts(path).get(NOTE, {})
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if NOTE in file.attrs:
                return json.loads(file.attrs[NOTE])
    except OSError:
        return {}  # not in this format
    try:
        text = (path.parent.parent / "manifest.json").read_text(encoding="utf-8")
        manifest = json.loads(text)
        return {
            name: manifest["datasets"][name]["examples"]
            for name in manifest.get("synthetic_datasets", ())
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


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
