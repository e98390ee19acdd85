"""Stop a fit when its numbers are lost.

The loss does not tell. On CPU, TensorFlow's max pooling turns NaN into a finite number,
so the loss can stay finite while all weights before it are NaN. Every value that is not
finite reaches a gradient, however: where a layer hides it on the way forward, the layer
before is still multiplied by it on the way back.
"""

import time
from collections.abc import Callable, Collection, Sequence

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.errors import MdmtError

# With a loss scale below this, gradients overflow in float16 without any scale.
_LEAST_SCALE = 1.0


class GradientWatch:
    """Notes the first step whose gradients are not finite, within its graph.

    Of a kernel (..., inputs, outputs), it looks at the gradients of the first input and
    of the first output alone. A lost number of an output is in the gradients of all
    inputs, and one of an input in those of all outputs, so nothing is missed, and a
    thousandth of the memory is read. Vectors are looked at whole. The gradients of the
    first output lie far apart in memory, and reading them takes longest. They are
    passed over where the outputs are normalised, see `normalized_kernels`.

    The gradients count as finite if half the sum of all these squares is. A number
    above 1e19 overflows that sum; it overflows the second moment of Adam, too, which
    never recovers. Which gradients were lost is only computed in that step: a hundred
    small operations take longer than the numbers that they look at.

    Make it inside the strategy's scope. Each replica notes its own gradients.

    Args:
        count: number of gradients.
        normalized: numbers of kernels of which one row is enough.

    Example:
        >>> watch = GradientWatch(2)
        >>> watch.note([tf.ones(3), None], step=0)
        >>> watch.note([tf.ones(3), tf.constant([1.0, float("nan")])], step=1)
        >>> watch.note([tf.constant([float("inf")]), None], step=2)
        >>> watch.found()
        (1, [1])
    """

    def __init__(self, count: int, normalized: Collection[int] = ()):
        self._normalized = frozenset(normalized)
        self._strategy = tf.distribute.get_strategy()
        self._step = _of_each_replica(tf.constant(-1, tf.int64))
        self._lost = _of_each_replica(tf.zeros([count], tf.bool))

    def note(self, gradients: Sequence[tf.Tensor | None], step) -> None:
        """Look at the gradients of a step, in the context of a replica.

        Args:
            gradients: one for each variable; None: the step does not depend on it.
            step: number of the step, an integer scalar.
        """
        places = [place for place, each in enumerate(gradients) if each is not None]
        parts = [
            _looked_at(gradients[place], place in self._normalized) for place in places
        ]
        if not parts:
            return
        numbers = tf.concat(parts, 0)
        is_lost = ~tf.math.is_finite(tf.nn.l2_loss(numbers))
        is_first = is_lost & (self._step < 0)

        def lost():
            each = tf.split(numbers, [tf.size(part) for part in parts])
            sizes = tf.stack([tf.nn.l2_loss(one) for one in each])
            own = ~tf.math.is_finite(sizes)
            # Of several that overflow only together, the largest.
            own |= ~tf.reduce_any(own) & (sizes >= tf.reduce_max(sizes))
            at = tf.constant(places, tf.int32)[:, tf.newaxis]
            return tf.scatter_nd(at, own, tf.shape(self._lost))

        nothing = tf.zeros_like(self._lost)
        self._lost.assign(self._lost | tf.cond(is_first, lost, lambda: nothing))
        step = tf.cast(tf.convert_to_tensor(step), tf.int64)
        self._step.assign(tf.where(is_first, step, self._step))

    def found(self) -> tuple[int, list[int]] | None:
        """The first such step of any replica, and the numbers of its gradients.

        None if all gradients so far are finite.
        """
        steps, lost = (
            [np.array(value) for value in self._strategy.experimental_local_results(v)]
            for v in (self._step, self._lost)
        )
        noted = [int(step) for step in steps if step >= 0]
        if not noted:
            return None
        own = [row for row, step in zip(lost, steps, strict=True) if step == min(noted)]
        return min(noted), np.flatnonzero(np.any(own, axis=0)).tolist()


def _looked_at(gradient: tf.Tensor, is_normalized: bool) -> tf.Tensor:
    """The numbers of a gradient that are looked at, float32 (n,)."""
    gradient = tf.convert_to_tensor(gradient)
    parts = [gradient]
    if len(gradient.shape) > 1:
        parts = [gradient[..., 0, :]]
        if not is_normalized:
            parts.append(gradient[..., 0])
    return tf.concat([tf.reshape(tf.cast(p, tf.float32), [-1]) for p in parts], 0)


def normalized_kernels(model: keras.Model) -> set[int]:
    """Numbers of trainable kernels whose outputs go into batch normalisation alone.

    A lost input makes outputs lost, and these the statistics of the batch. So the
    gradient of the scale is lost, whatever comes later, and a look at the gradients of
    the kernel's inputs would tell no more. The scale has to be trainable.

    Example:
        >>> image = keras.Input((4, 4, 3))
        >>> x = keras.layers.Conv2D(2, 3)(image)
        >>> x = keras.layers.BatchNormalization()(x)
        >>> model = keras.Model(image, keras.layers.Conv2D(2, 2)(x))
        >>> [variable.name for variable in model.trainable_variables]
        ['kernel', 'bias', 'gamma', 'beta', 'kernel', 'bias']
        >>> normalized_kernels(model)
        {0}
    """
    places = {id(v): number for number, v in enumerate(model.trainable_variables)}
    found = set()
    for layer in model._flatten_layers(include_self=False):
        place = places.get(id(getattr(layer, "kernel", None)))
        following = [node.operation for node in layer._outbound_nodes]
        if (
            place is not None
            and following
            and all(
                isinstance(one, keras.layers.BatchNormalization)
                and id(one.gamma) in places
                for one in following
            )
        ):
            found.add(place)
    return found


def _of_each_replica(value: tf.Tensor) -> tf.Variable:
    return tf.Variable(
        value,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def not_finite(variables: Sequence[keras.Variable]) -> list[str]:
    """Paths of the variables that hold a NaN or an infinite number.

    Example:
        >>> good, bad = keras.Variable([1.0], name="a"), keras.Variable([0.0], name="b")
        >>> bad.assign([float("nan")]).numpy().tolist()
        [nan]
        >>> not_finite([good, bad])
        ['b']
    """
    return [
        variable.path
        for variable in variables
        if tf.as_dtype(variable.dtype).is_floating
        and not bool(tf.reduce_all(tf.math.is_finite(variable.value)))
    ]


class StopWhenLost(keras.callbacks.Callback):
    """Stop a fit whose gradients or weights are no numbers any more.

    It looks once a second, and at the end of an epoch before all other callbacks. So no
    such epoch is selected. `look` is to be called before a state is saved.

    Args:
        watch: notes the gradients of the fitted model.
        describe: from the number of the step, counted from the start of the run, and
            the paths of the variables with lost gradients, to what is known about it.
        kept: what the run folder keeps, a sentence for the message.
    Raises: MdmtError in the fit.
    """

    SECONDS = 1.0

    def __init__(
        self,
        watch: GradientWatch,
        describe: Callable[[int, Sequence[str]], str],
        kept: Callable[[], str],
    ):
        super().__init__()
        self._watch, self._describe, self._kept = watch, describe, kept

    def on_train_begin(self, logs=None):
        self._looked = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self._looked >= self.SECONDS:
            self.look()
            self._looked = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        self.look()
        lost = not_finite(self.model.variables)
        if lost:
            raise MdmtError(
                f"training stopped at the end of epoch {epoch + 1}: "
                f"{_listed(lost)} no longer finite, although all gradients are. Lower "
                "training.learning_rate, or use training.precision = float32. "
                + self._kept()
            )

    def look(self) -> None:
        """Raise the error if the gradients of a step so far were lost."""
        found = self._watch.found()
        if found is not None:
            step, places = found
            paths = [self.model.trainable_variables[place].path for place in places]
            raise MdmtError(f"{self._describe(step, paths)} {self._kept()}")
        scale = getattr(self.model.optimizer, "dynamic_scale", None)
        if scale is not None and float(np.array(scale)) < _LEAST_SCALE:
            raise MdmtError(
                "training stopped: with training.precision = mixed_float16, gradients "
                f"overflow even with a loss scale of {float(np.array(scale)):g}. Use "
                "mixed_bfloat16 or float32, or lower training.learning_rate. "
                + self._kept()
            )


def _listed(paths: Sequence[str]) -> str:
    rest = f" and {len(paths) - 1} other variables are" if len(paths) > 1 else " is"
    return f"{paths[0]}{rest}"
