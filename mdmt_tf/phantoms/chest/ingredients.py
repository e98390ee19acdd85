"""The ingredients of a synthetic radiograph, each of which can be left out.

The settings of phantoms take their values from the tables of this module.

Every ingredient draws from a generator of its own. A picture without one of them is
therefore the same picture in all else: the same patient, position, device and disease.
"""

import zlib

import numpy as np

from mdmt_tf.errors import ConfigError

# What is missing, or what takes the place of chance, without the ingredient.
INGREDIENTS = {
    "ribs": "no ribs; collar bones, shoulder blades and spine stay",
    "vessels": "lungs without arteries and veins",
    "habitus": "all bodies of one sex have the same sizes",
    "pose": "patients stand straight in the middle of the film, breathing alike",
    "projections": "every film is PA: no bedside films",
    "devices": "no cables, electrodes, tubes and clothes",
    "exposure": "one window and display curve, no scatter grid",
    "noise": "no quantum noise and no grain",
    "detector": "one detector: its blur, range control and edge enhancement",
    "collimation": "no blades, margins and borders",
    "storage": "no loss of resolution, grey values or by compression",
    "text": "no lead letters and no burned-in text",
    "opacity_types": "one type of opacity",
    "effusion": "no pleural fluid",
    "distractors": "no findings that do not count in the score",
    "heart_size": "hearts of healthy size",
}
# How the devices differ between the datasets: see `studies.Conditions`.
SHIFTS = ("sites", "none", "detector")


def checked(names):
    """The names as a sorted tuple without repetition.

    Raises: ConfigError when a name is no ingredient.
    """
    unknown = sorted(set(names) - set(INGREDIENTS))
    if unknown:
        raise ConfigError(
            f"Phantoms have no ingredient {', '.join(map(repr, unknown))}. Those that "
            f"can be left out are {', '.join(INGREDIENTS)}."
        )
    return tuple(sorted(set(names)))


class Recipe:
    """The ingredients of one picture and their generators.

    Args:
        rng: numpy Generator of the picture; one number is drawn from it.
        without: names of `INGREDIENTS` that are left out.
    """

    def __init__(self, rng, without=()):
        self._seed = int(rng.integers(1 << 62))
        self._without = frozenset(without)

    def __contains__(self, ingredient):
        """Whether the ingredient is in the picture."""
        if ingredient not in INGREDIENTS:
            raise ValueError(f"Expected one of {list(INGREDIENTS)}. Got {ingredient!r}")
        return ingredient not in self._without

    def rng(self, use):
        """A new generator for one use: the name of an ingredient, or any other word.

        The same use always gives the same draws.
        """
        return np.random.default_rng([self._seed, zlib.crc32(use.encode())])
