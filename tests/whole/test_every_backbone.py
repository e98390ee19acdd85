"""The main job with each backbone for images, as a user would start it.

Half an hour in all. `test_volume_runs.py` trains one for volumes.
"""

import json
import subprocess
import sys

import pytest

from mdmt_tf.models.backbones.table import BACKBONES


@pytest.fixture(scope="module")
def phantom_data(tmp_path_factory):
    """Drawn and prepared by the first run, found by the others."""
    return tmp_path_factory.mktemp("phantoms")


@pytest.mark.large
@pytest.mark.parametrize(
    "name", [name for name, row in BACKBONES.items() if row.dimensions == 2]
)
def test_trains_on_phantoms(name, phantom_data, tmp_path):
    command = [
        *(sys.executable, "-m", "mdmt_tf.train", f"model.backbone={name}"),
        *(f"data_dir={phantom_data}", f"run_dir={tmp_path / 'run'}"),
        *("training.epochs=1", "training.warmup_epochs=0"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(metrics["test"]) == {"prognosis", "severity"}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["export"]["largest_difference"] < 1e-5
