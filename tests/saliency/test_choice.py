"""Which images are explained."""

import pandas as pd

from mdmt_tf.saliency import choice


def test_ids_of_several_datasets_stay_apart():
    rows = pd.DataFrame(
        {"dataset": ["a", "a", "b"], "image_id": ["1", "2", "1"]},
    )
    assert choice.unique_ids(rows) == ["a:1", "2", "b:1"]
