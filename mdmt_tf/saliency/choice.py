"""Images to explain: some of a run's data, or files that are not part of it."""

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.normalize import resize
from mdmt_tf.data.samples import spread
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import preprocess
from mdmt_tf.imaging.image_files import find_images, image_stem
from mdmt_tf.imaging.isolation import isolated
from mdmt_tf.imaging.left_out import warn_left_out
from mdmt_tf.imaging.prepared import prepare_file
from mdmt_tf.imaging.resample import resized_affine
from mdmt_tf.imaging.volume import PreparedVolume, read_volume
from mdmt_tf.names import Names
from mdmt_tf.saliency.samples import Geometry

_GEOMETRY = ("affine", "original_affine", "original_shape")  # fields of volumes


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Explainable:
    """n samples to explain.

    Attributes:
        ids: n distinct ids.
        images: n images, float32 (*spatial, 1) in [0, 1].
        geometry: geometry of each sample; None if it is not a volume.
        labels: answer -> (n,), see `Samples.labels_of`; None if they are not known.
        datasets: number of the dataset of each sample in those of the run; None: they
            are of none.
        splits: the split of each sample; None: they are of none.
    """

    ids: list[str]
    images: list[np.ndarray]
    geometry: list[Geometry | None]
    labels: Mapping[str, np.ndarray] | None = None
    datasets: Sequence[int] | None = None
    splits: Sequence[str] | None = None


def of_split(
    inputs: Inputs, split: str, most: int, wanted: Sequence[str] = ()
) -> Explainable:
    """Images spread over one split, or the named images.

    Args:
        inputs: inputs of the run.
        split: train, validation or test.
        most: largest number of images; named images are all taken.
        wanted: ids of images of any split.
    Raises: DataError for an unknown id, or a split without images.
    """
    names = list(inputs.samples) if wanted else [split]
    chosen_from = [inputs.samples[name] for name in names]
    rows = pd.concat([samples.rows for samples in chosen_from], ignore_index=True)
    splits = np.repeat(names, [len(samples.rows) for samples in chosen_from])
    ids = unique_ids(rows)
    if not ids:
        raise DataError(
            f"the {split} split has no images. Choose another one (--split)."
        )
    if wanted:
        chosen = list(dict.fromkeys(_numbers_of(wanted, ids)))
    else:
        chosen = spread(len(ids), most)
    numbers = np.concatenate([samples.image for samples in chosen_from])[chosen]
    return Explainable(
        ids=[ids[number] for number in chosen],
        images=[batch[0] for batch in inputs.images.batches(numbers, 1)],
        geometry=[_geometry(inputs, rows.iloc[number]) for number in chosen],
        labels={
            answer.name: np.concatenate([s.labels_of(answer) for s in chosen_from])[
                chosen
            ]
            for answer in inputs.answers
        },
        datasets=np.concatenate([s.dataset for s in chosen_from])[chosen].tolist(),
        splits=splits[chosen].tolist(),
    )


def _numbers_of(wanted: Sequence[str], ids: Sequence[str]) -> Iterator[int]:
    """The number of each named image."""
    exact = {name: number for number, name in enumerate(ids)}
    names = Names((name, number) for number, name in enumerate(ids))
    for name in wanted:
        found = [exact[name]] if name in exact else names.find(name)
        if not found:
            raise DataError(
                f"no image {name!r} in the data of the run.{names.nearest(name)} Where "
                "two datasets have an image of that name, it is DATASET:IMAGE."
            )
        if len(found) > 1:
            raise DataError(
                f"{name!r} may be {', '.join(ids[number] for number in found)}. Write "
                "which one."
            )
        yield found[0]


def of_files(
    config: Config, paths: Sequence[str], preprocessing: str | None = None
) -> Explainable:
    """Files that are not part of the data, with the preprocessing of the training data.

    Args:
        config: configuration of the run.
        paths: NIfTI files and DICOM series for a model of volumes, otherwise
            radiographs; folders of these and patterns, see `find_images`.
        preprocessing: name of the preprocessing; None: that of the run's datasets.
    Raises: ConfigError when the datasets have several; DataError for a file that cannot
        be read, and for a folder without images.
    """
    recipe = _preprocessing_of(config, preprocessing)
    are_volumes = isinstance(recipe, preprocess.VolumePreprocessing)
    files = find_images(paths, are_volumes, confined=True, by_content=True)
    warn_left_out(paths, files, are_volumes)
    images, geometry = [], []
    for path in files:
        image = prepare_file(path, recipe)
        images.append(fitted(config, image.for_model()))
        geometry.append(geometry_of(image, config) if are_volumes else None)
    return Explainable(ids=ids_of_files(files), images=images, geometry=geometry)


def ids_of_files(files: Sequence[Path]) -> list[str]:
    """The names of files without suffix, or their paths where names are the same."""
    stems = [image_stem(path.name) for path in files]
    counts = collections.Counter(stems)
    return [
        stem if counts[stem] == 1 else str(path)
        for stem, path in zip(stems, files, strict=True)
    ]


def read_masks(folder: Path, samples: Explainable) -> list[np.ndarray | None]:
    """The mask of each sample, bool on the voxels of its file; None without a mask.

    Raises: DataError when there are no masks, or a mask does not fit its volume.
    """
    masks = []
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    named = Names((path.name, path) for path in there)
    for name, about in zip(samples.ids, samples.geometry, strict=True):
        path = folder / f"{name}_lesion.nii.gz"
        if not path.is_file():
            found = named.find(path.name)
            path = found[0] if len(found) == 1 else path
        if about is None or not path.is_file():
            masks.append(None)
            continue
        volume = isolated(str(path), read_volume, path)
        shape = volume.values.shape
        if shape != tuple(about.original_shape) or not np.allclose(
            volume.affine, about.original_affine, rtol=0, atol=0.01
        ):
            raise DataError(
                f"{path}: expected a mask on the voxels of the CT, shape "
                f"{tuple(about.original_shape)}. Received: shape {shape}, "
                f"affine {np.round(volume.affine[:3], 2).tolist()}."
            )
        masks.append(volume.values > 0.5)
    if all(mask is None for mask in masks):
        raise DataError(
            f"{folder}: expected masks of volumes, named IMAGE_lesion.nii.gz. "
            f"Received: none for {', '.join(samples.ids[:3])}."
        )
    return masks


def unique_ids(rows: pd.DataFrame) -> list[str]:
    """The image_id, with the dataset in front if several datasets have the same id."""
    twice = rows["image_id"].duplicated(keep=False)
    full = rows["dataset"] + ":" + rows["image_id"]
    return rows["image_id"].where(~twice, full).tolist()


def fitted(config: Config, image: np.ndarray) -> np.ndarray:
    """A prepared image as the network sees it, float32 (*spatial, 1) in [0, 1]."""
    return resize(tf.constant(image), config.image_shape).numpy()


def geometry_of(volume: PreparedVolume, config: Config) -> Geometry:
    """The geometry of a prepared volume as the network sees it."""
    return Geometry(
        prepared_affine=resized_affine(
            volume.affine, volume.pixels.shape[:3], config.image_shape
        ),
        original_affine=volume.original_affine,
        original_shape=volume.original_shape,
    )


def _geometry(inputs: Inputs, row: pd.Series) -> Geometry | None:
    """The stored geometry of a volume; None if the dataset has none."""
    (dataset,) = [d for d in inputs.datasets if d.name == row["dataset"]]
    if not set(_GEOMETRY) <= set(dataset.table):
        return None
    number = list(dataset.table["image_id"]).index(row["image_id"])
    prepared, original, shape = (dataset.table[name][number] for name in _GEOMETRY)
    prepared = np.asarray(prepared, np.float64).reshape(4, 4)
    return Geometry(
        # The network may see the volume smaller than it was prepared.
        prepared_affine=resized_affine(
            prepared, dataset.image_shape[:3], inputs.images.shape[:3]
        ),
        original_affine=np.asarray(original, np.float64).reshape(4, 4),
        original_shape=tuple(int(length) for length in shape),
    )


def _preprocessing_of(config: Config, name: str | None):
    names = sorted({section.config for section in config.tested_datasets.values()})
    if name is None and len(names) > 1:
        raise ConfigError(
            "the datasets of the run have several kinds of preprocessing: "
            f"{', '.join(names)}. Choose the one for the files (--preprocessing)."
        )
    try:
        return preprocess.parse(name or names[0])
    except ValueError as error:
        raise ConfigError(f"the preprocessing of the files: {error}.") from None
