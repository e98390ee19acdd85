"""The base of all tasks: their attributes, and the methods of every kind.

One model serves any number of tasks. A sample counts for a task if the indicator
I(x, task) is 1: the dataset of x feeds the task and the label of x is known (eq. 2 of
Ruffini et al., MICCAI 2024).

Everything that depends on the kind of a task is in the class of that kind. Code outside
this package calls the methods of a task and never looks at its kind.
"""

import abc
import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from mdmt_tf.errors import nearest
from mdmt_tf.tasks.answer import Answer
from mdmt_tf.tasks.losses import Loss

# Forms of the head of a task, see `mdmt_tf.models.multitask`.
HEADS = ("mlp", "linear", "relu_linear")

# A problem of one entry of `tasks`: the key below it, and the text after the key.
Problem = tuple[tuple[str, ...], str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task(Answer):
    """One thing to predict from an image; the base of all kinds.

    Attributes:
        kind: name of the kind, as in the configuration. Name, classes, cut points,
            order and sources are those of `Answer`.
        losses: name in the configuration -> loss that the kind can be trained with. The
            first is the default, and a proper score: the one that is reported.
        is_standardized: whether the kind fits its labels' mean and std, see `fitted`.
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
        mirror: task whose label is that of this one where left and right of the image
            are exchanged; None: this one, whose label stays the same.
    """

    losses: ClassVar[Mapping[str, Loss]]
    is_standardized: ClassVar[bool] = False

    weight: float = 1.0
    class_weights: tuple[float, ...] | str | None = None
    oversample: bool = False
    loss: str | None = None
    head: str | None = None
    standardize: bool = True
    permute: bool = False
    fraction: float = 1.0
    mirror: str | None = None

    # Facts.

    @property
    @abc.abstractmethod
    def n_outputs(self) -> int:
        """Width of the model's output for this task."""

    @property
    def initial_scale(self) -> float:
        """Factor of the initial weights of the layer that gives the output."""
        return 1.0

    @property
    def likelihood_factor(self) -> float:
        """That of the chosen loss, see `Loss`."""
        return self._chosen_loss.likelihood_factor

    @property
    def trained_factor(self) -> float:
        """The first loss that training minimises, over the metric `loss`."""
        return 1.0

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
    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        """One row of `targets` as text; at least one label of it is known."""

    @abc.abstractmethod
    def score(self, logits, target: np.ndarray | None, ops):
        """The score y (n,) that a map explains, see `mdmt_tf.saliency.maps`.

        Args:
            logits: float32 (n, n_outputs).
            target: index (n,) of the map target; None if the task has a single score.
            ops: keras.ops.
        """
