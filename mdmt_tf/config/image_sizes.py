"""Which sizes of images a backbone takes."""

from collections.abc import Iterator

from mdmt_tf.config.section import Problem
from mdmt_tf.models.backbones.table import BACKBONES, Backbone


def problems_of_size(
    size: int | tuple[int, ...], row: Backbone, key: tuple[str, ...]
) -> Iterator[Problem]:
    """What is wrong with the size of the images for a backbone.

    Args:
        size: pixels a side, or (depth, height, width) of volumes.
        row: of the backbone.
        key: where the backbone is named.
    """
    dimensions = len(size) if isinstance(size, tuple) else 2
    shown = list(size) if isinstance(size, tuple) else size
    if dimensions != row.dimensions:
        fitting = [b.name for b in BACKBONES.values() if b.dimensions == dimensions]
        form = {2: "pixels a side", 3: "[depth, height, width]"}[row.dimensions]
        kind = {2: "images", 3: "volumes"}
        yield (
            key,
            f" = {row.name!r}: is for {kind[row.dimensions]}, image_size = {form}. "
            f"Received: image_size = {shown}. For {kind[dimensions]}: "
            f"{', '.join(sorted(fitting))}.",
        )
    elif isinstance(size, tuple) and min(size) < row.smallest:
        yield (
            ("image_size",),
            f" = {shown}: {row.name} halves a volume until nothing is left of it; "
            f"expected at least {row.smallest} along each axis.",
        )
