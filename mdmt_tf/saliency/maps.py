"""Saliency maps of each answer: Grad-CAM, guided backpropagation, and their product.

The same code handles images (n, h, w, c) and volumes (n, d, h, w, c). A map explains
the score y of `Task.score`. If it explains a class, y is the logit of the class. For an
ordinal task, y is the sum of the cumulative logits, so the map is of a
higher class, independent of the predicted one. For a regression, y is the output. For
an answer that is derived from tasks, y is the sum of their expected grades.
Everything runs with `training=False`: stored statistics of the normalisation layers,
no dropout.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.imaging.resample import resize
from mdmt_tf.saliency import copies
from mdmt_tf.saliency.methods import GRAD_CAM, GUIDED, GUIDED_GRAD_CAM, METHODS
from mdmt_tf.tasks import Answer, Derived


def possible_methods(model: keras.Model) -> tuple[str, ...]:
    """The methods that a model's activations allow: without ReLUs, only Grad-CAM."""
    return METHODS if copies.can_be_guided(model) else (GRAD_CAM,)


class Explainer:
    """Saliency maps, computed with copies of a model.

    The copies keep the present weights; the model may be trained further or deleted.

    Args:
        model: a model of `build_model`: a backbone, and a head for each task.
        answers: tasks of the model, and answers that are derived from some of them.
        batch_size: number of samples computed together; memory grows with it.
        layer: layer of the backbone whose output is the feature map of Grad-CAM; None:
            see `copies.copy_of`.
    Attributes:
        answers: name -> answer.
        layer: name of this layer.
    Raises: ConfigError when the model has no backbone with a layer "pool", or the
        backbone does not have `layer`.
    """

    def __init__(
        self,
        model: keras.Model,
        answers: Sequence[Answer],
        batch_size: int = 1,
        layer: str | None = None,
    ):
        self.answers = {answer.name: answer for answer in answers}
        self._batch_size = batch_size
        self._plain = copies.copy_of(model, layer=layer)
        self.layer = self._plain.layer
        self._guided_copy: copies.Copy | None = None  # made when it is needed

    def set_weights(self, weights: copies.Weights) -> None:
        """Use other weights for the same network, {layer: arrays}."""
        for copy in (self._plain, self._guided_copy):
            if copy is not None:
                copy.set_weights(weights)

    def explained(self, images: np.ndarray, answer: str) -> np.ndarray | None:
        """The targets for which `target=None` stands, int64 (n,).

        See `Answer.explained`; None for a single score.

        Args: see `maps`.
        """
        own = self._answer(answer)
        if not own.map_targets:
            return None
        logits = [
            np.asarray(self._plain.whole(batch, training=False)[own.name])
            for batch, _ in self._batches(images, None)
        ]
        return own.explained(own.probabilities(np.concatenate(logits)))

    def maps(
        self,
        images: np.ndarray,
        answer: str,
        methods: Sequence[str] = METHODS,
        target: int | np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Maps of several methods; common steps are computed once.

        Args:
            images: float (n, *spatial, c), normalised as for the network.
            answer: name of one of the answers.
            methods: methods of METHODS.
            target: index in `Answer.map_targets`, one for all images or (n,); None: the
                target of `Answer.explained` for each image. It must be None if the
                answer has a single score.
        Returns: {method: float32 (n, *spatial)}.
        Raises: ConfigError for an unknown answer or method, a target that is no class,
            or activations for which guided backpropagation is not defined.
        """
        own = self._answer(answer)
        for method in methods:
            if method not in METHODS:
                raise ConfigError(
                    f"{method!r} is not a saliency method.{nearest(method, METHODS)} "
                    f"Known: {', '.join(METHODS)}."
                )
        found: dict[str, list[np.ndarray]] = {method: [] for method in methods}
        for batch, classes in self._batches(images, _checked(own, target)):
            part = {}
            if not {GRAD_CAM, GUIDED_GRAD_CAM}.isdisjoint(methods):
                part[GRAD_CAM] = self._grad_cam(batch, own, classes)
            if not {GUIDED, GUIDED_GRAD_CAM}.isdisjoint(methods):
                part[GUIDED] = self._guided(batch, own, classes)
            if GUIDED_GRAD_CAM in methods:
                part[GUIDED_GRAD_CAM] = part[GRAD_CAM] * part[GUIDED]
            for method in methods:
                found[method].append(part[method])
        return {method: np.concatenate(parts) for method, parts in found.items()}

    def grad_cam(self, images, answer, target=None) -> np.ndarray:
        """max(0, sum_k alpha_k A_k), enlarged to the size of the images; >= 0.

            alpha_k = mean over positions of dy / dA_k

        A is the feature map of `layer`, y the score, see the module.

        Args, Raises: see `maps`.
        Returns: float32 (n, *spatial).
        Source: Selvaraju et al. 2017 (https://arxiv.org/abs/1610.02391), eq. 1 and 2.
        """
        return self.maps(images, answer, [GRAD_CAM], target)[GRAD_CAM]

    def guided_backpropagation(self, images, answer, target=None) -> np.ndarray:
        """dy / dx, where a ReLU passes back only positive gradients; signed.

        The gradient is summed over the channels. They repeat one grey value, so by the
        chain rule the sum is the derivative by that value, up to a factor for the
        normalisation of each channel. The largest channel alone would not be the
        derivative by any value of the image.

        Args, Raises: see `maps`.
        Returns: float32 (n, *spatial).
        Source: Springenberg et al. 2015 (https://arxiv.org/abs/1412.6806).
        """
        return self.maps(images, answer, [GUIDED], target)[GUIDED]

    def guided_grad_cam(self, images, answer, target=None) -> np.ndarray:
        """The product of the two, which is fine and specific to the class; signed.

        Args, Raises: see `maps`.
        Returns: float32 (n, *spatial).
        Source: Selvaraju et al. 2017, section 3.2.
        """
        return self.maps(images, answer, [GUIDED_GRAD_CAM], target)[GUIDED_GRAD_CAM]

    def _grad_cam(self, images, answer, target):
        feature_map = self._plain.to_map(images, training=False)
        with tf.GradientTape() as tape:
            tape.watch(feature_map)
            score = self._score(answer, self._plain.from_map(feature_map), target)
        gradient = tf.cast(tape.gradient(score, feature_map), tf.float32)
        positions = list(range(1, len(gradient.shape) - 1))
        alpha = tf.reduce_mean(gradient, positions, keepdims=True)
        weighted = tf.reduce_sum(alpha * tf.cast(feature_map, tf.float32), -1)
        return enlarge(tf.nn.relu(weighted).numpy(), images.shape[1:-1])

    def _guided(self, images, answer, target):
        if self._guided_copy is None:
            self._guided_copy = copies.copy_of(self._plain.whole, copies.guided_layer)
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = self._guided_copy.whole(images, training=False)
            score = self._score(answer, logits, target)
        return tf.reduce_sum(tape.gradient(score, images), -1).numpy()

    def _score(self, answer: Answer, logits: dict[str, tf.Tensor], target) -> tf.Tensor:
        """The score y of each image, (n,)."""
        if isinstance(answer, Derived):
            predicted = {
                name: self.answers[name].probabilities(logits[name], keras.ops)
                for name in answer.terms
            }
            return tf.cast(answer.value(predicted, keras.ops)[:, 0], tf.float32)
        values = tf.cast(logits[answer.name], tf.float32)
        if target is None:
            target = answer.explained(answer.probabilities(values.numpy()))
        return answer.score(values, target, keras.ops)

    def _answer(self, name: str) -> Answer:
        if name not in self.answers:
            raise ConfigError(
                f"{name!r} is not an answer of the model.{nearest(name, self.answers)} "
                f"Known: {', '.join(self.answers)}."
            )
        return self.answers[name]

    def _batches(self, images, target):
        count = len(images)
        if target is not None:
            target = np.broadcast_to(target, (count,))
        for start in range(0, count, self._batch_size):
            rows = slice(start, start + self._batch_size)
            batch = tf.constant(np.asarray(images[rows]), tf.float32)
            yield batch, None if target is None else target[rows]


def enlarge(maps: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Linear interpolation along every axis, half-pixel centres, edges continued.

    Args:
        maps: float (n, *small).
        shape: shape of each result, with as many axes as `small`.
    Returns: float32 (n, *shape).
    """
    return resize(np.asarray(maps, np.float32), (len(maps), *shape))


def _checked(answer: Answer, target) -> np.ndarray | None:
    if target is None:
        return None
    classes = np.asarray(target)
    names = answer.map_targets
    if not names:
        raise ConfigError(
            f"target={target} for {answer.name!r}: a map of the kind {answer.kind} "
            "explains its one score, not a class. Expected None."
        )
    if classes.dtype.kind not in "iu" or np.any(classes != classes % len(names)):
        raise ConfigError(
            f"target={target} for {answer.name!r}: expected indices of its classes, "
            f"0 to {len(names) - 1} ({', '.join(names)})."
        )
    return classes
