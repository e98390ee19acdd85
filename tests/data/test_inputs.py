"""Datasets, split and images together."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.data.inputs import build_inputs
from mdmt_tf.errors import LeakageError
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split


@pytest.fixture
def split(alpha, beta, two_tasks):
    tables = {"alpha": alpha.table, "beta": beta.table}
    return make_split(tables, two_tasks, SplitSettings(folds=3))


def test_numbers_of_the_rows_are_those_of_the_images(
    alpha, beta, two_tasks, split, stored_pixels
):
    inputs = build_inputs([alpha, beta], two_tasks, split, (32, 32))
    for samples in inputs.samples.values():
        batches = list(inputs.images.batches(samples.image, 5))
        assert [len(batch) for batch in batches[:-1]] == [5] * (len(batches) - 1)
        pixels = np.concatenate(batches)
        stored = np.stack([stored_pixels(name) for name in samples.rows["image_id"]])
        np.testing.assert_allclose(pixels, stored / 255, atol=1e-6)


def test_a_leaking_split_is_refused(alpha, beta, two_tasks, split):
    lists = {part: list(images) for part, images in split.datasets["alpha"].items()}
    # a00 and a25 are of one patient.
    here = next(name for name, images in lists.items() if "a00" in images)
    lists[here].remove("a00")
    lists["test" if here == "train" else "train"].append("a00")
    leaking = dataclasses.replace(split, datasets={**split.datasets, "alpha": lists})
    with pytest.raises(LeakageError, match="patient 'p00' of dataset 'alpha'"):
        build_inputs([alpha, beta], two_tasks, leaking, (32, 32))
