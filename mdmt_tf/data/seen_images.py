"""Images that a run was trained with are found in a dataset that it should not know.

They may have another name there, another patient and another dataset. The hashes that
`prepare` has stored are compared, see `repeated_images`.
"""

import dataclasses
import itertools
import logging
from collections.abc import Collection, Mapping, Sequence

from mdmt_tf.data.repeated_images import Pair, find_repeated
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.errors import LeakageError
from mdmt_tf.splits.split import Split

logger = logging.getLogger(__name__)

_NAMED = 5  # images in a message


def check_unseen_images(
    dataset: PreparedDataset,
    trained: Sequence[PreparedDataset],
    used: Mapping[str, Collection[str]],
    allow_identical: bool = False,
) -> None:
    """Refuse images that are equal to training images; warn of nearly equal ones.

    Datasets without stored hashes are left out, which is said.

    Args:
        dataset: the dataset that should not be known.
        trained: datasets of the run.
        used: name of each of these -> the images of training and validation. Images
            that are there no more are left out.
        allow_identical: whether images with equal pixels are a warning, too.
    Raises: LeakageError for images with equal pixels; DataError for stored hashes that
        are damaged, or not those of the dataset.
    """
    name = dataset.name
    if name in used:  # another dataset of the same name
        name = f"{name} (now)"
        dataset = dataclasses.replace(dataset, name=name)
    lists = {name: {"test": sorted(str(i) for i in dataset.table["image_id"])}}
    for own in trained:
        there = {str(image) for image in own.table["image_id"]}
        lists[own.name] = {"train": sorted(there & set(used[own.name]))}
    split = Split(kind="file", fold=0, datasets=lists)
    found = find_repeated([*trained, dataset], [split], apart=name)
    count = len(dataset)
    if found.near:
        logger.warning("%s", _text(found.near, name, count, "nearly the same as"))
    if not found.identical:
        return
    text = _text(found.identical, name, count, "the same in every pixel as")
    if not allow_identical:
        raise LeakageError(
            f"{dataset.folder}: {text} Expected data that it has not seen. Leave them "
            "out: python -m mdmt_tf.prepare NAME --exclude FILE. To evaluate with them "
            "as they are: --allow-identical-images."
        )
    logger.warning("%s (--allow-identical-images)", text)


def _text(pairs: Sequence[Pair], name: str, count: int, how: str) -> str:
    """How many images there are, and the first ones."""
    texts = {}
    for pair in pairs:
        ours, theirs = pair.first, pair.second
        if ours[0] != name:
            ours, theirs = theirs, ours
        mirrored = " (mirrored)" if pair.mirrored else ""
        texts.setdefault(ours[1], f"{ours[1]} = {theirs[0]}/{theirs[1]}{mirrored}")
    named = ", ".join(itertools.islice(texts.values(), _NAMED))
    if len(texts) > _NAMED:
        named += f" and {len(texts) - _NAMED} more"
    are = "image is" if len(texts) == 1 else "images are"
    return (
        f"{len(texts)} of {count} {are} {how} images of training or validation: "
        f"{named}."
    )
