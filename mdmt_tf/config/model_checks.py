"""What the model's settings must be, in themselves and with the size of the images."""

from collections.abc import Iterator

from mdmt_tf.config.validation import Problem
from mdmt_tf.errors import nearest
from mdmt_tf.models.backbones.table import BACKBONES, Backbone


def check_size(sections: dict) -> Iterator[Problem]:
    """Of the images, against what the network and the augmentation are made for."""
    model, size = sections.get("model"), sections.get("image_size")
    row = BACKBONES.get(model.backbone) if model else None
    if row is None or size is None:
        return
    yield from size_problems(size, row, ("model", "backbone"))
    pipeline = sections.get("pipeline")
    augmentation = pipeline.augmentation if pipeline else None
    is_volume = isinstance(size, tuple)
    if is_volume and augmentation and augmentation.elastic_probability:
        yield (
            ("pipeline", "augmentation", "elastic_probability"),
            f" = {augmentation.elastic_probability:g}: volumes are not deformed. Set "
            "it to 0.",
        )


def size_problems(size, row: Backbone, path: tuple[str, ...]) -> Iterator[Problem]:
    """What is wrong with the size of the images for a backbone that `path` names."""
    dimensions = len(size) if isinstance(size, tuple) else 2
    if dimensions != row.dimensions:
        fitting = [b.name for b in BACKBONES.values() if b.dimensions == dimensions]
        form = {2: "pixels a side", 3: "[depth, height, width]"}[row.dimensions]
        kind = {2: "images", 3: "volumes"}
        yield (
            path,
            f" = {row.name!r}: is for {kind[row.dimensions]}, image_size = {form}. "
            f"Received: image_size = {_plain(size)}. For {kind[dimensions]}: "
            f"{', '.join(sorted(fitting))}.",
        )
    elif isinstance(size, tuple) and min(size) < row.smallest:
        yield (
            ("image_size",),
            f" = {_plain(size)}: {row.name} halves a volume until nothing is left of "
            f"it; expected at least {row.smallest} along each axis.",
        )


def _plain(size):
    return list(size) if isinstance(size, tuple) else size


def check_model(sections: dict) -> Iterator[Problem]:
    model = sections.get("model")
    if not model:
        return
    if model.backbone not in BACKBONES:
        known = sorted(BACKBONES)
        yield (
            ("model", "backbone"),
            f" = {model.backbone!r}: is not a backbone."
            f"{nearest(model.backbone, known)} Known: {', '.join(known)}.",
        )
    if model.weights == "imagenet":
        row = BACKBONES.get(model.backbone)
        if row is not None and row.weights is None:
            text = f" = 'imagenet': nobody has published such of {model.backbone}."
            yield ("model", "weights"), text
    averaged = isinstance(model.weights, dict)
    files = model.weights if averaged else [model.weights]
    for file in files:
        # Whether it is there counts when a run begins, not when it is looked at later.
        if file not in (None, "imagenet") and not file.endswith(".weights.h5"):
            yield (
                ("model", "weights"),
                f" = {file!r}: expected null (random start), imagenet, the path of a "
                ".weights.h5 file, or several such paths with their shares.",
            )
    if averaged and abs(sum(model.weights.values()) - 1) > 1e-6:
        yield (
            ("model", "weights"),
            f" = {model.weights}: the shares sum to {sum(model.weights.values()):g}, "
            "they must sum to 1.",
        )
    if model.weights is None and model.freeze != "none":
        yield (
            ("model", "freeze"),
            f" = {model.freeze!r}: would keep random values. Give model.weights, too.",
        )
