"""Weights to start from: ImageNet's, found or downloaded, and files of others.

The folder `weights_cache.weights_folder()` holds

<publisher's file>              as downloaded, or put there by the user
<backbone>-<sha256>.weights.h5  converted weights, which `build_backbone` loads
<backbone>-<sha256>.json        its manifest: source, sha256, licence
"""

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

import mdmt_tf
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import limits
from mdmt_tf.models.backbones import table
from mdmt_tf.models.backbones.network import build_network
from mdmt_tf.models.backbones.table import BACKBONES, PHANTOMS, PUBLISHED
from mdmt_tf.models.layers import Renormalize
from mdmt_tf.models.weights import (
    half_precision,
    hdf5_files,
    phantom_weights,
    provenance,
    weights_cache,
    weights_file,
)
from mdmt_tf.models.weights.checkpoints import (
    backbone_state,
    read_checkpoint,
    without_prefix,
)
from mdmt_tf.models.weights.conversion import load_reference_state, reference_state
from mdmt_tf.models.weights.finite import check_finite
from mdmt_tf.storage import sha256_of


def provide(name: str, write: Callable[[str], object] = lambda text: None) -> Path:
    """The converted ImageNet weights of a backbone; converted first if necessary.

    The checkpoint is taken from `weights_cache.weights_folder()` or from an installed
    package that contains it; otherwise it is downloaded from its official address. Its
    sha256 must be that of the table, or begin with the digits there; `write` then gets
    a line with the whole sha256, which can be compared with another copy of the file.

    Args:
        name: a key of `BACKBONES`.
        write: called with a line of text when a file is downloaded or converted.
    Returns: path of the `.weights.h5` file.
    Raises:
        ConfigError: there are no published weights.
        DataError: the weights are not available, and the message says what to download
            and where to put it; or a file is damaged.
    """
    weights = BACKBONES[name].weights
    if weights is None:
        raise ConfigError(
            f"{name} has no published weights. Expected null or the path of a file."
        )
    target = _converted(name)
    manifest = manifest_path(target)
    if target.is_file() and manifest.is_file():
        expected = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
        if sha256_of(target) != expected:
            raise DataError(
                f"{target}: its sha256 is not that of {manifest.name}: the file was "
                "changed or damaged. Delete both; they will be converted again."
            )
        return target
    checkpoint = weights_cache.find(weights) or weights_cache.download(
        name, weights, write
    )
    write(f"converting {checkpoint.name} for {name}\n")
    convert(name, checkpoint, target, source=weights)
    if not weights.is_pinned:
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        write(
            f"{checkpoint.name}: only the first {len(weights.sha256)} digits of its "
            f"sha256 are known; all of them are {facts['checkpoint_sha256']}\n"
        )
    return target


def _converted(name: str) -> Path:
    """Where the converted published weights are, or would be."""
    digits = BACKBONES[name].weights.sha256[:8]
    return weights_cache.weights_folder() / f"{name}-{digits}.weights.h5"


def is_ready(name: str, weights: str | Mapping[str, float] | None) -> bool:
    """Whether `locate_all` would find all files without writing any.

    Example:
        >>> is_ready("resnet18", None), is_ready("resnet18", "gone.weights.h5")
        (True, False)
    """
    files = weights if isinstance(weights, Mapping) else [weights]
    for file in files:
        if file == PUBLISHED:
            found = BACKBONES[name].weights is not None and _converted(name).is_file()
        elif file == PHANTOMS:
            found = phantom_weights.find(name) is not None
        else:
            found = file is None or Path(file).is_file()
        if not found:
            return False
    return True


def locate(
    name: str,
    weights: str | os.PathLike,
    write: Callable[[str], object] = lambda text: None,
) -> Path:
    """The weights file for the argument `weights` of `build_backbone`.

    Args:
        name: a key of `BACKBONES`.
        weights: "imagenet", see `provide`; "phantoms", see `phantom_weights.locate`; or
            the path of a `.weights.h5` file.
        write: as for `provide`.
    Raises: as these two; DataError: the file is missing.
    """
    if weights == PUBLISHED:
        return provide(name, write)
    if weights == PHANTOMS:
        return phantom_weights.locate(name)
    if not Path(weights).exists():
        raise DataError(f"{weights}: no such file of weights for {name}.")
    limits.check_file_size(weights)
    return Path(weights)


def locate_all(
    name: str,
    weights: str | Mapping[str, float] | None,
    write: Callable[[str], object] = lambda text: None,
) -> list[Path]:
    """All weights files for the argument `weights` of `build_backbone`; [] for None.

    Example:
        >>> locate_all("resnet18", None)
        []
    """
    files = weights if isinstance(weights, Mapping) else [weights]
    return [locate(name, file, write) for file in files if file is not None]


def convert(
    name: str,
    checkpoint: str | os.PathLike,
    target: str | os.PathLike,
    *,
    source: table.PublishedWeights | None = None,
) -> None:
    """Convert a reference checkpoint to a backbone's `.weights.h5` and a manifest.

    Args:
        name: a key of `BACKBONES`.
        checkpoint: a `.safetensors` file or a file written by `torch.save`, with the
            names of the backbone's reference network, with or without the wrappers
            and prefixes of training scripts. A classifier is left out.
        target: path that ends in `.weights.h5`. The manifest is the `.json` file next
            to it.
        source: source of the checkpoint; None for the user's own checkpoints.
    Raises: DataError: the file is not a checkpoint, belongs to another backbone, or
        differs from the one that `source` describes. Nothing is written in this case.
    """
    checkpoint, target = Path(checkpoint), Path(target)
    if not checkpoint.exists():
        raise DataError(f"{checkpoint}: no such file.")
    limits.check_file_size(checkpoint)
    digest = sha256_of(checkpoint)
    if source is not None:
        weights_cache.check_digest(checkpoint, digest, source)
    prefix, tensors = without_prefix(read_checkpoint(checkpoint))
    state = backbone_state(tensors)
    row = BACKBONES[name]
    # The weights do not depend on the size of the images.
    model = build_network(name, (*(64,) * row.dimensions, row.channels))
    origin = f"{checkpoint}, below {prefix!r}" if prefix else str(checkpoint)
    load_reference_state(model, origin, state)
    _set_normalization(model, name)
    facts = {
        "backbone": name,
        "source": source.source if source else "",
        "url": source.url if source else "",
        "licence": source.licence if source else "",
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": digest,
        "mdmt_tf": mdmt_tf.__version__,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as partial:
        weights = Path(partial) / target.name
        weights_file.save(model, weights)
        manifest = manifest_path(weights)
        facts["sha256"] = sha256_of(weights)
        manifest.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        # Both files appear whole. The manifest is last: weights need it to be valid.
        os.replace(weights, target)
        os.replace(manifest, manifest_path(target))


def load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Fill a backbone from a `.weights.h5` or `.safetensors` file of the same backbone.

    The latter has the form of `half_precision`.

    Weights for three channels fit a backbone for one channel, which stands for three
    equal channels: the first kernel is summed over its channels.

    Raises: DataError: the file belongs to another network, is damaged or far larger
        than its network, or has numbers that are not finite.

    Example:
        >>> one = build_network("resnet18", (32, 32, 3), seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "one.weights.h5")
        ...     one.save_weights(path)
        ...     grey = build_network("resnet18", (32, 32, 1))
        ...     load_weights(grey, path)
        >>> summed = one.get_layer("conv1").kernel.numpy().sum(2, keepdims=True)
        >>> bool(np.allclose(grey.get_layer("conv1").kernel, summed))
        True
    """
    _check_form(path)
    try:
        _load(model, path)
    except (OSError, ValueError, KeyError) as error:
        three = _of_three_channels(model, path)
        if three is None:
            raise DataError(
                f"{path}: not the weights of {model.name}. Expected a file written by "
                f"`save_weights` of that backbone. What does not fit: {error}"
            ) from error
        state = reference_state(three)
        first = next(name for name, array in state.items() if array.ndim == 4)
        state[first] = state[first].sum(axis=1, keepdims=True)
        load_reference_state(model, str(path), state)
    check_finite(path, {variable.path: variable for variable in model.weights})


def load_average(model: keras.Model, fractions: Mapping[str, float]) -> None:
    """Fill a backbone with the average of several files, sum_i f_i w_i.

    Every floating variable is averaged, with the running statistics of normalisation,
    which would otherwise not fit the averaged kernels. (The mean of two variances
    ignores the distance of the two means.)

    Args:
        model: from `build_backbone`.
        fractions: path of a `.weights.h5` file of the same backbone -> its fraction
            f_i of the average.
    Raises:
        ConfigError: the fractions do not sum to 1.
        DataError: a file is missing or belongs to another network.
    Source: Ruffini et al. 2024, section 2: beta * prognosis + (1 - beta) * severity.

    Example:
        >>> one = build_network("resnet18", (32, 32, 3), seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "one.weights.h5")
        ...     one.save_weights(path)
        ...     mean = build_network("resnet18", (32, 32, 3))
        ...     load_average(mean, {path: 1.0})
        >>> bool(np.all(mean.get_weights()[0] == one.get_weights()[0]))
        True
    """
    if abs(sum(fractions.values()) - 1.0) > 1e-6:
        raise ConfigError(
            f"the fractions of an average must sum to 1. Received: {dict(fractions)}."
        )
    # In double precision, the average of equal files equals them.
    sums = [np.zeros(variable.shape, np.float64) for variable in model.weights]
    for path, fraction in fractions.items():
        load_weights(model, locate(model.name, path))
        for total, variable in zip(sums, model.weights, strict=True):
            total += fraction * keras.ops.convert_to_numpy(variable).astype(np.float64)
    for total, variable in zip(sums, model.weights, strict=True):
        variable.assign(total.astype(variable.dtype))


def describe(name: str, weights: str | Mapping[str, float] | None) -> dict | None:
    """Source and sha256 of a backbone's initial weights; None for random values.

    If synthetic images have trained them, `trained_with_synthetic` has their numbers.

    Example:
        >>> print(describe("resnet18", None))
        None
    """
    if weights is None:
        return None
    if isinstance(weights, Mapping):
        averaged = [
            {**describe(name, path), "share": fraction}
            for path, fraction in weights.items()
        ]
        files = ", ".join(
            f"{fraction:g} of {path}" for path, fraction in weights.items()
        )
        described = {
            "backbone": name,
            "source": f"average: {files}",
            "average": averaged,
        }
        parts = [part.get(provenance.NOTE, {}) for part in averaged]
        return described | _noted(provenance.combined(*parts))
    if weights == PHANTOMS:
        return phantom_weights.describe(name)
    path = locate(name, weights)
    digest = sha256_of(path)
    manifest = manifest_path(path)
    if manifest.is_file():
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        if facts.get("sha256") == digest:
            return facts
    described = {"backbone": name, "file": str(path), "sha256": digest}
    return described | _noted(provenance.read(path))


def _noted(images: Mapping[str, int]) -> dict:
    """The synthetic images that weights were trained with, if there are any."""
    return {provenance.NOTE: dict(images)} if images else {}


def manifest_path(weights: Path) -> Path:
    """The JSON file with source, digest and licence of a weights file.

    Example:
        >>> manifest_path(Path("lite0-0c5f.weights.h5")).name
        'lite0-0c5f.json'
    """
    return weights.with_name(weights.name.removesuffix(".weights.h5") + ".json")


def _check_form(path) -> None:
    """Check a file before Keras, which reads further formats, opens it."""
    path = Path(path)
    if path.name.endswith(hdf5_files.SUFFIX):
        hdf5_files.check(path)
    elif path.suffix == half_precision.SUFFIX:
        limits.check_file_size(path)
    else:
        raise DataError(
            f"{path}: expected a file of weights, {hdf5_files.SUFFIX} or "
            f"{half_precision.SUFFIX}. `python -m mdmt_tf.convert` makes one of a "
            "PyTorch checkpoint."
        )


def _load(model, path):
    if Path(path).suffix == half_precision.SUFFIX:
        half_precision.fill(model, half_precision.read(path)[0])
        return
    with warnings.catch_warnings():
        # Keras warns about each layer that does not fit, and then raises an error.
        warnings.simplefilter("ignore")
        model.load_weights(path)


def _of_three_channels(model, path):
    """The backbone for three channels with the weights of a file; None if unfit."""
    if model.input_shape[-1] != 1:
        return None
    three = build_network(model.name, (*model.input_shape[1:3], 3))
    try:
        _load(three, path)
    except (OSError, ValueError, KeyError):
        return None
    return three


def _set_normalization(model, name):
    """Set the layer that converts from ImageNet's normalisation, if there is one."""
    for layer in model.layers:
        if isinstance(layer, Renormalize):
            mean, std = np.asarray(BACKBONES[name].weights.normalization)
            mean_before, std_before = np.asarray(table.IMAGENET)
            # The pixel that was normalised to x is x std_before + mean_before.
            layer.scale.assign(std_before / std)
            layer.offset.assign((mean_before - mean) / std)
