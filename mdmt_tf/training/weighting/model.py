"""A model together with the weighting of its losses, fitted as one model."""

import keras
import tensorflow as tf

from mdmt_tf.models.layers import sum_over_replicas


class WeightedModel(keras.Model):
    """Fit a model with a method of loss weighting.

    The method's variables live in its layer, so that the model within can be saved,
    exported and averaged as if it were alone.

    Args:
        model: functional model from `image`, or a pair of images and the numbers of
            their datasets, to a dict of logits.
        backbone: name of the layer that all tasks share.
        weighting: a `mdmt_tf.training.weighting.base.Weighting`.

    Example:
        >>> from mdmt_tf.models.multitask import build_model
        >>> from mdmt_tf.tasks import make_task
        >>> from mdmt_tf.training.weighting import build_weighting
        >>> tasks = [make_task(name="severe", kind="binary")]
        >>> image = keras.Input((4,))
        >>> backbone = keras.Model(image, keras.layers.Dense(3)(image), name="net")
        >>> model = build_model(backbone, tasks)
        >>> method = build_weighting("uncertainty", tasks)
        >>> fitted = WeightedModel(model, "net", method)
        >>> len(fitted.variables) - len(model.variables)
        1
    """

    def __init__(
        self, model: keras.Model, backbone: str, weighting: keras.layers.Layer
    ):
        # The model casts its inputs itself.
        super().__init__(name=model.name, autocast=False)
        self.model = model
        self.weighting = weighting
        self._backbone = backbone
        # All variables exist already.
        self.built = True

    def call(self, image, training=None):
        return self.model(image, training=training)

    def compile(self, optimizer, loss, loss_weights, **options):
        """Like `keras.Model.compile`, with a loss and a weight for each task.

        Args:
            loss: {task: `keras.losses.Loss`}, the sum over the batch divided by its
                rows.
            loss_weights: {task: Task.weight}.
        """
        self._loss_of, self._weight_of = dict(loss), dict(loss_weights)
        if self.weighting.trainable_variables:
            # In mixed precision, the one that decays is within the one that scales.
            decaying = getattr(optimizer, "inner_optimizer", optimizer)
            decaying.exclude_from_weight_decay(self.weighting.trainable_variables)
        super().compile(optimizer=optimizer, **options)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        return self.weighting.total(*self._terms(y, y_pred, sample_weight))

    def _terms(self, targets, logits, weights) -> tuple[dict, dict]:
        """`losses` and `fractions` of `Weighting`, of the rows of this replica.

        B is the number of rows of all replicas.
        """
        replicas = self.distribute_strategy.num_replicas_in_sync
        losses, fractions = {}, {}
        for name, loss in self._loss_of.items():
            # Keras' losses are divided by the number of replicas already.
            mean = loss(targets[name], logits[name], sample_weight=weights[name])
            losses[name] = self._weight_of[name] * mean
            known = keras.ops.mean(keras.ops.cast(weights[name], "float32"))
            fractions[name] = self._weight_of[name] * known / replicas
        return losses, fractions

    def train_step(self, data):
        if not self.weighting.uses_task_gradients:
            return super().train_step(data)
        image, targets, weights = data
        with tf.GradientTape(persistent=True) as tape:
            logits = self(image, training=True)
            losses, fractions = self._terms(targets, logits, weights)
            total = self.weighting.total(losses, fractions)
            # Unchanged, or multiplied by the loss scale with mixed_float16.
            scaled = {t: self.optimizer.scale_loss(loss) for t, loss in losses.items()}
            scaled_total = self.optimizer.scale_loss(total)
        replicas = self.distribute_strategy.num_replicas_in_sync
        backbone = self.model.get_layer(self._backbone).trainable_variables
        of_tasks = {t: _gradients(tape, loss, backbone) for t, loss in scaled.items()}
        of_backbone = self.weighting.backbone_gradients(
            *sum_over_replicas((of_tasks, losses, fractions))
        )
        # The optimizer adds up the gradients of the replicas.
        gradients = {
            id(variable): gradient / replicas
            for variable, gradient in zip(backbone, of_backbone, strict=True)
        }
        rest = [v for v in self.trainable_variables if id(v) not in gradients]
        of_rest = _gradients(tape, scaled_total, rest)
        gradients |= {id(v): g for v, g in zip(rest, of_rest, strict=True)}
        variables = self.trainable_variables
        self.optimizer.apply([gradients[id(v)] for v in variables], variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(
                    total * replicas, tf.shape(keras.tree.flatten(image)[0])[0]
                )
        return self.compute_metrics(image, targets, logits, sample_weight=weights)

    def save_weights(self, filepath, **options):
        """The metrics of the model alone."""
        self.model.save_weights(filepath, **options)

    def save(self, filepath, **options):
        """The model alone, which is not compiled."""
        self.model.save(filepath, **options)


def current_weights(model: keras.Model) -> dict[str, float]:
    """The learned weights of a fitted model: {task: weight}.

    Empty if Keras weights the losses, or if a method has no weights to report.

    Example:
        >>> current_weights(keras.Sequential())
        {}
    """
    if not isinstance(model, WeightedModel):
        return {}
    weights = model.weighting.task_weights()
    return {
        t: float(keras.ops.convert_to_numpy(weight)) for t, weight in weights.items()
    }


def _gradients(tape, loss, variables) -> list:
    return tape.gradient(
        loss,
        [variable.value for variable in variables],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
