"""What a training would be, measured without writing."""

import math

import numpy as np
import pytest
import yaml
from rich.console import Console

from mdmt_tf import config
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.screen.line import Line
from mdmt_tf.training import dry_run, dry_run_text, trainer
from mdmt_tf.training.epochs import training_batches
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.inputs import count_labels, open_inputs

TASKS = {
    "outcome": {
        "kind": "categorical",
        "classes": ["mild", "severe"],
        "from": {"alpha": "outcome"},
        "weight": 2.0,
    },
    "grade": {
        "kind": "categorical",
        "cut_points": [1, 2, 3],
        "from": {"beta": "grade"},
    },
}
# A batch has every row, and all count the same.
SETTINGS = {
    "experiment": "small",
    "image_size": 32,
    "tasks": TASKS,
    "datasets": {name: {"config": "full_256"} for name in ("alpha", "beta")},
    "model": {"backbone": "tiny", "head_dropout": 0.0},
    "pipeline": {"augmentation": None},
    "split": {"folds": 3, "fold": 1},
    "training": {
        "epochs": 7,
        "batch_size": 8,
        "warmup_epochs": 0,
        "patience": 3,
        "select_on": {"task": "outcome"},
    },
}


def load(tmp_path, data_dir, *overrides):
    path = tmp_path / "small.yaml"
    path.write_text(
        yaml.safe_dump(SETTINGS | {"data_dir": str(data_dir)}, sort_keys=False)
    )
    return config.load(str(path), list(overrides))


@pytest.fixture(scope="module")
def measured(tiny_backbone, data_dir, tmp_path_factory):
    """Settings, their inputs, what was measured; and files before and after."""
    folder = tmp_path_factory.mktemp("settings")
    settings = load(folder, data_dir)

    def files():
        paths = [*folder.rglob("*"), *data_dir.rglob("*")]
        return {path: path.stat().st_mtime_ns for path in paths}

    before = files()
    inputs = open_inputs(settings)
    found = dry_run.measure(settings, inputs)
    assert files() == before
    return settings, inputs, found


def test_sizes_are_those_of_the_training(measured):
    settings, inputs, found = measured
    model = build_from_config(settings)
    assert found.parameters == sum(math.prod(w.shape) for w in model.get_weights())
    assert found.backbone == 3 * 3 * 3 * 8 + 4 * 8
    assert found.parameters - found.trained == 2 * 8  # the statistics
    assert found.outputs == {"outcome": 2, "grade": 4}
    rows = len(inputs.samples["train"])
    assert found.steps == math.ceil(rows / 8)
    assert found.has_weights and found.image_shape == (32, 32, 1)


def test_the_loss_at_the_start_is_eq_2_before_the_first_step(measured):
    """Of the first batches, by numpy from the logits."""
    settings, inputs, found = measured
    model = build_from_config(settings)
    fit = Fit(
        config=settings,
        run=None,
        inputs=inputs,
        training_set=trainer.training_set_of(settings, inputs),
        layers=trainer.augmentation_layers(settings, inputs),
        manifest={},
        line=Line(lambda text: None, is_terminal=False),
    )
    entropies = {name: [] for name in TASKS}
    for images, targets, known in training_batches(fit, 0, 1, 0).take(4):
        for name, logits in model(images, training=True).items():
            chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            classes = np.asarray(targets[name]).astype(int).ravel()
            own = -np.log(chances[np.arange(len(classes)), classes])
            entropies[name] += [own[np.asarray(known[name]).ravel() == 1]]
    sums = {name: np.concatenate(own).sum() for name, own in entropies.items()}
    whole = 2 * sums["outcome"] + sums["grade"]
    for name, own in found.losses.items():
        assert own.weight == TASKS[name].get("weight", 1.0)
        mean = np.concatenate(entropies[name]).mean()
        assert own.loss == pytest.approx(mean, rel=1e-4)
        expected = own.weight * sums[name] / whole
        assert own.fraction == pytest.approx(expected, rel=1e-4)


def test_times_follow_from_steps_and_epochs():
    made = {
        "image_shape": (8, 8, 1),
        "batch_size": 2,
        "outputs": {"a": 1},
        "backbone": 10,
        "parameters": 20,
        "trained": 20,
        "has_weights": True,
        "losses": {},
        "timed": 5,
        "memory": 1,
        "devices": ("CPU:0",),
    }
    found = dry_run.Measured(
        **made, steps=100, epochs=10, first_step=7.0, step=2.0, validation=30.0
    )
    assert found.epoch_seconds == 230.0
    assert found.seconds == 10 * 230.0 + 5.0


def test_labels_are_those_of_each_fold(measured):
    settings, inputs, _ = measured
    counts = dict(count_labels(settings))
    assert list(counts) == [0, 1, 2]
    own = counts[1]
    for task in settings.tasks:
        for split, samples in inputs.samples.items():
            assert own[task][split] == samples.known[task].sum()
    # Each image is tested once.
    tested = sum(fold["outcome"]["test"] for fold in counts.values())
    assert tested == sum(own["outcome"].values())


@pytest.mark.large
def test_weights_that_are_not_here_are_random_values(measured, tmp_path, data_dir):
    settings, inputs, found = measured
    gone = settings.model.model_copy(update={"weights": "gone.weights.h5"})
    other = dry_run.measure(settings.model_copy(update={"model": gone}), inputs)
    assert not other.has_weights
    assert other.losses["grade"].loss == pytest.approx(found.losses["grade"].loss)


@pytest.mark.parametrize("width", [40, 80])
def test_it_is_printed_in_any_width(measured, width, capsys):
    settings, _, found = measured
    console = Console(width=width)
    dry_run_text.print_counts(console, count_labels(settings), title="Labels", chosen=1)
    dry_run_text.print_measured(console, settings, found)
    text = capsys.readouterr().out
    assert "1*" in text and "at most" in text
    assert f"{found.parameters:,}, {found.trained:,} trained" in text
    assert "32 x 32 x 1, 8 a batch" in text
    of_tables = [line for line in text.splitlines() if line.startswith(" ")]
    assert max(map(len, of_tables)) <= width


def test_a_fit_of_the_same_settings_has_as_many_steps(measured):
    settings, inputs, found = measured
    rows = trainer.training_set_of(settings, inputs)
    assert math.ceil(rows.draws.total / 8) == found.steps
