"""Models saved as `.keras` files load where only the documented module is imported."""

import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
from task_kinds import EXAMPLES, labels_of, task_of
from weighted_networks import fitted_model, precision

from mdmt_tf.tasks import KINDS
from mdmt_tf.training.optimizers import build_optimizer

# Every loss of every kind, as fitted on labels.
TASKS = tuple(
    dataclasses.replace(
        task_of(kind, weight=0.5, loss=loss).fitted(
            task_of(kind).encode(labels_of(kind, 12))
        ),
        name=f"{kind}_{loss}",
    )
    for kind in KINDS
    for loss in KINDS[kind].losses
)
ROWS = 12

# As a user's script; nothing else of the package is imported.
SCRIPT = """
import sys
import keras
import numpy as np
import mdmt_tf.training.keras_objects

def check(path):
    stored = dict(np.load(path.replace(".keras", ".npz")))
    for compiled in (False, True):
        model = keras.models.load_model(path, compile=compiled)
        logits = model.predict(stored["image"], verbose=0)
        for task in logits:
            np.testing.assert_array_equal(logits[task], stored[f"logits.{task}"])

    def pick(word):
        return {task: stored[f"{word}.{task}"] for task in logits}

    if "loss" in stored:
        batch = dict(x=stored["image"], y=pick("target"), sample_weight=pick("weight"))
        found = model.evaluate(**batch, verbose=0, return_dict=True)
        np.testing.assert_allclose(found["loss"], stored["loss"], rtol=1e-5)
        masked = sorted(value for name, value in found.items() if "masked_loss" in name)
        np.testing.assert_allclose(masked, stored["masked"], rtol=1e-5)
        model.train_on_batch(**batch)
        assert int(model.optimizer.iterations) == 2
        for number, value in enumerate(model.get_weights()):
            np.testing.assert_allclose(value, stored[f"after.{number}"], atol=1e-6)
    else:
        assert not model.compiled

policy, *paths = sys.argv[1:]
keras.config.set_dtype_policy(policy)
for path in paths:
    check(path)
    print(path)
"""


def batch():
    generator = np.random.default_rng(0)
    images = generator.normal(size=(ROWS, 6, 6, 3)).astype("float32")
    targets, weights = {}, {}
    for task in TASKS:
        target, known = task.targets(labels_of(task.kind, ROWS))
        targets[task.name], weights[task.name] = target, known.astype("float32")
    return images, targets, weights


def save(fitted, model, path):
    """Save after one step, with what the loaded model must answer and do next."""
    images, targets, weights = batch()
    fitted.train_on_batch(images, targets, weights)
    fitted.save(path)
    stored = {"image": images}
    for word, values in (
        ("logits", model.predict(images, verbose=0)),
        ("target", targets),
        ("weight", weights),
    ):
        stored |= {f"{word}.{name}": value for name, value in values.items()}
    if model is fitted:
        logged = model.evaluate(
            images, targets, sample_weight=weights, verbose=0, return_dict=True
        )
        masked = [value for name, value in logged.items() if "masked_loss" in name]
        assert len(masked) == len(TASKS)
        stored |= {"loss": logged["loss"], "masked": sorted(masked)}
        model.train_on_batch(images, targets, weights)
        after = enumerate(model.get_weights())
        stored |= {f"after.{number}": value for number, value in after}
    np.savez(path.with_suffix(".npz"), **stored)


def load_elsewhere(policy, *paths):
    """Check files in another process; its output has the paths that passed."""
    command = [sys.executable, "-c", SCRIPT, policy, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """Files of models in single precision, and what the other process says."""
    folder = tmp_path_factory.mktemp("models")
    compiled, within = folder / "compiled.keras", folder / "within.keras"
    save_compiled(compiled)
    model, fitted = fitted_model(
        "uncertainty", lambda: keras.optimizers.SGD(0.1), tasks=TASKS
    )
    save(fitted, model, within)
    return compiled, within, load_elsewhere("float32", compiled, within)


def save_compiled(path, scale=None):
    model, fitted = fitted_model(
        "fixed", lambda: build_optimizer("adam", 0.01, 1e-2), tasks=TASKS
    )
    if scale is not None:
        model.optimizer.dynamic_scale.assign(scale)
    save(fitted, model, path)


def test_every_kind_of_task_is_saved():
    assert {task.kind for task in TASKS} == set(EXAMPLES)


def test_a_compiled_model_loads_with_its_losses_and_optimizer(single):
    compiled, _, result = single
    assert str(compiled) in result.stdout.splitlines(), result.stderr


def test_a_model_with_learned_weights_is_saved_without_them(single):
    """What is fitted saves the model within, which was never compiled."""
    _, within, result = single
    assert str(within) in result.stdout.splitlines(), result.stderr


@pytest.mark.large
def test_a_model_of_mixed_precision_loads_with_its_optimizer(tmp_path):
    path = tmp_path / "model.keras"
    with precision("mixed_float16"):
        # With the first scale of Keras, some steps would be left out.
        save_compiled(path, scale=256.0)
    result = load_elsewhere("mixed_float16", path)
    assert result.returncode == 0, result.stderr
