"""Rows of prepared datasets with their labels and targets.

A row counts for a task if its dataset feeds the task and the label is known. This is
the indicator I(x, task) of eq. 2 of Ruffini et al. 2024. `training_set` has what only
training needs.
"""

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.data.controls import kept_labels, labels_are_of_patients, permuted_rows
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.splits.split import Split
from mdmt_tf.tasks import Answer, Derived, Task, label_is_known
from mdmt_tf.tasks.derived import divide
from mdmt_tf.tasks.labels import task_labels

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """n rows of one or more datasets.

    Attributes:
        tasks: tasks of the labels and targets.
        rows: DataFrame with dataset, image_id, patient_id, site.
        image: int64 (n,), number of each image in `Images` of the same datasets.
        dataset: int64 (n,), number of the dataset of each row.
        labels: task -> (n, *label_shape), see `Task.encode`.
        targets: task -> (n, ...), see `Task.targets`; zeros for unknown labels.
        known: task -> bool (n, *label_shape), the indicator I(x, task).
        derived: answers that follow from those of the tasks, see `labels_of`.
    """

    tasks: tuple[Task, ...]
    rows: pd.DataFrame
    image: np.ndarray
    dataset: np.ndarray
    labels: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    known: Mapping[str, np.ndarray]
    derived: tuple[Derived, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The tasks, and the derived answers."""
        return (*self.tasks, *self.derived)

    def labels_of(self, answer: Answer) -> np.ndarray:
        """The labels (n, *label_shape) of one of the answers, see `Answer.encode`.

        Those of a derived answer follow from those of the tasks as they are here, so
        that they are unknown or permuted as these are.
        """
        if answer.name in self.labels:
            return self.labels[answer.name]
        return answer.labels_from(self.labels)

    @property
    def is_labelled(self) -> np.ndarray:
        """bool (n,), whether the label of at least one task is known."""
        return np.logical_or.reduce(
            [_any_of_row(known) for known in self.known.values()]
        )

    @property
    def patient(self) -> np.ndarray:
        """int64 (n,), number of the patient of each row; ids are per dataset."""
        return self.rows.groupby(["dataset", "patient_id"]).ngroup().to_numpy()

    def take(self, chosen: np.ndarray) -> "Samples":
        """A selection of the rows, by number or as bool (n,)."""
        return Samples(
            tasks=self.tasks,
            derived=self.derived,
            rows=self.rows.iloc[chosen].reset_index(drop=True),
            image=self.image[chosen],
            dataset=self.dataset[chosen],
            labels={name: values[chosen] for name, values in self.labels.items()},
            targets={name: values[chosen] for name, values in self.targets.items()},
            known={name: values[chosen] for name, values in self.known.items()},
        )

    def replaced(self, task: Task, *, labels, targets, known) -> "Samples":
        """The same rows with other labels of a task."""
        return dataclasses.replace(
            self,
            labels={**self.labels, task.name: labels},
            targets={**self.targets, task.name: targets},
            known={**self.known, task.name: known},
        )


def all_samples(
    datasets: Sequence[PreparedDataset], answers: Sequence[Answer]
) -> Samples:
    """Every row, in the order of the datasets and of storage.

    Args:
        datasets: in the order of `Images`.
        answers: any tasks; labels are unknown in a dataset that does not feed a task.
            And derived answers, whose labels follow from those of their tasks; or are
            read from a field like those of a task, if a task is not among `answers`.
    Raises: DataError for a missing label field, or a label that is not a class.
    """
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
    labels, targets, known = {}, {}, {}
    tasks, derived = divide(answers)
    for task in tasks:
        of_task = [_labels(task, dataset) for dataset in datasets]
        pairs = [task.targets(values) for values in of_task]
        targets[task.name] = np.concatenate([target for target, _ in pairs])
        known[task.name] = np.concatenate([is_known for _, is_known in pairs])
        encoded = [task.encode(values) for values in of_task]
        labels[task.name] = np.concatenate(encoded)
    for answer in derived:
        if not set(answer.terms) <= set(labels):
            encoded = [answer.encode(_labels(answer, dataset)) for dataset in datasets]
            labels[answer.name] = np.concatenate(encoded)
    return Samples(
        tasks=tasks,
        derived=derived,
        rows=rows,
        image=np.arange(len(rows), dtype=np.int64),
        dataset=np.repeat(np.arange(len(datasets)), [len(d) for d in datasets]),
        labels=labels,
        targets=targets,
        known=known,
    )


def fit_tasks(
    tasks: Sequence[Task],
    datasets: Sequence[PreparedDataset],
    split: Split,
    seed: int = 0,
) -> tuple[Task, ...]:
    """The tasks, fitted on the labels of the training split, see `Task.fitted`.

    Each image of the training split with a known label counts once, whatever the
    weights and the sampling of training. Labels that `Task.fraction` leaves out do not
    count.

    Args:
        tasks: as the settings declare them.
        datasets: all datasets of the split.
        split: the lists of images.
        seed: seed of the run, as for `split_samples`.
    Raises: DataError for a missing label field, or labels that cannot be fitted.
    """
    fitted = []
    for task in tasks:
        labels = []
        for dataset in datasets:
            training = split.datasets.get(dataset.name, {}).get("train", ())
            images = np.asarray(dataset.table["image_id"]).astype(str)
            encoded = task.encode(_labels(task, dataset))
            own = np.isin(images, list(training))
            encoded, patients = (
                encoded[own],
                np.asarray(dataset.table["patient_id"])[own],
            )
            kept = _kept(task, encoded, patients, seed, dataset.name)
            labels.append(encoded[kept])
        fitted.append(task.fitted(np.concatenate(labels)))
    return tuple(fitted)


def split_samples(samples: Samples, split: Split, seed: int = 0) -> dict[str, Samples]:
    """The rows of each split, in their order, with the labels that a fit is given.

    Training labels that `Task.fraction` leaves out are unknown. The labels of a task
    with `Task.permute` are permuted among the training rows and among the validation
    rows of each dataset, see `mdmt_tf.data.controls`; tasks whose labels are known for
    the same rows are permuted together. Test labels are the true ones.

    A training row without a known label is left out, because it would take the place of
    another row in a batch without training anything.

    Args:
        samples: all rows of the datasets of the split.
        split: the lists of images.
        seed: seed of the run; permuted and left-out labels depend on it.
    Returns: train, validation, test -> samples; a split may be empty.
    """
    split_of = np.full(len(samples), "excluded", object)
    keys = zip(samples.rows["dataset"], samples.rows["image_id"], strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    for name, lists in split.datasets.items():
        for of_list, images in lists.items():
            split_of[[row_of[name, image] for image in images]] = of_list
    for task in samples.tasks:
        if task.fraction < 1:
            samples = _with_fraction(samples, task, split_of == "train", seed)
    samples = _permuted(samples, split_of, seed)
    result = {name: samples.take(split_of == name) for name in SPLITS}
    train = result["train"]
    if not train.is_labelled.all():
        logger.info(
            "%d training images without any known label are left out.",
            (~train.is_labelled).sum(),
        )
        result["train"] = train.take(train.is_labelled)
    return result


def _with_fraction(samples: Samples, task: Task, training, seed: int) -> Samples:
    """The samples without the training labels that the fraction leaves out."""
    labels, known = samples.labels[task.name], samples.known[task.name]
    removed = np.zeros(len(samples), bool)
    for dataset, own in _rows_by_dataset(samples, training):
        patients = samples.rows["patient_id"].to_numpy()[own]
        removed[own] = ~_kept(task, labels[own], patients, seed, dataset)
    unknown = task.encode(np.full((1, *task.label_shape), np.nan))[0]
    shape = (-1, *[1] * (labels.ndim - 1))
    targets = samples.targets[task.name]
    lost = removed.reshape(-1, *[1] * (targets.ndim - 1))
    return samples.replaced(
        task,
        labels=np.where(removed.reshape(shape), unknown, labels),
        targets=np.where(lost, np.zeros_like(targets), targets),
        known=known & ~removed.reshape(shape),
    )


def _kept(task: Task, labels, patients, seed: int, dataset: str) -> np.ndarray:
    """bool (n,): training rows of a dataset whose label of the task is used."""
    known = _any_of_row(label_is_known(labels))
    if task.fraction == 1:
        return known
    key = (seed, dataset, task.name, "fraction")
    return kept_labels(labels, known, patients, task.fraction, key)


def _permuted(samples: Samples, split_of, seed: int) -> Samples:
    """The samples with permuted labels in training and validation.

    Tasks that have the same labelled images of a dataset share one permutation there,
    so the labels of an image stay together.
    """
    tasks = [task for task in samples.tasks if task.permute]
    rows = {task.name: np.arange(len(samples)) for task in tasks}
    both = np.isin(split_of, ("train", "validation"))
    for dataset, own in _rows_by_dataset(samples, both):
        for together in _with_equal_rows(samples, tasks, own):
            chosen = _permuted_rows(samples, together, dataset, own, split_of, seed)
            for task in together:
                rows[task.name][own] = chosen
    for task in tasks:
        chosen = rows[task.name]
        samples = samples.replaced(
            task,
            labels=samples.labels[task.name][chosen],
            targets=samples.targets[task.name][chosen],
            known=samples.known[task.name][chosen],
        )
    return samples


def _with_equal_rows(samples: Samples, tasks, own) -> list[list[Task]]:
    """The tasks in groups with the same labelled rows among those of a dataset."""
    groups: dict[bytes, list[Task]] = {}
    for task in tasks:
        known = _any_of_row(samples.known[task.name][own])
        groups.setdefault(known.tobytes(), []).append(task)
    return list(groups.values())


def _permuted_rows(
    samples: Samples, tasks, dataset: str, own, split_of, seed: int
) -> np.ndarray:
    """The row from which each row of a dataset takes the labels of the tasks."""
    known = _any_of_row(samples.known[tasks[0].name])
    images, patients = (
        samples.rows[key].to_numpy() for key in ("image_id", "patient_id")
    )
    by_patient = all(
        labels_are_of_patients(
            samples.labels[task.name][own], known[own], patients[own]
        )
        for task in tasks
    )
    rows = np.arange(len(samples))
    for name in ("train", "validation"):
        part = own[split_of[own] == name]
        # By the first of the tasks, which is all that a task alone depends on.
        key = (seed, dataset, tasks[0].name, "permute", name)
        rows[part] = part[
            permuted_rows(known[part], images[part], patients[part], by_patient, key)
        ]
    return rows[own]


def _any_of_row(known: np.ndarray) -> np.ndarray:
    """bool (n,) from (n, *label_shape), whether any label of a row is known."""
    return known.any(axis=tuple(range(1, known.ndim)))


def _rows_by_dataset(samples: Samples, chosen) -> Iterator[tuple[str, np.ndarray]]:
    """Each dataset with the numbers of its chosen rows."""
    names = samples.rows["dataset"].to_numpy()
    for dataset in dict.fromkeys(names[chosen]):
        yield dataset, np.flatnonzero(chosen & (names == dataset))


def spread(count: int, most: int) -> list[int]:
    """Numbers of at most `most` of `count` rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int)).tolist()


def _labels(task: Answer, dataset: PreparedDataset) -> np.ndarray:
    """Labels of the dataset; all unknown if it does not feed the task."""
    if dataset.name not in task.sources:
        return np.full((len(dataset), *task.label_shape), np.nan)
    return task_labels(dataset.name, dataset.table, task)
