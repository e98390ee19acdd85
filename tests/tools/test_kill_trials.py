"""Processes of the trials: the network that they know, and what counts as the same."""

import json
import subprocess
import sys

import kill_trials
import pytest
from tiny_network import environment_of


@pytest.mark.large
def test_every_process_knows_the_network_and_saves_often(tmp_path):
    code = (
        "from mdmt_tf.models.backbones import BACKBONES\n"
        "from mdmt_tf.training.saving import SaveState\n"
        "print(BACKBONES['tiny'].feature_dim, SaveState.SECONDS_WITHIN)"
    )
    for before, seconds in ((kill_trials.OFTEN, "0.3"), ("", None)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment_of(tmp_path / "site", before),
            capture_output=True,
            text=True,
            check=True,
        )
        dimension, within = done.stdout.split()[-2:]
        assert dimension == "8"
        assert (within == "0.3") == (seconds is not None)


def write(folder, values, log="a"):
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "train.log").write_text(log)
    (folder / "metrics.json").write_text(json.dumps(values))
    (folder / "history.csv").write_text(f"epoch,seconds,loss\n1,{len(log)},0.5\n")


def test_times_logs_and_the_folder_do_not_count(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, {"auc": 0.5, "seconds": 1, "note": str(one)})
    write(other, {"auc": 0.5, "seconds": 2, "note": str(other)}, "more")
    assert kill_trials.differences(one, other) == []
    (other / "metrics.json").write_text(json.dumps({"auc": 0.6}))
    (other / "more.csv").touch()
    assert kill_trials.differences(one, other) == ["metrics.json", "more.csv"]
