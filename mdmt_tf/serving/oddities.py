"""Warnings about an image that is unlike those that a model was trained with.

A warning is a stable code and a text. The answer of a model to such an image may be
worth nothing, however certain it looks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from mdmt_tf.data import profile
from mdmt_tf.data.normalize import resize
from mdmt_tf.imaging import crop
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing
from mdmt_tf.serving.preparation import PreparedFile

# Code -> its text. Codes are for programs and never change.
TEXTS = {
    "no_contrast": "the image has no contrast",
    "no_lungs": "no lungs found, as in a chest film",
    "small": "the image is less than half as large as the input of the model",
    "modality": "unexpected DICOM modality",
    "colour": "a picture in colour, not a radiological image",
    "dark": "darker than the training images",
    "bright": "brighter than the training images",
    "low_contrast": "less contrast than the training images",
    "high_contrast": "more contrast than the training images",
    "black": "more black than in the training images",
    "saturated": "more saturated white than in the training images",
    "blurred": "fewer details than in the training images",
    "noisy": "more noise or details than in the training images",
    "unlike": "little resemblance to the training images",
}

# Feature of the profile and direction -> code.
OF_FEATURES = {
    ("mean", -1): "dark",
    ("mean", 1): "bright",
    ("std", -1): "low_contrast",
    ("std", 1): "high_contrast",
    ("black", 1): "black",
    ("white", 1): "saturated",
    ("detail", -1): "blurred",
    ("detail", 1): "noisy",
    ("likeness", -1): "unlike",
}

# Range of the grey values, below which an image has no contrast.
SMALLEST_RANGE = 2 / 255
# Lungs that are not found are odd if they were found in most training images.
_USUAL = 0.8
_SMALLEST_SCALE = 0.5
# Modalities of radiographs; OT and SC are digitised films.
_RADIOGRAPHS = ("CR", "DX", "RG", "DR", "RF", "XA", "OT", "SC")


def find_oddities(
    prepared: PreparedFile,
    preprocessing: Preprocessing | VolumePreprocessing,
    training: Mapping | None,
    size: Sequence[int],
) -> dict[str, str]:
    """The warnings about one image, code -> text.

    Its grey values are looked at in the size in which the model sees them, as those of
    the training images were.

    Args:
        prepared: the image.
        preprocessing: of the model.
        training: the profile of its training images; None: not known.
        size: height and width, or depth, height and width, of its input.
    """
    expected = _modalities(preprocessing)
    # Averaging pixels otherwise than training does would leave more noise in them.
    values = resize(tf.constant(prepared.image), size).numpy()[..., 0]
    flat = not float(np.ptp(values)) > SMALLEST_RANGE
    lungs_found = None if training is None else training["lungs_found"]
    facts, seen = prepared.facts, prepared.seen
    found = {
        "no_contrast": flat,
        "no_lungs": prepared.box_source not in ("", crop.LUNGS, crop.WHOLE)
        and (lungs_found is None or lungs_found >= _USUAL),
        "small": seen is not None
        and any(a < _SMALLEST_SCALE * b for a, b in zip(seen, size, strict=True)),
        "modality": bool(facts.modality and expected)
        and facts.modality not in expected,
        "colour": facts.is_colour,
    }
    codes = [code for code, is_so in found.items() if is_so]
    if training is not None and not flat:
        coarse = profile.coarsened(values)
        features = profile.features(coarse, training["mean_image"])
        outside = profile.beyond(training, features)
        codes += [code for key, code in OF_FEATURES.items() if key in outside.items()]
    texts = {code: TEXTS[code] for code in codes}
    if "modality" in texts:
        words = f"expected {', '.join(expected)}, received {facts.modality}"
        texts["modality"] += f" ({words})"
    return texts


def _modalities(preprocessing) -> tuple[str, ...]:
    """The modalities that a preprocessing is made for; none if it takes any."""
    if preprocessing.window_hu is not None:
        return ("CT",)
    is_image = isinstance(preprocessing, Preprocessing)
    return _RADIOGRAPHS if is_image and preprocessing.region != "full" else ()
