"""The fraction of a saliency map that lies in a manually drawn region."""

import numpy as np


def fraction_inside(saliency: np.ndarray, mask: np.ndarray) -> float:
    """sum of s+ in the mask / sum of s+, with s+ = max(saliency, 0).

    Args:
        saliency: float, any shape; negative values are ignored.
        mask: bool, or numbers that are not 0 inside; the same shape.
    Returns: in [0, 1]; NaN if no value of the map is positive.
    Raises: ValueError for different shapes.
    """
    _check_shapes(saliency, mask)
    positive = np.maximum(np.asarray(saliency, np.float64), 0.0)
    total = positive.sum()
    return float(positive[np.asarray(mask) != 0].sum() / total) if total > 0 else np.nan


def fraction_of_region(mask: np.ndarray, region: np.ndarray) -> float:
    """Voxels of the mask in the region / voxels of the region; NaN if it is empty."""
    _check_shapes(mask, region)
    region = np.asarray(region) != 0
    count = region.sum()
    return float((region & (np.asarray(mask) != 0)).sum() / count) if count else np.nan


def enrichment(saliency: np.ndarray, mask: np.ndarray, region: np.ndarray) -> float:
    """fraction_inside / fraction_of_region: 1 for a map unrelated to the mask.

    Args:
        saliency, mask: see `fraction_inside`.
        region: possible positions of the mask, e.g. the brain; the same shape.
    Returns: >= 0; NaN without positive saliency, or without a mask in the region.
    """
    expected = fraction_of_region(mask, region)
    return fraction_inside(saliency, mask) / expected if expected > 0 else np.nan


def _check_shapes(first: np.ndarray, second: np.ndarray) -> None:
    if np.shape(first) != np.shape(second):
        raise ValueError(
            "Expected arrays of one shape. "
            f"Received: {np.shape(first)} and {np.shape(second)}"
        )
