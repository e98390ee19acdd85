"""Preprocessing that fits the images: region and size, or window and shape."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from mdmt_tf.errors import ConfigError
from mdmt_tf.imaging import preprocess
from mdmt_tf.planning import words
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.headers import Images

_RADIOGRAPHS = frozenset({"CR", "DX", "DR", "RG"})
# Voxels of a volume that a network is trained on in hours: on a processor, on a GPU.
_VOXELS = {False: 300_000, True: 2_000_000}
_SHORTEST = 32  # voxels along an axis that every network for volumes accepts

# Words -> window in HU, and what it shows.
_WINDOWS = (
    (words.HEAD, (0, 80), "blood and brain"),
    (frozenset({"lung", "lungs", "chest", "thorax"}), (-1000, 400), "lung"),
    (frozenset({"bone", "spine", "fracture"}), (-450, 1050), "bone"),
    (frozenset({"abdomen", "liver", "kidney", "pancreas"}), (-160, 240), "abdomen"),
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A preprocessing and its reason.

    Attributes:
        value: as in the declaration: a name, or a mapping.
        size: pixels per side, or (depth, rows, columns) of the result.
        reason: why.
        sure: False if the user should look at it.
        is_chest, is_head: what the images show, as far as it is known.
    """

    value: str | dict
    size: int | tuple[int, int, int]
    reason: str
    sure: bool = True
    is_chest: bool = False
    is_head: bool = False


def guess_preprocessing(
    images: Images,
    columns: Mapping[str, Column],
    folder: str | os.PathLike,
    given: str | None = None,
    has_gpu: bool = False,
    weights: str | None = None,
) -> Recipe:
    """The preprocessing for a folder of images.

    Args:
        given: the name that the user chose; None for a guess.
        has_gpu: whether there is a GPU to train on.
        weights: what the user wants the network to start from; None: not said.
    Raises: ConfigError when `given` is no preprocessing.
    """
    shown = _words_about(images, columns, folder)
    chest, head = bool(shown & words.CHEST), bool(shown & words.HEAD)
    if images.is_volume:
        guess = _volume(images, shown, has_gpu)
    elif images.modality == "CT":
        window, name, sure = _window(shown)
        side = _side(images)
        value = {"window_hu": list(window), "size": side}
        guess = Recipe(value, side, f"slices of a CT, {name} window", sure)
    else:
        guess = _image(images, columns, chest, weights)
    guess = dataclasses.replace(
        guess, is_chest=chest or str(guess.value).startswith("lungs"), is_head=head
    )
    if given is None:
        return guess
    return given_recipe(guess, given)


def given_recipe(guess: Recipe, given: str) -> Recipe:
    """A guess with another preprocessing.

    Args:
        given: its name.
    Raises: ConfigError when there is none of this name.
    """
    try:
        parsed = preprocess.parse(given)
    except ValueError as error:
        raise ConfigError(f"--preprocess {given}: {error}.") from error
    is_volume = isinstance(parsed, preprocess.VolumePreprocessing)
    size = parsed.shape if is_volume else parsed.size
    return dataclasses.replace(
        guess, value=given, size=size, reason="as given", sure=True
    )


def _words_about(images: Images, columns, folder) -> set[str]:
    """Words that tell the part of the body: of headers, the folder, columns, values."""
    texts = [*images.parts, Path(folder).resolve().name, *images.files[:20]]
    texts += list(columns)
    for name, column in columns.items():
        if words.has(name, frozenset({"modality", "part", "region", "exam", "study"})):
            texts += list(column.counts)[:20]
    return {word for text in texts for word in words.words_of(text)}


def _side(images: Images) -> int:
    """A side no larger than the originals, a power of two from 64 to 256."""
    shorter = min(images.median_shape)
    return max((n for n in (64, 128, 256) if n <= shorter), default=64)


def _image(images: Images, columns, chest: bool, weights: str | None) -> Recipe:
    side = _side(images)
    shown = " x ".join(map(str, images.median_shape))
    views = {
        value.casefold()
        for column in columns.values()
        if column.is_view
        for value in column.counts
    }
    is_film = images.modality in _RADIOGRAPHS or not images.modality
    frontal = bool(words.FRONTAL & views)
    if is_film and (chest or frontal):
        reason = "radiographs of the chest, cropped to the lungs; originals have about "
        reason += f"{shown} pixels"
        return Recipe(f"lungs_{side}", side, reason, sure=frontal or bool(images.parts))
    if is_film and weights == "phantoms":
        reason = "cropped to the lungs, as the images of --weights phantoms are; are "
        reason += f"these radiographs of the chest? Originals have about {shown} pixels"
        return Recipe(f"lungs_{side}", side, reason, sure=False)
    reason = f"the whole image, originals have about {shown} pixels"
    if images.modality in ("CR", "DX", "DR", ""):
        reason += f"; for radiographs of the chest take lungs_{side}"
    return Recipe(f"full_{side}", side, reason, sure=images.modality not in ("", "DX"))


def _window(shown: set[str]) -> tuple[tuple[int, int], str, bool]:
    for part, window, name in _WINDOWS:
        if shown & part:
            return window, name, True
    return (-100, 300), "soft tissue", False


def _volume(images: Images, shown: set[str], has_gpu: bool) -> Recipe:
    budget = _VOXELS[has_gpu]
    size = volume_size(images.median_shape, images.median_spacing_mm, budget)
    about = " x ".join(map(str, images.median_shape))
    spacing = images.median_spacing_mm
    if spacing:
        about += f" voxels of {' x '.join(f'{mm:.2g}' for mm in spacing)} mm"
    about = f"originals have about {about}; at most {budget:,} voxels, for training "
    about += "on a GPU" if has_gpu else "on a processor; on a GPU take more"
    shape = list(size)
    if images.modality == "CT":
        window, name, sure = _window(shown)
        value = {"window_hu": list(window), "shape": shape}
        return Recipe(value, size, f"CT in HU, {name} window; {about}", sure)
    if images.modality == "MR" or (not images.modality and shown & words.MR):
        return Recipe({"z_score": True, "shape": shape}, size, f"MR; {about}")
    if "ct" in shown:
        value = {"percentile": [0.5, 99.5], "shape": shape}
        reason = "CT by its name, but the values are no HU, so no window fits; "
        return Recipe(value, size, reason + about, sure=False)
    reason = "values are no HU, so each volume is scaled by its own mean and std; "
    return Recipe({"z_score": True, "shape": shape}, size, reason + about, sure=False)


def volume_size(
    shape: tuple[int, ...], spacing_mm: tuple[float, ...] | None, budget: int
) -> tuple[int, int, int]:
    """Shape of at most about `budget` voxels with the proportions of the original.

    Each axis is a multiple of 8 and at least 32, which every network accepts, and
    beyond that no longer than the original.

    Example:
        >>> volume_size((40, 512, 512), (5.0, 0.5, 0.5), 640_000)
        (40, 120, 120)
        >>> volume_size((160, 256, 256), (1.0, 1.0, 1.0), 20_000_000)
        (160, 256, 256)
    """
    extents = [n * mm for n, mm in zip(shape, spacing_mm or (1.0,) * 3, strict=True)]
    # The spacing of the result, from the finest of the original up.
    step = min(mm for mm in spacing_mm or (1.0,) * 3)
    while True:
        voxels = [
            min(n, extent / step) for n, extent in zip(shape, extents, strict=True)
        ]
        size = [max(_SHORTEST, int(n / 8 + 1e-9) * 8) for n in voxels]
        if size[0] * size[1] * size[2] <= budget or max(size) == _SHORTEST:
            return tuple(size)
        step *= 1.01
