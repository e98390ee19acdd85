"""The epoch whose weights a run has kept."""

import pandas as pd
import pytest

from mdmt_tf.config.training_section import SelectionSection
from mdmt_tf.runs.kept_epoch import KeptEpoch, kept_epoch, not_chosen

NAN = float("nan")
SELECTION = SelectionSection(task="death", metric="auc")


@pytest.mark.parametrize(
    ("aucs", "selected", "number", "chosen"),
    [
        # The last one that was better than all before.
        ([0.6, 0.7, 0.65], [1, 1, 0], 2, True),
        ([NAN, 0.7, NAN], [0, 1, 0], 2, True),
        ([NAN, NAN, NAN], [0, 0, 0], 3, False),
        # As earlier versions marked them.
        ([NAN, NAN, NAN], [1, 1, 1], 3, False),
    ],
)
def test_without_a_defined_metric_it_is_the_last_one(aucs, selected, number, chosen):
    history = {"epoch": [0, 1, 2], "validation/death/auc": aucs, "selected": selected}
    found = kept_epoch(pd.DataFrame(history), SELECTION)
    assert found == KeptEpoch(number, chosen)


def test_the_sentence_names_the_metric():
    assert not_chosen(SELECTION) == (
        "no epoch was chosen: auc of death is not defined on the validation split; the "
        "last epoch is kept"
    )
