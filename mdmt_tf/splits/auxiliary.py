"""Datasets that no fold divides.

An auxiliary dataset is trained with. Its lists are the same in every fold of every
validation, so a fit on auxiliary datasets alone is the same in every fold.
"""

import hashlib

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.tasks.labels import Table

# Of the patients of an auxiliary dataset, each for validation and for test.
_FRACTION = 0.05


def split_of_rows(dataset: str, table: Table) -> np.ndarray:
    """The split of each row of an auxiliary dataset: train, validation, test.

    The patients are put in the order of a hash of their names. 5 % of them are for
    test, the next 5 % for validation, each rounded and at least one.

    Args:
        dataset, table: its name and its fields.
    Returns: str (n,).
    Raises: DataError when there are fewer than three patients.

    Example:
        >>> patients = np.array([f"p{number // 2}" for number in range(80)])
        >>> split_of = split_of_rows("drawn", {"patient_id": patients})
        >>> {name: int((split_of == name).sum()) for name in SPLITS}
        {'train': 72, 'validation': 4, 'test': 4}
    """
    names, place = np.unique(np.asarray(table["patient_id"], str), return_inverse=True)
    if len(names) < len(SPLITS):
        raise DataError(
            f"dataset {dataset!r} has {len(names)} patients; an auxiliary dataset "
            f"needs {len(SPLITS)} or more, for training, validation and test."
        )
    words = (f"{dataset}/{name}" for name in names)
    hashes = [hashlib.sha256(word.encode()).hexdigest() for word in words]
    ranks = np.empty(len(names), int)
    ranks[np.argsort(hashes)] = np.arange(len(names))
    count = max(1, round(_FRACTION * len(names)))
    of_patient = np.full(len(names), "train", object)
    of_patient[ranks < 2 * count] = "validation"
    of_patient[ranks < count] = "test"
    return of_patient[place]
