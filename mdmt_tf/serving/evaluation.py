"""The metrics of a finished run again, from what it exported and the prepared data."""

import math
import os

import numpy as np

from mdmt_tf import config as configuration
from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs, check_same_data, open_inputs
from mdmt_tf.data.normalize import to_unit
from mdmt_tf.data.samples import Samples
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving.export import ServedModel
from mdmt_tf.training import trainer

# Keras and the SavedModel may differ by 1e-5 in a probability, so may the metrics.
TOLERANCE = 1e-5


def reproduce(run: RunFolder, data_dir: str | os.PathLike | None = None) -> list[str]:
    """Predict all images of the run again and compare the metrics.

    With its SavedModel; with the weights of its best epoch where the settings say that
    none was to be exported.

    Args:
        run: a finished run.
        data_dir: where the prepared data are; None for where they were in training.
    Returns: what differs from `metrics.json` by more than `TOLERANCE`, a line each.
    Raises: DataError when the data are not those of the run, or files are missing.
    """
    overrides = [] if data_dir is None else [f"data_dir={os.fspath(data_dir)}"]
    config: Config = configuration.load(str(run.config), overrides)
    inputs = open_inputs(config, run.split)
    check_same_data(inputs, run.read_json(run.manifest), run.path)
    if config.training.saved_model:
        model, ask = ServedModel(run.saved_model), predict
    else:
        model, ask = trainer.build(config, inputs.tasks), trainer.predict
        model.load_weights(run.best_weights)
    probabilities = {
        part: ask(model, samples, inputs, config)
        for part, samples in inputs.parts.items()
        if len(samples)
    }
    table = predictions.gather(inputs.parts, probabilities, inputs.split.fold)
    return compare(
        expected=run.read_json(run.metrics),
        received=predictions.metrics_of(table, inputs.tasks),
    )


def predict(
    served: ServedModel, samples: Samples, inputs: Inputs, config: Config
) -> dict[str, np.ndarray]:
    """{task: probabilities (n, classes)} of samples, in their order."""
    batches, batch_size = [], config.training.batch_size
    for start in range(0, len(samples), batch_size):
        numbers = samples.image[start : start + batch_size]
        images = to_unit(inputs.images.gather(numbers)).numpy()
        batches.append(served.predict(images))
    return {
        task.name: np.concatenate([batch[task.name] for batch in batches])
        for task in inputs.tasks
    }


def compare(expected: dict, received: dict) -> list[str]:
    """Differences of two {split: {task: {metric: value}}}; null is NaN."""
    lines = []
    for split, tasks in expected.items():
        for task, metrics in tasks.items():
            for name, value in metrics.items():
                other = received.get(split, {}).get(task, {}).get(name, math.nan)
                value = math.nan if value is None else value
                both_undefined = math.isnan(value) and math.isnan(other)
                if not both_undefined and not abs(value - other) <= TOLERANCE:
                    lines.append(f"{split} {task} {name}: {value:.6g}, now {other:.6g}")
    return lines
