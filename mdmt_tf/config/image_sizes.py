"""The sizes of images that a backbone accepts."""

from collections.abc import Iterator

from mdmt_tf.config.section import Problem
from mdmt_tf.models.backbones.table import BACKBONES, Backbone


def problems_of_size(
    size: int | tuple[int, ...], row: Backbone, key: tuple[str, ...]
) -> Iterator[Problem]:
    """Problems of an image size for a backbone.

    Args:
        size: pixels per side, or (depth, height, width) of volumes.
        row: table row of the backbone.
        key: key that names the backbone.
    """
    dimensions = len(size) if isinstance(size, tuple) else 2
    shown = list(size) if isinstance(size, tuple) else size
    if dimensions != row.dimensions:
        fitting = [b.name for b in BACKBONES.values() if b.dimensions == dimensions]
        expected = {2: "pixels per side", 3: "[depth, height, width]"}[row.dimensions]
        kind = {2: "images", 3: "volumes"}
        yield (
            key,
            f" = {row.name!r}: is for {kind[row.dimensions]}, image_size = {expected}. "
            f"Received: image_size = {shown}. For {kind[dimensions]}: "
            f"{', '.join(sorted(fitting))}.",
        )
    elif isinstance(size, tuple) and min(size) < row.smallest:
        yield (
            ("image_size",),
            f" = {shown}: {row.name} halves a volume until nothing is left of it; "
            f"expected at least {row.smallest} along each axis.",
        )
