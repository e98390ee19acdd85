"""The base of all tasks: their attributes, and the methods of every kind.

One model serves any number of tasks. A sample counts for a task if the indicator
I(x, task) is 1: the dataset of x feeds the task and the label of x is known (eq. 2 of
Ruffini et al., MICCAI 2024).

Everything that depends on the kind of a task is in the class of that kind. Code outside
this package calls the methods of a task and never looks at its kind.
"""

import abc
import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from mdmt_tf.errors import nearest
from mdmt_tf.tasks.losses import Loss

# Forms of the head of a task, see `mdmt_tf.models.multitask`.
HEADS = ("mlp", "linear", "relu_linear")

# A problem of one entry of `tasks`: the key below it, and the text after the key.
Problem = tuple[tuple[str, ...], str]


class Property(enum.Enum):
    """A property that a metric may require of a task."""

    CLASSES = "the answer is one of several classes"
    TWO_CLASSES = "there are two classes, the second is the positive one"
    NOMINAL = "one wrong class is as wrong as another"
    ORDERED = "the classes have an order"
    SCALE = "an error has a size, in classes or in units"
    NUMBER = "the answer is a number"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task(abc.ABC):
    """One thing to predict from an image; the base of all kinds.

    Attributes:
        kind: name of the kind, as in the configuration.
        losses: name in the configuration -> loss that the kind can be trained with. The
            first is the default, and a proper score: the one that is reported.
        is_standardized: whether the kind fits its labels' mean and std, see `fitted`.
        name: key of the model's output, its loss, its metrics and its rows in tables.
        classes: names of the classes, in the order of their index. The last class of a
            two-class task is the positive one. May be empty if there are cut points.
        cut_points: ascending bounds that turn a numeric label into a class, the lower
            bound inclusive: (5, 9, 14) are 4 classes, a label of 5 is in the second.
        descending: whether the class falls as the numeric label rises.
        sources: dataset name -> label field of that dataset, or several fields if the
            label of an image is a vector.
        weight: factor of this task's loss in the total loss.
        class_weights: factor of the loss of a row by its class. "balanced" stands for
            n / (k n_c), counted on the training rows; None for 1.
        oversample: whether training draws the rows of each class equally often. An
            epoch then repeats the rows of smaller classes, see `mdmt_tf.data.sampling`.
        loss: name of one of `losses`; None for the first.
        head: form of its head, one of `HEADS`; None for that of the model.
        standardize: whether labels are standardised in training, if `is_standardized`.
        permute: whether the labels of training and of validation are permuted, see
            `mdmt_tf.data.controls`.
        fraction: fraction of the patients whose training labels are used.
    """

    kind: ClassVar[str]
    losses: ClassVar[Mapping[str, Loss]]
    is_standardized: ClassVar[bool] = False

    name: str
    classes: tuple[str, ...] = ()
    cut_points: tuple[float, ...] = ()
    descending: bool = False
    sources: Mapping[str, str | tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )
    weight: float = 1.0
    class_weights: tuple[float, ...] | str | None = None
    oversample: bool = False
    loss: str | None = None
    head: str | None = None
    standardize: bool = True
    permute: bool = False
    fraction: float = 1.0

    # Facts.

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
    def n_outputs(self) -> int:
        """Width of the model's output for this task."""

    @property
    def initial_scale(self) -> float:
        """Factor of the initial weights of the layer that gives the output."""
        return 1.0

    @property
    @abc.abstractmethod
    def properties(self) -> frozenset[Property]:
        """Properties that metrics may require, valid for each of the `components`."""

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of the label of one image: (), or (k,) for a vector."""
        return ()

    @property
    def likelihood_factor(self) -> float:
        """That of the chosen loss, see `Loss`."""
        return self._chosen_loss.likelihood_factor

    @property
    def components(self) -> tuple["Task", ...]:
        """The tasks that this one consists of, each with one prediction per image.

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

    def description(self) -> dict:
        """What a user of the trained model needs to know, as plain values.

        Example:
            >>> from mdmt_tf.tasks import make_task
            >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
            >>> death.description()
            {'kind': 'binary', 'classes': ['no', 'yes']}
        """
        permuted = {"labels": "permuted; the answers mean nothing"}
        facts = {"kind": self.kind, "classes": list(self.class_names)}
        return facts | (permuted if self.permute else {})

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
            dataset: _listed(field) for dataset, field in self.sources.items()
        }
        listed = {name: _listed(value) for name, value in attributes.items()}
        return {"kind": self.kind, **listed}

    # Configuration.

    @classmethod
    def summary(cls) -> str:
        """What the kind predicts: the docstring of its class up to the first colon."""
        first = (cls.__doc__ or "").partition("\n")[0]
        text = first.partition(":")[0].removesuffix(".")
        return text[:1].lower() + text[1:]

    def problems(self) -> Iterator[Problem]:
        """The problems of the declaration of the task."""
        cuts, classes = list(self.cut_points), list(self.classes)
        if cuts != sorted(set(cuts)):
            yield ("cut_points",), f" = {cuts}: should ascend."
        if len(set(classes)) != len(classes):
            yield ("classes",), f" = {classes}: a name appears twice."
        if not self.label_shape:
            for dataset, field in self.sources.items():
                if not isinstance(field, str):
                    yield (
                        ("from", dataset),
                        f" = {list(field)}: expected the name of one field; the label "
                        f"of a {self.kind} task is a single value.",
                    )
        if self.loss is not None and self.loss not in self.losses:
            yield (
                ("loss",),
                f" = {self.loss!r}: is not a loss of a {self.kind} task."
                f"{nearest(self.loss, self.losses)} Known: {', '.join(self.losses)}.",
            )
        if self.head == "serial":
            yield (
                ("head",),
                " = 'serial': is an order of all heads, not a form of one. Set "
                "model.heads to serial, and here mlp, linear or null.",
            )
        elif self.head is not None and self.head not in HEADS:
            yield (
                ("head",),
                f" = {self.head!r}: is not a head.{nearest(self.head, HEADS)} Known: "
                f"{', '.join(HEADS)}.",
            )
        if self.descending and not cuts:
            yield (
                ("descending",),
                " = true: has no meaning without cut_points, which it counts from the "
                "highest label down. Leave it out; the order of classes is that of "
                "their names.",
            )
        if not self.standardize and not self.is_standardized:
            yield (
                ("standardize",),
                f" = false: a {self.kind} task has no numbers to standardise; leave "
                "it out.",
            )

    def baseline_problem(self) -> str | None:
        """Why a baseline cannot predict this task from fields; None if it can."""
        return None

    # From labels to targets.

    def fitted(self, encoded: np.ndarray) -> "Task":
        """The task with what it takes from the labels of the training split.

        The model is trained and used with the fitted task. A kind that takes nothing
        from the labels returns the task itself.

        Args:
            encoded: result of `encode`, of the training rows; some may be unknown.
        Raises: DataError for labels that cannot be fitted.
        """
        return self

    @abc.abstractmethod
    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Convert labels of a dataset to classes or values.

        Args:
            labels: array (n, *label_shape). Unknown is -1 in an integer array, NaN in a
                float array, "" in an array of strings.
        Returns: class index, int64, -1 where unknown; or value, float64, NaN where
            unknown; with the shape of `labels`.
        Raises: DataError for a label that this task cannot have.
        """

    @abc.abstractmethod
    def targets(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets of the loss and the indicator I(x, task) for each label.

        Args:
            labels: as for `encode`.
        Returns:
            target: (n, ...), as `losses` expect. The target of an unknown label is 0, a
                finite placeholder, because NaN times a weight of 0 is NaN.
            known: bool (n, *label_shape).
        """

    @property
    def targets_can_be_mixed(self) -> bool:
        """Whether the loss allows targets of mixed images, see `Loss.mixes`."""
        return self._chosen_loss.mixes

    def mixable_targets(self, targets, ops):
        """Targets as numbers whose means are targets, too, (n, k) float32.

        Args:
            targets: (n, ...) of `targets`.
            ops: keras.ops.
        """
        return targets

    @abc.abstractmethod
    def class_counts(self, encoded: np.ndarray) -> np.ndarray:
        """The number of labels of each class; their sum is the number of known labels.

        Args:
            encoded: result of `encode`.
        Returns: int64; (n_classes,) for classes, (1,) for values.
        """

    @abc.abstractmethod
    def counts_text(self, counts: np.ndarray) -> str:
        """`class_counts` as text, such as "12 mild, 7 severe"."""

    def label_weights(self, encoded: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Factor of the loss of each label, by its class.

        Args:
            encoded: result of `encode`, (n, *label_shape).
            counts: `class_counts` of the training rows.
        Returns: float32 with the shape of `encoded`.
        Raises: DataError when "balanced" meets a class without training rows.
        """
        return np.ones(encoded.shape, np.float32)

    @abc.abstractmethod
    def strata(self, labels: np.ndarray) -> np.ndarray:
        """The strata of the rows: groups that the folds divide equally.

        Args:
            labels: labels of one dataset, as for `encode`.
        Returns: text (n,) such as "severe"; "unknown" if no label is known.
        """

    # From the model's output to predictions. `ops` is numpy, or keras.ops in a graph.

    def training_loss(self, targets, logits, ops):
        """The chosen loss of each label, unweighted, which training minimises.

        Args:
            targets: (n, ...) of `targets`.
            logits: (n, n_outputs).
            ops: keras.ops.
        Returns: (n, *label_shape).
        """
        return self._chosen_loss.formula(targets, logits, ops)

    def reported_loss(self, targets, logits, ops):
        """The first of `losses`, in the unit of the labels, whatever is minimised.

        It is reported for the training rows, comparable with the metric `loss` of other
        rows.

        Args, Returns: see `training_loss`.
        """
        return next(iter(self.losses.values())).formula(targets, logits, ops)

    @property
    def _chosen_loss(self) -> Loss:
        return self.losses[self.loss or next(iter(self.losses))]

    @abc.abstractmethod
    def probabilities(self, logits, ops=np):
        """Predicted probabilities or values, from the logits of the model.

        Args:
            logits: (n, n_outputs).
            ops: keras.ops in a graph.
        Returns: float64 (n, n_classes); without classes (n, 1), the value.
        """

    @abc.abstractmethod
    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The predicted class (int64) or value (float64), (n, *label_shape)."""

    @abc.abstractmethod
    def row_loss(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """The loss (n,) of known classes or values, from probabilities.

        Args:
            targets: (n,), of `encode`; the task must be its only component.
            probabilities: (n, n_classes), or (n, 1).
        """

    @property
    def scale(self) -> float:
        """The size of differences between `probabilities`; 1 for chances."""
        return 1.0

    # Tables and pictures.

    @property
    @abc.abstractmethod
    def probability_columns(self) -> tuple[str, ...]:
        """Columns of `predictions.csv` that hold the probabilities of a component."""

    def answers(
        self, encoded: np.ndarray, probabilities: np.ndarray
    ) -> Iterator[tuple["Task", np.ndarray, np.ndarray]]:
        """Each component with its labels (n,) and its probabilities.

        Args:
            encoded: of `encode`, (n, *label_shape).
            probabilities: (n, n_classes), or (n, 1) values.
        """
        yield self, encoded, probabilities

    @abc.abstractmethod
    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        """One row of `targets` as text; at least one label of it is known."""

    # Saliency.

    @property
    def map_targets(self) -> tuple[str, ...]:
        """Names of the targets that a map may explain; empty for a single score."""
        return ()

    def explained(self, probabilities: np.ndarray) -> np.ndarray | None:
        """Index (n,) of the default map target; None for a single score."""
        return None

    @abc.abstractmethod
    def score(self, logits, target: np.ndarray | None, ops):
        """The score y (n,) that a map explains, see `mdmt_tf.saliency.maps`.

        Args:
            logits: float32 (n, n_outputs).
            target: index (n,) of the map target; None if the task has a single score.
            ops: keras.ops.
        """

    @abc.abstractmethod
    def explanation(
        self, probabilities: np.ndarray, encoded, target: int | None
    ) -> dict[str, str | float | None]:
        """Columns of `saliency.csv` on the prediction and the truth of one image.

        Args:
            probabilities: probabilities of this image, (n_classes,) or (1,).
            encoded: its label of `encode`; None: unknown.
            target: the explained map target; None if the task has a single score.
        Returns: class_explained, predicted, probability (None for a value) and
            true_class ("" where unknown).
        """

    def explained_words(self, target: int | None) -> str:
        """The explained class or score, as words of a title."""
        return self.map_targets[target]


def _listed(value):
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
