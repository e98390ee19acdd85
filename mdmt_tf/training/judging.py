"""Metrics of some samples after each epoch, and what they were computed from."""

import numpy as np
import pandas as pd

from mdmt_tf.data.samples import Samples
from mdmt_tf.metrics.computation import labelled_answers, metrics_of_answers
from mdmt_tf.runs import predictions
from mdmt_tf.runs.patients import metrics_for_patients
from mdmt_tf.tasks import Answer
from mdmt_tf.training.fit import Fit, predict


class Judge:
    """Exact metrics of each answer on the samples of one split.

    Args:
        fit: the fit.
        model: model of the validation, with the weights that are trained.
        split: name of the split.
        samples: its rows.
    Attributes:
        answers: answer -> its components with their known labels and probabilities, see
            `labelled_answers`, of the last call; always of images.
    """

    def __init__(self, fit: Fit, model, split: str, samples: Samples):
        self._fit, self._model, self._samples = fit, model, samples
        self._rows = samples.rows.assign(split=split, fold=fit.inputs.split.fold)
        self.answers: dict[str, list] = {}

    def __call__(self) -> dict[str, dict[str, float]]:
        """answer -> metric -> value."""
        fit, samples = self._fit, self._samples
        probabilities = predict(self._model, samples, fit.inputs, fit.config)
        metrics = {}
        for task in fit.inputs.answers:
            labels, chances = samples.labels_of(task), probabilities[task.name]
            self.answers[task.name] = labelled_answers(task, labels, chances)
            metrics[task.name] = metrics_of(
                task, self._rows, labels, chances, fit.config.pipeline.weight_by
            )
        return metrics


def metrics_of(
    answer: Answer,
    rows: pd.DataFrame,
    labels: np.ndarray,
    chances: np.ndarray,
    weight_by: str,
) -> dict[str, float]:
    """The metrics of one answer by which the epoch is selected.

    Args:
        rows: of the samples, with the columns split and fold.
        labels, chances: see `labelled_answers`.
        weight_by: "image" or "patient", see `metrics_for_patients`.
    """
    if weight_by == "patient":
        table = predictions.prediction_table(answer, rows, labels, chances)
        return metrics_for_patients(predictions.labelled_rows(table, answer), answer)
    return metrics_of_answers(labelled_answers(answer, labels, chances))
