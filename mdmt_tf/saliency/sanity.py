"""Sanity check of saliency maps by cascading randomisation of the weights.

First the heads, then the layers of the backbone from the last to the first, get new
initial values. If a method explains the model, its maps become different from those of
the trained model. Maps that stay similar show edges of the image, not what was learned.

Source: Adebayo et al. 2018 (https://arxiv.org/abs/1810.03292), section 3.1.
"""

import copy
import dataclasses
import warnings
import zlib
from collections.abc import Sequence

import keras
import numpy as np
from scipy import stats

from mdmt_tf.models.layers import Renormalize
from mdmt_tf.saliency import copies
from mdmt_tf.saliency.maps import Explainer
from mdmt_tf.saliency.methods import METHODS
from mdmt_tf.tasks import Answer

UNCHANGED = "none"


@dataclasses.dataclass(frozen=True)
class SanityRow:
    """Similarity of the maps after one stage to those of the trained model.

    Attributes:
        stage: the random weights: "none", "heads", "+ 25 % of the backbone", ...
        down_to: the random layer nearest to the input; "" for "none".
        method: method of the maps.
        task: the task, or derived answer, whose score the maps explain.
        correlation: Spearman's correlation of |map| over positions, averaged over the
            samples where it is defined; NaN if it is defined for none (constant maps).
        samples: number of these samples.
    """

    stage: str
    down_to: str
    method: str
    task: str
    correlation: float
    samples: int


def randomization(
    model: keras.Model,
    answers: Sequence[Answer],
    images: np.ndarray,
    methods: Sequence[str] = METHODS,
    *,
    explained: Sequence[str] | None = None,
    seed: int = 0,
    stages: int = 4,
    layer: str | None = None,
) -> list[SanityRow]:
    """Compare maps while more and more layers are random.

    The explained class is always the one that the trained model predicts. The model is
    not changed.

    Args:
        model: a trained model of `build_model`.
        answers: see `Explainer`.
        images: float (n, *spatial, c), normalised as for the network.
        methods: methods of `methods.METHODS`.
        explained: names of the answers whose maps are compared; None: all.
        seed: seed of the new values. They differ from the initial values of training;
            otherwise a network that learned little would seem to ignore its weights.
        stages: number of stages into which the layers of the backbone are divided.
        layer: see `Explainer`.
    Returns: one row for each stage, method and answer, stage "none" first.
    Raises: ConfigError, see `Explainer`.
    """
    explainer = Explainer(model, answers, layer=layer)
    names = explainer.answers if explained is None else explained
    targets = {name: explainer.explained(images, name) for name in names}

    def explain() -> dict[str, dict[str, np.ndarray]]:
        return {
            name: explainer.maps(images, name, methods, target)
            for name, target in targets.items()
        }

    weights = copies.weights_of(model)
    fresh = fresh_weights(model, seed)
    original, rows = explain(), []
    for stage, layers in [(UNCHANGED, []), *_stages(model, stages)]:
        weights |= {name: fresh[name] for name in layers}
        explainer.set_weights(weights)
        now = explain() if layers else original
        for task in targets:
            for method in methods:
                pairs = zip(original[task][method], now[task][method], strict=True)
                each = np.array([rank_correlation(*pair) for pair in pairs])
                known = each[~np.isnan(each)]
                mean = float(known.mean()) if len(known) else np.nan
                lowest = layers[-1] if layers else ""
                rows.append(SanityRow(stage, lowest, method, task, mean, len(known)))
    return rows


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation of |first| and |second|; NaN if one is constant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return float(
            stats.spearmanr(np.abs(first).ravel(), np.abs(second).ravel()).statistic
        )


def fresh_weights(model: keras.Model, seed: int) -> dict[str, list[np.ndarray]]:
    """New initial values by the initializers of the layers; {layer: arrays}.

    Normalisation layers get scale 1, offset and mean 0, variance 1. Layers that convert
    the normalisation of the input were never random and are kept.
    """

    def reseeded(layer):
        config = copy.deepcopy(layer.get_config())
        _replace_seeds(config, zlib.crc32(f"{seed}/sanity/{layer.name}".encode()))
        return type(layer).from_config(config)

    fresh = copies.weights_of(copies.copy_of(model, reseeded, weights=False).whole)
    kept = {
        layer.name: layer.get_weights()
        for layer in copies.leaves(model)
        if isinstance(layer, Renormalize)
    }
    return fresh | kept


def _replace_seeds(config, seed: int) -> None:
    if isinstance(config, dict):
        if "seed" in config:
            config["seed"] = seed & 0x7FFFFFFF
        for value in config.values():
            _replace_seeds(value, seed + 1)
    elif isinstance(config, (list, tuple)):
        for value in config:
            _replace_seeds(value, seed)


def _stages(model: keras.Model, count: int) -> list[tuple[str, list[str]]]:
    """(stage, layers that become random in it), from the outputs to the input."""
    backbone = copies.backbone_of(model)
    inner = [layer.name for layer in copies.leaves(backbone) if layer.weights]
    inside = {layer.name for layer in copies.leaves(backbone)}
    heads = [
        layer.name
        for layer in copies.leaves(model)
        if layer.weights and layer.name not in inside
    ]
    result = [("heads", heads[::-1])]
    done = 0
    for part in np.array_split(inner[::-1], min(count, len(inner))):
        done += len(part)
        result.append((f"+ {done / len(inner):.0%} of the backbone", part.tolist()))
    return result
