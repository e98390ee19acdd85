"""Adam with PyTorch's meaning, one kernel per variable."""

import keras
import tensorflow as tf

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.layers import number_of_replicas, sum_over_replicas
from mdmt_tf.training.finiteness import GradientWatch


@keras.saving.register_keras_serializable(package="mdmt_tf")
class Adam(keras.optimizers.Adam):
    """Adam, with L2 or decoupled weight decay, exactly as in PyTorch.

    For each variable w with gradient g, at step t = 1, 2, ...:

        g <- g + l2 w                                (torch.optim.Adam's weight_decay)
        w <- w - learning_rate weight_decay w        (torch.optim.AdamW's)
        m <- beta_1 m + (1 - beta_1) g
        v <- beta_2 v + (1 - beta_2) g^2;            with amsgrad: u <- max(u, v)
        w <- w - learning_rate / (1 - beta_1^t) m / (sqrt(v / (1 - beta_2^t)) + epsilon)

    and with amsgrad u instead of v in the last line. With `accumulate` = k, the first
    k - 1 of k calls only add up their gradients, and the last one takes a step with
    their mean. This is the step of one batch k times as large, except for layers that
    depend on the batch (BatchNormalization). Calls are counted through all epochs. The
    accumulation is arithmetic without a branch, because replicas of `MirroredStrategy`
    cannot branch (Keras' own accumulation fails there).

    TensorFlow's kernel and Keras add epsilon to sqrt(v) without the bias correction
    ("epsilon hat" of the paper). In these terms, PyTorch's epsilon is
    epsilon sqrt(1 - beta_2^t), so the kernel receives that.

    Keras' own Adam needs a dozen kernels per variable: a third of the time to trace a
    ResNet and a tenth of its step. Build the optimizer before the first step, as
    `losses.compile_model` does; otherwise the step is traced twice.

    Args:
        learning_rate: positive float, or a Keras schedule.
        beta_1, beta_2: decay of the moments, in [0, 1).
        epsilon: positive.
        amsgrad: whether to divide by the largest second moment so far.
        l2: factor of the penalty l2/2 |w|^2, which enters the moments. It applies to
            every variable, including biases and normalisation, except for those
            excluded by `exclude_from_weight_decay`.
        weight_decay: decoupled decay, which does not enter the moments; None for none.
        accumulate: k, the number of calls per step, 1 or more.
        **kwargs: those of `keras.optimizers.Adam`.
    Source: Kingma and Ba 2015; Loshchilov and Hutter 2019 (decoupled); Reddi et al.
        2018 (amsgrad).
    """

    def __init__(
        self,
        learning_rate=1e-3,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        amsgrad=False,
        l2=0.0,
        weight_decay=None,
        accumulate=1,
        **kwargs,
    ):
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            weight_decay=weight_decay,
            **kwargs,
        )
        self.l2 = l2
        self.accumulate = accumulate
        # Sees the gradients of every step, if set.
        self.watch: GradientWatch | None = None

    def get_config(self):
        own = {"l2": self.l2, "accumulate": self.accumulate}
        return {**super().get_config(), **own}

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._sums = []
        if self.accumulate > 1:
            self._sums = self.add_optimizer_variables(variables, "gradient_sum")

    def apply(self, grads, trainable_variables=None):
        if self.watch is not None:
            self.watch.note(grads, self.iterations)
        super().apply(grads, trainable_variables)

    def _is_step(self):
        """Whether this call is the last of its k, bool scalar."""
        return tf.equal((self.iterations + 1) % self.accumulate, 0)

    def _apply_weight_decay(self, variables):
        """Do nothing: `update_step` applies the weight decay as part of the step."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        # The values that depend on the step alone are computed once, not per variable,
        # and pass through Keras' distribution code in place of the learning rate.
        dtypes = {tf.as_dtype(variable.dtype) for variable in trainable_variables}
        scalars = {d.name: self._step_scalars(learning_rate, d) for d in dtypes}
        super()._backend_update_step(grads, trainable_variables, scalars)

    def _step_scalars(self, learning_rate, dtype):
        """The kernel's scalar arguments at this step, in `dtype`.

        Both bias corrections are in the step size `lr`, computed in float64, because
        1 - 0.999^t loses four digits in float32. Powers of 0 prevent the kernel from
        correcting again. The corrections use the betas rounded to `dtype`, as the
        kernel does.
        """
        round_to_dtype = dtype.as_numpy_dtype
        beta_1 = float(round_to_dtype(self.beta_1))
        beta_2 = float(round_to_dtype(self.beta_2))
        # The step that this call takes or contributes to.
        step = tf.cast(self.iterations // self.accumulate + 1, tf.float64)
        correction_1 = 1.0 - tf.pow(tf.constant(beta_1, tf.float64), step)
        correction_2 = tf.sqrt(1.0 - tf.pow(tf.constant(beta_2, tf.float64), step))
        step_size = tf.cast(learning_rate, tf.float64) * correction_2 / correction_1
        zero = tf.zeros([], dtype)
        scalars = {
            "lr": tf.cast(step_size, dtype),
            "epsilon": tf.cast(self.epsilon * correction_2, dtype),
            "beta1": tf.constant(beta_1, dtype),
            "beta2": tf.constant(beta_2, dtype),
            "beta1_power": zero,
            "beta2_power": zero,
            # The fraction of a variable that remains after decoupled decay.
            "kept": tf.cast(1.0 - (self.weight_decay or 0.0) * learning_rate, dtype),
        }
        if self.accumulate > 1:
            # With these the kernel changes neither moments nor variable.
            idle = {"lr": 0.0, "beta1": 1.0, "beta2": 1.0, "kept": 1.0}
            takes = self._is_step()
            for name, value in idle.items():
                scalars[name] = tf.where(takes, scalars[name], tf.cast(value, dtype))
        return scalars

    def update_step(self, gradient, variable, learning_rate):
        dtype = tf.as_dtype(variable.dtype)
        if isinstance(learning_rate, dict):
            scalars = dict(learning_rate[dtype.name])
        else:
            scalars = self._step_scalars(learning_rate, dtype)
        gradient = tf.cast(tf.convert_to_tensor(gradient), dtype)
        index = self._get_variable_index(variable)
        if self.accumulate > 1:
            total = gradient + self._sums[index]
            gradient = total / self.accumulate
            self._sums[index].assign(tf.where(self._is_step(), 0.0, total))
        if self.l2 and self._use_weight_decay(variable):
            gradient += self.l2 * variable
        kept = scalars.pop("kept")
        if self.weight_decay and self._use_weight_decay(variable):
            variable.assign(variable * kept)
        slots = {"m": self._momentums[index], "v": self._velocities[index]}
        operation = tf.raw_ops.ResourceApplyAdam
        if self.amsgrad:
            slots["vhat"] = self._velocity_hats[index]
            operation = tf.raw_ops.ResourceApplyAdamWithAmsgrad
        operation(
            var=variable.handle,
            **{name: slot.value.handle for name, slot in slots.items()},
            **scalars,
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package="mdmt_tf")
class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Scaling of the loss for `mixed_float16`, for any number of replicas.

    A step whose gradients overflow in any replica is left out in all of them. Keras
    decides by the first replica alone, although gradients are not added up before. An
    overflow in another replica would then make the weights of all of them NaN.

    Example:
        >>> optimizer = LossScaleOptimizer(Adam())
        >>> bool(optimizer.check_finite([tf.constant([1.0]), None]))
        True
        >>> bool(optimizer.check_finite([tf.constant([float("inf")])]))
        False
    """

    def check_finite(self, grads):
        finite = tf.cast(super().check_finite(grads), tf.float32)
        return sum_over_replicas(finite) >= float(number_of_replicas())


def build_optimizer(
    name, learning_rate, weight_decay=0.0, *, amsgrad=False, accumulate=1
):
    """An optimizer with the name and the meaning that it has in PyTorch.

    Args:
        name: "adam" (weight decay is L2, on every variable) or "adamw" (decoupled).
        learning_rate: positive.
        weight_decay: not negative.
        amsgrad, accumulate: see `Adam`.
    Raises:
        ConfigError: an unknown name or a value out of range.
    """
    if learning_rate <= 0 or weight_decay < 0:
        raise ConfigError(
            "an optimizer needs learning_rate > 0 and weight_decay >= 0. Received: "
            f"learning_rate={learning_rate}, weight_decay={weight_decay}."
        )
    options = {"amsgrad": amsgrad, "accumulate": accumulate}
    if name == "adam":
        return Adam(float(learning_rate), l2=float(weight_decay), **options)
    if name == "adamw":
        decay = float(weight_decay) or None
        return Adam(float(learning_rate), weight_decay=decay, **options)
    raise ConfigError(f"{name!r} is not an optimizer. Known: adam, adamw.")


def watch_of(optimizer: keras.optimizers.Optimizer) -> GradientWatch:
    """The watch of the gradients of a compiled model, also where the loss is scaled."""
    return getattr(optimizer, "inner_optimizer", optimizer).watch
