"""All metrics of a task at once."""

from collections.abc import Iterable

import numpy as np

from mdmt_tf.metrics.rows import WeightedRows
from mdmt_tf.metrics.table import METRICS, names_of
from mdmt_tf.tasks import Task, label_is_known

# A component of a task, its targets (n,), and its probabilities (n, n_classes) or
# values (n, 1); labelled rows only.
Answers = tuple[Task, np.ndarray, np.ndarray]


def task_metrics(
    task: Task, labels: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """All metrics of one task, every row counted once.

    Args:
        task: determines the metrics.
        labels: (n, *label_shape) of `Task.encode`; unknown labels do not count.
        probabilities: (n, n_classes), or (n, 1) values.
    Returns: see `metrics_of_answers`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> task_metrics(age, np.array([30.0, 40.0]), np.array([[31.0], [43.0]]))["mae"]
        2.0
    """
    return metrics_of_answers(labelled_answers(task, labels, probabilities))


def labelled_answers(
    task: Task, labels: np.ndarray, probabilities: np.ndarray
) -> list[Answers]:
    """The rows with a known label, for each component.

    Args: see `task_metrics`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> labels, values = np.array([30.0, np.nan]), np.array([[31.0], [9.0]])
        >>> answers = labelled_answers(age, labels, values)
        >>> answers[0][1].tolist()
        [30.0]
    """
    result = []
    for component, own, chances in task.answers(labels, probabilities):
        known = label_is_known(own)
        result.append((component, own[known], chances[known]))
    return result


def metrics_of_answers(answers: Iterable[Answers]) -> dict[str, float]:
    """All metrics of one task, from the rows of each of its components.

    Returns: n, the number of labels (int), then the metrics, NaN without rows, and if
        the probabilities of a row are not finite. A task with several components has
        their means, NaN if one of them is NaN.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> metrics_of_answers([(age, np.array([30.0]), np.array([[31.0]]))])["mae"]
        1.0
    """
    n, found = 0, []
    for component, targets, probabilities in answers:
        n += len(targets)
        weights = np.ones((1, len(targets)))
        found.append(weighted_metrics(component, targets, probabilities, weights))
    means = mean_of_components(found)
    return {"n": n, **{name: float(values[0]) for name, values in means.items()}}


def weighted_metrics(
    task: Task, targets: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """All metrics of a task with one component, under many weightings of its rows.

    Args: see `WeightedRows`.
    Returns: name -> float64 (R,), NaN where a metric is not defined, or where the
        probabilities of a row that counts are not finite.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
        >>> chances = np.array([[0.9, 0.1], [0.2, 0.8]])
        >>> found = weighted_metrics(death, [0, 0], chances, [[1, 1], [3, 1]])
        >>> found["accuracy"].tolist()
        [0.5, 0.75]
    """
    return all_metrics(WeightedRows(task, targets, probabilities, weights))


def all_metrics(rows: WeightedRows) -> dict[str, np.ndarray]:
    """All metrics of weighted rows; name -> float64 (R,).

    Example:
        >>> rows = WeightedRows.of("binary", [0, 1], [[0.9, 0.1], [0.2, 0.8]])
        >>> all_metrics(rows)["accuracy"].tolist()
        [1.0]
    """
    return {name: METRICS[name].of(rows) for name in names_of(rows.task)}


def signed_parts(rows: WeightedRows) -> dict[str, np.ndarray]:
    """The signed parts of the metrics that are sums of absolute values.

    Returns: name -> float64 (R, m).

    Example:
        >>> rows = WeightedRows.of("binary", [0, 1], [[0.9, 0.1], [0.2, 0.8]])
        >>> parts = signed_parts(rows)["ece"]
        >>> np.abs(parts).sum(axis=1).round(3).tolist()
        [0.15]
    """
    found = {name: METRICS[name].parts for name in names_of(rows.task)}
    lost = rows.lost[:, None]
    return {
        name: np.where(lost, np.nan, parts(rows))
        for name, parts in found.items()
        if parts
    }


def mean_of_components(found: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Mean of each metric over the components of a task; NaN if one is NaN.

    Example:
        >>> found = [{"auc": np.array([0.5])}, {"auc": np.array([1.0])}]
        >>> mean_of_components(found)["auc"].tolist()
        [0.75]
    """
    if len(found) == 1:
        return found[0]
    return {name: np.mean([own[name] for own in found], axis=0) for name in found[0]}
