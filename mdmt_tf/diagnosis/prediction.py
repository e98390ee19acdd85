"""How well a label is predicted by something that is not the anatomy.

Predictions are cross-validated by patient: nothing of a patient is known when the
labels of that patient are predicted.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import scipy.stats

from mdmt_tf.diagnosis.targets import Target

FOLDS = 5
# With fewer patients, or fewer patients of a class, nothing is predicted.
FEWEST_TO_PREDICT = 20
FEWEST_OF_CLASS_TO_PREDICT = 5
# A value of fewer patients in the training folds explains nothing, as in
# `planning.leaks.tells`.
_LEAST = 5
# Divisions into folds that are averaged, for small and for large data.
_REPEATS, _LARGE = 3, 2000
# Cross-validation spreads the AUC of predictions that know nothing more than one test
# set does, because the training rows are shared: 1.05 to 1.39 times (16 simulated cases
# of 60 to 200 patients).
_SPREAD = 1.3
# The concordance of more rows of a fold is computed from this many.
_MOST_COMPARED = 2000

# Predicts the rows of `test` from the matrix (m, k) of the rows of `train`.
Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Score:
    """How well predictions agree with labels, by image or by patient.

    Attributes:
        n: number of images or patients.
        auc: probability that the larger of two labels has the larger prediction: the
            AUC of two classes, the concordance of ordered classes and numbers, the mean
            AUC of each class against the others; pairs of the same fold only.
        balanced_accuracy, accuracy: of the most probable class; NaN for numbers.
    """

    n: int
    auc: float
    balanced_accuracy: float
    accuracy: float


@dataclasses.dataclass(frozen=True)
class Predicted:
    """Scores of a label, by image and by patient.

    Attributes:
        z: how far the AUC of the unit of the label is above 0.5, in standard errors of
            predictions that know nothing, for the number of patients.
        by: "patient" if all images of a patient have the same label, else "image".
    """

    image: Score
    patient: Score
    z: float
    by: str

    @property
    def auc(self) -> float:
        """The AUC of the unit of the label."""
        return getattr(self, self.by).auc

    def to_plain(self) -> dict:
        return dataclasses.asdict(self)


def enough(target: Target) -> bool:
    """Whether there are enough patients to predict a label."""
    if target.n_patients < FEWEST_TO_PREDICT:
        return False
    if not target.classes:
        return np.ptp(target.values) > 0
    counts = target.class_patients()
    return int((counts >= FEWEST_OF_CLASS_TO_PREDICT).sum()) >= 2


def cross_predict(target: Target, predictor: Predictor, seed: int = 0) -> Predicted:
    """Predict a label in cross-validation by patient, and score the predictions.

    Args:
        target: n labels, see `enough`.
        predictor: see `ridge` and `frequencies`.
        seed: seed of the folds.
    """
    matrix = target.matrix
    repeats = _REPEATS if len(target.values) <= _LARGE else 1
    found = []
    for repeat in range(repeats):
        fold_of = _folds(target, np.random.default_rng([seed, repeat]))
        predictions = np.zeros_like(matrix)
        for fold in range(FOLDS):
            test = np.flatnonzero(fold_of == fold)
            train = np.flatnonzero(fold_of != fold)
            predictions[test] = predictor(train, test, matrix[train])
        found.append(_scores(target, predictions, fold_of))
    image, patient = (_mean([pair[unit] for pair in found]) for unit in (0, 1))
    by = "patient" if target.is_of_patient() else "image"
    auc = (patient if by == "patient" else image).auc
    z = (auc - 0.5) / (_SPREAD * null_error(target))
    return Predicted(image, patient, z, by)


def ridge(features: np.ndarray) -> Predictor:
    """Linear regression of the matrix on standardised features, with a ridge penalty.

    The penalty is the number of training rows: a direction of the features counts half
    if its variance is that of a single feature.

    Args:
        features: float (n, p), in the order of the labels.
    """
    features = np.asarray(features, np.float64)

    def predict(train, test, matrix):
        mean, std = features[train].mean(0), features[train].std(0)
        scale = np.where(std > 1e-6, std, np.inf)  # inf removes constants
        x, x_test = ((features[rows] - mean) / scale for rows in (train, test))
        centre = matrix.mean(0)
        if len(train) < x.shape[1]:
            kernel = x @ x.T + len(train) * np.eye(len(train))
            return centre + x_test @ (x.T @ np.linalg.solve(kernel, matrix - centre))
        penalised = x.T @ x + len(train) * np.eye(x.shape[1])
        return centre + x_test @ np.linalg.solve(penalised, x.T @ (matrix - centre))

    return predict


def frequencies(values: np.ndarray, patients: np.ndarray) -> Predictor:
    """The mean of the matrix over the training rows of the same value.

    For classes, the most probable one is the majority rule of the value. A value of
    fewer than 5 training patients gets the mean of all rows.

    Args:
        values: text (n,), in the order of the labels.
        patients: int (n,).
    """
    codes = np.unique(np.asarray(values, str), return_inverse=True)[1]

    def predict(train, test, matrix):
        overall = matrix.mean(0)
        result = np.tile(overall, (len(test), 1))
        for code in np.unique(codes[train]):
            own = codes[train] == code
            if len(np.unique(patients[train][own])) >= _LEAST:
                # The overall mean counts as one more row.
                mean = (matrix[own].sum(0) + overall) / (own.sum() + 1)
                result[codes[test] == code] = mean
        return result

    return predict


def concordance(scores: np.ndarray, values: np.ndarray, fold_of: np.ndarray) -> float:
    """Fraction of pairs of one fold in which the larger value has the larger score.

    Ties of the scores count half, pairs of equal values not at all. For two values it
    is the AUC. NaN without pairs.
    """
    right = pairs = 0.0
    for fold in np.unique(fold_of):
        rows = np.flatnonzero(fold_of == fold)
        if len(rows) > _MOST_COMPARED:
            rows = rows[np.linspace(0, len(rows) - 1, _MOST_COMPARED).astype(int)]
        # Rounded, so that equal predictions of different sums are ties.
        s, v = np.round(scores[rows], 9), values[rows]
        larger = v[:, None] > v[None, :]
        above = s[:, None] - s[None, :]
        right += (larger & (above > 0)).sum() + 0.5 * (larger & (above == 0)).sum()
        pairs += larger.sum()
    return float(right / pairs) if pairs else float("nan")


def null_error(target: Target) -> float:
    """Standard error of the AUC of one test set of patients, without any knowledge.

    The variance of the statistic of Jonckheere and Terpstra, (N^2 (2 N + 3) - sum n_i^2
    (2 n_i + 3)) / 72, by the squared number of pairs, where n_i of N patients have the
    i-th value. For two classes it is that of the Mann-Whitney test, for numbers without
    ties that of Kendall's tau. Nominal classes: the mean of each against the others.
    """
    values = target.patient_values() if target.is_of_patient() else None
    if values is None:  # each patient counts with the first of the images
        _, first = np.unique(target.patients, return_index=True)
        values = target.values[first]
    values = values[~np.isnan(values)]
    if target.ordered:
        return _jonckheere(np.unique(values, return_counts=True)[1])
    errors = [
        _jonckheere(np.array([own, len(values) - own]))
        for own in np.unique(values, return_counts=True)[1]
    ]
    return float(np.mean(errors))


def _jonckheere(counts: np.ndarray) -> float:
    counts = counts.astype(np.float64)
    n = counts.sum()
    variance = (n**2 * (2 * n + 3) - (counts**2 * (2 * counts + 3)).sum()) / 72
    pairs = (n**2 - (counts**2).sum()) / 2
    return float(np.sqrt(variance) / pairs) if pairs else float("inf")


def _folds(target: Target, generator: np.random.Generator) -> np.ndarray:
    """int (n,): the fold of each row, whole patients, stratified by label."""
    sums = np.bincount(target.patients, weights=target.values)
    means = sums / np.bincount(target.patients)
    if target.classes:
        stratum = np.round(means)
    else:
        stratum = np.floor(5 * scipy.stats.rankdata(means) / (len(means) + 1))
    shuffled = generator.permutation(len(means))
    in_order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    fold_of = np.empty(len(means), int)
    fold_of[in_order] = np.arange(len(means)) % FOLDS
    return fold_of[target.patients]


def _scores(target, predictions, fold_of) -> tuple[Score, Score]:
    by_image = _score(target, predictions, target.values, fold_of)
    counts = np.bincount(target.patients)[:, None]
    sums = np.zeros((len(counts), predictions.shape[1]))
    np.add.at(sums, target.patients, predictions)
    _, first = np.unique(target.patients, return_index=True)
    values = target.patient_values()
    known = ~np.isnan(values)
    by_patient = _score(
        target, (sums / counts)[known], values[known], fold_of[first][known]
    )
    return by_image, by_patient


def _score(target: Target, predictions, values, fold_of) -> Score:
    if not target.classes:
        auc = concordance(predictions[:, 0], values, fold_of)
        return Score(len(values), auc, float("nan"), float("nan"))
    if target.ordered:
        # The expected class index; for two classes, the chance of the second.
        expected = predictions @ np.arange(predictions.shape[1])
        auc = concordance(expected, values, fold_of)
    else:
        each = [
            concordance(predictions[:, c], (values == c).astype(float), fold_of)
            for c in range(predictions.shape[1])
        ]
        auc = float(np.nanmean(each)) if not np.isnan(each).all() else float("nan")
    right = predictions.argmax(1) == values
    recalls = [right[values == c].mean() for c in np.unique(values)]
    return Score(len(values), auc, float(np.mean(recalls)), float(right.mean()))


def _mean(scores: list[Score]) -> Score:
    names = ("auc", "balanced_accuracy", "accuracy")
    means = [
        float(np.mean([getattr(score, name) for score in scores])) for name in names
    ]
    return Score(scores[0].n, *means)
