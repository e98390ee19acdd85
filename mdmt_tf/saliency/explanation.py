"""Saliency of a trained model for images of its data, or for files that are not."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.normalize import normalize, resize, to_unit
from mdmt_tf.data.samples import Samples, spread
from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.imaging import preprocess
from mdmt_tf.imaging.volume import prepare_volume, read_volume, resized_affine
from mdmt_tf.saliency import files, sanity
from mdmt_tf.saliency.files import Geometry
from mdmt_tf.tasks import Task

SANITY_TABLE = "sanity.csv"
_GEOMETRY = ("affine", "original_affine", "original_shape")  # fields of volumes


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Explainable:
    """What can be explained, n samples.

    Attributes:
        ids: all different.
        images: of each, float32 (*spatial, 1) in [0, 1].
        geometry: of each, None where it is no volume.
        labels: task -> (n,) as `Samples` has them; None where they are not known.
    """

    ids: list[str]
    images: list[np.ndarray]
    geometry: list[Geometry | None]
    labels: Mapping[str, np.ndarray] | None = None


def explain_run(
    config: Config,
    model: keras.Model,
    samples: Explainable,
    folder: Path,
    *,
    tasks: Sequence[str] = (),
    methods: Sequence[str] | None = None,
    layer: str | None = None,
    masks: Path | None = None,
    with_sanity: bool = False,
    note: str = "",
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[list[files.Row], list[sanity.Row]]:
    """Write the saliency of some samples, and of a test of it, to a folder.

    Args:
        config: of the run.
        model: with the weights of the run.
        samples: of `of_part` or `of_files`.
        folder: see `saliency.files`; `sanity.csv` comes beside.
        tasks: names of those to explain; none: all.
        methods, layer: see `explain_samples`.
        masks: folder of `<id>_lesion.nii.gz`; None for none.
        with_sanity: whether to randomise the weights, see `saliency.sanity`.
        note: what the data are.
        progress: called with the samples done and the number of all.
    Returns: the rows of both tables; none of the second without the test.
    Raises: ConfigError, DataError for what the user can mend.
    """
    chosen = _tasks(config.build_tasks(), tasks)
    prepare = functools.partial(_normalized, config)
    lesions = None if masks is None else read_masks(masks, samples)
    said = probabilities(config, model, samples.images)
    rows = files.explain_samples(
        folder,
        model,
        chosen,
        samples.images,
        samples.ids,
        said,
        samples.labels,
        normalize=prepare,
        methods=methods,
        layer=layer,
        geometry=samples.geometry,
        masks=lesions,
        note=note,
        progress=progress,
    )
    if not with_sanity:
        return rows, []
    images = np.concatenate([prepare(image[np.newaxis]) for image in samples.images])
    used = list(dict.fromkeys(row.method for row in rows))
    checked = sanity.randomization(
        model, chosen, images, used, seed=config.seed, layer=layer
    )
    files.write_table(folder / SANITY_TABLE, checked, sanity.Row)
    return rows, checked


def probabilities(
    config: Config, model: keras.Model, images: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """{task: (n, n_classes)} of prepared images (*spatial, 1) in [0, 1]."""
    answers = [
        model(_normalized(config, image[np.newaxis]), training=False)
        for image in images
    ]
    return {
        task.name: task.probabilities(
            np.concatenate([np.asarray(answer[task.name]) for answer in answers])
        )
        for task in config.build_tasks()
    }


def of_part(
    inputs: Inputs, part: str, most: int, wanted: Sequence[str] = ()
) -> Explainable:
    """Images of one part of the split, spread over it, or those named.

    Args:
        inputs: of the run.
        part: train, validation or test.
        most: at most so many; all where they are named.
        wanted: ids of images, of any part.
    Raises: DataError for an id that there is not, or a part without images.
    """
    parts = inputs.parts.values() if wanted else [inputs.parts[part]]
    rows = pd.concat([samples.rows for samples in parts], ignore_index=True)
    ids = unique_ids(rows)
    if not ids:
        raise DataError(f"the {part} part has no images. Choose another one (--part).")
    if wanted:
        known = {name: number for number, name in enumerate(ids)}
        for name in wanted:
            if name not in known:
                raise DataError(
                    f"no image {name!r} in the data of the run.{nearest(name, ids)} "
                    "Where two datasets have an image of that name, it is "
                    "DATASET:IMAGE."
                )
        chosen = [known[name] for name in dict.fromkeys(wanted)]
    else:
        chosen = spread(len(ids), most)
    return Explainable(
        ids=[ids[number] for number in chosen],
        images=_pixels(inputs, _joined(parts, "image")[chosen]),
        geometry=[_geometry(inputs, rows.iloc[number]) for number in chosen],
        labels={
            task.name: np.concatenate([s.labels[task.name] for s in parts])[chosen]
            for task in inputs.tasks
        },
    )


def of_files(
    config: Config, paths: Sequence[str], preprocessing: str | None = None
) -> Explainable:
    """Files that are not part of the data, brought into the form of the training.

    Args:
        config: of the run.
        paths: NIfTI files for a model of volumes, else radiographs.
        preprocessing: name of the form; None: that of the datasets of the run.
    Raises: ConfigError when these have several; DataError for a file that cannot be
        read.
    """
    form = _preprocessing_of(config, preprocessing)
    images, geometry = [], []
    for path in paths:
        if isinstance(form, preprocess.VolumePreprocessing):
            volume = prepare_volume(read_volume(path), form)
            pixels = volume.pixels
            geometry.append(
                Geometry(
                    prepared_affine=resized_affine(
                        volume.affine, volume.pixels.shape[:3], config.image_shape
                    ),
                    original_affine=volume.original_affine,
                    original_shape=volume.original_shape,
                )
            )
        else:
            from mdmt_tf.imaging.dicom import read_image
            from mdmt_tf.imaging.prepared import prepare_image

            pixels = prepare_image(read_image(path), form).pixels[..., np.newaxis]
            geometry.append(None)
        images.append(_unit(config, pixels))
    names = [Path(path).name.removesuffix(".gz") for path in paths]
    stems = [name.rpartition(".")[0] or name for name in names]
    ids = [
        stem if stems.count(stem) == 1 else str(path)
        for stem, path in zip(stems, paths, strict=True)
    ]
    return Explainable(ids=ids, images=images, geometry=geometry)


def read_masks(folder: Path, samples: Explainable) -> list[np.ndarray | None]:
    """Of each sample, bool on the voxels of its file; None where there is no mask.

    Raises: DataError when there is none at all, or one does not fit its volume.
    """
    masks = []
    for name, about in zip(samples.ids, samples.geometry, strict=True):
        path = folder / f"{name}_lesion.nii.gz"
        if about is None or not path.is_file():
            masks.append(None)
            continue
        volume = read_volume(path)
        same = volume.hu.shape == tuple(about.original_shape)
        if not same or not np.allclose(
            volume.affine, about.original_affine, rtol=0, atol=0.01
        ):
            raise DataError(
                f"{path}: expected a mask on the voxels of the CT, shape "
                f"{tuple(about.original_shape)}. Received: shape {volume.hu.shape}, "
                f"affine {np.round(volume.affine[:3], 2).tolist()}."
            )
        masks.append(volume.hu > 0.5)
    if all(mask is None for mask in masks):
        raise DataError(
            f"{folder}: expected masks of volumes, named IMAGE_lesion.nii.gz. "
            f"Received: none for {', '.join(samples.ids[:3])}."
        )
    return masks


def _tasks(tasks: Sequence[Task], names: Sequence[str]) -> list[Task]:
    known = {task.name: task for task in tasks}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{name!r} is no task of the run.{nearest(name, known)} Known: "
                f"{', '.join(known)}."
            )
    return [known[name] for name in names] if names else list(tasks)


def _normalized(config: Config, images) -> np.ndarray:
    """As the pipeline does it: (n, *spatial, 1) in [0, 1] to the network's input."""
    return np.asarray(normalize(images, *config.normalization))


def _unit(config: Config, pixels: np.ndarray) -> np.ndarray:
    """Stored pixels as the pipeline reads them, float32 (*spatial, 1) in [0, 1]."""
    return resize(to_unit(tf.constant(pixels)), config.image_shape).numpy()


def _pixels(inputs: Inputs, numbers: np.ndarray) -> list[np.ndarray]:
    return [
        to_unit(inputs.images.gather(np.array([number]))).numpy()[0]
        for number in numbers
    ]


def _joined(parts: Sequence[Samples], name: str) -> np.ndarray:
    return np.concatenate([getattr(samples, name) for samples in parts])


def unique_ids(rows: pd.DataFrame) -> list[str]:
    """The image_id; with its dataset where several datasets have the same one."""
    twice = rows["image_id"].duplicated(keep=False)
    full = rows["dataset"] + ":" + rows["image_id"]
    return rows["image_id"].where(~twice, full).tolist()


def _geometry(inputs: Inputs, row: pd.Series) -> Geometry | None:
    """What the dataset stores about the place of a volume; None for what does not."""
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
        original_shape=tuple(int(side) for side in shape),
    )


def _preprocessing_of(config: Config, name: str | None):
    names = sorted({section.config for section in config.datasets.values()})
    if name is None and len(names) > 1:
        raise ConfigError(
            f"the datasets of the run are prepared in several ways: {', '.join(names)}."
            " Say which one the files take (--preprocessing)."
        )
    try:
        return preprocess.parse(name or names[0])
    except ValueError as error:
        raise ConfigError(f"the preprocessing of the files: {error}.") from None
