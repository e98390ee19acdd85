"""Cross-validated comparisons of simulated experiments whose true difference is known.

Two experiments ("arms") of linear learners predict a class from features of the same
patients. Ridge regression has a closed form, so that thousands of comparisons, each of
18 backbones in 5 folds, take minutes. A `Scenario` says how the arms differ.

Row i of class y_i has the latent features z_i = y_i mu + N(0, 1). An arm sees its own
noisy view z_i + N(0, view), shared by all of its backbones; a backbone projects the
view at random and adds noise of its own. Both arms are equally good on average over
datasets. On one dataset, one of them is better by luck, and all backbones share it.
"""

import dataclasses

import numpy as np

ARMS = 2
# The metrics that are simulated, names of `METRICS`.
METRICS = ("accuracy", "balanced_accuracy", "auc")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A simulated comparison.

    Attributes:
        name: shown in tables.
        patients: their number.
        backbones: number of models of each arm.
        folds, repeats: of the cross-validation, stratified by class.
        prevalence: fraction of patients of the positive class.
        images: of one patient; patient i has images[i % len(images)] of them.
        latent: number of latent features.
        features: number of features of a backbone.
        signal: length of mu, the distance of the classes.
        view: std of the noise of an arm's view; 0 if both see the same.
        own: std of the noise of a backbone, the same in both arms.
        shrinkage: penalty of the ridge regression.
        second: length of the weights of a useless second task, towards which each arm
            shrinks its own; 0 without.
        noise: std of independent noise of the weights of each fit.
        fold_noise: std of noise of the weights of an arm in a fold, in the latent
            features, which all of its backbones share.
        gain: fraction by which the candidate's signal is greater; 0 if there is no
            difference on average.
        sites: number of patients of each site, which is a fold; empty without sites.
            Then `patients` is their sum, and `folds` their number.
        between: std over sites of the fraction by which an arm's signal is greater
            there, independent in both arms.
    """

    name: str
    patients: int = 100
    backbones: int = 18
    folds: int = 5
    repeats: int = 1
    prevalence: float = 0.5
    images: tuple[int, ...] = (1,)
    latent: int = 20
    features: int = 12
    signal: float = 3.0
    view: float = 1.0
    own: float = 0.1
    shrinkage: float = 1.0
    second: float = 0.0
    noise: float = 0.0
    fold_noise: float = 0.0
    gain: float = 0.0
    sites: tuple[int, ...] = ()
    between: float = 0.0


_SAME_VIEW = {"view": 0.0, "own": 0.5, "signal": 2.5}
_SHARED = {**_SAME_VIEW, "own": 0.1, "fold_noise": 0.1}
# Patients with one to ten images, most of them with few.
_IMAGES = (1, 1, 2, 2, 3, 3, 3, 4, 6, 10)

# Both arms are equally good on average over datasets.
NULLS = (
    Scenario("luck, 100 patients"),
    Scenario("luck, 1585 patients", patients=1585),
    Scenario("useless second task, 100", **_SAME_VIEW, second=0.75, shrinkage=20.0),
    Scenario("noise of fits, 100", **_SAME_VIEW, noise=0.05),
    Scenario("noisy single fits, 100", **_SAME_VIEW, noise=0.3, backbones=1),
    Scenario("luck of folds, 3 seeds, 100", **_SHARED, noise=0.03, backbones=3),
    Scenario("luck of folds, 100", **_SHARED, noise=0.03),
    Scenario("small, 58", patients=58, backbones=1, prevalence=0.1, images=_IMAGES),
)
# The same with a site as a fold; the arms are equally good at each site, or on average.
_SIZES = (120, 90, 60, 50, 40, 30)
_OF_SITES = {"patients": sum(_SIZES), "folds": len(_SIZES), "sites": _SIZES}
SITES = (
    Scenario("6 sites, no difference", **_OF_SITES),
    Scenario("6 sites that differ", **_OF_SITES, between=0.15),
)
# The candidate is better, by about 8.5 points of accuracy with 100 patients.
ALTERNATIVES = (
    Scenario("gain, 100 patients", gain=0.4),
    Scenario("gain, 1585 patients", patients=1585, gain=0.07),
    dataclasses.replace(NULLS[-1], name="gain, small, 58", gain=0.8),
)


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Predictions of one simulated comparison, by patient.

    Attributes:
        labels: (n,) 0 or 1.
        fold: (repeats, n), the fold that tests a patient.
        scores: (2, backbones, repeats, n); the candidate comes first.
        correct: likewise, whether the predicted class is right.
    """

    labels: np.ndarray
    fold: np.ndarray
    scores: np.ndarray
    correct: np.ndarray


def simulate(scenario: Scenario, generator: np.random.Generator) -> Simulated:
    """Draw a dataset, and fit and test all models of both arms.

    Example:
        >>> scenario = Scenario("small", patients=20, backbones=2, repeats=3)
        >>> drawn = simulate(scenario, np.random.default_rng(0))
        >>> drawn.scores.shape, int(drawn.labels.sum())
        ((2, 2, 3, 20), 10)
    """
    n, folds, repeats = scenario.patients, scenario.folds, scenario.repeats
    labels = np.zeros(n)
    labels[: max(round(scenario.prevalence * n), 1)] = 1.0
    images = np.resize(scenario.images, n)
    # Labels do not depend on the number of images.
    images = generator.permutation(images)
    patient = np.repeat(np.arange(n), images)
    fold = np.array([_folds(scenario, labels, generator) for _ in range(repeats)])
    signal = np.array([[1 + scenario.gain], [1.0]])
    if scenario.between:
        change = scenario.between * generator.normal(size=(ARMS, folds))
        signal = signal + change[:, fold[0]]
    signal = signal * labels
    features, projection = _features(scenario, signal, patient, generator)
    targets = labels[patient]
    tested = np.eye(folds)[fold[:, patient]]
    rows = tested.sum(axis=1)
    prevalence = (targets.sum() - targets @ tested) / (len(patient) - rows)
    weights = _fitted(scenario, features, targets, tested, projection, generator)
    mean = np.zeros((len(patient), n))
    mean[np.arange(len(patient)), patient] = 1 / images[patient]
    scores = np.empty((ARMS, scenario.backbones, repeats, n))
    for repeat in range(repeats):
        own = weights[:, :, repeat][:, :, fold[repeat, patient]]
        of_images = np.einsum("abif,abif->abi", features, own)
        of_images -= prevalence[repeat, fold[repeat, patient]]
        scores[:, :, repeat] = of_images if len(patient) == n else of_images @ mean
    return Simulated(labels, fold, scores, (scores > 0) == (labels == 1))


def _features(scenario, signal, patient, generator):
    """(2, backbones, rows, features + 1) with a column of ones, and the projections.

    `signal` is the factor of mu for each arm and patient.
    """
    direction = np.full(scenario.latent, scenario.signal / np.sqrt(scenario.latent))
    patients = signal.shape[1]
    latent = generator.normal(size=(patients, scenario.latent))[patient]
    if len(patient) > patients:
        latent = latent + 0.5 * generator.normal(size=latent.shape)
    views = []
    for own in signal:
        noise = scenario.view * generator.normal(size=(patients, scenario.latent))
        views.append(latent + own[patient, None] * direction + noise[patient])
    shape = (scenario.backbones, scenario.latent, scenario.features)
    projection = generator.normal(size=shape) / np.sqrt(scenario.latent)
    features = np.stack(views)[:, None] @ projection
    own = generator.normal(size=features.shape[1:])
    features += scenario.own * own
    ones = np.ones((*features.shape[:-1], 1))
    return np.concatenate([features, ones], axis=-1), projection


def _fitted(scenario, features, targets, tested, projection, generator):
    """(2, backbones, repeats, folds, features + 1) weights of ridge regressions."""
    *start, rows, size = features.shape
    repeats, _, folds = tested.shape
    test = tested.transpose(0, 2, 1).reshape(repeats * folds, rows)
    products = (features[..., :, None] * features[..., None, :]).reshape(
        *start, rows, size * size
    )
    shape = (*start, repeats, folds)
    squares = (test @ products).reshape(*shape, size, size)
    sums = (test @ (features * targets[:, None])).reshape(*shape, size)
    squares = squares.sum(axis=3, keepdims=True) - squares
    sums = sums.sum(axis=3, keepdims=True) - sums
    if scenario.second:
        length = scenario.second / np.sqrt(scenario.latent)
        second = (
            length * generator.normal(size=(ARMS, 1, 1, scenario.latent)) @ projection
        )
        sums[..., :-1] += scenario.shrinkage * second[:, :, None]
    penalty = np.diag([scenario.shrinkage] * (size - 1) + [0.0])
    weights = np.linalg.solve(squares + penalty, sums[..., None])[..., 0]
    if scenario.fold_noise:
        shape = (ARMS, 1, repeats * folds, scenario.latent)
        shared = scenario.fold_noise * generator.normal(size=shape) @ projection
        weights[..., :-1] += shared.reshape(*weights.shape[:-1], size - 1)
    return weights + scenario.noise * generator.normal(size=weights.shape)


def _folds(scenario, labels, generator) -> np.ndarray:
    """(n,) folds with equally many patients of each class, or sites."""
    folds = scenario.folds
    if scenario.sites:
        return generator.permutation(np.repeat(np.arange(folds), scenario.sites))
    order = [generator.permutation(np.flatnonzero(labels == c)) for c in (0, 1)]
    fold = np.empty(len(labels), np.int64)
    fold[np.concatenate(order)] = np.arange(len(labels)) % folds
    return fold


def of_sites(drawn: Simulated) -> list[Simulated]:
    """The predictions of each fold as an experiment of a single fold.

    Example:
        >>> drawn = simulate(SITES[0], np.random.default_rng(0))
        >>> [len(site.labels) for site in of_sites(drawn)]
        [120, 90, 60, 50, 40, 30]
    """
    (fold,) = drawn.fold
    return [
        Simulated(
            drawn.labels[own],
            np.zeros((1, own.sum()), np.int64),
            drawn.scores[..., own],
            drawn.correct[..., own],
        )
        for own in fold == np.unique(fold)[:, None]
    ]


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric of a simulated comparison.

    Attributes:
        of_folds: (2, backbones, repeats, folds), NaN where it is not defined.
        values: (backbones, repeats), candidate - other of all folds of a repeat.
        left_out: (backbones * repeats, n), the difference without each patient, see
            `mdmt_tf.statistics.influence`.
        folds_left_out: (backbones * repeats, folds), likewise without each fold.
    """

    of_folds: np.ndarray
    values: np.ndarray
    left_out: np.ndarray
    folds_left_out: np.ndarray


def measure(drawn: Simulated) -> dict[str, Measured]:
    """The metrics of a simulated comparison, in closed form.

    Example:
        >>> scenario = Scenario("small", patients=20, backbones=2, repeats=3)
        >>> found = measure(simulate(scenario, np.random.default_rng(0)))
        >>> found["auc"].values.shape, found["auc"].left_out.shape
        ((2, 3), (6, 20))
    """
    labels, correct = drawn.labels, drawn.correct.astype(np.float64)
    folds = drawn.fold.max() + 1
    n = len(labels)
    is_in = np.eye(folds)[drawn.fold]
    of_class = [labels == 0, labels == 1]
    counts = [np.einsum("i,rik->rk", own, is_in) for own in of_class]
    hits = [np.einsum("abri,rik->abrk", correct * own, is_in) for own in of_class]
    with np.errstate(invalid="ignore"):
        recalls = [own / count for own, count in zip(hits, counts, strict=True)]
    ordered, pairs = _pairs(drawn, counts)
    areas = np.einsum("abri,rik->abrk", ordered * labels, is_in)
    all_pairs = counts[0] * counts[1]
    with np.errstate(invalid="ignore"):
        area_of_folds = areas / all_pairs
    area = areas.sum(axis=-1, keepdims=True)
    of_all = all_pairs.sum(axis=-1, keepdims=True)
    right = correct.sum(axis=-1, keepdims=True)
    whole = [own.sum() for own in of_class]
    found = {
        "accuracy": (
            sum(hits) / sum(counts),
            right / n,
            (right - correct) / (n - 1),
            (right - sum(hits)) / (n - sum(counts)),
        ),
        "balanced_accuracy": (
            sum(recalls) / 2,
            *_balanced(correct, of_class),
            sum(
                (own.sum(axis=-1, keepdims=True) - own) / (size - count) / 2
                for own, size, count in zip(hits, whole, counts, strict=True)
            ),
        ),
        "auc": (
            area_of_folds,
            area / of_all,
            (area - ordered) / (of_all - pairs),
            (area - areas) / (of_all - all_pairs),
        ),
    }
    return {
        name: Measured(
            of_folds,
            (value[0] - value[1])[..., 0],
            (left_out[0] - left_out[1]).reshape(-1, n),
            (without[0] - without[1]).reshape(-1, folds),
        )
        for name, (of_folds, value, left_out, without) in found.items()
    }


def _balanced(correct, of_class) -> tuple[np.ndarray, np.ndarray]:
    """The mean of both recalls, and the same without each patient."""
    value, left_out = 0.0, 0.0
    for own in of_class:
        hits, size = (correct * own).sum(axis=-1, keepdims=True), own.sum()
        value = value + hits / size / 2
        left_out = left_out + (hits - correct * own) / (size - own) / 2
    return value, left_out


def _pairs(drawn: Simulated, counts) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of each patient with the other class in its fold: ordered, and all.

    Scores are continuous, so there are no ties.
    """
    labels = drawn.labels.astype(np.int64)
    of_all = _rank_within(drawn.scores, drawn.fold)
    of_class = _rank_within(drawn.scores, 2 * drawn.fold + labels)
    below = of_all - of_class
    repeat = np.arange(len(drawn.fold))[:, None]
    negatives, positives = (count[repeat, drawn.fold] for count in counts)
    ordered = np.where(labels == 1, below, positives - below)
    return ordered, np.where(labels == 1, negatives, positives)


def _rank_within(scores: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Rank of each score within its group, from 0."""
    span = 1.0 + np.ptp(scores)
    order = np.argsort(scores + span * group, axis=-1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(scores.shape[-1]), axis=-1)
    sizes = np.stack([np.bincount(own, minlength=group.max() + 1) for own in group])
    starts = np.cumsum(sizes, axis=1) - sizes
    return ranks - np.take_along_axis(starts, group, axis=1)
