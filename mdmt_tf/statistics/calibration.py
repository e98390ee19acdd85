"""Calibrated probabilities: one temperature and the prior of each task.

    calibrated_c = (r_c p_c)^(1 / T) / sum_k (r_k p_k)^(1 / T)

for the probabilities p of a task. r_c is the prevalence of class c over the weight that
it had in training. It puts the prior right after oversampling or class weights (Saerens
et al. 2002, Neural Computation 14, 21-41) and is 1 without them. The temperature T is
that of Guo et al. 2017, "On calibration of modern neural networks"; it is 1 for
probabilities that are right, and above 1 for probabilities that are too extreme. One
formula serves two classes, several classes and ordered classes, and it keeps the order
of the scores of two classes.

The module has no TensorFlow of its own: `apply` takes numpy or `keras.ops`.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.predictions import probabilities_of
from mdmt_tf.tasks import Answer, Property, Task
from mdmt_tf.tasks.derived import divide, with_derived

# A smaller probability is a rounding error of float32.
_SMALLEST = float(np.finfo(np.float32).tiny)
# A note that begins so says why there is no temperature.
NOT_FITTED = "not fitted: "


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """The calibration of one component of a task.

    Attributes:
        temperature: T.
        prior_ratio: r, one number per class; only their ratios matter.
        rows, patients: labelled validation rows of the fit, and their patients.
        note: why there is no temperature, or what is unusual about it; "" if nothing.
        operating_points: name -> threshold of the calibrated probability of the second
            of two classes: at or above it, the answer is positive. See
            `mdmt_tf.statistics.calibration_fit.choose_thresholds`.
    """

    temperature: float = 1.0
    prior_ratio: tuple[float, ...]
    rows: int = 0
    patients: int = 0
    note: str = ""
    operating_points: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def is_fitted(self) -> bool:
        """Whether the temperature was fitted.

        Example:
            >>> few = NOT_FITTED + "14 labelled validation images"
            >>> Calibration(prior_ratio=(1.0, 1.0), note=few).is_fitted
            False
        """
        return not self.note.startswith(NOT_FITTED)

    @property
    def is_identity(self) -> bool:
        """Whether it leaves probabilities as they are."""
        return self.temperature == 1.0 and len(set(self.prior_ratio)) == 1

    def apply(self, probabilities, ops=np):
        """Calibrated probabilities.

        Args:
            probabilities: (n, n_classes), float64 or float32. More columns, such as the
                value of a derived answer, stay as they are.
            ops: numpy, or keras.ops in a graph.
        Returns: the same shape and type; the probabilities of a row sum to 1.

        Example:
            >>> both = Calibration(temperature=2.0, prior_ratio=(1.0, 1.0))
            >>> both.apply(np.array([[0.1, 0.9]])).round(3).tolist()  # 1 : 3
            [[0.25, 0.75]]
        """
        # numpy keeps the type of arrays in operations with a Python number.
        ratios = [float(np.log(ratio)) for ratio in self.prior_ratio]
        others = probabilities[:, len(ratios) :]
        logits = ops.log(ops.maximum(probabilities[:, : len(ratios)], _SMALLEST))
        columns = [logits[:, c : c + 1] + ratio for c, ratio in enumerate(ratios)]
        logits = ops.concatenate(columns, axis=-1) / self.temperature
        powers = ops.exp(logits - ops.max(logits, axis=-1, keepdims=True))
        made = powers / ops.sum(powers, axis=-1, keepdims=True)
        return ops.concatenate([made, others], axis=-1) if others.shape[1] else made

    def to_plain(self) -> dict:
        """All attributes as plain values, for JSON."""
        return {
            **dataclasses.asdict(self),
            "prior_ratio": list(self.prior_ratio),
            "operating_points": dict(self.operating_points),
        }

    @classmethod
    def from_plain(cls, values: Mapping) -> "Calibration":
        """The inverse of `to_plain`.

        Raises: DataError when keys are missing or unknown.
        """
        try:
            return cls(**values | {"prior_ratio": tuple(values["prior_ratio"])})
        except (TypeError, KeyError) as error:
            raise DataError(f"not a calibration: {error}.") from error


# Name of a component -> its calibration.
Calibrations = Mapping[str, Calibration]


def read(run: RunFolder) -> dict[str, Calibration]:
    """The calibrations of a run by component; {} for a run without the file.

    Args:
        run: finished or not.
    Raises: DataError when `calibration.json` is damaged.

    Example:
        >>> read(RunFolder("a run of an earlier version"))
        {}
    """
    if not run.calibration.is_file():
        return {}
    try:
        stored = run.read_json(run.calibration)
        return {name: Calibration.from_plain(own) for name, own in stored.items()}
    except (DataError, AttributeError) as error:
        raise DataError(
            f"{run.calibration}: {error} Expected a file that training wrote."
        ) from error


def notes_of(calibrations: Calibrations) -> dict[str, str]:
    """Component -> a sentence on what is unusual about its calibration.

    Example:
        >>> own = Calibration(prior_ratio=(1.0, 1.0), note="at the limit 10")
        >>> notes_of({"death": own, "icu": Calibration(prior_ratio=(1.0, 1.0))})
        {'death': 'death: calibration at the limit 10.'}
    """
    return {
        name: f"{name}: calibration {own.note}."
        for name, own in calibrations.items()
        if own.note
    }


def calibrated(task: Task, probabilities, calibrations: Calibrations, ops=np):
    """The calibrated probabilities of a task, in the form of the raw ones.

    Args:
        task: a task with classes, or with several labels.
        probabilities: of `Task.probabilities`, (n, n_classes), or of a derived answer.
        calibrations: by component.
        ops: numpy, or keras.ops in a graph.
    Returns: the same shape; None if a component has no calibration, such as a
        regression.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> known = {"death": Calibration(prior_ratio=(3.0, 1.0))}
        >>> calibrated(death, np.array([[0.5, 0.5]]), known).tolist()
        [[0.75, 0.25]]
    """
    own = [calibrations.get(component.name) for component in task.components]
    if None in own:
        return None
    if not task.label_shape:
        return own[0].apply(probabilities, ops)
    # Each column is the probability of one label.
    columns = []
    for index, calibration in enumerate(own):
        chance = probabilities[:, index : index + 1]
        both = ops.concatenate([1.0 - chance, chance], axis=-1)
        columns.append(calibration.apply(both, ops)[:, 1:])
    return ops.concatenate(columns, axis=-1)


def answered(
    answers: Sequence[Answer], logits: Mapping, calibrations: Calibrations, ops=np
) -> dict:
    """All answers of a model, raw and calibrated.

    Args:
        answers: tasks of the model, and derived answers.
        logits: of the model, by task.
        calibrations: by component.
        ops: numpy, or keras.ops in a graph.
    Returns: answer -> its probabilities or values; `Answer.calibrated_name` -> its
        calibrated probabilities, for those that have a calibration.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> known = {"death": Calibration(prior_ratio=(3.0, 1.0))}
        >>> found = answered([death], {"death": np.array([[0.0]])}, known)
        >>> {name: values.tolist() for name, values in found.items()}
        {'death': [[0.5, 0.5]], 'death_calibrated': [[0.75, 0.25]]}
    """
    tasks, derived = divide(answers)
    raw = {task.name: task.probabilities(logits[task.name], ops) for task in tasks}
    raw = with_derived(raw, derived, ops)
    made = {}
    for answer in answers:
        made[answer.name] = raw[answer.name]
        own = calibrated(answer, raw[answer.name], calibrations, ops)
        if own is not None:
            made[answer.calibrated_name] = own
    return made


def calibrate_table(
    table: pd.DataFrame, tasks: Sequence[Task], calibrations: Calibrations
) -> pd.DataFrame:
    """Predictions with calibrated probabilities, and the classes that follow from them.

    Args:
        table: in the columns of `predictions.csv`.
        tasks: tasks of the table.
        calibrations: by component.
    Returns: a new table with the rows of the components that have a calibration.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> row = {"task": "death", "prediction": 1, "p_0": 0.4, "p_1": 0.6}
        >>> known = {"death": Calibration(prior_ratio=(6.0, 1.0))}
        >>> calibrate_table(pd.DataFrame([row]), [death], known)
            task  prediction  p_0  p_1
        0  death           0  0.8  0.2
    """
    tables = [table.iloc[:0]]
    for component in components_with_classes(tasks):
        own = table[table["task"] == component.name]
        calibration = calibrations.get(component.name)
        if calibration is None or own.empty:
            continue
        chances = calibration.apply(probabilities_of(own, component))
        columns = dict(zip(component.probability_columns, chances.T, strict=True))
        tables.append(own.assign(prediction=component.prediction(chances), **columns))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def components_with_classes(tasks: Sequence[Task]) -> list[Task]:
    """The components that have probabilities of classes, of all tasks.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> findings = make_task(name="x", kind="multilabel", classes=("a", "b"))
        >>> [component.name for component in components_with_classes([age, findings])]
        ['x/a', 'x/b']
    """
    return [
        component
        for task in tasks
        for component in task.components
        if Property.CLASSES in component.properties
    ]
