"""Fields and features that might tell a label."""

import numpy as np
from made_material import made_dataset

from mdmt_tf.diagnosis.measures import (
    is_outcome_time,
    picture_features,
    text_fields,
)

N = 20


def dataset_of(**fields):
    return made_dataset(np.arange(N) % 2, images=None, **fields)


def test_numbers_are_bands_and_unknown_is_a_value():
    crp = np.arange(N, dtype=np.float32)
    crp[0] = np.nan
    texts = text_fields(dataset_of(crp=crp), {"label"})["crp"]
    assert texts[0] == "unknown"
    assert sorted(set(texts[1:])) == ["0", "1", "2", "3", "4"]
    # Quantiles of 1 to 19.
    assert texts[1] == "0" and texts[10] == "2" and texts[19] == "4"


def test_a_site_may_have_any_number_of_values():
    sites = np.array([f"s{i}" for i in range(N)], object)
    sites[3] = ""
    found = text_fields(dataset_of(site=sites), {"label"})["site"]
    assert found[3] == "unknown" and found[4] == "s4"


def test_labels_names_and_times_of_outcomes_are_no_fields():
    dataset = dataset_of(death_offset=np.arange(N) * 1.0, number=np.arange(N))
    assert set(text_fields(dataset, {"label"})) == {"number"}
    assert is_outcome_time("days_to_death") and not is_outcome_time("admission_offset")


def test_boxes_are_relative_to_the_original():
    shape = np.tile([[100, 200]], (N, 1)).astype(np.int32)
    box = np.tile([[10, 20, 60, 120]], (N, 1)).astype(np.int32)
    found = {
        name: features
        for name, _, features in picture_features(
            dataset_of(original_shape=shape, box=box)
        )
    }
    np.testing.assert_allclose(found["place of the crop"][0], [0.1, 0.1, 0.6, 0.6])
    np.testing.assert_allclose(
        found["size of the original"][0], np.log([100, 200, 2]), rtol=1e-6
    )
