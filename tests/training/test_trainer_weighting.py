"""Whole runs with learned weights: the same end when interrupted, what they leave."""

import shutil
import sys
import types

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mdmt_tf import config
from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import evaluation
from mdmt_tf.training import trainer
from mdmt_tf.training.saving import SaveState
from mdmt_tf.training.weighting.base import Weighting
from mdmt_tf.training.weighting.table import WEIGHTINGS

TASKS = ("outcome", "grade", "age")
SHORT = ("training.epochs=3", "training.saved_model=false")
LEARNED = ("training.weighting=uncertainty", *SHORT)
# The interruption of a run with fixed weights is in test_trainer.py.
OTHERS = [name for name in WEIGHTINGS if name != "fixed"]


@pytest.fixture(scope="module")
def run(settings):
    """A finished run with uncertainty weighting that no test may change."""
    return trainer.train(settings(*LEARNED, "training.saved_model=true"))


@pytest.fixture(scope="module")
def finished(settings, run):
    """The name of a method to its finished run."""
    runs = {"uncertainty": run}

    def finished(name):
        if name not in runs:
            runs[name] = trainer.train(settings(f"training.weighting={name}", *SHORT))
        return runs[name]

    return finished


def shown_by_tensorboard(run, prefix):
    """{tag: values by epoch} of the event files."""
    scalars = {}
    for path in sorted(run.tensorboard.rglob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag.startswith(prefix):
                    number = float(tf.make_ndarray(value.tensor))
                    scalars.setdefault(value.tag, []).append(number)
    return scalars


def test_learned_weights_are_in_the_history_and_in_tensorboard(run):
    history = pd.read_csv(run.history)
    shown = shown_by_tensorboard(run, "weight/")
    assert sorted(shown) == sorted(f"weight/{name}" for name in TASKS)
    for tag, values in shown.items():
        np.testing.assert_allclose(values, history[tag], rtol=1e-6)
        # Adam moves s by at most about its learning rate a step.
        start = {"weight/age": 0.001}.get(tag, 1.0)
        steps = np.arange(1, 4) * 7
        change = np.abs(np.log(np.array(values) / start))
        assert (change > 0).all() and (change < 1.5e-3 * steps).all()


@pytest.mark.large
def test_fixed_weights_are_no_columns(settings):
    run = trainer.train(settings("training.epochs=2", "training.saved_model=false"))
    assert not [name for name in pd.read_csv(run.history) if "weight/" in name]
    assert not shown_by_tensorboard(run, "weight/")


def test_learned_weights_are_no_part_of_what_is_left_to_use(run, settings):
    assert evaluation.reproduce(run) == []
    build_backbone("tiny", (32, 32, 3), weights=str(run.backbone_weights))
    config_of_run = config.load(str(run.config))
    assert config_of_run.training.weighting == "uncertainty"
    model = build_from_config(config_of_run)
    model.load_weights(run.best_weights)


@pytest.mark.large
@pytest.mark.parametrize(
    ("name", "seconds"), [*((name, 0) for name in OTHERS), ("uncertainty", 1e9)]
)
def test_an_interrupted_run_of_a_method_goes_on_to_the_same_end(
    settings, finished, name, seconds, monkeypatch
):
    run = finished(name)
    monkeypatch.setattr(SaveState, "SECONDS", seconds)
    interrupted = settings(f"training.weighting={name}", *SHORT)

    def write(text):
        if "2/3" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(interrupted, write=write)
    path = interrupted.run_dir
    assert RunFolder.open(path).last_state.is_file() == (seconds == 0)
    resumed = trainer.train(config.load(f"{path}/config.yaml"), resume_from=path)
    assert resumed.predictions.read_bytes() == run.predictions.read_bytes()
    assert resumed.metrics.read_bytes() == run.metrics.read_bytes()
    history = [pd.read_csv(r.history).drop(columns="seconds") for r in (run, resumed)]
    pd.testing.assert_frame_equal(*history, check_exact=True)


def test_the_state_of_another_weighting_is_refused(settings, run):
    from mdmt_tf.errors import DataError

    fixed = settings("training.weighting=fixed")
    shutil.copytree(run.path, fixed.run_dir)
    folder = RunFolder(fixed.run_dir)
    folder.metrics.unlink()
    with pytest.raises(DataError, match="the state of another model"):
        trainer.train(
            config.load(str(folder.config), ["training.weighting=fixed"]),
            resume_from=folder.path,
        )


@pytest.mark.large
def test_learned_weights_on_two_devices(settings, two_cpus):
    devices = f"training.devices=[{', '.join(two_cpus)}]"
    options = ("training.precision=mixed_bfloat16", "training.accumulate=2")
    run = trainer.train(settings(*LEARNED, devices, *options))
    weights = pd.read_csv(run.history)[[f"weight/{name}" for name in TASKS]]
    assert (weights.diff().iloc[1:] != 0).all(axis=None)
    assert set(run.read_json(run.metrics)["test"]) == set(TASKS)


class Counting(Weighting):
    """The backbone is trained for the first task alone."""

    uses_task_gradients = True
    traces = 0

    def backbone_gradients(self, gradients, losses, fractions):
        Counting.traces += 1
        return list(gradients[self.tasks[0].name])


@pytest.mark.large
def test_a_method_is_a_file_and_a_row(settings, monkeypatch):
    module = types.ModuleType("mdmt_tf.training.weighting.counting")
    module.Counting = Counting
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(WEIGHTINGS, "counting", ("counting:Counting", "counts"))
    made = settings("training.epochs=2", "training.saved_model=false")
    # The names that a configuration takes were read before the row was there.
    training = made.training.model_copy(update={"weighting": "counting"})
    run = trainer.train(made.model_copy(update={"training": training}))
    assert Counting.traces == 1
    assert run.is_finished


def test_an_unknown_weighting_of_a_configuration_is_refused(settings):
    with pytest.raises(ConfigError, match="training.weighting.*'uncertainty'"):
        settings("training.weighting=uncertain")
