"""Calibrations of a run, fitted on the validation split only. No TensorFlow."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.optimize

from mdmt_tf.data.training_set import TrainingSet
from mdmt_tf.metrics.text import plural
from mdmt_tf.runs.patients import PATIENT
from mdmt_tf.runs.predictions import probabilities_of
from mdmt_tf.statistics.calibration import (
    NOT_FITTED,
    Calibration,
    components_with_classes,
)
from mdmt_tf.tasks import Property, Task

# No temperature is fitted to fewer labelled rows or patients, or when fewer rows than
# these are of other classes than the most frequent one.
ROWS_NEEDED, PATIENTS_NEEDED, OTHERS_NEEDED = 20, 10, 5
# Temperatures beyond these say that something else is wrong.
COLDEST, HOTTEST = 0.1, 10.0
# Names of the operating points.
YOUDEN, SENSITIVE = "youden", "sensitivity_90"
_WANTED_SENSITIVITY = 0.9
# Scores of one image in different batches are closer.
_MARGIN = 1e-5


def prior_ratios(training_set: TrainingSet) -> dict[str, tuple[float, ...]]:
    """Prevalence of each class over its weight in training, by component.

    The prevalence is by patient with `pipeline.weight_by: patient`. The weight of a
    class is the sum over its rows of loss weight times draws in an epoch. Drawing one
    *dataset* more often than another is left out: within the dataset the classes keep
    their proportions, and an image shows where it comes from, so the probability of a
    class given an image stays the same. So `pipeline.sampling` alone gives 1, class
    weights f give 1 / f, and the oversampling of a dataset gives n_c, each up to a
    common factor.

    Args:
        training_set: the rows of training with weights and draws.
    Returns: component -> one number per class, 1 for a class without rows.

    Example:
        >>> import types
        >>> from mdmt_tf.data.sampling import plan_draws
        >>> from mdmt_tf.tasks import make_task
        >>> task = make_task(name="death", kind="binary", oversample=True)
        >>> labels = np.array([0, 0, 0, 1])
        >>> samples = types.SimpleNamespace(
        ...     tasks=[task], dataset=np.zeros(4, int), labels={"death": labels}
        ... )
        >>> training_set = TrainingSet(
        ...     samples=samples,
        ...     weights={"death": np.ones(4)},
        ...     row_weights={"death": np.ones(4)},
        ...     class_counts={"death": np.array([3, 1])},
        ...     draws=plan_draws(samples.dataset, labels),
        ... )
        >>> prior_ratios(training_set)  # 3/4 and 1/4, trained as 1/2 and 1/2
        {'death': (1.5, 0.5)}
    """
    samples, draws = training_set.samples, training_set.draws
    members = np.bincount(draws.stream)
    rates = (draws.counts / members)[draws.stream]
    for dataset in np.unique(samples.dataset):
        own = samples.dataset == dataset
        # The largest class, or the rows without one if these are more, is drawn as
        # often as the dataset would be without oversampling.
        largest = members[draws.stream] == members[draws.stream[own]].max()
        rates[own] /= rates[own & largest].max()
    result = {}
    for task in samples.tasks:
        labels = samples.labels[task.name]
        both = (training_set.row_weights, training_set.weights)
        masses = (np.asarray(weights[task.name], np.float64) for weights in both)
        columns = (a.reshape(len(labels), -1).T for a in (labels, *masses))
        parts = zip(task.components, *columns, strict=True)
        for component, encoded, natural, weighted in parts:
            if Property.CLASSES in component.properties:
                result[component.name] = _ratios(
                    component, encoded, natural, weighted * rates
                )
    return result


def _ratios(component, encoded, natural, trained) -> tuple[float, ...]:
    known = encoded >= 0
    classes, count = encoded[known].astype(np.int64), component.n_classes
    masses = [
        np.bincount(classes, mass[known], minlength=count)
        for mass in (natural, trained)
    ]
    before, after = (mass / (mass.sum() or 1.0) for mass in masses)
    ratios = np.divide(before, after, out=np.ones(count), where=after > 0)
    # Rounding of weights in float32 is no shift.
    return tuple(float(ratio) for ratio in ratios.round(6))


def fit_calibrations(
    validation: pd.DataFrame,
    tasks: Sequence[Task],
    ratios: Mapping[str, tuple[float, ...]] | None = None,
) -> dict[str, Calibration]:
    """The calibration of each component with classes, and its operating points.

    The temperature has the maximum likelihood on the validation rows, where every
    patient counts once: an image counts 1 / (images of its patient). It lies in [0.1,
    10]. It is 1, with a note, if fewer than 20 rows or 10 patients are labelled, if
    fewer than 5 rows are of other classes than the most frequent one, or if all are
    predicted correctly, in which case there is no maximum. The prior is put right in
    any case, since it needs no fit. A regression has no calibration.

    Args:
        validation: predictions of the validation split, in the columns of
            `predictions.csv`.
        tasks: tasks of the run.
        ratios: component -> result of `prior_ratios`; None: 1.
    Returns: component -> calibration.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> validation = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "patient_id": range(40),
        ...         "task": "death",
        ...         "target": [1, 0, 0, 0, 0, 1, 1, 1] * 5,
        ...         "p_0": [0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1] * 5,
        ...         "p_1": [0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9] * 5,
        ...     }
        ... )
        >>> found = fit_calibrations(validation, [death])["death"]
        >>> round(found.temperature, 3)  # odds of 9 where they are 3: ln 9 / ln 3
        2.0
    """
    ratios = ratios or {}
    result = {}
    for component in components_with_classes(tasks):
        rows = validation[validation["task"] == component.name]
        rows = rows[rows["target"].notna()]
        prior = ratios.get(component.name, (1.0,) * component.n_classes)
        result[component.name] = _fit(rows, component, prior)
    return result


def _fit(rows: pd.DataFrame, component: Task, prior: tuple[float, ...]) -> Calibration:
    targets = rows["target"].to_numpy(np.int64)
    images = rows.groupby(PATIENT)["target"].transform("size").to_numpy(np.float64)
    only_prior = Calibration(prior_ratio=prior)
    chances = only_prior.apply(probabilities_of(rows, component))
    patients = len(rows[PATIENT].drop_duplicates())
    note = _too_few(targets, patients, component)
    temperature = 1.0
    if not note:
        temperature, note = _temperature(targets, chances, 1 / images)
    calibration = Calibration(
        temperature=temperature,
        prior_ratio=prior,
        rows=len(rows),
        patients=patients,
        note=note,
    )
    if _too_few(targets, patients, component) or component.n_classes != 2:
        return calibration
    scores = calibration.apply(probabilities_of(rows, component))[:, 1]
    points = choose_thresholds(targets, scores)
    return Calibration(**vars(calibration) | {"operating_points": points})


def _too_few(targets: np.ndarray, patients: int, component: Task) -> str:
    """Why nothing can be fitted; "" if it can."""
    counts = np.bincount(targets, minlength=component.n_classes)
    others = counts.sum() - counts.max()
    if counts.sum() < ROWS_NEEDED or patients < PATIENTS_NEEDED:
        return (
            f"{NOT_FITTED}{plural(int(counts.sum()), 'labelled validation image')} of "
            f"{plural(patients, 'patient')}; {ROWS_NEEDED} and {PATIENTS_NEEDED} are "
            "needed"
        )
    if others < OTHERS_NEEDED:
        most = component.class_names[int(counts.argmax())]
        return (
            f"{NOT_FITTED}{others} of {counts.sum()} labelled validation images are "
            f"not {most!r}; {OTHERS_NEEDED} are needed"
        )
    return ""


def _temperature(targets, chances, weights) -> tuple[float, str]:
    """The temperature of maximum likelihood, and a note."""
    logits = np.log(chances)
    logits -= logits[np.arange(len(targets)), targets][:, None]
    if (logits <= 0).all():
        return 1.0, (
            f"{NOT_FITTED}the most probable class of each validation image is its own, "
            "so the likelihood has no maximum"
        )

    def loss(log_temperature: float) -> float:
        terms = logits / np.exp(log_temperature)
        return float(weights @ np.logaddexp.reduce(terms, axis=1))

    limits = np.log([COLDEST, HOTTEST])
    found = scipy.optimize.minimize_scalar(
        loss, bounds=limits, method="bounded", options={"xatol": 1e-9}
    )
    temperature = float(np.exp(found.x))
    if np.abs(limits - found.x).min() < 1e-3:
        return temperature, (
            f"at the limit {temperature:.3g}; the scores of the validation images say "
            "little or nothing about their classes, or nearly everything"
        )
    return temperature, ""


def choose_thresholds(targets: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Thresholds at or above which a score is positive.

    Args:
        targets: (n,), 0 or 1, both present.
        scores: (n,), calibrated probabilities of class 1.
    Returns: thresholds just below two of the scores, because a score of the same image
        in another batch differs by rounding.
        youden: the threshold with the largest sensitivity + specificity - 1 (Youden
            1950, Cancer 3, 32-35); of several, the highest.
        sensitivity_90: the highest threshold with a sensitivity of at least 0.9.

    Example:
        >>> scores = np.array([0.1, 0.2, 0.3, 0.6, 0.9])
        >>> found = choose_thresholds(np.array([0, 1, 0, 1, 1]), scores)
        >>> {name: round(threshold, 4) for name, threshold in found.items()}
        {'youden': 0.6, 'sensitivity_90': 0.2}
    """
    thresholds = np.unique(scores)[::-1]
    # The fraction of each class at or above each threshold.
    false, true = (
        1 - np.searchsorted(np.sort(own), thresholds) / len(own)
        for own in (scores[targets == 0], scores[targets == 1])
    )
    sensitivity, specificity = true, 1 - false
    # Ratios of counts that are equal may differ in the last digit.
    youden = (sensitivity + specificity).round(12).argmax()
    sensitive = (sensitivity >= _WANTED_SENSITIVITY - 1e-12).argmax()
    below = np.minimum(_MARGIN, (thresholds - np.append(thresholds[1:], 0.0)) / 2)
    thresholds = thresholds - below
    return {
        YOUDEN: float(thresholds[youden]),
        SENSITIVE: float(thresholds[sensitive]),
    }
