"""Labels that are left out or permuted, by counting."""

import collections

import numpy as np
import pytest

from mdmt_tf.data.controls import (
    kept_labels,
    labels_are_of_patients,
    permuted_rows,
)

# 40 patients with two images each; 30 of class 0 and 10 of class 1.
PATIENTS = np.repeat([f"p{i:02d}" for i in range(40)], 2)
IMAGES = np.array([f"i{i:02d}" for i in range(80)])
CLASSES = np.repeat([0] * 30 + [1] * 10, 2)
ALL = np.ones(80, bool)


def kept_patients(fraction, labels=CLASSES, known=ALL, key=(3, "cxr")):
    kept = kept_labels(labels, known, PATIENTS, fraction, key)
    assert not kept[~known].any()
    # Whole patients.
    for patient in set(PATIENTS[known]):
        assert len(set(kept[known & np.isin(PATIENTS, [patient])])) == 1
    return set(PATIENTS[kept])


@pytest.mark.parametrize(
    "fraction, count", [(0, 0), (0.001, 1), (0.25, 10), (0.5, 20), (0.99, 40), (1, 40)]
)
def test_a_fraction_of_the_patients_is_kept(fraction, count):
    assert len(kept_patients(fraction)) == count


def test_smaller_fractions_are_parts_of_larger_ones():
    sets = [kept_patients(fraction) for fraction in (0, 0.1, 0.3, 0.35, 0.8, 1)]
    for smaller, larger in zip(sets, sets[1:], strict=False):
        assert smaller < larger


@pytest.mark.parametrize("fraction, ones", [(0.2, 2), (0.4, 4), (0.6, 6), (0.8, 8)])
def test_classes_are_kept_in_proportion(fraction, ones):
    kept = kept_patients(fraction)
    assert sum(int(patient[1:]) >= 30 for patient in kept) == ones


def test_patients_without_a_label_do_not_count():
    known = np.repeat(np.arange(40) % 2 == 0, 2)
    assert len(kept_patients(0.5, known=known)) == 10


def test_numbers_and_vectors_have_fractions_too():
    for labels in (np.linspace(0, 1, 80), np.stack([CLASSES, 1 - CLASSES], axis=1)):
        assert len(kept_patients(0.5, labels=labels)) == 20


def test_what_is_kept_depends_on_the_key_and_not_on_the_order_of_rows():
    assert kept_patients(0.5) != kept_patients(0.5, key=(4, "cxr"))
    turned = np.random.default_rng(0).permutation(80)
    kept = kept_labels(CLASSES[turned], ALL, PATIENTS[turned], 0.5, (3, "cxr"))
    assert set(PATIENTS[turned][kept]) == kept_patients(0.5)


def test_patients_are_permuted_whole_and_none_of_their_labels_is_lost():
    rows = permuted_rows(ALL, IMAGES, PATIENTS, True, (0,))
    labels = np.arange(80) // 2  # each patient has a label of its own
    permuted = labels[rows].reshape(40, 2)
    assert (permuted[:, 0] == permuted[:, 1]).all()
    assert sorted(permuted[:, 0]) == list(range(40))
    # A random permutation has one fixed point on average.
    assert (permuted[:, 0] == np.arange(40)).sum() < 8


def test_images_are_permuted_one_by_one():
    rows = permuted_rows(ALL, IMAGES, PATIENTS, False, (0,))
    assert sorted(rows) == list(range(80))
    assert len({tuple(pair) for pair in rows.reshape(40, 2) // 2}) > 30


def test_unknown_labels_stay_where_they_are():
    known = np.arange(80) % 3 > 0
    rows = permuted_rows(known, IMAGES, PATIENTS, False, (0,))
    np.testing.assert_array_equal(rows[~known], np.flatnonzero(~known))
    assert sorted(rows[known]) == np.flatnonzero(known).tolist()
    assert permuted_rows(~ALL, IMAGES, PATIENTS, True, (0,)).tolist() == list(range(80))


def test_a_permutation_depends_on_the_key_and_the_images_only():
    numbers = np.arange(80)

    def label_of(images, rows, labels=numbers):
        return dict(zip(images, labels[rows], strict=True))

    first = label_of(IMAGES, permuted_rows(ALL, IMAGES, PATIENTS, False, (0,)))
    turned = np.random.default_rng(0).permutation(80)
    rows = permuted_rows(ALL, IMAGES[turned], PATIENTS[turned], False, (0,))
    assert label_of(IMAGES[turned], rows, turned) == first
    other = label_of(IMAGES, permuted_rows(ALL, IMAGES, PATIENTS, False, (1,)))
    assert other != first
    fewer = permuted_rows(ALL[:78], IMAGES[:78], PATIENTS[:78], False, (0,))
    assert (fewer != [first[image] for image in IMAGES[:78]]).any()


def test_permuted_labels_say_nothing_about_the_own_ones():
    """Over 200 seeds, a patient of class 1 gets class 1 in 9 of 39 cases."""
    hits = collections.Counter()
    for seed in range(200):
        rows = permuted_rows(ALL, IMAGES, PATIENTS, True, (seed,))
        hits["ones"] += CLASSES[rows][CLASSES == 1].mean()
    # 10 / 40; the std of one mean is sqrt(0.25 * 0.75 / 10 * 30 / 39) = 0.12.
    assert abs(hits["ones"] / 200 - 0.25) < 4 * 0.12 / np.sqrt(200)


@pytest.mark.parametrize(
    "labels, expected",
    [
        ([0, 0, 1, 1, 2], True),
        ([0, 1, 1, 1, 2], False),
        ([0.5, 0.5, 2.0, 2.0, np.nan], True),
        ([[1, -1], [1, -1], [0, 1], [0, 1], [0, 0]], True),
        ([[1, -1], [1, 0], [0, 1], [0, 1], [0, 0]], False),
    ],
)
def test_whether_patients_have_one_label(labels, expected):
    patients = np.array(list("aabbc"))
    found = labels_are_of_patients(np.array(labels), np.ones(5, bool), patients)
    assert found is expected
    assert labels_are_of_patients(np.array(labels), np.zeros(5, bool), patients)
