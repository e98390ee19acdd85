"""What a fit starts from must not have seen its validation and test images."""

import json
import logging
from collections.abc import Mapping

from mdmt_tf.data.inputs import Inputs
from mdmt_tf.errors import LeakageError
from mdmt_tf.models.backbones.table import BACKBONES, PHANTOMS, PUBLISHED
from mdmt_tf.models.weights import lineage, pretrained

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
    if weights in (None, PUBLISHED, PHANTOMS):
        return lineage.empty()
    path = pretrained.locate(backbone, weights)
    note = lineage.read(path)
    if note is None:
        is_known = _is_published(backbone, path)
        note = lineage.empty([] if is_known else [path.name])
    return note


def _is_published(backbone: str, path) -> bool:
    """Whether a file was converted from published weights of ImageNet."""
    manifest, row = pretrained.manifest_path(path), BACKBONES[backbone].weights
    if row is None or not manifest.is_file():
        return False
    facts = json.loads(manifest.read_text(encoding="utf-8"))
    checkpoint = str(facts.get("checkpoint_sha256", ""))
    is_row = checkpoint.startswith(row.sha256) or bool(facts.get("source"))
    return is_row and facts.get("sha256") == pretrained.sha256_of(path)


def check_start(note: Mapping, inputs: Inputs, allow_identical: bool = False) -> None:
    """Make sure that the start has not seen what the fit is judged on.

    Args:
        note: of `data_of_start`.
        inputs: data of the fit.
        allow_identical: whether images with equal pixels are a warning.
    Raises: LeakageError for images or patients that it has seen.
    """
    if text := lineage.unknown_text(note):
        logger.warning("model.weights: %s.", text)
    for dataset in inputs.datasets:
        if dataset.name not in inputs.judged:
            continue
        for split, of_start in _APART.items():
            rows = inputs.samples[split].rows
            images = rows.loc[rows["dataset"] == dataset.name, "image_id"].tolist()
            found = lineage.find(note, dataset, images, of_start)
            named = sorted({*found["images"], *found["patients"]})
            if named or (found["pixels"] and not allow_identical):
                raise LeakageError(_text(dataset.name, split, images, named, found))
            if found["pixels"]:
                text = _text(dataset.name, split, images, named, found)
                logger.warning("%s (pipeline.allow_identical_images)", text)


def _text(dataset: str, split: str, images: list, named: list, found: Mapping) -> str:
    seen = named or found["pixels"]
    what = "these images or their patients" if named else "images with equal pixels"
    return (
        f"model.weights: the start was trained with {len(seen)} of the {len(images)} "
        f"{split} images of dataset {dataset!r}, such as {seen[0]!r} ({what}). "
        f"Expected a start that has not seen the {split} images. Take the weights of "
        "the same fold, let `start` of an experiment of the benchmark train them "
        "within each fold, or start from other data."
    )
