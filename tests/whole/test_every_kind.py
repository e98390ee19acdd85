"""Every kind of task, crossed with everything that is asked of one."""

import dataclasses
import json
import re
import warnings
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pydantic
import pytest
import tensorflow as tf
from task_kinds import EXAMPLES, labels_of, logits_of, section_of, task_of

from mdmt_tf.config.schema import TaskSection
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.metrics.table import compared, headline, selecting
from mdmt_tf.runs import predictions
from mdmt_tf.splits.folds import assign_folds
from mdmt_tf.statistics.resampling import bootstrap_intervals
from mdmt_tf.tasks import KINDS, label_is_known, make_task
from mdmt_tf.tasks.labels import task_labels
from mdmt_tf.training.losses import MaskedLoss, TaskLoss, compile_model
from mdmt_tf.training.strategy import build_strategy
from mdmt_tf.training.tensorboard.pictures import draw_examples

N = 24
DATA_PAGE = (Path(__file__).parents[2] / "docs/reference/data.md").read_text(
    encoding="utf-8"
)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_loss = pytest.mark.parametrize(
    "kind, loss", [(name, loss) for name, kind in KINDS.items() for loss in kind.losses]
)


@pytest.fixture
def task(kind):
    return task_of(kind)


@pytest.fixture
def labels(kind):
    return labels_of(kind, N)


@pytest.fixture
def chances(task):
    return task.probabilities(logits_of(task, N))


def rows(n=N):
    """The rows of a table of predictions; patients have two images each."""
    return pd.DataFrame(
        {
            "dataset": "ward",
            "split": "test",
            "fold": 0,
            "image_id": [f"i{i:02d}" for i in range(n)],
            "patient_id": [f"p{i // 2:02d}" for i in range(n)],
            "site": "A",
        }
    )


def test_there_is_an_example_of_every_kind():
    assert list(EXAMPLES) == list(KINDS)
    assert all(kind.kind == name for name, kind in KINDS.items())


def test_an_unknown_kind_says_which_there_are():
    with pytest.raises(ConfigError, match="Did you mean 'binary'.*categorical, binary"):
        make_task(kind="binry", name="t")


# Declaration.


@every_kind
def test_the_example_has_no_problem_and_comes_back_from_its_section(kind, task):
    assert list(task.problems()) == []
    section = TaskSection.model_validate(section_of(kind))
    again = TaskSection.model_validate(section.model_dump(mode="json", by_alias=True))
    assert again.to_task(kind) == task and type(task) is KINDS[kind]


@every_kind
def test_a_task_comes_back_from_plain_values(kind):
    """Through JSON, with every attribute set and a source of several fields."""
    task = task_of(kind)
    for changes in (
        {},
        {"cut_points": (1.0, 2.5), "descending": True, "weight": 0.5},
        {"sources": {"ward": "x", "clinic": ("y", "z")}, "oversample": True},
        {"class_weights": (1.0, 2.0)},
        {"class_weights": "balanced"},
        {"loss": next(iter(task.losses)), "head": "linear", "standardize": False},
    ):
        changed = dataclasses.replace(task, **changes)
        again = make_task(**json.loads(json.dumps(changed.to_plain())))
        assert again == changed and type(again) is type(task)


@every_kind
def test_it_is_described_in_the_configuration_and_in_the_documentation(kind):
    summary = KINDS[kind].summary()
    assert (
        summary and f"{kind}: {summary}" in TaskSection.model_fields["kind"].description
    )
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \| (.+) \|$", DATA_PAGE, re.MULTILINE)
    losses = [f"`{name}`" for name in KINDS[kind].losses]
    assert dict(rows)[kind] == ", ".join(losses)
    described = f"{kind}: {', '.join(KINDS[kind].losses)}"
    assert described in TaskSection.model_fields["loss"].description


@pytest.mark.parametrize(
    "kind, section, message",
    [
        pytest.param(kind, *wrong, id=f"{kind}-{number}")
        for kind, example in EXAMPLES.items()
        for number, wrong in enumerate(example.wrong)
    ],
)
def test_a_wrong_declaration_is_refused(kind, section, message):
    values = {"kind": kind, "from": {"ward": "x"}, **section}
    with pytest.raises(pydantic.ValidationError) as refused:
        TaskSection.model_validate(values)
    assert message in str(refused.value)


@every_kind
def test_losses_and_heads_are_those_of_the_kind(kind):
    (first, *_), known = KINDS[kind].losses, ", ".join(KINDS[kind].losses)
    for changes, message in (
        ({"loss": "hinge"}, f"loss = 'hinge': is not a loss of a {kind} task."),
        ({"loss": first + "s"}, f"Did you mean '{first}'? Known: {known}."),
        ({"head": "liner"}, "head = 'liner': is not a head. Did you mean 'linear'?"),
        ({"head": "serial"}, "Set model.heads to serial"),
    ):
        with pytest.raises(pydantic.ValidationError) as refused:
            task_of(kind, **changes)
        assert message in str(refused.value)
    for loss in KINDS[kind].losses:
        assert task_of(kind, loss=loss, head="mlp").loss == loss
    if not KINDS[kind].is_standardized:
        with pytest.raises(pydantic.ValidationError, match="no numbers to standardise"):
            task_of(kind, standardize=False)


# Labels.


@every_kind
def test_labels_are_encoded_with_their_unknown(task, labels):
    encoded = task.encode(labels)
    assert encoded.shape == labels.shape == (N, *task.label_shape)
    known = label_is_known(labels)
    assert 0 < known.sum() < known.size
    np.testing.assert_array_equal(label_is_known(encoded), known)
    # What no dataset feeds is NaN.
    unfed = task.encode(np.full((3, *task.label_shape), np.nan))
    assert not label_is_known(unfed).any() and unfed.dtype == encoded.dtype


@every_kind
def test_targets_are_finite_and_unknown_ones_are_zeros(task, labels):
    target, known = task.targets(labels)
    assert known.shape == (N, *task.label_shape) and known.dtype == bool
    np.testing.assert_array_equal(known, label_is_known(labels))
    assert np.isfinite(target).all() and len(target) == N
    assert not target[~known].any()


@every_kind
def test_labels_are_read_from_a_table(kind, task, labels):
    table = {kind: labels, "image_id": np.arange(N)}
    np.testing.assert_array_equal(task_labels("ward", table, task), labels)
    missing = task_of(kind, **{"from": {"ward": "other"}})
    with pytest.raises(DataError, match=rf"tasks.{kind}.from.ward = 'other'.*no field"):
        task_labels("ward", table, missing)


@every_kind
def test_known_labels_are_counted_and_weighted(task, labels):
    encoded = task.encode(labels)
    counts = task.class_counts(encoded)
    assert counts.sum() == label_is_known(encoded).sum()
    assert str(counts.sum()) in task.counts_text(counts) or len(counts) > 1
    assert not task.class_counts(encoded[:0]).sum()
    weights = task.label_weights(encoded, counts)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, np.ones(encoded.shape))


@every_kind
def test_folds_have_their_fraction_of_every_stratum(task, kind, labels):
    strata = task.strata(labels)
    unknown = ~label_is_known(labels).reshape(N, -1).any(axis=1)
    assert strata.shape == (N,)
    np.testing.assert_array_equal(strata == "unknown", unknown)
    assert len(set(strata)) > 2
    many = labels_of(kind, 240)
    names = [f"{i:03d}" for i in range(240)]
    table = {kind: many, "image_id": np.array(names), "patient_id": np.array(names)}
    folds = assign_folds({"ward": table}, [task], 3, seed=0)
    strata = task.strata(many)
    for stratum in set(strata):
        counts = np.bincount(folds[strata == stratum], minlength=3)
        assert np.ptp(counts) <= 1 or counts.sum() < 3


# What the words of `prediction` in model.json say, from probabilities (n, k).
RULES = {
    "argmax": lambda chances: np.argmax(chances, axis=1),
    "median": lambda chances: np.argmax(np.cumsum(chances, axis=1) >= 0.5, axis=1),
    "threshold 0.5": lambda chances: (chances > 0.5).astype(int),
    "value": lambda chances: chances[:, 0],
}


@every_kind
def test_the_prediction_follows_from_the_probabilities_by_the_stated_rule(task, kind):
    chances = task.probabilities(logits_of(task, 200))
    rule = task.description()["prediction"]
    np.testing.assert_array_equal(task.prediction(chances), RULES[rule](chances))


def test_the_median_class_may_be_the_least_probable_one():
    task, chances = task_of("ordinal"), np.array([[0.45, 0.1, 0.45]])
    assert RULES[task.prediction_rule](chances).tolist() == [1]
    assert task.prediction(chances).tolist() == [1]


@every_kind
def test_a_fitted_task_is_trained_like_the_declared_one(task, labels):
    """Whatever it takes from the labels: same classes, other numbers, JSON and back."""
    encoded = task.encode(labels)
    fitted = task.fitted(encoded)
    assert type(fitted) is type(task) and fitted.n_outputs == task.n_outputs
    assert task.fitted(encoded[:0]) == task
    again = make_task(**json.loads(json.dumps(fitted.to_plain())))
    assert again == fitted and again.description() == fitted.description()
    json.dumps(fitted.description(), allow_nan=False)
    np.testing.assert_array_equal(fitted.encode(labels), encoded)
    target, known = fitted.targets(labels)
    assert not target[~known].any() and np.isfinite(target).all()
    if not task.is_standardized:
        assert fitted is task
    # The output that hits the target is the label, in its unit.
    if task.n_classes == 0:
        value = fitted.prediction(fitted.probabilities(target))
        np.testing.assert_allclose(value[known], encoded[known], rtol=1e-6)
        assert fitted.scale == pytest.approx(np.std(encoded[known]))


# Loss.


@every_loss
def test_every_loss_ends_in_the_true_answer(kind, loss, labels):
    """Plain descent on the logits predicts every known label."""
    task = task_of(kind, loss=loss)
    encoded = task.encode(labels)
    task = task.fitted(encoded)
    target, known = task.targets(labels)
    logits = tf.Variable(np.zeros((N, task.n_outputs), np.float32))
    weights = known.astype(np.float32)
    values = TaskLoss(task, reduction=None)(target, logits)
    assert values.shape == known.shape

    @tf.function
    def descend():
        with tf.GradientTape() as tape:
            value = keras.ops.sum(
                TaskLoss(task, reduction=None)(target, logits, weights)
            )
        logits.assign_sub(0.5 * tape.gradient(value, logits))

    for _ in range(300):
        descend()
    found = task.prediction(task.probabilities(logits.numpy()))
    np.testing.assert_allclose(found[known], encoded[known], atol=0.01)


@every_kind
def test_the_loss_is_one_value_a_label_and_that_of_the_probabilities(task, labels):
    target, known = task.targets(labels)
    # Falling, since those of an ordered kind could cross.
    logits = np.sort(logits_of(task, N))[:, ::-1]
    losses = np.asarray(TaskLoss(task, reduction=None)(target, logits))
    assert losses.shape == known.shape and np.isfinite(losses).all()
    encoded, chances = task.encode(labels), task.probabilities(logits)
    answers = task.answers(encoded, chances)
    expected = [
        component.row_loss(own[label_is_known(own)], p[label_is_known(own)])
        for component, own, p in answers
    ]
    found = (
        [values[k] for values, k in zip(losses.T, known.T, strict=True)]
        if (losses.ndim > 1)
        else [losses[known]]
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("poison", [0.0, 1e6, -7.0])
@every_loss
def test_unknown_targets_cannot_matter(kind, loss, labels, poison):
    """Neither in the loss nor in its gradient, label by label."""
    task = task_of(kind, loss=loss)
    task = task.fitted(task.encode(labels))
    target, known = task.targets(labels)
    poisoned = target.copy()
    is_index = target.dtype.kind == "i"
    poisoned[~known] = int(poison > 0) if is_index else poison
    weights, logits = known.astype(np.float32), tf.constant(logits_of(task, N))

    def step(target):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = TaskLoss(task)(target, logits, weights)
        metric = MaskedLoss(task)
        metric.update_state(target, logits, weights)
        return loss.numpy(), tape.gradient(loss, logits).numpy(), metric.result()

    expected, received = step(target), step(poisoned)
    for one, other in zip(expected, received, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)


@every_kind
def test_two_devices_take_the_same_step_as_one(two_cpus, task, labels):
    target, known = task.targets(labels)
    images = np.random.default_rng(1).normal(size=(N, 5)).astype(np.float32)
    rows = images, {task.name: target}, {task.name: known.astype(np.float32)}

    def fitted(devices):
        keras.utils.set_random_seed(0)
        with build_strategy(devices).scope():
            inputs = keras.Input((5,))
            layer = keras.layers.Dense(task.n_outputs, name=task.name)
            model = keras.Model(inputs, {task.name: layer(inputs)})
            metrics = compile_model(model, [task], keras.optimizers.SGD(0.01))
        batches = tf.data.Dataset.from_tensor_slices(rows).batch(8)
        loss = model.fit(batches, verbose=0, shuffle=False).history["loss"]
        return [*model.get_weights(), loss, float(metrics[task.name].result())]

    for one, two in zip(fitted(["CPU:0"]), fitted(two_cpus), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)


# Answers.


@every_kind
def test_numpy_and_the_graph_give_the_same_probabilities(task, labels):
    task, logits = task.fitted(task.encode(labels)), logits_of(task, N)
    expected = task.probabilities(logits)
    assert expected.dtype == np.float64
    assert expected.shape == (N, task.n_classes or 1)

    @tf.function(input_signature=[tf.TensorSpec((None, task.n_outputs), tf.float32)])
    def in_graph(logits):
        return task.probabilities(logits, ops=keras.ops)

    np.testing.assert_allclose(in_graph(logits), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
@every_loss
def test_extreme_logits_have_finite_losses_and_gradients(kind, loss, labels, logit):
    """All equal, or one far above the others."""
    task = task_of(kind, loss=loss)
    task = task.fitted(task.encode(labels))
    target, known = task.targets(labels)
    equal = np.full((N, task.n_outputs), logit, np.float32)
    one = np.where(np.arange(task.n_outputs) == 0, equal, 0).astype(np.float32)
    for logits in map(tf.constant, (equal, one)):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = TaskLoss(task)(target, logits, known.astype(np.float32))
        assert np.isfinite(value) and np.isfinite(tape.gradient(value, logits)).all()
        assert np.isfinite(task.reported_loss(target, logits, keras.ops)).all()


@pytest.mark.parametrize("logit", [-1e4, 1e4])
@every_kind
def test_extreme_logits_have_finite_probabilities_and_losses(task, labels, logit):
    encoded, (target, known) = task.encode(labels), task.targets(labels)
    logits = np.full((N, task.n_outputs), logit, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chances = task.probabilities(logits)
        metrics = task_metrics(task, encoded, chances)
    assert np.isfinite(chances).all() and np.isfinite(metrics["loss"])
    np.testing.assert_allclose(
        task.probabilities(tf.constant(logits), ops=keras.ops), chances, rtol=1e-12
    )
    loss = TaskLoss(task)(target, logits, known.astype(np.float32))
    assert np.isfinite(loss.numpy())


@every_kind
def test_a_table_of_predictions_keeps_everything(kind, task, labels, chances, tmp_path):
    encoded = task.encode(labels)
    assert task.prediction(chances).shape == encoded.shape
    table = predictions.prediction_table(task, rows(), encoded, chances)
    assert len(table) == N * len(task.components)
    predictions.write(table, tmp_path / "predictions.csv")
    read = predictions.read(tmp_path / "predictions.csv")
    known = predictions.labelled_rows(read, task)
    assert len(known) == label_is_known(encoded).sum()
    expected = task_metrics(task, encoded, chances)
    found = predictions.metrics_of(read, [task])["test"][kind]
    assert found == pytest.approx(expected, abs=1e-12)
    assert found["n"] == len(known) and not np.isnan(list(found.values())).any()


@every_kind
def test_metrics_are_shown_and_select(task, labels, chances):
    encoded = task.encode(labels)
    computed = task_metrics(task, encoded, chances)
    for names in (headline(task), compared(task), selecting(task)):
        assert names and set(names) <= set(computed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = task_metrics(task, encoded[:0], chances[:0])
    assert nothing.pop("n") == 0 and np.isnan(list(nothing.values())).all()


@every_kind
def test_metrics_have_intervals_whatever_the_order_of_rows(task, kind):
    encoded = task.encode(labels_of(kind, 120))
    chances = task.probabilities(logits_of(task, 120))
    table = predictions.prediction_table(task, rows(120), encoded, chances)
    known = predictions.labelled_rows(table, task)
    found = bootstrap_intervals(task, [known], resamples=100)
    assert set(found) == set(task_metrics(task, encoded, chances)) - {"n"}
    mean = task_metrics(task, encoded, chances)["loss"]
    assert found["loss"].low < mean < found["loss"].high
    shuffled = known.sample(frac=1, random_state=0)
    assert bootstrap_intervals(task, [shuffled], resamples=100) == found


# Text, pictures and maps.


@every_kind
def test_a_batch_is_drawn_with_its_targets(task, labels):
    target, known = task.targets(labels)
    texts = [task.target_text(target[row], known[row]) for row in range(N)]
    assert all(texts) and len(set(texts)) > 1
    images = np.zeros((N, 8, 8, 1), np.float32)
    weights = {task.name: known.astype(np.float32)}
    predicted = {task.name: task.probabilities(logits_of(task, N))}
    pictures = draw_examples(
        images, {task.name: target}, weights, predicted, [task], "note"
    )
    assert pictures.dtype == np.uint8 and pictures.shape[::3] == (8, 3)
    # The texts differ, the images do not.
    assert len({picture.tobytes() for picture in pictures}) > 1


@every_kind
def test_a_map_has_a_score_with_a_gradient_and_words(task, labels, chances):
    explained = task.explained(chances)
    names = task.map_targets
    assert (explained is None) == (not names)
    logits = tf.constant(logits_of(task, N))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        score = task.score(logits, explained, keras.ops)
    assert score.shape == (N,)
    gradient = tape.gradient(score, logits).numpy()
    assert gradient.any(axis=1).all()
    encoded = task.encode(labels)
    for row in range(N):
        target = None if explained is None else int(explained[row])
        for label in (encoded[row], None):
            facts = task.explanation(chances[row], label, target)
            assert set(facts) == {
                *("class_explained", "predicted", "probability", "true_class")
            }
            assert facts["predicted"] and facts["class_explained"]
            assert facts["probability"] is None or 0 <= facts["probability"] <= 1
        assert facts["true_class"] == ""
        assert task.explained_words(target)


@every_kind
def test_whether_a_baseline_can_predict_it(task):
    problem = task.baseline_problem()
    assert problem is None or problem.endswith(".")
    # A baseline fits the classes of single labels.
    assert (problem is None) == (task.n_classes > 1 and task.label_shape == ())
