"""Prepared datasets, which tensorflow-datasets has written as TFRecord files.

    data_dir/<name>/<config>/<version>/dataset_info.json, features.json, *.tfrecord-*

Reading a dataset needs no builder code, so a dataset of your own works as soon as it is
prepared. It must have `image` (h, w, c) or `volume`; `image_id`, unique; `patient_id`;
`site`; and label fields. These are numbers, text or vectors of them, with -1, NaN or ""
for unknown.
"""

import dataclasses
import hashlib
import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdmt_tf.data.records import Records
from mdmt_tf.errors import DataError, nearest
from mdmt_tf.screen.commands import command
from mdmt_tf.tasks.labels import REQUIRED, Table

if TYPE_CHECKING:
    import tensorflow as tf

logger = logging.getLogger(__name__)

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_PIXELS = ("image", "volume")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PreparedDataset:
    """One dataset on disk, with its labels in memory and its images as records.

    Attributes:
        name, config, version: names of the dataset; `config` is "" if it has none.
        folder: folder of the files.
        synthetic: whether the builder marks the images as synthetic.
        fingerprint: SHA-256 of the features and of every field of every record in
            order. It is equal if and only if the content is equal.
        table: field -> array (n,) or (n, k), all fields except the pixels, in the order
            of storage. Values are integers, floats, or text as str objects. A class
            label with names is its name, or "" for -1.
        image_key: the feature with the pixels, "image" or "volume".
        image_shape: as stored, e.g. (256, 256, 1); None if images differ.
        image_dtype: as stored, e.g. uint8.
        records: the examples as bytes, in the same order.
        units: label field -> unit of its numbers, without those that state none.
        declared_labels: the fields that the preparation declares as labels.
    """

    name: str
    config: str
    version: str
    folder: Path
    synthetic: bool
    fingerprint: str
    table: Table
    image_key: str
    image_shape: tuple[int | None, ...]
    image_dtype: np.dtype
    records: Records
    features: Any  # tfds.features.FeaturesDict of the pixels alone
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    declared_labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.records)

    def describe(self) -> dict:
        """Version, content, units and origin, for manifests."""
        return {
            "config": self.config,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "examples": len(self),
            "synthetic": self.synthetic,
            "units": dict(self.units),
        }

    def decode(self, record: "tf.Tensor") -> "tf.Tensor":
        """Decode the pixels of one record (string scalar), and nothing else."""
        return self.features.deserialize_example(record)[self.image_key]


def open_dataset(
    data_dir: str | os.PathLike, name: str, config: str, version: str | None = None
) -> PreparedDataset:
    """Open a prepared dataset and read its table.

    Args:
        data_dir: the folder that `python -m mdmt_tf.prepare` has filled.
        name: name of the dataset.
        config: its configuration; "" for a dataset that has none.
        version: such as "1.0.0"; None for the newest one.
    Raises: DataError for a missing, unfinished or damaged dataset; the message lists
        what exists.
    """
    import tensorflow_datasets as tfds

    folder = find_prepared(Path(data_dir), name, config, version)
    try:
        builder = tfds.builder_from_directory(folder)
        info = builder.info
    except Exception as error:  # tfds passes on any error of parsing
        raise DataError(
            f"{folder}: tensorflow-datasets cannot read it ({error}). Prepare it "
            f"again: {_command(name, data_dir)}"
        ) from error
    if info.file_format.value != "tfrecord":
        raise DataError(
            f"{folder}: expected files in the format tfrecord. Received: "
            f"{info.file_format.value}. Prepare it with file_format='tfrecord'."
        )
    image_key = next((key for key in _PIXELS if key in info.features), None)
    if image_key is None:
        raise DataError(
            f"{folder}: expected a feature 'image' or 'volume'. "
            f"Received: {', '.join(sorted(info.features))}."
        )
    splits = [info.splits[split] for split in sorted(info.splits)]
    paths = [str(path) for split in splits for path in split.filepaths]
    records = Records(paths)
    expected = sum(split.num_examples for split in splits)
    if len(records) != expected:
        raise DataError(
            f"{folder}: dataset_info.json states {expected} examples, the files "
            f"hold {len(records)}. Prepare it again: {_command(name, data_dir)}"
        )
    table = _read_table(tfds, info.features, records, paths)
    # Lists, folds and rows of predictions have them as text.
    ids = [key for key in ("image_id", "patient_id") if key in table]
    table |= {key: np.array([str(one) for one in table[key]], object) for key in ids}
    _check_table(folder, table)
    pixels, metadata = info.features[image_key], info.metadata or {}
    # The preparation counts the classes of each.
    labels = metadata.get("labels")
    dataset = PreparedDataset(
        name=name,
        config=config,
        version=str(info.version),
        folder=folder,
        synthetic=bool(metadata.get("synthetic", False)),
        fingerprint=_fingerprint(folder, records),
        table=table,
        image_key=image_key,
        image_shape=tuple(pixels.shape),
        image_dtype=np.dtype(pixels.np_dtype),
        records=records,
        features=tfds.features.FeaturesDict({image_key: pixels}),
        units=_units(metadata),
        declared_labels=tuple(labels) if isinstance(labels, Mapping) else (),
    )
    logger.info("%s: %d examples from %s", name, len(dataset), folder)
    return dataset


def _units(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Label field -> unit: as the builder states them, or a declaration."""
    declared = metadata.get("declared", {}).get("declaration", {}).get("labels", {})
    stated = {name: label.get("unit") for name, label in declared.items()}
    stated |= metadata.get("units", {})
    return {field: unit for field, unit in stated.items() if unit}


def units_of(datasets: Iterable[PreparedDataset]) -> dict[str, Mapping[str, str]]:
    """Dataset -> its units, see `mdmt_tf.tasks.units`."""
    return {dataset.name: dataset.units for dataset in datasets}


def open_datasets(
    data_dir: str | os.PathLike | None, versions: Mapping[str, tuple[str | None, ...]]
) -> tuple[PreparedDataset, ...]:
    """Several prepared datasets.

    Args:
        data_dir: the folder of those that have no folder of their own.
        versions: name -> its configuration and version, as for `open_dataset`; and, if
            it has one, its own folder.
    Raises: DataError as `open_dataset`.
    """
    return tuple(
        open_dataset(next(filter(None, own), data_dir), name, config, version)
        for name, (config, version, *own) in versions.items()
    )


def prepared_datasets(data_dir: str | os.PathLike) -> list[str]:
    """Names of the datasets in a folder; none if there is no such folder."""
    folder = Path(data_dir)
    return [name for name in _subfolders(folder) if _is_dataset(folder / name)]


def prepared_configs(data_dir: str | os.PathLike, name: str) -> list[str]:
    """The configurations in which a dataset is prepared; "" if it has none."""
    folder = Path(data_dir) / name
    configs = [config for config in _subfolders(folder) if _versions(folder / config)]
    return ["", *configs] if _versions(folder) else configs


def find_prepared(data_dir: Path, name: str, config: str, version: str | None) -> Path:
    """The folder of the requested version, or an error that lists what exists."""
    command = _command(name, data_dir)
    if not (data_dir / name).is_dir():
        present = prepared_datasets(data_dir)
        raise DataError(
            f"{data_dir}: dataset {name!r} is not prepared.{nearest(name, present)} "
            f"There is: {', '.join(present) or 'nothing'}. Prepare it: {command}"
        )
    parent = data_dir / name / config
    versions = _versions(parent)
    if not versions:
        configs = [
            c for c in _subfolders(data_dir / name) if _versions(parent.parent / c)
        ]
        if _versions(data_dir / name):
            configs = ["'' (this dataset has no configurations)"]
        unfinished = list(parent.glob("*incomplete*")) + list(
            (data_dir / name).glob("*incomplete*")
        )
        hint = "An unfinished dataset exists. " if unfinished else ""
        raise DataError(
            f"{data_dir}: dataset {name!r} is not prepared in the configuration "
            f"{config!r}.{nearest(config, configs)} {hint}Prepared configurations: "
            f"{', '.join(configs) or 'none'}. Prepare it: {command}"
        )
    if version is not None and version not in versions:
        raise DataError(
            f"{parent}: version {version!r} is not there. Prepared versions: "
            f"{', '.join(versions)}. Leave the version out for the newest, or prepare "
            f"it: {command}"
        )
    return parent / (version or versions[-1])


def _subfolders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith((".", "incomplete"))
    )


def _is_dataset(folder: Path) -> bool:
    return any(
        _versions(part) for part in (folder, *map(folder.joinpath, _subfolders(folder)))
    )


def _versions(folder: Path) -> list[str]:
    """Finished versions in the folder, oldest first; tfds renames finished folders."""
    found = [
        name
        for name in _subfolders(folder)
        if _VERSION.fullmatch(name) and (folder / name / "dataset_info.json").is_file()
    ]
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


def _command(name: str, data_dir: str | os.PathLike) -> str:
    from mdmt_tf.datasets._shared.prepare import dataset_names

    known = name in dataset_names()
    files = [name, "--manual-dir", "FOLDER"] if known else ["FILE.yaml"]
    return command("prepare", *files, "--data-dir", data_dir)


def _read_table(tfds, features, records: Records, paths: list[str]) -> Table:
    """All fields that are a value or a vector of fixed length, decoded in one pass."""
    import tensorflow as tf

    chosen = {
        key: feature
        for key, feature in features.items()
        if key not in _PIXELS
        and isinstance(feature, (tfds.features.Tensor, tfds.features.Text))
        and len(feature.shape) <= 1
        and None not in feature.shape
    }
    if not len(records) or not chosen:
        return {key: np.empty(0) for key in chosen}
    subset = tfds.features.FeaturesDict(chosen)
    # One reader without parallel interleaving keeps the order of the files, which is
    # that of `records`.
    stored = tf.data.TFRecordDataset(paths, num_parallel_reads=None)
    rows = stored.map(
        subset.deserialize_example,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    try:
        parts = list(rows.batch(256).as_numpy_iterator())
    except tf.errors.OpError as error:
        raise DataError(
            f"{paths[0]} or a file next to it is damaged: {error.message}. Prepare the "
            "dataset again."
        ) from error
    return {
        key: _plain(feature, np.concatenate([part[key] for part in parts]))
        for key, feature in chosen.items()
    }


def _plain(feature, values: np.ndarray) -> np.ndarray:
    """Text as str, and class labels by name, as indices depend on the builder."""
    if values.dtype.kind in "OS":
        flat = [value.decode("utf-8") for value in values.ravel()]
        return np.array(flat, dtype=object).reshape(values.shape)
    names = getattr(feature, "names", None)
    if names and list(names) != [str(index) for index in range(len(names))]:
        # Index -1, the last name, is for unknown.
        return np.array([*names, ""], dtype=object)[values]
    return values


def _check_table(folder: Path, table: Mapping[str, np.ndarray]) -> None:
    missing = [key for key in REQUIRED if key not in table]
    if missing:
        raise DataError(
            f"{folder}: expected the fields {', '.join(REQUIRED)}. Missing: "
            f"{', '.join(missing)}. Received: {', '.join(sorted(table))}."
        )
    if not len(table["image_id"]):
        raise DataError(f"{folder}: holds no examples.")
    for key in ("image_id", "patient_id"):
        empty = np.flatnonzero(table[key] == "")
        if len(empty):
            raise DataError(
                f"{folder}: {key} is empty in {len(empty)} examples, first in row "
                f"{empty[0]}. Every image needs one; a patient known by nothing else "
                "gets the image_id as patient_id."
            )
    values, first, counts = np.unique(
        table["image_id"], return_index=True, return_counts=True
    )
    if (counts > 1).any():
        where = int(counts.argmax())
        raise DataError(
            f"{folder}: image_id {values[where]!r} appears {counts[where]} times, "
            f"first in row {first[where]}; expected unique names."
        )


def _fingerprint(folder: Path, records: Records) -> str:
    """Fingerprint of the content, not of the bytes.

    The order of the fields in a record differs between runs of `prepare`.
    """
    import tensorflow as tf

    digest = hashlib.sha256((folder / "features.json").read_bytes())
    for number in range(len(records)):
        (record,) = records.read([number])
        fields = tf.train.Example.FromString(record).features.feature
        for name in sorted(fields):
            value = fields[name].SerializeToString()
            digest.update(f"{name} {len(value)} ".encode())
            digest.update(value)
    return digest.hexdigest()
