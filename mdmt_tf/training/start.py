"""What a fit starts from must not have seen its validation and test images."""

import json
import logging
from collections.abc import Mapping, Sequence

from mdmt_tf.data.inputs import judged_of
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.errors import LeakageError
from mdmt_tf.models.backbones.table import BACKBONES, PUBLISHED
from mdmt_tf.models.weights import lineage, pretrained
from mdmt_tf.splits.files import Lists

logger = logging.getLogger(__name__)

# Split of the fit -> splits of the start that it must not have been in. Both may choose
# their epoch on the same images.
_APART = {"test": ("train", "validation"), "validation": ("train",)}


def data_of_start(backbone: str, weights: str | Mapping[str, float] | None) -> dict:
    """The note of `lineage` of the weights that a fit starts from.

    A user's file without one is among the unknown.

    Args:
        backbone, weights: as for `pretrained.describe`.
    Raises: DataError for a file that is missing or damaged.
    """
    if isinstance(weights, Mapping):
        return lineage.combined(*(data_of_start(backbone, path) for path in weights))
    if weights in (None, PUBLISHED):
        return lineage.empty()
    path = pretrained.locate(backbone, weights)
    note = lineage.read(path)
    if note is None:
        is_known = _is_published(backbone, path)
        note = lineage.empty([] if is_known else [path.name])
    return note


def known_start(backbone: str, weights: str | Mapping[str, float] | None) -> dict:
    """`data_of_start`, as far as the files are here; for what trains nothing yet."""
    if not pretrained.is_ready(backbone, weights):
        return lineage.empty()
    return data_of_start(backbone, weights)


def _is_published(backbone: str, path) -> bool:
    """Whether a file was converted from published weights of ImageNet."""
    manifest, row = pretrained.manifest_path(path), BACKBONES[backbone].weights
    if row is None or not manifest.is_file():
        return False
    facts = json.loads(manifest.read_text(encoding="utf-8"))
    checkpoint = str(facts.get("checkpoint_sha256", ""))
    is_row = checkpoint.startswith(row.sha256) or bool(facts.get("source"))
    return is_row and facts.get("sha256") == pretrained.sha256_of(path)


def check_start(
    note: Mapping,
    datasets: Sequence[PreparedDataset],
    lists: Lists,
    allow_identical: bool = False,
    where: str = "model.weights",
) -> None:
    """Make sure that the start has not seen what the fit is judged on.

    Args:
        note: of `data_of_start`.
        datasets: data of the fit.
        lists: dataset -> split -> images, that the fit is given.
        allow_identical: whether images with equal pixels are a warning.
        where: the weights are given, for messages.
    Raises: LeakageError for images or patients that it has seen.
    """
    if text := lineage.unknown_text(note):
        logger.warning("%s: %s.", where, text)
    judged = judged_of(datasets, lists)
    for dataset in datasets:
        for split, of_start in _APART.items() if dataset.name in judged else ():
            images = list(lists[dataset.name].get(split, ()))
            found = lineage.find(note, dataset, images, of_start)
            named = sorted({*found["images"], *found["patients"]})
            if not (named or found["pixels"]):
                continue
            text = f"{where}: {_text(dataset.name, split, images, named, found)}"
            if named or not allow_identical:
                raise LeakageError(text)
            logger.warning("%s (pipeline.allow_identical_images)", text)


def _text(dataset: str, split: str, images: list, named: list, found: Mapping) -> str:
    seen = named or found["pixels"]
    what = "these images or their patients" if named else "images with equal pixels"
    return (
        f"the start was trained with {len(seen)} of the {len(images)} "
        f"{split} images of dataset {dataset!r}, such as {seen[0]!r} ({what}). "
        f"Expected a start that has not seen the {split} images. Take the weights of "
        "the same fold, let `start` of an experiment of the benchmark train them "
        "within each fold, or start from other data."
    )
