"""The base of all answers: what predictions, metrics and reports need to know.

A task is an answer that a model is trained to give, see `mdmt_tf.tasks.base`. Other
answers follow from those of tasks, see `mdmt_tf.tasks.derived`.
"""

import abc
import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np


class Property(enum.Enum):
    """A property that a metric may require of an answer."""

    CLASSES = "the answer is one of several classes"
    TWO_CLASSES = "there are two classes, the second is the positive one"
    NOMINAL = "one wrong class is as wrong as another"
    ORDERED = "the classes have an order"
    SCALE = "an error has a size, in classes or in units"
    NUMBER = "the answer is a number"
    SUM = "the answer is a sum of the answers of tasks"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer(abc.ABC):
    """Something that is predicted for an image, with a label or without one.

    Attributes:
        kind: name of the kind.
        name: key of its predictions, its metrics and its rows in tables.
        classes: names of the classes, in the order of their index. The last class of a
            two-class answer is the positive one. May be empty if there are cut points.
        cut_points: ascending bounds that turn a number into a class, the lower bound
            inclusive: (5, 9, 14) are 4 classes, a number of 5 is in the second.
        descending: whether the class falls as the number rises.
        sources: dataset name -> label field of that dataset, or several fields if the
            label of an image is a vector, or follows from several.
        unit: of the numbers that its labels are, or that the cut points divide; None:
            no dataset states one, see `mdmt_tf.tasks.units`.
    """

    kind: ClassVar[str]

    name: str
    classes: tuple[str, ...] = ()
    cut_points: tuple[float, ...] = ()
    descending: bool = False
    sources: Mapping[str, str | tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )
    unit: str | None = None

    @property
    def title(self) -> str:
        """The name for headings; of a number with its unit, such as "age (years)"."""
        return self.name

    @property
    @abc.abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Names of the columns of `probabilities`; empty if they are values."""

    @property
    def n_classes(self) -> int:
        """Number of `class_names`."""
        return len(self.class_names)

    @property
    @abc.abstractmethod
    def properties(self) -> frozenset[Property]:
        """Properties that metrics may require, valid for each of the `components`."""

    @property
    def grades(self) -> tuple[float, ...] | None:
        """The number that each class stands for, such as 0 to 3 of a score.

        Returns: () if the answer is a number itself; None if it is neither a number nor
            one class of numbers, so that it cannot be a part of a sum.
        """
        return None

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of the label of one image: (), or (k,) for a vector."""
        return ()

    @property
    def components(self) -> tuple["Answer", ...]:
        """The answers that this one consists of, each with one prediction per image.

        Each has its own rows in `predictions.csv`, under its own name, and metrics on
        the rows where its label is known. The metrics of the whole are their means.
        """
        return (self,)

    @property
    def calibrated_name(self) -> str:
        """Name of the exported model's output with calibrated probabilities."""
        return f"{self.name}_calibrated"

    @property
    def sources_text(self) -> str:
        """The label fields as text, such as "brixia.brixia_global"."""
        fields = [
            f"{dataset}.{name}"
            for dataset, field in self.sources.items()
            for name in ([field] if isinstance(field, str) else field)
        ]
        return ", ".join(fields)

    def fields_text(self, dataset: str) -> str:
        """Which field of a dataset is which label; "" if there is a single label."""
        return ""

    def description(self) -> dict:
        """What a user of the trained model needs to know, as plain values.

        Example:
            >>> from mdmt_tf.tasks import make_task
            >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
            >>> death.description()
            {'kind': 'binary', 'classes': ['no', 'yes'], 'prediction': 'argmax'}
        """
        facts = {"kind": self.kind, "classes": list(self.class_names)}
        facts |= {"prediction": self.prediction_rule}
        if self.cut_points:
            facts |= {"cut_points": list(self.cut_points)}
            facts |= {"descending": self.descending}
        if self.unit is not None:
            facts |= {"unit": self.unit}
        return facts

    def to_plain(self) -> dict:
        """The kind and all attributes as dicts, lists, strings and numbers, for JSON.

        The inverse of `mdmt_tf.tasks.make_task`.

        Example:
            >>> from mdmt_tf.tasks import make_task
            >>> coma = make_task(kind="ordinal", name="coma", cut_points=(5, 9))
            >>> coma.to_plain()["kind"], coma.to_plain()["cut_points"]
            ('ordinal', [5, 9])
        """
        fields = dataclasses.fields(self)
        attributes = {field.name: getattr(self, field.name) for field in fields}
        attributes["sources"] = {
            dataset: as_list(field) for dataset, field in self.sources.items()
        }
        listed = {name: as_list(value) for name, value in attributes.items()}
        return {"kind": self.kind, **listed}

    @abc.abstractmethod
    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Convert labels of a dataset to classes or values.

        Args:
            labels: array (n, *label_shape). Unknown is -1 in an integer array, NaN in a
                float array, "" in an array of strings.
        Returns: class index, int64, -1 where unknown; or value, float64, NaN where
            unknown; with the shape of `labels`.
        Raises: DataError for a label that this answer cannot have.
        """

    def numbers_text(self, labels: np.ndarray) -> str:
        """How numbers were read as classes whose names are words, with their counts.

        Args:
            labels: as for `encode`.
        Returns: "" where nothing was taken for an index: labels that are text, cut
            points, classes that are named by numbers.
        """
        return ""

    def are_numbers(self, probabilities: np.ndarray) -> np.ndarray:
        """Whether predictions (n, ...) are finite numbers, bool (n,).

        Example:
            >>> from mdmt_tf.tasks import make_task
            >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
            >>> death.are_numbers([[0.4, 0.6], [np.nan, np.nan]]).tolist()
            [True, False]
        """
        return np.isfinite(probabilities).all(axis=-1)

    @property
    @abc.abstractmethod
    def prediction_rule(self) -> str:
        """How `prediction` follows from the probabilities, in a word or two.

        "argmax" is the most probable class, "median" the first class up to which the
        probabilities add up to 1/2 or more, "threshold 0.5" each label above it,
        "value" the number itself, and "class of value" its class by the cut points.
        """

    @abc.abstractmethod
    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The predicted class (int64) or value (float64), (n, *label_shape)."""

    @abc.abstractmethod
    def row_loss(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """The loss (n,) of known classes or values, from probabilities.

        Args:
            targets: (n,), of `encode`; the answer must be its only component.
            probabilities: (n, n_classes), or (n, 1).
        """

    @property
    def scale(self) -> float:
        """The size of differences between `probabilities`; 1 for chances."""
        return 1.0

    @property
    @abc.abstractmethod
    def probability_columns(self) -> tuple[str, ...]:
        """Columns of `predictions.csv` that hold the probabilities of a component."""

    def answers(
        self, encoded: np.ndarray, probabilities: np.ndarray
    ) -> Iterator[tuple["Answer", np.ndarray, np.ndarray]]:
        """Each component with its labels (n,) and its probabilities.

        Args:
            encoded: of `encode`, (n, *label_shape).
            probabilities: (n, n_classes), or (n, 1) values.
        """
        yield self, encoded, probabilities

    # Saliency.

    @property
    def map_targets(self) -> tuple[str, ...]:
        """Names of the targets that a map may explain; empty for a single score."""
        return ()

    def explained(self, probabilities: np.ndarray) -> np.ndarray | None:
        """Index (n,) of the default map target; None for a single score."""
        return None

    @abc.abstractmethod
    def explanation(
        self, probabilities: np.ndarray, encoded, target: int | None
    ) -> dict[str, str | float | None]:
        """Columns of `saliency.csv` on the prediction and the truth of one image.

        Args:
            probabilities: probabilities of this image, (n_classes,) or (1,).
            encoded: its label of `encode`; None: unknown.
            target: the explained map target; None if there is a single score.
        Returns: class_explained, predicted, probability (None for a value) and
            true_class ("" where unknown).
        """

    def explained_words(self, target: int | None) -> str:
        """The explained class or score, as words of a title."""
        return self.map_targets[target]


def as_list(value):
    """A tuple as a list, which JSON has; anything else as it is."""
    return list(value) if isinstance(value, tuple) else value


def label_is_known(labels: np.ndarray) -> np.ndarray:
    """Bool of the same shape: False for -1 in integers, NaN in floats, "" in strings.

    Example:
        >>> label_is_known(np.array([3, -1, 0])).tolist()
        [True, False, True]
        >>> label_is_known(np.array(["severe", ""])).tolist()
        [True, False]
    """
    labels = np.asarray(labels)
    if labels.dtype.kind in "OSU":
        return labels != ""
    if labels.dtype.kind == "f":
        return ~np.isnan(labels)
    if labels.dtype.kind == "b":
        return np.ones(labels.shape, bool)
    return labels != -1
