"""Figures of merit, computed exactly on gathered predictions.

Keras' streaming metrics ignore sample weights unless told, approximate the AUC with 200
thresholds and report 0 where nothing was labelled. Here everything comes from the whole
list of labelled rows, so any figure can be computed again from `predictions.csv`.
NaN stands for "not defined on these rows".
"""

import numpy as np
from sklearn import metrics as sklearn_metrics

from mdmt_tf.tasks import Kind, Task

# Below the smallest normal float32 a probability is rounding; bounds the loss of one
# row by 87.3.
_SMALLEST = float(np.finfo(np.float32).tiny)


def task_metrics(
    task: Task, targets: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """All figures of one task.

    Args:
        task: decides what is computed.
        targets: (n,) class indices, or values for regression; labelled rows only.
        probabilities: (n, n_classes), or (n, 1) values for regression.
    Returns:
        n: rows counted (int).
        loss: cross-entropy of the true class in nats, or the mean squared error.
        Classes: accuracy; f1, of the positive (last) class when there are two, else
        the mean over classes (macro); f1_macro; g_mean, the geometric mean of the
        recalls; balanced_accuracy, their arithmetic mean, both over the classes
        present in `targets`; auc, of the positive class, or the mean of one-versus-rest
        over all classes, NaN unless every class is present. Ordinal also mae, in
        classes. Regression: mae, rmse, r2.
    """
    targets = np.asarray(targets)
    probabilities = np.asarray(probabilities, np.float64)
    predictions = task.to_prediction(probabilities)
    if task.kind is Kind.REGRESSION:
        return _regression(targets.astype(np.float64), predictions)
    result = _classification(task, targets.astype(np.int64), predictions, probabilities)
    if task.kind is Kind.ORDINAL:
        result["mae"] = _mean(np.abs(predictions - targets))
    return result


def confusion_matrix(
    task: Task, targets: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Counts (n_classes, n_classes): row the true class, column the predicted one."""
    counts = np.zeros((task.n_classes, task.n_classes), np.int64)
    np.add.at(counts, (np.asarray(targets, int), np.asarray(predictions, int)), 1)
    return counts


def improves(metric: str, value: float, best: float) -> bool:
    """Whether `value` is better than `best`; NaN never is, anything beats NaN."""
    if np.isnan(value):
        return False
    if np.isnan(best):
        return True
    return value < best if metric in ("loss", "mae", "rmse") else value > best


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _classification(task, targets, predictions, probabilities) -> dict[str, float]:
    counts = confusion_matrix(task, targets, predictions)
    hits, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    present = support > 0
    recalls = hits[present] / support[present]
    # A class neither present nor predicted has no F1; it takes no part in the mean.
    either = (support + called) > 0
    f1 = 2 * hits[either] / (support + called)[either]
    if task.n_classes == 2:
        positive = 2 * hits[1] / (support + called)[1] if either[1] else float("nan")
    else:
        positive = _mean(f1)
    chosen = np.maximum(probabilities[np.arange(len(targets)), targets], _SMALLEST)
    n = len(targets)
    return {
        "n": n,
        "loss": _mean(-np.log(chosen)),
        "accuracy": _mean(predictions == targets),
        "f1": float(positive) if n else float("nan"),
        "f1_macro": _mean(f1),
        "g_mean": float(np.prod(recalls) ** (1 / len(recalls))) if n else float("nan"),
        "balanced_accuracy": _mean(recalls),
        "auc": _auc(task, targets, probabilities) if present.all() else float("nan"),
    }


def _auc(task, targets, probabilities) -> float:
    areas = [
        sklearn_metrics.roc_auc_score(targets == index, probabilities[:, index])
        for index in range(task.n_classes)
    ]
    return float(areas[1] if task.n_classes == 2 else np.mean(areas))


def _regression(targets, predictions) -> dict[str, float]:
    errors = predictions - targets
    spread = np.sum((targets - _mean(targets)) ** 2) if len(targets) else 0.0
    return {
        "n": len(targets),
        "loss": _mean(errors**2),
        "mae": _mean(np.abs(errors)),
        "rmse": float(np.sqrt(_mean(errors**2))),
        "r2": float(1 - np.sum(errors**2) / spread) if spread > 0 else float("nan"),
    }
