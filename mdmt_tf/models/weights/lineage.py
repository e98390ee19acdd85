"""Which images and patients weights were trained with: a note in their file.

A model that starts from such weights has seen them, too. The note is in the manifest of
a run and in its weights file, so that it is not lost when the file is copied:

datasets   name -> fingerprints; and for train and validation the images, the patients
           and the pixels, as hashes. Each drawing of a synthetic dataset has an entry
           of its own, with the name under `synthetic`: others have other images
unknown    names of weights files at the start whose data nobody knows
permuted   tasks whose labels were permuted; not there if there are none

Only hashes leave in the file. They tell whether a known id is among them; short ids
can still be guessed. No TensorFlow.
"""

import functools
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import image_hashes
from mdmt_tf.models.weights import half_precision, provenance
from mdmt_tf.names import likeness

if TYPE_CHECKING:
    from mdmt_tf.data.sources import PreparedDataset
    from mdmt_tf.splits.files import Lists

NOTE = "trained_with_data"
UNKNOWN = "unknown"
SYNTHETIC = "synthetic"
PERMUTED = "permuted"
FITTED = ("train", "validation")
KINDS = ("images", "patients", "pixels")
# Hexadecimal digits: with 100,000 images on both sides, one false match in 10^9 cases.
_DIGITS = 16


def empty(unknown: Sequence[str] = (), permuted: Sequence[str] = ()) -> dict:
    """The note of weights without data.

    Example:
        >>> empty()
        {'datasets': {}, 'unknown': []}
    """
    note = {"datasets": {}, UNKNOWN: list(unknown)}
    return note | ({PERMUTED: list(permuted)} if permuted else {})


def of_lists(datasets: Sequence["PreparedDataset"], lists: "Lists") -> dict:
    """The note of a fit by itself.

    Args:
        datasets: its datasets.
        lists: dataset -> split -> image_ids.

    Example:
        >>> import pandas as pd, types
        >>> ward = types.SimpleNamespace(
        ...     name="ward",
        ...     fingerprint="f",
        ...     synthetic=False,
        ...     folder=Path("nowhere"),
        ...     table=pd.DataFrame({"image_id": ["a", "b"], "patient_id": ["p", "p"]}),
        ... )
        >>> note = of_lists([ward], {"ward": {"train": ["a", "b"]}})
        >>> train = note["datasets"]["ward"]["train"]
        >>> [len(train[kind].split()) for kind in KINDS]
        [2, 1, 0]
    """
    note = empty()
    for dataset in datasets:
        key, entry = dataset.name, {"fingerprints": [dataset.fingerprint]}
        if dataset.synthetic:
            key += f" (synthetic, {dataset.fingerprint[:8]})"
            entry[SYNTHETIC] = dataset.name
        own = _hashes(dataset, key, _pixels(dataset))
        for split in FITTED:
            chosen = lists[dataset.name].get(split, ())
            entry[split] = {
                kind: _joined(own[image][kind] for image in chosen) for kind in KINDS
            }
        note["datasets"][key] = entry
    return note


def combined(*notes: Mapping) -> dict:
    """The note of several steps of training.

    Example:
        >>> combined(empty(["b.weights.h5"]), empty(["a.weights.h5"]))["unknown"]
        ['a.weights.h5', 'b.weights.h5']
    """
    found = empty(
        sorted({name for note in notes for name in note[UNKNOWN]}),
        sorted({name for note in notes for name in note.get(PERMUTED, ())}),
    )
    for name in sorted({name for note in notes for name in note["datasets"]}):
        entries = [n["datasets"][name] for n in notes if name in n["datasets"]]
        fingerprints = {one for own in entries for one in own["fingerprints"]}
        found["datasets"][name] = {
            "fingerprints": sorted(fingerprints),
            **({SYNTHETIC: entries[0][SYNTHETIC]} if SYNTHETIC in entries[0] else {}),
            **{split: _united([own[split] for own in entries]) for split in FITTED},
        }
    return found


def synthetic_images(*notes: Mapping) -> dict[str, int]:
    """The numbers of different synthetic training images, by dataset.

    They are told apart by their pixels; those without a hash do not count.

    Example:
        >>> synthetic_images(empty())
        {}
    """
    pixels: dict[str, set[str]] = {}
    for entry in (entry for note in notes for entry in note["datasets"].values()):
        if name := entry.get(SYNTHETIC):
            pixels.setdefault(name, set()).update(entry["train"]["pixels"].split())
    return {name: len(own) for name, own in pixels.items()}


def find(
    note: Mapping,
    dataset: "PreparedDataset",
    images: Collection[str],
    splits: Collection[str] = FITTED,
) -> dict[str, list[str]]:
    """Images of a dataset that weights were trained with.

    Args:
        note: of the weights.
        dataset: prepared in any way, under any name.
        images: ids of the images to look for.
        splits: the splits of the training to look in.
    Returns: {"images", "patients", "pixels": the ids of images that are there; that are
        of patients who are there; or whose pixels are there, under any name}.
    """
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    pixels = _pixels(dataset) if note["datasets"] else {}
    for name, entry in note["datasets"].items():
        is_same = dataset.fingerprint in entry["fingerprints"]
        # Phantoms that are drawn again have the ids of others.
        is_named = is_same or (name == dataset.name and not dataset.synthetic)
        own = _hashes(dataset, name, pixels)
        for kind in KINDS if is_named else ("pixels",):
            there = {h for split in splits for h in entry[split][kind].split()}
            found[kind] |= {image for image in images if own[image][kind] in there}
    return {kind: sorted(ids) for kind, ids in found.items()}


def write(path: Path, note: Mapping) -> None:
    """Add the note to a `.weights.h5` file.

    Example:
        >>> import h5py, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "backbone.weights.h5"
        >>> h5py.File(path, "w").close()
        >>> write(path, empty())
        >>> read(path)
        {'datasets': {}, 'unknown': []}
    """
    import h5py
    import numpy as np

    # An attribute is limited to 64 kB.
    text = np.frombuffer(json.dumps(note).encode(), np.uint8)
    with h5py.File(path, "a") as file:
        file.create_dataset(NOTE, data=text)


def read(path: Path) -> dict | None:
    """The note of a weights file; None if it has none.

    A file of phantoms has no note and no data but these, and those of a start without
    a note, which earlier versions allowed.

    Raises: DataError for a damaged file or note.

    Example:
        >>> import h5py, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "backbone.weights.h5"
        >>> h5py.File(path, "w").close()
        >>> read(path)
    """
    if path.suffix == half_precision.SUFFIX:
        facts = half_precision.read_facts(path)
        parts = _parts(facts.get("start"))
        unknown = [p for p in parts if provenance.NOTE not in p]
        return empty(_files_of(unknown)) if facts.get(provenance.NOTE) else None
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file[NOTE][()].tobytes() if NOTE in file else None
    except (OSError, ValueError):
        return None  # not in this format
    if text is None:
        return None
    try:
        # This also reads all parts of it.
        return combined(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: its note {NOTE!r} is damaged.") from error


def of_manifest(manifest: Mapping) -> dict:
    """The note of a run; of one by an earlier version, what can be known.

    Example:
        >>> of_manifest({"initial_weights": {"file": "/a/own.weights.h5"}})["unknown"]
        ['own.weights.h5']
    """
    if NOTE in manifest:
        return manifest[NOTE]
    return empty(_files_of(_parts(manifest.get("initial_weights"))))


def _parts(start: Mapping | None) -> list[Mapping]:
    """The files of a description of `pretrained.describe`."""
    return start.get("average", [start]) if start else []


def _files_of(parts: Sequence[Mapping]) -> list[str]:
    """The names of a user's own files."""
    return sorted(Path(part["file"]).name for part in parts if "file" in part)


def unknown_text(note: Mapping) -> str:
    """A sentence on starts whose data are unknown; "" if there are none.

    Example:
        >>> unknown_text(empty())
        ''
    """
    if not note[UNKNOWN]:
        return ""
    return (
        f"the data of the start {', '.join(note[UNKNOWN])} are unknown: what is called "
        "unseen may have been seen"
    )


def _pixels(dataset: "PreparedDataset") -> dict[str, str]:
    """Image -> hash of its pixels, as far as it is stored."""
    stored = image_hashes.read(dataset.folder) or {}
    # Images of a single grey value have no phash: they show nothing.
    return {i: one.sha256[:_DIGITS] for i, one in stored.items() if one.phash}


def _hashes(
    dataset: "PreparedDataset", salt: str, pixels: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Image -> kind -> hash; "" for an image whose pixels have no stored hash."""
    ids = map(str, dataset.table["image_id"].tolist())
    patients = map(str, dataset.table["patient_id"].tolist())
    return {
        image: {
            "images": _hash(salt, "image", image),
            "patients": _hash(salt, "patient", patient),
            "pixels": pixels.get(image, ""),
        }
        for image, patient in zip(ids, patients, strict=True)
    }


@functools.lru_cache(maxsize=1 << 16)
def _hash(dataset: str, kind: str, name: str) -> str:
    text = json.dumps([dataset, kind, likeness(name)])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _united(splits: Sequence[Mapping]) -> dict[str, str]:
    return {
        kind: _joined(one for own in splits for one in own[kind].split())
        for kind in KINDS
    }


def _joined(hashes) -> str:
    """One text, so that a manifest has a line and not one for each image."""
    return " ".join(sorted({one for one in hashes if one}))
