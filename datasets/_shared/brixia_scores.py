"""The Brixia score: six lung zones, 0 (normal) to 3 (worst) each.

Zones A, B, C are the patient's right lung (image left) from top to bottom, zones D, E,
F the left lung. The global score is their sum, 0 to 18 (Borghesi and Maroldi, 2020).
"""

import bisect

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared.image_records import Classes
from mdmt_tf.datasets._shared.table_rows import RowError

ZONES = ("A", "B", "C", "D", "E", "F")
UNKNOWN_ZONES = np.full(6, -1, np.int8)

# The four categories of eq. 4 of Ruffini et al., MICCAI 2024.
CATEGORIES = Classes(
    ("0-4", "5-8", "9-13", "14-18"),
    lambda score: bisect.bisect_right((5, 9, 14), score),
)


def zones_feature():
    """Feature of six zone scores."""
    return tfds.features.Tensor(shape=(6,), dtype=np.int8)


def global_feature():
    """Feature of the global score."""
    return tfds.features.Scalar(np.int8)


def zones_of(row, columns):
    """Zone scores from six columns, A to F: int8 (6,), -1 where unknown.

    Raises:
        RowError: a score is not an integer from 0 to 3.
    """
    return np.array([row.integer_in(column, 0, 3) for column in columns], np.int8)


def check_sum(zones, total, zones_name, total_name):
    """Check that the global score is the sum of the zones, if both are known.

    Raises:
        RowError: the two differ; the message names both.
    """
    if total >= 0 and (zones >= 0).all() and zones.sum() != total:
        digits = "".join(str(zone) for zone in zones)
        raise RowError(
            "contradictory scores",
            f"{zones_name} {digits} adds up to {zones.sum()}, but {total_name} is "
            f"{total}",
        )
