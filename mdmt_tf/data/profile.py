"""A profile of the training images, to notice images that are unlike them.

The features of an image are computed from a coarse copy of it as the model sees it, so
they hardly depend on the size in which it was prepared. The profile holds the quantiles
of the features over some training images, spread evenly. It is a few hundred numbers in
`saved_model/model.json`, from which no image can be recovered.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.samples import Samples, spread
from mdmt_tf.imaging import crop

# Largest number of images, and of volumes, whose features are computed.
_MOST = {2: 200, 3: 32}
_BATCH = 16

# Sides of the coarse copies, (depth,) height and width.
COARSE = (16, 64, 64)
# Sides of the mean image.
_MEAN_SIDE, _MEAN_DEPTH = 16, 4

# A pixel nearer than this to 0 is black, and nearer to 1 white.
EDGE = 1 / 255
QUANTILES = (0.01, 0.05, 0.5, 0.95, 0.99)

# A feature is outside the range of the training images when it is further from the 5 %
# or 95 % quantile than this times the distance of the two. Its rate of
# false alarms is in docs/reference/runs.md.
TOLERANCE = 0.5

# Feature -> the smallest difference from the training images that counts.
FEATURES = {
    "mean": 0.02,  # grey value
    "std": 0.02,  # of the grey values
    "black": 0.1,  # fraction of black pixels
    "white": 0.1,  # fraction of white pixels
    "detail": 0.02,  # mean difference of neighbouring pixels, relative to std
    "likeness": 0.05,  # correlation with the mean training image
}


def describe_training_images(inputs: Inputs) -> dict:
    """The profile of the training images of a run, as plain values.

    Returns: `images`, the number of images of the sample; `quantiles`, feature ->
        its QUANTILES over the sample; `mean_image`, rows of the mean coarse image;
        `size`, height and width (or depth, height, width) of the model's input;
        `lungs_found`, the fraction of training images whose lungs were found, None
        if they were not looked for.
    """
    samples = _like_those_to_come(inputs)
    shape = inputs.images.shape[:-1]
    numbers = samples.image[spread(len(samples), _MOST[len(shape)])]
    coarse = [
        coarsened(image)
        for batch in inputs.images.batches(numbers, _BATCH)
        for image in batch[..., 0]
    ]
    facts = {"size": list(shape), "lungs_found": _lungs_found(inputs)}
    return facts | profile_of(coarse)


def _like_those_to_come(inputs: Inputs) -> Samples:
    """The training images without datasets that are for training alone.

    Images that the model is used for are like those that it is tested on. If there are
    no such training images, all.
    """
    samples = inputs.samples["train"]
    judged = samples.rows["dataset"].isin(inputs.judged).to_numpy()
    return samples.take(judged) if judged.any() else samples


def profile_of(coarse: Sequence[np.ndarray]) -> dict:
    """Number, quantiles and mean image of coarse images, see `coarsened`."""
    mean = np.mean([_reduced(image) for image in coarse], axis=0)
    values = [features(image, mean) for image in coarse]
    quantiles = {
        name: np.quantile([row[name] for row in values], QUANTILES).round(6).tolist()
        for name in FEATURES
    }
    return {
        "images": len(coarse),
        "quantiles": quantiles,
        "mean_image": mean.round(4).tolist(),
    }


def coarsened(image: np.ndarray) -> np.ndarray:
    """Means of blocks of an image (h, w) or (d, h, w) in [0, 1], float32.

    Args:
        image: in the size of the model's input.
    Returns: 64 x 64 or 16 x 64 x 64 means; along an axis that is shorter, the pixels.
    """
    return block_means(np.asarray(image, np.float32), COARSE[-image.ndim :])


def features(coarse: np.ndarray, mean_image: Sequence) -> dict[str, float]:
    """The FEATURES of one image.

    Args:
        coarse: result of `coarsened`.
        mean_image: of the profile.
    """
    std = float(coarse.std())
    steps = [np.abs(np.diff(coarse, axis=axis)).mean() for axis in (-2, -1)]
    return {
        "mean": float(coarse.mean()),
        "std": std,
        "black": float((coarse <= EDGE).mean()),
        "white": float((coarse >= 1 - EDGE).mean()),
        "detail": float(np.mean(steps)) / max(std, 1e-6),
        "likeness": _correlation(_reduced(coarse), np.asarray(mean_image)),
    }


def beyond(profile: Mapping, values: Mapping[str, float]) -> dict[str, int]:
    """The features of an image outside the range of the training images.

    The range reaches from the 1 % to the 99 % quantile, and at least TOLERANCE and the
    smallest difference of FEATURES beyond the 5 % and 95 % quantiles.

    Returns: feature -> -1 for too low, 1 for too high.
    """
    found = {}
    for name in FEATURES:
        low, high = range_of(profile, name)
        if values[name] < low:
            found[name] = -1
        elif values[name] > high:
            found[name] = 1
    return found


def range_of(profile: Mapping, name: str) -> tuple[float, float]:
    """The range of a feature, see `beyond`.

    Example:
        >>> range_of({"quantiles": {"mean": [0.1, 0.2, 0.3, 0.4, 0.6]}}, "mean")
        (0.1, 0.6)
    """
    lowest, low, _, high, highest = profile["quantiles"][name]
    margin = max(TOLERANCE * (high - low), FEATURES[name])
    return min(lowest, low - margin), max(highest, high + margin)


def _reduced(coarse: np.ndarray) -> np.ndarray:
    return block_means(coarse, (_MEAN_DEPTH, _MEAN_SIDE, _MEAN_SIDE)[-coarse.ndim :])


def block_means(image: np.ndarray, most: Sequence[int]) -> np.ndarray:
    """Means of blocks, `most` along each axis; the pixels of a shorter one."""
    for axis, largest in enumerate(most):
        length = image.shape[axis]
        if length > largest:
            starts = np.arange(largest) * length // largest
            counts = np.diff([*starts, length])
            sums = np.add.reduceat(image, starts, axis=axis)
            shape = [1] * image.ndim
            shape[axis] = largest
            image = sums / counts.reshape(shape).astype(np.float32)
    return image


def _correlation(image: np.ndarray, mean: np.ndarray) -> float:
    """Pearson's correlation; 0 for an image without contrast or of another shape."""
    if image.shape != mean.shape:
        return 0.0
    a, b = (values.ravel() - values.mean() for values in (image, mean))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-9 else 0.0


def _lungs_found(inputs: Inputs) -> float | None:
    """The fraction of training images whose box is that of the lungs."""
    samples = _like_those_to_come(inputs)
    sources = []
    for number, dataset in enumerate(inputs.datasets):
        if "box_source" in dataset.table:
            rows = samples.image[samples.dataset == number]
            rows = rows - inputs.images.offsets[number]
            sources.extend(dataset.table["box_source"][rows])
    searched = [source for source in sources if source != crop.WHOLE]
    if not searched:
        return None
    return sum(source == crop.LUNGS for source in searched) / len(searched)
