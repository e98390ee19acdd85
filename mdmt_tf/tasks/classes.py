"""The common bases of the answers that are one of several classes."""

from collections.abc import Iterator, Sequence

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.tasks.answer import Answer, Property, label_is_known
from mdmt_tf.tasks.base import Problem, Task

# A probability below the smallest normal float32 is a rounding error. This limits the
# loss of one row to 87.3.
_SMALLEST = float(np.finfo(np.float32).tiny)


class ClassAnswer(Answer):
    """An answer with classes, named or made from cut points."""

    @property
    def n_classes(self) -> int:
        return len(self.classes) or len(self.cut_points) + 1

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; made from the cut points if none were given."""
        if self.classes:
            return self.classes
        if not self.cut_points:
            return tuple(str(index) for index in range(self.n_classes))
        cuts = [f"{cut:g}" for cut in self.cut_points]
        inner = [f"{a} to <{b}" for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
        names = (f"<{cuts[0]}", *inner, f">={cuts[-1]}")
        return names[::-1] if self.descending else names

    @property
    def properties(self) -> frozenset[Property]:
        found = {Property.CLASSES, Property.NOMINAL}
        if self.n_classes == 2:
            found.add(Property.TWO_CLASSES)
        if self.cut_points:
            found.add(Property.ORDERED)
        return frozenset(found)

    @property
    def grades(self) -> tuple[float, ...] | None:
        """The names of the classes as numbers; None if one of them is no number."""
        return self._named_numbers

    @property
    def _named_numbers(self) -> tuple[float, ...] | None:
        """As `grades`, which a binary task has if the names are words, too."""
        if not all(map(_is_number, self.class_names)):
            return None
        numbers = tuple(map(float, self.class_names))
        return numbers if np.isfinite(numbers).all() else None

    def encode(self, labels: np.ndarray) -> np.ndarray:
        labels = np.asarray(labels)
        known = label_is_known(labels)
        result = np.full(len(labels), -1, np.int64)
        if self.cut_points:
            # Lower bound inclusive, as in eq. 4: G < 5 -> 0, 5 <= G < 9 -> 1, ...
            steps = np.digitize(self._numbers(labels[known]), self.cut_points)
            result[known] = len(self.cut_points) - steps if self.descending else steps
        elif labels.dtype.kind in "OSU":
            index = {name: i for i, name in enumerate(self.class_names)}
            self._refuse(labels, known & ~np.isin(labels, list(index)))
            result[known] = [index[label] for label in labels[known]]
        else:
            # Class labels are read as their names, see `mdmt_tf.data.sources`. So these
            # are numbers: those that are the names of the classes, or else indices.
            same = self._are_of_class(labels)
            self._refuse(labels, known & (same.sum(axis=1) != 1))
            result[known] = same[known].argmax(axis=1)
        return result

    def numbers_text(self, labels: np.ndarray) -> str:
        """Likewise.

        Example:
            >>> from mdmt_tf.tasks import make_task
            >>> outcome = make_task(name="o", kind="binary", classes=("fine", "poor"))
            >>> outcome.numbers_text(np.array([1, 0, 1, -1]))
            '0 -> fine: 1, 1 -> poor: 2'
        """
        labels = np.asarray(labels)
        if labels.dtype.kind in "OSU" or self.cut_points or self._named_numbers:
            return ""
        encoded = self.encode(labels)
        counts = np.bincount(encoded[encoded >= 0], minlength=self.n_classes)
        named = zip(self.class_names, counts, strict=True)
        return ", ".join(f"{k} -> {name}: {n}" for k, (name, n) in enumerate(named))

    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The most probable class, int64 (n,)."""
        return np.asarray(probabilities, np.float64).argmax(axis=-1)

    def row_loss(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Cross-entropy of the true class, in nats."""
        chosen = probabilities[np.arange(len(targets)), targets]
        return -np.log(np.maximum(chosen, _SMALLEST))

    @property
    def probability_columns(self) -> tuple[str, ...]:
        return tuple(f"p_{index}" for index in range(self.n_classes))

    @property
    def map_targets(self) -> tuple[str, ...]:
        return self.class_names

    def explained(self, probabilities: np.ndarray) -> np.ndarray | None:
        return self.prediction(probabilities)

    def explanation(self, probabilities, encoded, target):
        predicted = int(self.prediction(probabilities[np.newaxis])[0])
        names = self.class_names
        known = encoded is not None and encoded >= 0
        return {
            "class_explained": self.explained_name(target),
            "predicted": names[predicted],
            "probability": float(probabilities[predicted]),
            "true_class": names[int(encoded)] if known else "",
        }

    def explained_name(self, target: int | None) -> str:
        """The explained class or score, in `saliency.csv`."""
        return self.class_names[target]

    def _numbers(self, labels: np.ndarray) -> np.ndarray:
        """Known labels as float64, for the cut points."""
        try:
            return labels.astype(float)
        except ValueError:
            wrong = next(label for label in labels.tolist() if not _is_number(label))
            raise DataError(
                f"task {self.name!r}: expected numbers for cut_points. Received: "
                f"{wrong!r}, for example. Is `from` the right field? For labels that "
                "are names, give `classes` without cut_points."
            ) from None

    def _are_of_class(self, labels: np.ndarray) -> np.ndarray:
        """Whether numbers (n,) are those of each class, bool (n, n_classes)."""
        numbers = self._named_numbers or range(self.n_classes)
        # 0.1 in the precision of the labels.
        is_float = labels.dtype.kind == "f"
        numbers = np.asarray(numbers, labels.dtype if is_float else np.float64)
        return labels[:, np.newaxis] == numbers

    def _refuse(self, labels: np.ndarray, wrong: np.ndarray) -> None:
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            label = labels.tolist()[row]
            are_numbers = self._named_numbers is not None
            expected = "one of these numbers" if are_numbers else "a class index"
            raise DataError(
                f"task {self.name!r}: label {label!r} in row {row} is none of "
                f"its {self.n_classes} classes ({', '.join(self.class_names)}); "
                f"{int(wrong.sum())} such rows. Expected {expected}, -1 or NaN for "
                "unknown, or a class name. Is `from` the right field, or are "
                "`cut_points` missing?"
            )


class OrderedClasses(ClassAnswer):
    """An answer whose classes have an order, so that an error has a size."""

    @property
    def properties(self) -> frozenset[Property]:
        found = super().properties | {Property.ORDERED, Property.SCALE}
        return found - {Property.NOMINAL}

    def row_loss(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Mean cross-entropy of the thresholds between the classes, in nats.

        For each threshold j, whether the class is above j, with the probability
        P(class > j): what an ordinal task is trained with, unless its logits cross and
        `cumulative_probabilities` changes them. The cross-entropy of the class itself
        would be without bound there, because a class between equal thresholds has
        probability 0.

        Example:
            >>> from mdmt_tf.tasks import make_task
            >>> task = make_task(name="grade", kind="ordinal", cut_points=(2, 5))
            >>> chances = np.array([[0.5, 0.3, 0.2]])
            >>> # The mean of -log 0.5 and -log 0.8.
            >>> task.row_loss(np.array([0]), chances).round(4).tolist()
            [0.4581]
        """
        chances = np.asarray(probabilities, np.float64)[:, : self.n_classes]
        below = np.cumsum(chances, axis=1)[:, :-1]
        above = np.cumsum(chances[:, ::-1], axis=1)[:, -2::-1]
        is_above = targets[:, np.newaxis] > np.arange(self.n_classes - 1)
        chosen = np.where(is_above, above, below)
        return -np.log(np.clip(chosen, _SMALLEST, 1)).mean(axis=1)

    @property
    def map_targets(self) -> tuple[str, ...]:
        return ()

    def explained(self, probabilities: np.ndarray) -> None:
        return None

    def explained_name(self, target: int | None) -> str:
        return "higher"

    def explained_words(self, target: int | None) -> str:
        return "a higher class"


class ClassTask(ClassAnswer, Task):
    """A task with classes, named or made from cut points."""

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        cuts, classes = self.cut_points, list(self.classes)
        count = len(classes) or len(cuts) + 1
        if cuts and count != len(cuts) + 1:
            yield (
                ("classes",),
                f" = {classes}: {len(cuts)} cut points make {len(cuts) + 1} classes, "
                f"but {count} are named.",
            )
        elif count < 2:
            yield (), ": needs `classes` (two or more names) or `cut_points`."
        elif count != self.n_classes:
            yield (
                (),
                f": a {self.kind} task has {self.n_classes} classes, this one {count}.",
            )
        elif isinstance(self.class_weights, tuple) and len(self.class_weights) != count:
            yield (
                ("class_weights",),
                f" = {list(self.class_weights)}: expected {count} numbers, one per "
                "class in the order of `classes`.",
            )

    def class_counts(self, encoded: np.ndarray) -> np.ndarray:
        return np.bincount(encoded[encoded >= 0], minlength=self.n_classes)

    def counts_text(self, counts: np.ndarray) -> str:
        named = zip(self.class_names, counts, strict=True)
        return ", ".join(f"{count} {name}" for name, count in named)

    def class_factors(self, counts: np.ndarray) -> np.ndarray:
        """The factor of the loss of a row, by class.

        Args:
            counts: int (n_classes,), training rows of each class.
        Returns: float32 (n_classes,). "balanced" is n / (k n_c), so that each class has
            the same sum and the mean over rows is 1.
        Raises: DataError for "balanced" when a class has no training row.
        """
        if self.class_weights is None:
            return np.ones(len(counts), np.float32)
        if self.class_weights != "balanced":
            return np.asarray(self.class_weights, np.float32)
        if not counts.all():
            empty = self.class_names[int(np.argmin(counts))]
            few = (
                f" Of the labels, only those of {self.fraction:.3g} of the patients "
                f"are used (tasks.{self.name}.fraction); raise it, give numbers"
            )
            more = few if self.fraction < 1 else " Give numbers"
            raise DataError(
                f"task {self.name!r}: class_weights = balanced, but class {empty!r} "
                f"has no image in the training split.{more}, or merge classes."
            )
        return (counts.sum() / (len(counts) * counts)).astype(np.float32)

    def label_weights(self, encoded: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return self.class_factors(counts)[np.maximum(encoded, 0)]

    def strata(self, labels: np.ndarray) -> np.ndarray:
        return np.array([*self.class_names, "unknown"], object)[self.encode(labels)]

    def mixture_text(self, parts: Sequence[float]) -> str:
        """The class of a target as text, or the part of each class if it is mixed."""
        named = zip(parts, self.class_names, strict=True)
        words = [
            name if part > 1 - 1e-6 else f"{part:.2g} {name}"
            for part, name in named
            if part > 1e-6
        ]
        return ", ".join(words)


def _is_number(label) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def cumulative_probabilities(logits, ops):
    """Probabilities of the classes, from the logits of P(class > j).

    If P(class > j) rises with j, which is impossible, its running minimum is used.

    Args:
        logits: (n, k - 1).
        ops: numpy or keras.ops.
    Returns: float64 (n, k), rows sum to 1.
    """
    logits = ops.array(logits, dtype="float64")
    # The two-sided form cannot overflow.
    above = 0.5 * (1.0 + ops.tanh(0.5 * logits))
    columns = [above[:, :1]]
    for index in range(1, logits.shape[-1]):
        columns.append(ops.minimum(columns[-1], above[:, index : index + 1]))
    one = ops.ones_like(columns[0])
    edges = ops.concatenate([one, *columns, 0 * one], axis=-1)
    return -(edges[:, 1:] - edges[:, :-1])
