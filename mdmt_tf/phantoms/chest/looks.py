"""Appearances of single radiographs, wider than those of any hospital.

A network that has seen all of them does not take a device for a disease. The ranges are
those of published radiographs: of archives, of journals, and photographed from screens.
"""

import math

from mdmt_tf.phantoms.chest.detector import Appearance


def draw_appearance(rng):
    """The device of one image, an `Appearance`.

    Every field is drawn independently of the patient and of the disease.

    Args:
        rng: numpy Generator; the number of draws is always the same.
    """

    def between(low, high):
        return float(rng.uniform(low, high))

    def logarithmic(low, high):
        return math.exp(between(math.log(low), math.log(high)))

    def some(fraction, value):
        """`value` in a fraction of the images, otherwise 0."""
        return value if rng.random() < fraction else 0.0

    # A few portable films have too few quanta.
    exposure = logarithmic(1e4, 8e4) if rng.random() < 0.08 else logarithmic(8e4, 1e6)
    aspect = logarithmic(0.78, 1.22)
    low_contrast = rng.random() < 0.3
    floor, ceiling = between(0.0, 0.24), between(0.74, 1.0)
    resolution = min(logarithmic(0.5, 3.0), 1.0)
    # A wide window has the whole body bright unless its level is lower.
    latitude = logarithmic(1.05, 1.8)
    return Appearance(
        exposure=exposure,
        scatter=between(0.2, 0.65),
        blur_cm=logarithmic(0.01, 0.12),
        flatten=between(0.05, 0.85),
        contrast=between(1.0, 1.4),
        brightness=between(-0.18, 0.08) - 0.1 * (latitude - 1.0),
        field_cm=max(logarithmic(28.0, 40.0), 27.0 / aspect),
        aspect=aspect,
        matrix=1.0,
        border=0.2,
        marker="LR "[rng.integers(3)].strip(),
        ap=0.5,
        pose=logarithmic(0.5, 2.2),
        latitude=latitude,
        gamma=logarithmic(0.75, 2.2),
        equalise=some(0.25, between(0.2, 0.9)),
        local=some(0.10, between(1.0, 2.5)),
        sharpen=some(0.7, logarithmic(0.3, 2.5)),
        sharpen_cm=logarithmic(0.1, 0.6),
        grain_cm=some(0.3, between(0.03, 0.10)),
        grid=some(0.08, between(0.004, 0.02)),
        shading=some(0.5, between(0.02, 0.25)),
        floor=floor if low_contrast else 0.0,
        ceiling=ceiling if low_contrast else 1.0,
        margin=0.2,
        resolution=resolution,
        jpeg=int(some(0.5, between(25, 92))),
        bits=8,
        modality=("CR", "DX")[rng.integers(2)],
    )
