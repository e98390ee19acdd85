"""The learning rate on a plateau: epochs counted by hand, with torch's rules."""

import json
import types

import keras
import numpy as np
import pytest

from mdmt_tf.config.schema import PlateauSection
from mdmt_tf.tasks import make_task
from mdmt_tf.training.plateau import Plateau, count_labels, total_loss

NAN = float("nan")


def rates(values, metric="loss", **settings):
    """The rate after each epoch, from 1.0, when the metric takes these values."""
    plateau = Plateau(PlateauSection(**settings), "prognosis", metric)
    optimizer = types.SimpleNamespace(learning_rate=1.0)
    plateau.set_model(types.SimpleNamespace(optimizer=optimizer))
    result = []
    for epoch, value in enumerate(values):
        plateau.on_epoch_end(epoch, {f"validation/prognosis/{metric}": value})
        result.append(float(optimizer.learning_rate))
    return result


def test_rates_match_the_pytorch_traces(torch_traces):
    plateau = torch_traces["plateau"]
    assert len(plateau["traces"]) == 4
    for options, expected in plateau["traces"].items():
        settings = json.loads(options.replace("min_lr", "min_learning_rate"))
        received = rates(plateau["losses"], **settings)
        np.testing.assert_allclose(received, expected, rtol=1e-12, err_msg=options)


def test_patience_epochs_are_borne_and_the_next_lowers_the_rate():
    # Best in epoch 0, then bad epochs 1, 2 (borne), 3 (lowers), 4, 5, 6 (lowers).
    assert rates([1.0] * 7, factor=0.5, patience=2) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_an_improvement_begins_the_count_anew():
    values = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5]
    assert rates(values, factor=0.5, patience=2) == [1, 1, 1, 1, 1, 1, 0.5]


def test_the_threshold_is_relative():
    # 0.995 is not below 1.0 * (1 - 0.01); 0.98 is.
    settings = {"factor": 0.5, "patience": 0, "threshold": 0.01}
    assert rates([1.0, 0.995], **settings) == [1, 0.5]
    assert rates([1.0, 0.98], **settings) == [1, 1]
    assert rates([100.0, 99.5], **settings) == [1, 0.5]


def test_metrics_that_should_rise():
    settings = {"factor": 0.5, "patience": 0}
    assert rates([0.6, 0.7, 0.65], metric="auc", **settings) == [1, 1, 0.5]


def test_the_rate_stops_at_the_least():
    received = rates([1.0] * 4, factor=0.1, patience=0, min_learning_rate=0.05)
    np.testing.assert_allclose(received, [1, 0.1, 0.05, 0.05])


def test_a_change_too_small_is_not_made():
    # torch's eps: 1e-8.
    received = rates([1.0] * 3, factor=0.5, patience=0, min_learning_rate=1 - 5e-9)
    assert received == [1, 1, 1]


def test_an_epoch_without_a_defined_metric_does_not_count():
    assert rates([NAN] * 5, metric="auc", factor=0.5, patience=0) == [1] * 5
    # The bad epochs are 2 and 4; the second one lowers the rate.
    values = [NAN, 0.5, 0.5, NAN, 0.5, NAN]
    assert rates(values, factor=0.5, patience=1) == [1, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_it_goes_on_after_an_interruption(cut):
    values = [1.0, 0.9, 0.95, 0.92, 0.91, 0.8, 0.85, 0.86]
    settings = PlateauSection(factor=0.5, patience=1)
    whole = rates(values, factor=0.5, patience=1)
    first, second = (Plateau(settings, "prognosis", "loss") for _ in range(2))
    optimizer = types.SimpleNamespace(learning_rate=1.0)
    for epoch, value in enumerate(values):
        plateau = first if epoch < cut else second
        if epoch == cut:
            second.progress = dict(first.progress)
        plateau.set_model(types.SimpleNamespace(optimizer=optimizer))
        plateau.on_epoch_end(epoch, {"validation/prognosis/loss": value})
    assert float(optimizer.learning_rate) == whole[-1]


def logs_of(**losses):
    return {f"validation/{name}/loss": loss for name, loss in losses.items()}


def test_the_total_is_the_mean_over_labelled_rows_with_the_weights_of_the_tasks():
    tasks = [
        make_task(kind="binary", name="prognosis", weight=2.0),
        make_task(kind="regression", name="age"),
        make_task(kind="multilabel", name="findings", classes=("a", "b", "c")),
    ]
    # 60 labels of three findings are 20 rows.
    labels = {"prognosis": 10, "age": 30, "findings": 60}
    logs = logs_of(prognosis=0.5, age=3.0, findings=0.1)
    expected = (2 * 10 * 0.5 + 30 * 3.0 + 20 * 0.1) / (10 + 30 + 20)
    assert total_loss(logs, tasks, labels) == pytest.approx(expected)
    nothing = dict.fromkeys(labels, 0)
    logs = logs_of(prognosis=NAN, age=3.0, findings=NAN)
    assert total_loss(logs, tasks, nothing | {"age": 30}) == 3.0
    assert np.isnan(total_loss(logs_of(), tasks, nothing))


def test_labels_are_counted_by_image(samples):
    found = count_labels(samples["validation"])
    for name, labels in samples["validation"].labels.items():
        assert found[name] == (labels >= 0).sum() > 0


def test_the_total_has_numbers_as_they_are_trained():
    age = make_task(kind="regression", name="age").fitted(np.array([30.0, 50.0]))
    # 8 years of error are 0.8 std: half of 0.64.
    logs = logs_of(age=64.0)
    assert total_loss(logs, [age], {"age": 5}) == pytest.approx(0.32)
    targets, known = age.targets(np.array([40.0]))
    trained = age.training_loss(targets, np.array([[0.8]], np.float32), keras.ops)
    assert known.all() and float(trained[0]) == pytest.approx(0.32)


def test_the_plateau_may_follow_the_total_while_another_metric_selects():
    """The selected metric improves, and the total does not."""
    tasks = [make_task(kind="binary", name=name) for name in ("prognosis", "severity")]
    received = {}
    for follows in ("selected", "total"):
        settings = PlateauSection(follows=follows, factor=0.5, patience=0)
        labels = {"prognosis": 10, "severity": 40}
        plateau = Plateau(settings, "prognosis", "auc", tasks, labels)
        optimizer = types.SimpleNamespace(learning_rate=1.0)
        plateau.set_model(types.SimpleNamespace(optimizer=optimizer))
        for epoch, auc in enumerate((0.6, 0.7, 0.8)):
            logs = logs_of(prognosis=0.5, severity=1.0 + epoch)
            plateau.on_epoch_end(epoch, {**logs, "validation/prognosis/auc": auc})
        received[follows] = float(optimizer.learning_rate)
    assert received == {"selected": 1.0, "total": 0.25}
