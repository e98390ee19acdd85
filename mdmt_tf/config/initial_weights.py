"""What may be named as the weights that a backbone starts from."""

from collections.abc import Iterator

from mdmt_tf.config.section import Problem
from mdmt_tf.models.backbones.table import BACKBONES, PHANTOMS, PUBLISHED


def is_named(weights: str | None) -> bool:
    """Whether weights have a name or the path of a file, which may not exist yet.

    Example:
        >>> [is_named(text) for text in (None, "imagenet", "a.weights.h5", "a.pth")]
        [True, True, True, False]
    """
    return weights in (None, PUBLISHED, PHANTOMS) or weights.endswith(".weights.h5")


def problems_of_weights(
    weights: str | None, backbone: str, key: tuple[str, ...]
) -> Iterator[Problem]:
    """Problems of a name of weights for a backbone.

    Args:
        weights: null, a name, or a path, for which there are none.
        backbone: name of the backbone.
        key: key of the weights.

    Example:
        >>> list(problems_of_weights("imagenet", "resnet18_3d", ("weights",)))[0][1]
        " = 'imagenet': resnet18_3d has no published weights. Expected null or the..."
    """
    row = BACKBONES[backbone]
    if weights == PUBLISHED and row.weights is None:
        why = f"{backbone} has no published weights"
    elif weights == PHANTOMS and row.dimensions == 3:
        why = f"{backbone} is for volumes, which synthetic radiographs are not"
    else:
        return
    yield key, f" = {weights!r}: {why}. Expected null or the path of a file."
