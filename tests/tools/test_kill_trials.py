"""Processes of the trials: the network that they know."""

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
