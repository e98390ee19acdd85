"""`history.csv` is checked before its epochs are drawn."""

import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.experiments.histories import read_history
from mdmt_tf.runs.folder import RunFolder

GOOD = "epoch,train/loss,seconds\n0,1.5,2.25\n1,1.0,2.5\n"
EFFORT = {"effort": {"epochs": 2, "seconds": 4.75}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("1,1.0", "2,1.0"), "line 3: epoch = 2: expected 1"),
        (GOOD.replace("1,1.0", "0,1.0"), "line 3: epoch = 0: expected 1"),
        (GOOD.replace("1.0", "one"), "line 3: train/loss = 'one': expected a number"),
        (GOOD + "2,0.5,0.5\n", "it has 3 epochs; by manifest.json, the effort was 2"),
        (GOOD.replace("2.25", "9.25"), "sum to 11.75; by manifest.json, .* was 4.75"),
        (GOOD.replace("epoch", "step"), "it has no column epoch"),
    ],
)
def test_damage_is_named(tmp_path, text, message):
    run = RunFolder(tmp_path)
    run.history.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_history(run, EFFORT)
    assert str(run.history) in str(caught.value)


def test_good_ones_are_read_and_baselines_have_none(tmp_path):
    run = RunFolder(tmp_path)
    assert read_history(run, EFFORT) is None
    run.history.write_text(GOOD)
    assert read_history(run, EFFORT)["train/loss"].tolist() == [1.5, 1.0]
    assert len(read_history(run, {})) == 2
    # Metrics may be undefined in an epoch.
    run.history.write_text(GOOD.replace("1.5", ""))
    assert read_history(run, EFFORT)["train/loss"].isna().tolist() == [True, False]
