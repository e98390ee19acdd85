"""Radiographs with lung masks: real ones, phantoms, and their augmentation."""

import concurrent.futures
import dataclasses
import logging
import os
from pathlib import Path

import cv2
import lung_augment
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.model_selection import StratifiedGroupKFold

from mdmt_tf.imaging import dicom
from mdmt_tf.imaging.lungs.network import OUTPUT_SIZE, SIZE
from mdmt_tf.imaging.lungs.network_input import network_input
from mdmt_tf.phantoms.chest import radiograph
from mdmt_tf.phantoms.chest.detector import HOSPITALS

logger = logging.getLogger(__name__)

# Masks include the lung behind the heart. Masks without it follow another definition
# and are neither used for training nor scored.
CONVENTION = "includes_retrocardiac"


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Inputs of the network with their targets.

    Attributes:
        inputs: uint8 (n, SIZE, SIZE), see `network_input`, times 255.
        masks: uint8 (n, OUTPUT_SIZE, OUTPUT_SIZE, 2): fractions of each pixel that the
            right and the left lung cover, times 255.
    """

    inputs: np.ndarray
    masks: np.ndarray


def save(epochs: list[Pictures], file: Path) -> None:
    """Save the result of `changed`."""
    np.savez(
        file,
        inputs=np.stack([pictures.inputs for pictures in epochs]),
        masks=np.stack([pictures.masks for pictures in epochs]),
    )


def load(file: Path) -> list[Pictures]:
    """The inverse of `save`."""
    with np.load(file, allow_pickle=False) as arrays:
        pairs = zip(arrays["inputs"], arrays["masks"], strict=True)
        return [Pictures(inputs, masks) for inputs, masks in pairs]


def read_study(folder: Path) -> tuple[pd.DataFrame, Pictures]:
    """Read all images of `open_cxr` with a mask of both lungs by CONVENTION.

    Returns: a table with one row per image (image_id, image, mask, source, view,
        patient_group), and the images.
    """
    table = pd.read_csv(folder / "lung_masks" / "manifest.csv")
    views = pd.concat(
        pd.read_csv(folder / name / "metadata.csv")
        for name in ("lung_masks", "cohen_brixia")
    ).drop_duplicates("original_filename")
    views = views.set_index("original_filename")["view"]
    usable = (table["convention"] == CONVENTION) & (table["n_lungs"] == 2)
    for row in table[~usable].itertuples():
        logger.info(
            "%s left out: %s, lungs annotated: %d",
            row.image,
            row.convention,
            row.n_lungs,
        )
    table = table[usable].reset_index(drop=True)
    table["view"] = table["original_filename"].map(views).fillna("unknown")
    table["image_id"] = [Path(path).stem for path in table["image"]]
    for column in ("image", "mask"):
        table[column] = [folder / path for path in table[column]]
    columns = ["image_id", "image", "mask", "source", "view", "patient_group"]
    pairs = [
        (dicom.read_image(row.image), read_mask(row.mask)) for row in table.itertuples()
    ]
    return table[columns], _pictures(pairs)


def read_mask(path: Path) -> np.ndarray:
    """uint8 (height, width), 0, 1 right lung, 2 left lung."""
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.ndim != 2 or mask.max() > 2:
        raise ValueError(f"{path}: expected a grey image of 0, 1 and 2")
    return mask


def draw_phantoms(count: int) -> Pictures:
    """Synthetic radiographs of every hospital, half of the zones diseased."""
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        return _pictures(list(pool.map(_phantom, range(count), chunksize=8)))


def _phantom(number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([77, number])
    appearances = list(HOSPITALS.values())
    drawn = radiograph.render(
        rng,
        rng.choice(4, 6, p=[0.4, 0.25, 0.2, 0.15]).tolist(),
        male=rng.random() < 0.5,
        appearance=appearances[number % len(appearances)],
    )
    return drawn.pixels, drawn.lungs


def _pictures(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Pictures:
    inputs = [np.rint(255 * network_input(image, SIZE)) for image, _ in pairs]
    masks = [_fractions(mask) for _, mask in pairs]
    return Pictures(np.stack(inputs).astype(np.uint8), np.stack(masks))


def _fractions(mask: np.ndarray) -> np.ndarray:
    size = (OUTPUT_SIZE, OUTPUT_SIZE)
    lungs = [np.where(mask == lung, 255, 0).astype(np.uint8) for lung in (1, 2)]
    return np.stack(
        [cv2.resize(lung, size, interpolation=cv2.INTER_AREA) for lung in lungs], -1
    )


def patient_folds(table: pd.DataFrame, folds: int) -> np.ndarray:
    """Test fold of each image; patients are not split, views are spread evenly."""
    number = np.zeros(len(table), int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    splits = splitter.split(table, table["view"], table["patient_group"])
    for fold, (_, test) in enumerate(splits):
        number[test] = fold
    return number


def changed(
    pictures: Pictures, strength: float, epochs: int, seed: int
) -> list[Pictures]:
    """Augment every picture once per epoch.

    The result for a picture does not depend on the others, so all folds use the same
    results. That saves a third of the training time of each fold.
    """
    result = [
        Pictures(np.empty_like(pictures.inputs), np.empty_like(pictures.masks))
        for _ in range(epochs)
    ]
    images = tf.constant(pictures.inputs[..., np.newaxis])
    masks = tf.constant(pictures.masks)

    def change(epoch, number):
        one = [
            tf.cast(array[number : number + 1], tf.float32) / 255
            for array in (images, masks)
        ]
        key = tf.random.fold_in(tf.stack([seed, epoch]), number, alg="philox")
        image, mask = lung_augment.augment(*one, key, strength)
        rounded = (tf.cast(tf.round(255 * x[0]), tf.uint8) for x in (image, mask))
        return epoch, number, *rounded

    numbers = tf.data.Dataset.range(len(pictures.inputs))
    every = tf.data.Dataset.range(epochs).flat_map(
        lambda epoch: numbers.map(lambda number: (epoch, number))
    )
    every = every.map(change, num_parallel_calls=tf.data.AUTOTUNE).prefetch(16)
    seed = tf.constant(seed, tf.int64)
    for epoch, number, image, mask in every.as_numpy_iterator():
        result[epoch].inputs[number] = image[..., 0]
        result[epoch].masks[number] = mask
    return result
