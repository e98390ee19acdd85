"""The union of the datasets: one part of a split as rows with targets and weights.

A row counts for a task exactly when its dataset feeds the task and the label is known:
the indicator I(x, task) of eq. 2 of Ruffini et al. 2024.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.errors import DataError
from mdmt_tf.splits.split import Split
from mdmt_tf.tasks import Task, label_is_known
from mdmt_tf.tasks.labels import task_labels

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """One part of a split over all datasets, n rows.

    Attributes:
        tasks: of the model.
        rows: DataFrame with dataset, image_id, patient_id, site.
        image: int64 (n,), number of each image in `Images` of the same datasets.
        dataset: int64 (n,), number of the dataset of each row.
        labels: task -> (n, *label_shape), see `Task.encode`.
        targets: task -> (n, ...), see `Task.targets`; zeros where there is none.
        weights: task -> float32 (n, *label_shape), I(x, task) times the weight of the
            class.
        class_counts: task -> int64, labels of each class, see `Task.class_counts`.
    """

    tasks: tuple[Task, ...]
    rows: pd.DataFrame
    image: np.ndarray
    dataset: np.ndarray
    labels: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]
    class_counts: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def oversampled_classes(self) -> np.ndarray:
        """int64 (n,), the class of the task for which the dataset of a row is
        oversampled; -1 where it is for none, or the class is unknown."""
        classes = np.full(len(self), -1)
        for task in self.tasks:
            if task.oversample:
                known = self.labels[task.name] >= 0
                classes[known] = self.labels[task.name][known]
        return classes

    def take(self, chosen: np.ndarray) -> "Samples":
        """Some of the rows, by number or as bool (n,)."""
        labels = {name: values[chosen] for name, values in self.labels.items()}
        return Samples(
            tasks=self.tasks,
            rows=self.rows.iloc[chosen].reset_index(drop=True),
            image=self.image[chosen],
            dataset=self.dataset[chosen],
            labels=labels,
            targets={name: values[chosen] for name, values in self.targets.items()},
            weights={name: values[chosen] for name, values in self.weights.items()},
            class_counts={t.name: t.class_counts(labels[t.name]) for t in self.tasks},
        )


def build_samples(
    datasets: Sequence[PreparedDataset], split: Split, tasks: Sequence[Task]
) -> dict[str, Samples]:
    """The rows of each part, in the order of the datasets and of storage.

    Class weights are counted on the training rows and hold for all parts. A training
    row without a known label of any task is left out: it would take the place of
    another one in a batch and teach nothing.

    Args:
        datasets: in the order that `Images` has them.
        split: with lists for each of them.
        tasks: of the model.
    Returns: part (train, validation, test) -> samples; a part may have none.
    Raises: DataError for a label field that is missing, a label that is no class, or a
        task without any known label in the training part.
    """
    split.check_leakage({dataset.name: dataset.table for dataset in datasets})
    everything, part_of = _all_rows(datasets, split, tasks)
    train = _labelled(everything.take(part_of == "train"))
    for task in tasks:
        if not train.class_counts[task.name].sum():
            raise DataError(
                f"task {task.name!r}: no image in the training part has a known label "
                f"(from {task.sources_text})."
            )
    weights = {
        task.name: everything.weights[task.name]
        * task.label_weights(
            everything.labels[task.name], train.class_counts[task.name]
        )
        for task in tasks
    }
    weighted = dataclasses.replace(everything, weights=weights)
    result = {
        part: weighted.take(part_of == part) for part in ("train", "validation", "test")
    }
    result["train"] = _labelled(result["train"])
    return result


def spread(count: int, most: int) -> list[int]:
    """At most so many of `count` rows, evenly over all of them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int)).tolist()


def _labelled(samples: Samples) -> Samples:
    known = [label_is_known(values) for values in samples.labels.values()]
    chosen = np.logical_or.reduce([k.reshape(len(k), -1).any(axis=1) for k in known])
    if not chosen.all():
        logger.info(
            "%d training images without any known label are left out.", (~chosen).sum()
        )
    return samples.take(chosen)


def _all_rows(
    datasets: Sequence[PreparedDataset], split: Split, tasks: Sequence[Task]
) -> tuple[Samples, np.ndarray]:
    """All rows of all datasets with weights of 0 and 1, and the part of each."""
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "dataset": dataset.name,
                    **{
                        key: np.asarray(dataset.table[key]).astype(str).astype(object)
                        for key in ("image_id", "patient_id", "site")
                    },
                },
                dtype=object,
            )
            for dataset in datasets
        ],
        ignore_index=True,
    )
    part_of = np.full(len(rows), "excluded", object)
    keys = zip(rows["dataset"], rows["image_id"], strict=True)
    where = {key: row for row, key in enumerate(keys)}
    for name, parts in split.datasets.items():
        for part, images in parts.items():
            part_of[[where[name, image] for image in images]] = part
    labels, targets, weights = {}, {}, {}
    for task in tasks:
        of_task = [_labels(task, dataset) for dataset in datasets]
        parts = [task.targets(values) for values in of_task]
        targets[task.name] = np.concatenate([target for target, _ in parts])
        weights[task.name] = np.concatenate([known for _, known in parts]).astype("f4")
        encoded = [task.encode(values) for values in of_task]
        labels[task.name] = np.concatenate(encoded)
    samples = Samples(
        tasks=tuple(tasks),
        rows=rows,
        image=np.arange(len(rows), dtype=np.int64),
        dataset=np.repeat(np.arange(len(datasets)), [len(d) for d in datasets]),
        labels=labels,
        targets=targets,
        weights=weights,
        class_counts={t.name: t.class_counts(labels[t.name]) for t in tasks},
    )
    return samples, part_of


def _labels(task: Task, dataset: PreparedDataset) -> np.ndarray:
    """Labels of the dataset; all unknown where it does not feed the task."""
    if dataset.name not in task.sources:
        return np.full((len(dataset), *task.label_shape), np.nan)
    return task_labels(dataset.name, dataset.table, task)
