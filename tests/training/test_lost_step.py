"""What is said about a step that loses its numbers."""

import re
import types

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mdmt_tf.data.sampling import epoch_batches, plan_draws
from mdmt_tf.tasks import make_task
from mdmt_tf.training.lost_step import describe, listed, tasks_of

TASKS = [make_task(name=name, kind="binary") for name in ("death", "severe")]


def fit_of(count=10, size=4):
    """What `describe` reads of a fit."""
    ids = [f"i{row}" for row in range(count)]
    samples = types.SimpleNamespace(
        rows=pd.DataFrame({"dataset": "ward", "image_id": ids})
    )
    draws = plan_draws(np.zeros(count, int))
    training = types.SimpleNamespace(batch_size=size, learning_rate=0.5)
    return types.SimpleNamespace(
        training_set=types.SimpleNamespace(draws=draws, samples=samples),
        config=types.SimpleNamespace(training=training, seed=3),
        inputs=types.SimpleNamespace(tasks=TASKS),
    )


def described(fit, step, pixels=None, targets=None, weights=None):
    """The text, and the images of the step."""
    size, steps = 4, 3
    epoch, place = divmod(step, steps)
    asked = []

    def batches(*request):
        asked.append(request)
        inputs = np.ones((size, 2, 2, 1), np.float32)
        names = [task.name for task in TASKS]
        of_tasks = [{name: np.ones(size, np.float32) for name in names} for _ in "ab"]
        if pixels is not None:
            inputs[pixels] = np.nan
        if targets is not None:
            of_tasks[0]["severe"][targets] = np.inf
        if weights is not None:
            of_tasks[1]["death"][weights] = np.nan
        return tf.data.Dataset.from_tensors((inputs, *of_tasks))

    text = describe(fit, batches, step, ["stem/kernel", "severe.hidden1/bias"])
    assert asked == [(epoch, epoch + 1, place)]
    draws = fit.training_set.draws
    order = epoch_batches(draws, batch_size=size, seed=3, epoch=epoch)
    return text, [f"ward/i{row}" for row in order.index[place]]


def test_finite_input_means_that_training_diverged():
    text, images = described(fit_of(), step=5)
    assert "in epoch 2, step 3 of 3" in text
    assert "stem/kernel, severe.hidden1/bias" in text and "of task severe" in text
    # The last batch is filled with other images.
    assert re.search(r"\((.*?)\)", text)[1] == ", ".join(dict.fromkeys(images))
    assert "learning_rate (now 0.5)" in text


@pytest.mark.parametrize("value", ["pixels", "targets", "weights"])
def test_the_image_with_the_lost_value_is_named_alone(value):
    text, images = described(fit_of(), 1, **{value: 2})
    named = {name for name in set(images) if re.search(rf"{name}\b", text)}
    assert named == {images[2]}
    assert "learning_rate" not in text


def test_tasks_are_those_of_the_heads_or_all():
    assert tasks_of(["death/kernel", "stem/kernel"], TASKS) == ["death"]
    assert tasks_of(["stem/kernel"], TASKS) == ["death", "severe"]
    # A task whose name begins like another one is not that one.
    assert tasks_of(["death2/kernel"], TASKS) == ["death", "severe"]


def test_names_are_listed_once_and_not_without_end():
    assert listed(["a", "a", "b"]) == "a, b"
    assert listed([str(n) for n in range(10)]).endswith("7 and 2 more")
