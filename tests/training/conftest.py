"""Settings of small runs."""

import pytest
from small_settings import DATASETS, OUTCOME

from mdmt_tf import config
from mdmt_tf.config import files

SETTINGS = {
    "experiment": "small",
    "seed": 3,
    "image_size": 32,
    "tasks": {
        # Sorts against the order of the outputs.
        "outcome": OUTCOME,
        "grade": {
            "kind": "ordinal",
            "cut_points": [1, 2, 3],
            "from": {"beta": "grade"},
        },
        "age": {"kind": "regression", "from": {"alpha": "age"}, "weight": 0.001},
    },
    "datasets": DATASETS,
    "split": {"folds": 3},
    "model": {"backbone": "tiny"},
    "training": {
        "epochs": 4,
        "batch_size": 8,
        "warmup_epochs": 1,
        "select_on": {"task": "outcome"},
    },
}


@pytest.fixture(scope="module")
def settings(tiny_backbone, data_dir, tmp_path_factory):
    """Resolved settings with a run folder of their own."""

    def settings(*overrides):
        folder = tmp_path_factory.mktemp("settings")
        path = folder / "settings.yaml"
        files.write(SETTINGS | {"data_dir": str(data_dir)}, path)
        return config.load(str(path), [f"run_dir={folder / 'run'}", *overrides])

    return settings
