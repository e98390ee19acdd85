"""A warning before training where the validation split can choose no epoch."""

import warnings

import numpy as np

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.errors import DataWarning
from mdmt_tf.metrics.computation import labelled_answers
from mdmt_tf.metrics.text import plural
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import with_derived
from mdmt_tf.training.judging import metrics_of

# Mean logits: mixed, all high (a positive prediction for each row), all low, mixed.
_MEANS = (0.0, 9.0, -9.0, 0.0)


def warn_of_undefined(config: Config, inputs: Inputs) -> None:
    """Warn if the metric of `training.select_on` is undefined whatever is predicted.

    That follows from the labels of the validation split, such as those of one class for
    an AUC. The metric is computed of random predictions, as after an epoch.
    """
    selection, samples = config.training.select_on, inputs.samples["validation"]
    answer = next(own for own in inputs.answers if own.name == selection.task)
    labels = samples.labels_of(answer)
    rows = samples.rows.assign(split="validation", fold=inputs.split.fold)
    generator = np.random.default_rng(0)
    for mean in _MEANS:
        predicted = {
            task.name: task.probabilities(
                generator.normal(mean, size=(len(samples), task.n_outputs))
            )
            for task in inputs.tasks
        }
        chances = with_derived(predicted, inputs.derived)[answer.name]
        metrics = metrics_of(answer, rows, labels, chances, config.pipeline.weight_by)
        if not np.isnan(metrics[selection.metric]):
            return
    other = "metric to loss" if metrics["n"] else "task to another task"
    warnings.warn(
        f"training.select_on.metric = {selection.metric}: it is not defined for "
        f"{answer.name} on the validation split "
        f"({_labels_text(answer, labels, chances)}), so no epoch can be chosen: "
        "training does not stop early, and the last epoch is kept. Set "
        f"training.select_on.{other}, or take another fold or split.",
        DataWarning,
        stacklevel=2,
    )


def _labels_text(answer: Answer, labels: np.ndarray, chances: np.ndarray) -> str:
    """The labels of each component of which a class, or a second value, is missing."""
    texts = []
    for component, known, _ in labelled_answers(answer, labels, chances):
        values, names = np.unique(known), component.class_names
        missing = [name for index, name in enumerate(names) if index not in values]
        text = f"labels of {plural(len(known), 'image')}"
        if not len(values):
            text = "no label"
        elif len(values) == 1:
            text += f", all {names[int(values[0])] if names else f'{values[0]:g}'}"
        elif missing:
            text += f", none {' or '.join(missing)}"
        elif component.name != answer.name:
            continue
        texts.append(text)
        if component.name != answer.name:
            texts[-1] = f"{component.name}: {text}"
    return "; ".join(texts)
