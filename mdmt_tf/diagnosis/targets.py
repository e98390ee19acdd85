"""The known labels of a task in one dataset, as the diagnosis predicts them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mdmt_tf.tasks import Property, Task, label_is_known
from mdmt_tf.tasks.labels import Table, task_labels


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """n labels.

    Attributes:
        name: of the task, or of one of several labels.
        dataset: name of the dataset.
        rows: int64 (n,), rows of the dataset with a known label.
        values: float64 (n,), index of the class, or the number.
        classes: names of the classes; empty for numbers.
        ordered: whether a larger value is more: two classes, classes with an order, or
            numbers.
        patients: int64 (n,), number of the patient of each row, from 0.
    """

    name: str
    dataset: str
    rows: np.ndarray
    values: np.ndarray
    classes: tuple[str, ...]
    ordered: bool
    patients: np.ndarray

    @property
    def where(self) -> str:
        return f"{self.name}, {self.dataset}"

    @property
    def n_patients(self) -> int:
        return len(np.unique(self.patients))

    @property
    def matrix(self) -> np.ndarray:
        """float64 (n, k): indicators of the classes, or (n, 1), the numbers."""
        if not self.classes:
            return self.values[:, None]
        return np.eye(len(self.classes))[self.values.astype(int)]

    def patient_values(self) -> np.ndarray:
        """float64 (patients,): the label of all images; NaN if they contradict."""
        lowest = np.full(self.n_patients, np.inf)
        highest = np.full(self.n_patients, -np.inf)
        np.minimum.at(lowest, self.patients, self.values)
        np.maximum.at(highest, self.patients, self.values)
        return np.where(lowest == highest, lowest, np.nan)

    def is_of_patient(self) -> bool:
        """Whether the label is the patient's, as `mdmt_tf.runs.patients.unit_of`."""
        several = np.bincount(self.patients) > 1
        if not several.any():
            return True
        return float(np.isnan(self.patient_values()[several]).mean()) <= 0.05

    def class_patients(self) -> np.ndarray:
        """int64 (k,): patients with an image of each class."""
        pairs = np.unique(np.stack([self.patients, self.values.astype(int)]), axis=1)
        return np.bincount(pairs[1], minlength=len(self.classes))


def targets_of(
    tasks: Sequence[Task], tables: Mapping[str, Table]
) -> Iterator[tuple[Task, Target]]:
    """Each label of each task in each dataset that feeds it, if any is known.

    Args:
        tasks: of the configuration.
        tables: dataset -> fields.
    Raises: DataError for a missing field, or a label that the task cannot have.
    """
    for task in tasks:
        for dataset in task.sources:
            table = tables[dataset]
            encoded = task.encode(task_labels(dataset, table, task))
            nothing = np.zeros((len(encoded), max(task.n_classes, 1)))
            for component, labels, _ in task.answers(encoded, nothing):
                known = label_is_known(labels)
                if known.any():
                    yield task, make_target(component, dataset, table, labels, known)


def make_target(
    component: Task, dataset: str, table: Table, labels: np.ndarray, known: np.ndarray
) -> Target:
    """The target of one label, (n,), of a task."""
    properties = component.properties
    has_classes = Property.CLASSES in properties
    rows = np.flatnonzero(known)
    return Target(
        name=component.name,
        dataset=dataset,
        rows=rows,
        values=np.asarray(labels, np.float64)[rows],
        classes=component.class_names if has_classes else (),
        ordered=not has_classes
        or Property.TWO_CLASSES in properties
        or Property.ORDERED in properties,
        patients=numbered(np.asarray(table["patient_id"], str)[rows]),
    )


def numbered(names: np.ndarray) -> np.ndarray:
    """int64 (n,): a number for each name, from 0."""
    return np.unique(names, return_inverse=True)[1]
