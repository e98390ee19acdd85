"""Validation metrics that may choose the epoch, by kind of task.

Which of them should go down is in `mdmt_tf.metrics.formulas`.
"""

from mdmt_tf.tasks import Kind

_OF_CLASSES = (
    "loss",
    "accuracy",
    "balanced_accuracy",
    "g_mean",
    "auc",
    "brier",
    "f1",
    "f1_macro",
    "f1_weighted",
)
SELECTION_METRICS = {
    Kind.CATEGORICAL: _OF_CLASSES,
    Kind.BINARY: (*_OF_CLASSES, "recall", "specificity", "precision", "npv"),
    Kind.ORDINAL: (*_OF_CLASSES, "kappa", "ordinal_index", "mae", "rmse"),
    Kind.REGRESSION: ("loss", "mae", "rmse", "r2"),
}
