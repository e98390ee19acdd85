"""Many small networks of the same shape, trained at the same time with numpy.

Each has two hidden layers, which the tasks share, and two linear heads: one logit of
the outcome, and one of each category of the score. Parameters are a dict of float32
arrays whose first axis is the network. Gradients are written out; the optimizer is Adam
with L2, as in `mdmt_tf.training.optimizers`.
"""

import numpy as np

BACKBONE = ("w0", "b0", "w1", "b1")


def initial(rngs, size, layers, categories):
    """He's initial values of one network for each generator.

    Args:
        rngs: numpy Generators.
        size: number of features.
        layers: units of the two hidden layers.
        categories: of the score.
    Returns: parameters.
    """
    first, second = layers

    def dense(inputs, outputs, gain=2.0):
        std = (gain / inputs) ** 0.5
        drawn = [rng.normal(0.0, std, (inputs, outputs)) for rng in rngs]
        return np.stack(drawn).astype(np.float32)

    def bias(outputs):
        return np.zeros((len(rngs), 1, outputs), np.float32)

    return {
        "w0": dense(size, first),
        "b0": bias(first),
        "w1": dense(first, second),
        "b1": bias(second),
        "wo": dense(second, 1, 1.0),
        "bo": bias(1),
        "ws": dense(second, categories, 1.0),
        "bs": bias(categories),
    }


def with_backbone(parameters, *weighted):
    """The parameters with the weighted mean of backbones.

    Args:
        parameters: with those of the heads.
        weighted: (parameters, weight); the weights sum to 1.

    Example:
        >>> one = {name: np.full(1, 1.0) for name in (*BACKBONE, "wo")}
        >>> two = {name: np.full(1, 3.0) for name in (*BACKBONE, "wo")}
        >>> made = with_backbone(one, (one, 0.5), (two, 0.5))
        >>> float(made["w0"][0]), float(made["wo"][0])
        (2.0, 1.0)
    """
    means = {
        name: sum(weight * other[name] for other, weight in weighted)
        for name in BACKBONE
    }
    return {**parameters, **means}


def forward(parameters, features):
    """Hidden layers and logits.

    Args:
        parameters: those of k networks.
        features: float32 (k, n, size).
    Returns: first and second hidden layer, outcome logit (k, n, 1), score logits
        (k, n, categories).
    """
    p = parameters
    first = np.maximum(features @ p["w0"] + p["b0"], 0.0)
    second = np.maximum(first @ p["w1"] + p["b1"], 0.0)
    return first, second, second @ p["wo"] + p["bo"], second @ p["ws"] + p["bs"]


def sigmoid(logits):
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def softmax(logits):
    values = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return values / values.sum(axis=-1, keepdims=True)


def gradients(parameters, features, outcome, scores):
    """Gradients of eq. 2 of Ruffini et al. 2024, divided by the rows of the batch.

    Args:
        parameters: those of k networks.
        features: float32 (k, n, size).
        outcome: float32 (k, n, 1), 0 or 1; NaN where the row has none.
        scores: float32 (k, n, categories), one-hot; NaN where the row has none.
    Returns: parameters.
    """
    p, rows = parameters, features.shape[1]
    first, second, logit, logits = forward(p, features)
    # A row without a label has no gradient for that task.
    of_outcome = np.nan_to_num((sigmoid(logit) - outcome) / rows)
    of_scores = np.nan_to_num((softmax(logits) - scores) / rows)
    found = {
        "wo": second.swapaxes(1, 2) @ of_outcome,
        "bo": of_outcome.sum(axis=1, keepdims=True),
        "ws": second.swapaxes(1, 2) @ of_scores,
        "bs": of_scores.sum(axis=1, keepdims=True),
    }
    back = of_outcome @ p["wo"].swapaxes(1, 2) + of_scores @ p["ws"].swapaxes(1, 2)
    back *= second > 0
    found["w1"] = first.swapaxes(1, 2) @ back
    found["b1"] = back.sum(axis=1, keepdims=True)
    back = (back @ p["w1"].swapaxes(1, 2)) * (first > 0)
    found["w0"] = features.swapaxes(1, 2) @ back
    found["b0"] = back.sum(axis=1, keepdims=True)
    return found


class Adam:
    """Adam with an L2 penalty, in place.

    Args:
        parameters: changed by the steps.
        learning_rate, weight_decay: as in `training`.
    """

    def __init__(self, parameters, learning_rate, weight_decay):
        # One flat array: a step is a few operations on all parameters at once.
        self._names = list(parameters)
        self._parameters = parameters
        self._rate, self._decay = learning_rate, weight_decay
        total = sum(values.size for values in parameters.values())
        self._flat, self._mean, self._square, self._gradient = np.zeros(
            (4, total), np.float32
        )
        start = 0
        self._slices = {}
        for name, values in parameters.items():
            part = slice(start, start := start + values.size)
            self._flat[part] = values.ravel()
            parameters[name] = self._flat[part].reshape(values.shape)
            self._slices[name] = part
        self._steps = 0

    def step(self, gradient):
        """One step along the gradient, a dict as the parameters are."""
        self._steps += 1
        for name, part in self._slices.items():
            self._gradient[part] = gradient[name].ravel()
        self._gradient += np.float32(self._decay) * self._flat
        self._mean += np.float32(0.1) * (self._gradient - self._mean)
        self._square += np.float32(1e-3) * (self._gradient**2 - self._square)
        rate = self._rate * (1 - 0.999**self._steps) ** 0.5 / (1 - 0.9**self._steps)
        self._flat -= np.float32(rate) * self._mean / (np.sqrt(self._square) + 1e-7)


def outcome_loss(parameters, features, outcome):
    """Mean cross-entropy of the outcome for each network, float (k,)."""
    logit = forward(parameters, features)[2].astype(np.float64)
    return (np.logaddexp(0.0, logit) - outcome * logit).mean(axis=(1, 2))


def score_loss(parameters, features, scores):
    """Mean cross-entropy of the score's category for each network, float (k,)."""
    logits = forward(parameters, features)[3].astype(np.float64)
    return -(scores * np.log(softmax(logits) + 1e-12)).sum(axis=-1).mean(axis=1)
