"""Labels of synthetic patients: Brixia scores, age, sex and an outcome with known odds.

Nothing is rendered here, so the best performance that a model can reach on phantoms
can be computed from many thousand draws in a second.

Source of the score: Borghesi & Maroldi 2020, six zones (A, B, C the patient's right
lung from top to bottom, D, E, F the left lung), 0 to 3 each, global score 0 to 18.
"""

import dataclasses
import functools
import math

import numpy as np

ZONES = ("A", "B", "C", "D", "E", "F")
MAX_GRADE = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreModel:
    """The model of the six grades of one radiograph, given the extent of the disease.

    Every zone has a latent z = loading disease + sqrt(1 - loading^2) noise + offset,
    with disease and noise standard normal. Its grade is the number of `thresholds`
    that z exceeds. The offsets are there because COVID-19 pneumonia prefers the bases.
    """

    loading: float = 0.82
    offsets: tuple[float, ...] = (-0.40, 0.12, 0.38, -0.50, 0.08, 0.32)
    thresholds: tuple[float, ...] = (-0.45, 0.30, 1.00)

    def draw(self, rng, disease):
        """Draw grades for an array of disease extents.

        Args:
            rng: numpy Generator.
            disease: float array (n,), standard normal over the population.
        Returns: int64 array (n, 6), 0 to 3, columns in the order of `ZONES`.
        """
        disease = np.asarray(disease, dtype=np.float64)
        noise = rng.standard_normal((disease.size, len(ZONES)))
        own = np.sqrt(1.0 - self.loading**2)
        latent = self.loading * disease[:, None] + own * noise + np.array(self.offsets)
        return (latent[..., None] > np.array(self.thresholds)).sum(axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutcomeModel:
    """P(severe) = logistic(intercept + score (G - 8) / 4 + age (years - 62) / 15).

    G is the global Brixia score. The image shows G but not the age. The best prediction
    from the image alone is `image_probability`, the mean of P over the ages of the
    population. The best prediction from image and age is `probability`. Both are exact;
    their AUC is about 0.86 and 0.89 (see the tests).
    """

    intercept: float = 0.05
    score: float = 1.7
    age: float = 0.8
    mean_age: float = 64.0
    sd_age: float = 15.0
    min_age: int = 18
    max_age: int = 97

    def draw_ages(self, rng, n):
        """Ages in whole years, int64 array (n,): normal, clipped to the range."""
        years = np.rint(self.mean_age + self.sd_age * rng.standard_normal(n))
        return np.clip(years, self.min_age, self.max_age).astype(np.int64)

    def probability(self, brixia_global, years):
        """P(severe | score and age), float64, for arrays that broadcast together."""
        logit = (
            self.intercept
            + self.score * (np.asarray(brixia_global, dtype=np.float64) - 8.0) / 4.0
            + self.age * (np.asarray(years, dtype=np.float64) - 62.0) / 15.0
        )
        return 1.0 / (1.0 + np.exp(-logit))

    def image_probability(self, brixia_global):
        """P(severe | score): the mean of `probability` over the population's ages."""
        years, fraction = _age_distribution(self)
        score = np.asarray(brixia_global)[..., None]
        return (self.probability(score, years) * fraction).sum(axis=-1)


@functools.cache
def _age_distribution(outcome):
    """All ages, and their fractions of the population: a rounded, clipped normal."""
    years = np.arange(outcome.min_age, outcome.max_age + 1)
    unit = outcome.sd_age * math.sqrt(2)
    below = [0.5 + 0.5 * math.erf((k + 0.5 - outcome.mean_age) / unit) for k in years]
    below[-1] = 1.0  # ages above the maximum are clipped to it
    return years, np.diff(np.array([0.0, *below]))


@dataclasses.dataclass(frozen=True)
class ChestLabels:
    """Labels of n synthetic patients, arrays of length n.

    zones: (n, 6), 0 to 3.
    disease: the latent from which later studies of the same patient start.
    severe: the outcome, drawn with `probability`.
    """

    age: np.ndarray
    male: np.ndarray
    disease: np.ndarray
    zones: np.ndarray
    probability: np.ndarray
    image_probability: np.ndarray
    severe: np.ndarray

    @property
    def brixia_global(self):
        """Sum of the six grades, 0 to 18, int64 array (n,)."""
        return self.zones.sum(axis=1)


DEFAULT_SCORES = ScoreModel()
DEFAULT_OUTCOME = OutcomeModel()


def draw_labels(rng, n, scores=DEFAULT_SCORES, outcome=DEFAULT_OUTCOME):
    """Draw the labels of n independent patients.

    `studies` calls this function with n = 1 and one generator per patient. A study of
    the attainable accuracy calls it with n = 100000.

    Args:
        rng: numpy Generator.
        n: number of patients.
        scores, outcome: the two models.
    Returns: `ChestLabels`.
    """
    age = outcome.draw_ages(rng, n)
    male = rng.random(n) < 0.6
    disease = rng.standard_normal(n)
    zones = scores.draw(rng, disease)
    total = zones.sum(axis=1)
    probability = outcome.probability(total, age)
    return ChestLabels(
        age=age,
        male=male,
        disease=disease,
        zones=zones,
        probability=probability,
        image_probability=outcome.image_probability(total),
        severe=rng.random(n) < probability,
    )
