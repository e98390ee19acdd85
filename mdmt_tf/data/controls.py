"""Labels of controls: some are left out, or they are permuted.

Both are pure functions of the seed of the run, the names of the dataset and the task,
and the images. The order of the rows does not matter. No TensorFlow.
"""

import numpy as np

from mdmt_tf.storage import digest_of


def kept_labels(
    labels: np.ndarray,
    known: np.ndarray,
    patients: np.ndarray,
    fraction: float,
    key: tuple,
) -> np.ndarray:
    """The rows whose label is used when a fraction of the patients has labels.

    The patients with a known label are put in an order, and the first of them are kept:
    their fraction, rounded, and at least one if it is not 0. So the rows of a smaller
    fraction are among those of a larger one. Where the label is a class, the order is
    stratified by the patients' most frequent class.

    Args:
        labels: (n, *label_shape), see `Task.encode`; rows of one dataset.
        known: bool (n,), whether the label of a row is known, or a part of it.
        patients: (n,), ids of the patients.
        fraction: 0 to 1, of the patients with a known label.
        key: what the draw depends on, as plain values.
    Returns: bool (n,), a part of `known`.

    Example:
        >>> labels, patients = np.array([0, 0, 1, 1, 0]), np.array(list("aabcd"))
        >>> known = np.ones(5, bool)
        >>> half = kept_labels(labels, known, patients, 0.5, (0,))
        >>> len(set(patients[half]))  # one of {a, d}, and one of {b, c}
        2
        >>> int(kept_labels(labels, known, patients, 0, (0,)).sum())
        0
    """
    kept = np.zeros(len(known), bool)
    names, place = np.unique(np.asarray(patients, str)[known], return_inverse=True)
    if not len(names):
        return kept
    wanted = int(np.floor(fraction * len(names) + 0.5))
    wanted = max(wanted, 1) if fraction else 0
    strata = np.zeros(len(names), int)
    if labels.ndim == 1 and labels.dtype.kind == "i":
        counts = np.zeros((len(names), labels.max() + 1), int)
        np.add.at(counts, (place, labels[known]), 1)
        strata = counts.argmax(axis=1)
    chosen = np.zeros(len(names), bool)
    chosen[_stratified_order(strata, _generator(key))[:wanted]] = True
    kept[known] = chosen[place]
    return kept


def _stratified_order(strata: np.ndarray, generator) -> np.ndarray:
    """A random order whose beginnings have each stratum in proportion, int (n,)."""
    order = generator.permutation(len(strata))
    position = np.empty(len(strata))
    for stratum in np.unique(strata):
        own = order[strata[order] == stratum]
        position[own] = (np.arange(len(own)) + 0.5) / len(own)
    return order[np.argsort(position[order], kind="stable")]


def permuted_rows(
    known: np.ndarray,
    images: np.ndarray,
    patients: np.ndarray,
    by_patient: bool,
    key: tuple,
) -> np.ndarray:
    """The row from which each row takes its label when labels are permuted.

    Args:
        known: bool (n,), whether the label of a row is known, or a part of it. Only
            these rows change labels. Rows of one dataset and split.
        images, patients: (n,), ids.
        by_patient: whether the patients change labels, each with all of its rows. The
            label of all known rows of a patient must be the same.
        key: what the permutation depends on, as plain values.
    Returns: int (n,).

    Example:
        >>> images, patients = np.array(list("abcd")), np.array(list("pprr"))
        >>> rows = permuted_rows(np.ones(4, bool), images, patients, True, (1,))
        >>> bool(rows[0] == rows[1]), bool(rows[2] == rows[3])
        (True, True)
    """
    rows = np.arange(len(known))
    own = np.flatnonzero(known)
    units = np.asarray(patients if by_patient else images, str)[own]
    _, first, place = np.unique(units, return_index=True, return_inverse=True)
    listed = sorted(np.asarray(images, str)[own].tolist())
    order = _generator((*key, digest_of(listed))).permutation(len(first))
    rows[own] = own[first[order[place]]]
    return rows


def labels_are_of_patients(
    labels: np.ndarray, known: np.ndarray, patients: np.ndarray
) -> bool:
    """Whether all known rows of each patient have the same label.

    Args: as for `kept_labels`.

    Example:
        >>> known, patients = np.array([True, True, False]), np.array(list("aaa"))
        >>> labels_are_of_patients(np.array([1, 1, 0]), known, patients)
        True
        >>> labels_are_of_patients(np.array([1, 0, 0]), known, patients)
        False
    """
    own = np.asarray(labels)[known]
    if not len(own):
        return True
    _, first, place = np.unique(
        np.asarray(patients, str)[known], return_index=True, return_inverse=True
    )
    equal_nan = own.dtype.kind == "f"
    return bool(np.array_equal(own, own[first[place]], equal_nan=equal_nan))


def _generator(key: tuple) -> np.random.Generator:
    return np.random.default_rng(int(digest_of(list(key))[:16], 16))
