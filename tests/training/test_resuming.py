"""What a resumed run may go on with."""

import json

import pytest

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.screen.line import Line
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.resuming import change

TWO = ("GPU:0", "GPU:1")


@pytest.fixture
def begun(tmp_path):
    """A fit that began on two devices; nothing is trained."""

    def begun(*overrides, finished=False):
        settings = config.load("phantom", overrides)
        run = RunFolder(tmp_path / "run")
        run.path.mkdir()
        files.write(settings.to_plain(), run.config)
        run.manifest.write_text(json.dumps({"devices": TWO}))
        if finished:
            run.metrics.write_text("{}")
        return Fit(
            config=settings,
            run=run,
            inputs=None,
            training_set=None,
            layers=None,
            manifest=run.read_json(run.manifest),
            line=Line(lambda text: None, is_terminal=False),
        )

    return begun


def test_another_number_of_devices_would_normalise_otherwise(begun):
    fit = begun()
    with pytest.raises(
        ConfigError,
        match=r"began on 2 devices \(GPU:0, GPU:1\), and would go on with 1 device "
        r"\(CPU:0\).* training.devices=\[GPU:0, GPU:1\]",
    ):
        change(fit, ["CPU:0"])
    assert change(fit, ["CPU:0", "CPU:1"]) is fit


def test_statistics_of_all_devices_do_not_depend_on_their_number(begun):
    fit = begun("model.batch_norm=synchronized")
    assert change(fit, ["CPU:0"]) is fit


def test_a_finished_run_is_not_trained_on_and_needs_no_devices(begun):
    fit = begun(finished=True)
    assert change(fit, ["CPU:0"]) is fit
