"""A run with permuted labels, without those of a task, and a number of steps."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.runs import predictions
from mdmt_tf.serving import evaluation
from mdmt_tf.serving.predictor import ServedModel
from mdmt_tf.training import checkpoint, trainer
from mdmt_tf.training.inputs import open_inputs, with_steps_of


@pytest.fixture(scope="module")
def overview():
    return []


@pytest.fixture(scope="module")
def run(settings, overview):
    made = settings(
        "tasks.outcome.permute=true",
        "tasks.outcome.from={alpha: severe}",
        "tasks.grade.fraction=0",
        "training.epochs=2",
        "training.steps=14",
        "training.accumulate=2",
        "training.plateau={follows: total}",
        "training.tensorboard=false",
    )
    return trainer.train(made, write=overview.append)


def test_it_takes_the_steps_that_are_set(run):
    manifest = run.read_json(run.manifest)
    effort = {k: v for k, v in manifest["effort"].items() if k != "seconds"}
    # 14 batches of 8, all of them full; the optimizer moves after every second.
    assert effort == {"steps": 7, "images": 14 * 8, "epochs": 2}
    assert len(pd.read_csv(run.history)) == 2


def test_the_plateau_does_not_follow_a_task_that_nothing_trains(run):
    """The losses on the validation rows of the others, by the numbers of labels."""
    tasks = {task.name: task for task in run.read_tasks(run.settings())}
    labels = predictions.read(run.predictions).query("split == 'validation'")
    history, total, rows = pd.read_csv(run.history), 0.0, 0
    for name in ("outcome", "age"):
        n = int(labels.query("task == @name")["target"].notna().sum())
        factor = tasks[name].weight * tasks[name].trained_factor
        total += n * factor * history[f"validation/{name}/loss"]
        rows += n
    progress = checkpoint.read_progress(run.last_state)["plateau"]
    assert progress["best"] == pytest.approx((total / rows).min())


def test_it_says_what_its_labels_are(run, overview):
    manifest = run.read_json(run.manifest)
    assert manifest["permuted"] == ["outcome"]
    assert manifest["fractions"] == {"grade": 0.0}
    lines = {line.split()[0]: line for line in overview[0].splitlines()}
    assert "PERMUTED" in lines["outcome"] and "PERMUTED" in lines["data"]
    said = " ".join(overview[0].split())  # as wide as the terminal
    assert "labels of 0 of the patients" in said
    read = "numbers read as 0 -> mild: 16, 1 -> severe: 16"
    assert f"labels of outcome: {read}" in said
    assert lines["steps"].endswith("14, 7 in each epoch")
    about = ServedModel(run.saved_model).information
    assert about["trained_on"].endswith("PERMUTED labels of outcome")
    labels = {name: one.get("labels") for name, one in about["tasks"].items()}
    assert labels["outcome"].startswith("the training labels were permuted; the answ")
    # Of grade, the fraction leaves no label.
    assert labels["grade"].startswith("nothing has trained its head; the answers mean")


def test_the_predictions_have_the_labels_that_it_was_given(run, alpha):
    table = predictions.read(run.predictions)
    true = dict(zip(alpha.table["image_id"], alpha.table["severe"], strict=True))
    rows = table[(table["task"] == "outcome") & table["target"].notna()]
    assert set(rows["split"]) == {"train", "validation", "test"}
    for split, own in rows.groupby("split"):
        expected = [true[image] for image in own["image_id"]]
        assert (own["target"].tolist() == expected) == (split == "test")
    # No image of the other dataset was trained with.
    assert set(table.loc[table["task"] == "grade", "split"]) == {"validation", "test"}


def test_a_task_without_labels_has_no_training_loss(run):
    history = pd.read_csv(run.history)
    assert history["train/grade/loss"].isna().all()
    assert np.isfinite(history["train/loss"]).all()
    assert np.isfinite(history["validation/grade/loss"]).all()
    metrics = run.read_json(run.metrics)
    assert metrics["test"]["grade"]["n"] > 0 and "grade" in metrics["validation"]


def test_it_can_be_evaluated_again(run):
    assert evaluation.reproduce(run) == []


def test_too_few_steps_are_refused(settings):
    few = settings("training.epochs=4", "training.steps=4", "training.batch_size=2")
    # Two datasets share the two draws of an epoch.
    steps = trainer.training_set_of(few, open_inputs(few)).draws
    assert steps.total == 2
    balanced = settings(
        "training.epochs=4",
        "training.steps=4",
        "training.batch_size=2",
        "tasks.outcome.oversample=true",
    )
    with pytest.raises(ConfigError, match="training.steps = 4: too few for 4 epochs"):
        trainer.training_set_of(balanced, open_inputs(balanced))


def test_steps_of_other_settings_in_the_same_fold(settings):
    """Those of outcome and age alone, with all three tasks."""
    whole = settings("split.fold=1")
    images = len(open_inputs(whole).samples["train"])
    found = with_steps_of(settings("split.fold=1"), whole)
    assert found.training.steps == 4 * -(-images // 8)
    half = settings("split.fold=1", "tasks.grade.fraction=0")
    fewer = with_steps_of(whole, half).training.steps
    assert fewer == 4 * -(-len(open_inputs(half).samples["train"]) // 8)
    assert fewer < found.training.steps
