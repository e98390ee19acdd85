"""Runs with a dataset that no fold divides, and with fractions of datasets."""

import json

import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.runs import predictions
from mdmt_tf.serving import evaluation
from mdmt_tf.splits.auxiliary import split_of_rows
from mdmt_tf.training import trainer
from mdmt_tf.training.inputs import open_inputs
from mdmt_tf.training.trainer import training_set_of

# One task of both datasets; alpha is auxiliary.
BOTH = (
    "datasets.alpha.auxiliary=true",
    "tasks={score: {kind: regression, from: {alpha: 'scores[0]', beta: total}}}",
    "training.select_on={task: score, metric: loss}",
)
QUICK = (
    "training.epochs=1",
    "training.warmup_epochs=0",
    "training.tensorboard=false",
    "training.saved_model=false",
    "training.saliency=0",
)


@pytest.fixture(scope="module")
def overview():
    return []


@pytest.fixture(scope="module")
def run(settings, overview):
    """No patient of beta is trained with."""
    made = settings(*BOTH, *QUICK, "datasets.beta.fraction=0")
    return trainer.train(made, write=overview.append)


def images(table, **wanted):
    for key, value in wanted.items():
        table = table[table[key] == value]
    return set(table["image_id"])


def test_what_is_tested_is_neither_trained_with_nor_chosen_by(run, alpha, settings):
    table = predictions.read(run.predictions)
    split_of = split_of_rows("alpha", alpha.table)
    for split in ("train", "validation"):
        expected = set(alpha.table["image_id"][split_of == split])
        assert images(table, split=split, dataset="alpha") == expected
        assert images(table, split=split, dataset="beta") == set()
    # As without the other dataset.
    whole = open_inputs(settings(*BOTH)).split.datasets["beta"]
    assert images(table, split="test") == set(whole["test"])
    stored = json.loads(run.split.read_text())["datasets"]["beta"]
    assert set(stored["excluded"]) == {*whole["train"], *whole["validation"]}


def test_it_can_be_evaluated_again(run):
    assert evaluation.reproduce(run) == []


def test_the_manifest_states_fractions_of_datasets(run):
    manifest = run.read_json(run.manifest)
    assert manifest["dataset_fractions"] == {"beta": 0.0}


def test_the_overview_says_what_is_auxiliary(run, overview):
    rows = {line.split()[0]: line for line in overview[0].splitlines()}
    assert "images in training; auxiliary, the same lists" in rows["alpha"]
    assert rows["beta"].endswith("0 images in training; 0 of the patients in training")


def test_a_fit_on_auxiliary_datasets_alone_is_the_same_in_every_fold(settings):
    alone = (
        "datasets={alpha: {config: full_256, auxiliary: true}}",
        "tasks={age: {kind: regression, from: {alpha: age}}}",
        "training.select_on={task: age, metric: loss}",
    )
    first, second = (
        open_inputs(settings(*alone, f"split.fold={fold}")) for fold in (0, 2)
    )
    assert first.split.datasets == second.split.datasets
    sizes = [len(first.split.datasets["alpha"][name]) for name in ("train", "test")]
    # One patient of 25 has one image or two.
    assert sizes[0] >= 36 and sizes[1] in (1, 2)


def test_a_fraction_trains_with_whole_patients(settings, beta):
    inputs = open_inputs(settings(*BOTH, "datasets.beta.fraction=0.5"))
    whole = open_inputs(settings(*BOTH))
    rows, every = (i.samples["train"].rows for i in (inputs, whole))
    own, of_beta = (set(r["image_id"][r["dataset"] == "beta"]) for r in (rows, every))
    # beta has one image a patient.
    assert own < of_beta and len(own) == int(len(of_beta) / 2 + 0.5)
    for split in ("validation", "test"):
        assert inputs.samples[split].rows.equals(whole.samples[split].rows)


def test_a_task_of_datasets_that_are_not_trained_with_is_not_trained(settings):
    """As with fraction 0 of the task, which keeps its validation labels."""
    rows = {
        key: training_set_of(made, open_inputs(made))
        for key in ("datasets.beta.fraction=0", "tasks.grade.fraction=0")
        for made in [settings(key)]
    }
    left_out, without_labels = rows.values()
    for own in rows.values():
        assert not own.weights["grade"].any() and not own.class_counts["grade"].any()
    assert left_out.samples.rows.equals(without_labels.samples.rows)
    assert (left_out.draws.counts == without_labels.draws.counts).all()


def test_something_must_be_trained_with(settings):
    with pytest.raises(ConfigError, match="datasets.beta.fraction = 0: no task has"):
        settings(*BOTH, "datasets.beta.fraction=0", "datasets.alpha.fraction=0")
