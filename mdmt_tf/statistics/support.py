"""How many patients carry a metric: all of them, or those of a class. No TensorFlow."""

import dataclasses

import numpy as np
import pandas as pd

from mdmt_tf.runs.patients import PATIENT
from mdmt_tf.runs.predictions import rows_of_components
from mdmt_tf.tasks import Task


@dataclasses.dataclass(frozen=True)
class ClassSupport:
    """Rows of one class of a component.

    Attributes:
        name: of the class, with that of its component if there are several.
        patients: effective number, see `effective_patients`.
        rows: number of rows.
        right: number of rows that were predicted correctly.
    """

    name: str
    patients: float
    rows: int
    right: int


@dataclasses.dataclass(frozen=True)
class Support:
    """Patients of one fold; `classes` is empty for a task without classes.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary", classes=("no", "yes"))
        >>> rows = pd.DataFrame({"dataset": "d", "patient_id": ["a", "a", "b"]})
        >>> rows = rows.assign(target=[0, 0, 0], prediction=[0, 1, 0])
        >>> support = Support.of(rows, death)
        >>> round(support.patients, 2), support.missing
        (1.8, ('yes',))
    """

    patients: float
    classes: tuple[ClassSupport, ...]

    @classmethod
    def of(cls, rows: pd.DataFrame, task: Task) -> "Support":
        """Count labelled rows of the task, in the columns of `predictions.csv`."""
        found = []
        rows = rows.assign(patient=rows.groupby(PATIENT, sort=False).ngroup())
        for component, own in rows_of_components(rows, task):
            targets, right = own["target"].to_numpy(), _is_right(own)
            patient = own["patient"].to_numpy()
            prefix = "" if len(task.components) == 1 else f"{component.name}: "
            for index, name in enumerate(component.class_names):
                of_class = targets == index
                found.append(
                    ClassSupport(
                        prefix + name,
                        _effective(patient[of_class]),
                        int(of_class.sum()),
                        int((of_class & right).sum()),
                    )
                )
        return cls(_effective(rows["patient"].to_numpy()), tuple(found))

    @property
    def rarest(self) -> float:
        """Effective patients of the rarest class; of all without classes."""
        return min((own.patients for own in self.classes), default=self.patients)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the classes without rows."""
        return tuple(own.name for own in self.classes if not own.rows)


def effective_patients(rows: pd.DataFrame) -> float:
    """(sum_p k_p)^2 / sum_p k_p^2 of patients with k_p rows, Kish 1965.

    As many patients with equally many rows determine a mean over rows as precisely.

    Example:
        >>> rows = pd.DataFrame({"dataset": "d", "patient_id": ["a", "a", "a", "b"]})
        >>> effective_patients(rows)
        1.6
    """
    return _effective(rows.groupby(PATIENT, sort=False).ngroup().to_numpy())


def _effective(patient: np.ndarray) -> float:
    """The effective number of the patients with these numbers."""
    images = np.bincount(patient).astype(np.float64)
    return float(images.sum() ** 2 / max((images**2).sum(), 1.0))


def _is_right(rows: pd.DataFrame) -> np.ndarray:
    return (rows["prediction"] == rows["target"]).to_numpy()
