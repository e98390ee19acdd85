"""Several labels of one image, each yes or no, such as the findings of a report."""

from collections.abc import Iterator

import numpy as np

from mdmt_tf.tasks.answer import Property, label_is_known
from mdmt_tf.tasks.base import Problem, Task
from mdmt_tf.tasks.binary import Binary
from mdmt_tf.tasks.fields import exchanged_field, repeated_field
from mdmt_tf.tasks.losses import (
    Loss,
    sigmoid_cross_entropy,
    sigmoid_focal,
    sigmoid_squared_error,
)


class Multilabel(Task):
    """k labels, each yes, no or unknown.

    `classes` are the names of the labels. The model has k logits. The loss of an image
    is the sum of the losses of its known labels, divided by k. Each label is a binary
    task `<task>/<label>` in `predictions.csv`; metrics are means over the labels.
    """

    kind = "multilabel"
    prediction_rule = "threshold 0.5"
    losses = {
        "bce": Loss(sigmoid_cross_entropy),
        "focal": Loss(sigmoid_focal, mixes=False),
        "mse": Loss(sigmoid_squared_error, 0.5),
    }

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.classes

    @property
    def n_outputs(self) -> int:
        return len(self.classes)

    @property
    def label_shape(self) -> tuple[int, ...]:
        return (len(self.classes),)

    @property
    def components(self) -> tuple[Task, ...]:
        return tuple(
            Binary(
                name=f"{self.name}/{label}",
                classes=("no", "yes"),
                sources=self.sources,
            )
            for label in self.classes
        )

    @property
    def properties(self) -> frozenset[Property]:
        return self.components[0].properties

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        count = len(self.classes)
        if not count:
            yield (), ": needs `classes`, the names of its labels."
        if any("/" in label for label in self.classes):
            yield (
                ("classes",),
                f" = {list(self.classes)}: a label is named `{self.name}/LABEL` in "
                "tables, so its name should have no /.",
            )
        if self.cut_points or self.class_weights is not None or self.oversample:
            yield (
                (),
                ": a multilabel task has no cut_points, class_weights or oversample; "
                "each of its labels is yes or no.",
            )
        for dataset, field in self.sources.items():
            if not isinstance(field, str) and len(field) != count:
                yield (
                    ("from", dataset),
                    f" = {list(field)}: expected {count} fields, one per label in the "
                    f"order of `classes`, or one vector field. Received: {len(field)}.",
                )
            elif not isinstance(field, str):
                yield from self._problems_of_fields(dataset, field)

    def _problems_of_fields(
        self, dataset: str, fields: tuple[str, ...]
    ) -> Iterator[Problem]:
        own = dict(zip(self.classes, fields, strict=True))
        exchanged = exchanged_field(own)
        if text := repeated_field(own) or (exchanged and exchanged[1]):
            yield (
                ("from", dataset),
                f" = {list(fields)}: {text}. Expected one field per label, in the "
                f"order of `classes`: {', '.join(self.classes)}.",
            )

    def fields_text(self, dataset: str) -> str:
        """Each label with its field, or with its element of a vector."""
        field = self.sources[dataset]
        if isinstance(field, str):
            field = [f"{field}[{index}]" for index in range(len(self.classes))]
        pairs = zip(self.classes, field, strict=True)
        return ", ".join(f"{label} <- {own}" for label, own in pairs)

    def baseline_problem(self) -> str | None:
        return (
            "has several labels an image; a baseline of fields needs one class. Of "
            "images, thumbnail and features predict several labels, too."
        )

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """0 no, 1 yes, -1 unknown; int64 (n, k)."""
        columns = zip(self.components, np.asarray(labels).T, strict=True)
        return np.stack([one.encode(column) for one, column in columns], axis=1)

    def targets(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """0 or 1, float32 (n, k), and whether each is known, (n, k)."""
        encoded = self.encode(labels)
        known = label_is_known(encoded)
        return np.where(known, encoded, 0).astype(np.float32), known

    def class_counts(self, encoded: np.ndarray) -> np.ndarray:
        """int64 (k, 2): the numbers of images without and with each label."""
        columns = zip(self.components, encoded.T, strict=True)
        return np.stack([one.class_counts(column) for one, column in columns])

    def counts_text(self, counts: np.ndarray) -> str:
        named = zip(self.classes, counts, strict=True)
        return ", ".join(f"{c[1]} of {c.sum()} {label}" for label, c in named)

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """The rarest label that an image has, "none", or "unknown".

        All combinations of many labels would be strata of single patients.
        """
        encoded = self.encode(labels)
        rarity = np.argsort((encoded == 1).sum(axis=0), kind="stable")
        result = np.where(label_is_known(encoded).any(axis=1), "none", "unknown")
        result = result.astype(object)
        for index in rarity[::-1]:
            result[encoded[:, index] == 1] = self.classes[index]
        return result

    def probabilities(self, logits, ops=np):
        """sigmoid(logits), (n, k): the probability of each label."""
        return 0.5 * (1.0 + ops.tanh(0.5 * ops.array(logits, dtype="float64")))

    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """Whether each label is more probable than not, int64 (n, k)."""
        return (np.asarray(probabilities) > 0.5).astype(np.int64)

    def row_loss(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """The sum over the known labels of an image, divided by k."""
        total = np.zeros(len(targets))
        for component, own, chances in self.answers(targets, probabilities):
            known = label_is_known(own)
            total[known] += component.row_loss(own[known], chances[known])
        return total / len(self.classes)

    @property
    def probability_columns(self) -> tuple[str, ...]:
        return self.components[0].probability_columns

    def answers(self, encoded, probabilities):
        for index, component in enumerate(self.components):
            chance = probabilities[:, index]
            chances = np.stack([1.0 - chance, chance], axis=1)
            yield component, encoded[:, index], chances

    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        """The present labels, and the unknown ones with a question mark."""
        rows = zip(self.classes, target, known, strict=True)
        words = [
            ("" if t in (0, 1) else f"{t:.2g} ") + label + ("" if k else "?")
            for label, t, k in rows
            if t or not k
        ]
        return ", ".join(words) or "none"

    @property
    def map_targets(self) -> tuple[str, ...]:
        return self.classes

    def explained(self, probabilities: np.ndarray) -> np.ndarray:
        """The most probable label."""
        return np.asarray(probabilities).argmax(axis=-1)

    def score(self, logits, target, ops):
        """The logit of the label."""
        return ops.take_along_axis(logits, np.asarray(target)[:, np.newaxis], 1)[:, 0]

    def explanation(self, probabilities, encoded, target):
        """Whether the explained label is predicted, and whether it is present."""
        chance = float(probabilities[target])
        known = encoded is not None and encoded[target] >= 0
        return {
            "class_explained": self.classes[target],
            "predicted": "yes" if chance > 0.5 else "no",
            "probability": max(chance, 1.0 - chance),
            "true_class": ("no", "yes")[int(encoded[target])] if known else "",
        }
