"""How often 95 % intervals of means over folds hold the truth, by simulation.

    python tools/simulate_coverage.py [RUNS] [SCENARIO ...]

Each line has a metric, the fraction of intervals that hold the truth, the fraction of
runs in which the interval was estimable, and its mean width. 400 runs have a standard
error of 1.1 % and take about half an hour for all scenarios.

The truth is that of the fitted models on other patients (fits), or of the method, the
mean over training sets of the same size (refits). Only numpy, scipy and the package.
"""

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from mdmt_tf.statistics.resampling import bootstrap_intervals
from mdmt_tf.tasks import make_task

TASK = make_task(name="outcome", kind="binary", classes=("home", "icu"))
NAMES = ("accuracy", "balanced_accuracy", "g_mean", "auc")
FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Fits:
    """Patients whose score by fixed models is normal.

    Attributes:
        patients: of each fold.
        prevalence: fraction of the patients with the outcome, alike in all folds.
        images: of a patient: "one"; "three", 1 to 3; "unequal", a lognormal number with
            a mean of about 4, up to 24, so that a few patients have half of them.
        distance: of the means of the two classes, with a std of about 1.
    """

    patients: int
    prevalence: float
    images: str = "one"
    distance: float = 1.5
    between: float = 0.9
    within: float = 0.44

    def draw(self, generator: np.random.Generator) -> list[pd.DataFrame]:
        """The test rows of each fold."""
        count = self.patients * FOLDS
        labels = np.arange(count) < round(count * self.prevalence)
        # The classes one after another, so that folds are stratified.
        fold = np.arange(count) % FOLDS
        numbers = self._numbers(count, generator)
        effects = generator.normal(0, self.between, count)
        tables = []
        for own in range(FOLDS):
            patient = np.repeat(np.flatnonzero(fold == own), numbers[fold == own])
            score = self.distance * (labels[patient] - 0.5) + effects[patient]
            score += generator.normal(0, self.within, len(patient))
            tables.append(table_of(patient, labels[patient], score, own))
        return tables

    def _numbers(self, count, generator) -> np.ndarray:
        if self.images == "one":
            return np.ones(count, int)
        if self.images == "three":
            return generator.integers(1, 4, count)
        drawn = np.round(generator.lognormal(0.6, 1.15, count))
        return np.clip(drawn.astype(int), 1, 24)

    def truth(self) -> dict[str, float]:
        """The metrics of the models on all patients."""
        spread = np.hypot(self.between, self.within)
        right = norm.cdf(self.distance / 2 / spread)
        values = dict.fromkeys(NAMES, right)
        return values | {"auc": norm.cdf(self.distance / spread / np.sqrt(2))}


@dataclasses.dataclass(frozen=True)
class Refits:
    """Linear models that are fitted in each fold, on three of five folds.

    Attributes:
        patients: of all folds; validation is the next fold.
        features: normal, of which all differ between the classes alike.
        distance: of the means of the classes, by the std within.
        prevalence: of the outcome.
        penalty: of ridge regression on the balanced classes.
    """

    patients: int
    features: int
    distance: float
    prevalence: float
    penalty: float

    def draw(self, generator: np.random.Generator) -> list[pd.DataFrame]:
        """The test rows of each fold."""
        return [table_of(*rows) for rows, _ in self._fits(generator)]

    def truth(self, runs: int = 1000) -> dict[str, float]:
        """The mean metrics of models of other training sets."""
        generator = np.random.default_rng([9, runs])
        found = [values for _ in range(runs) for _, values in self._fits(generator)]
        return dict(zip(NAMES, np.mean(found, axis=0).tolist(), strict=True))

    def _fits(self, generator):
        count = self.patients
        labels = np.arange(count) < round(count * self.prevalence)
        fold = np.arange(count) % FOLDS
        mean = np.full(self.features, self.distance / 2 / np.sqrt(self.features))
        values = generator.normal(size=(count, self.features))
        values += np.where(labels[:, None], mean, -mean)
        for own in range(FOLDS):
            train = (fold != own) & (fold != (own + 1) % FOLDS)
            offset, weights = _ridge(values[train], labels[train], self.penalty)
            test = np.flatnonzero(fold == own)
            score = offset + values[test] @ weights
            yield (test, labels[test], score, own), self._truth(offset, weights, mean)

    def _truth(self, offset, weights, mean) -> list[float]:
        length, along = np.linalg.norm(weights), weights @ mean
        recall = norm.cdf((along + offset) / length)
        specificity = norm.cdf((along - offset) / length)
        return [
            self.prevalence * recall + (1 - self.prevalence) * specificity,
            (recall + specificity) / 2,
            np.sqrt(recall * specificity),
            norm.cdf(np.sqrt(2) * along / length),
        ]


SCENARIOS = {
    "12 a fold, unequal numbers of images": Fits(12, 0.6, "unequal"),
    "12 a fold, unequal, images of a patient alike": Fits(
        12, 0.6, "unequal", between=1.0, within=0.1
    ),
    "12 a fold, one image": Fits(12, 0.5),
    "12 a fold, prevalence 10 %": Fits(12, 0.1),
    "12 a fold, prevalence 30 %": Fits(12, 0.3),
    "12 a fold, no effect": Fits(12, 0.5, distance=0.0),
    "20 a fold, prevalence 20 %, few errors": Fits(20, 0.2, distance=3.5),
    "40 a fold, prevalence 10 %": Fits(40, 0.1),
    "40 a fold, up to three images": Fits(40, 0.5, "three"),
    "method, 60 patients": Refits(60, 20, 1.5, 0.5, 5.0),
    "method, 60 patients, prevalence 30 %": Refits(60, 20, 1.5, 0.3, 5.0),
    "method, 60 patients, 50 features": Refits(60, 50, 2.0, 0.5, 20.0),
    "method, 100 patients": Refits(100, 10, 1.2, 0.5, 1.0),
    "method, 300 patients, 100 features": Refits(300, 100, 1.5, 0.3, 20.0),
    "method, 1000 patients, 50 features": Refits(1000, 50, 1.0, 0.3, 5.0),
}


def _ridge(values, labels, penalty) -> tuple[float, np.ndarray]:
    """Offset and weights for targets of +-1, with the classes weighted alike."""
    columns = np.column_stack([np.ones(len(values)), values])
    weights = np.where(labels, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    scaled = columns * weights[:, None]
    penalties = penalty * np.eye(columns.shape[1])
    penalties[0, 0] = 0.0
    targets = np.where(labels, 1.0, -1.0)
    found = np.linalg.solve(columns.T @ scaled + penalties, scaled.T @ targets)
    return float(found[0]), found[1:]


def table_of(patient, labels, score, fold: int) -> pd.DataFrame:
    """Rows of `predictions.csv` for scores whose threshold is 0."""
    chance = 1 / (1 + np.exp(-score))
    return pd.DataFrame(
        {
            "dataset": "simulated",
            "patient_id": patient,
            "fold": fold,
            "target": np.asarray(labels, float),
            "prediction": (score > 0).astype(int),
            "p_0": 1 - chance,
            "p_1": chance,
        }
    )


def coverage(
    scenario: Fits | Refits, runs: int, resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Metric -> fraction of intervals that hold the truth, fraction given, mean width.

    The interval is that of the fitted models for `Fits`, of the method for `Refits`.
    """
    truth, found = scenario.truth(), {name: [] for name in NAMES}
    generator = np.random.default_rng(seed)
    for run in range(runs):
        intervals = bootstrap_intervals(
            TASK,
            scenario.draw(generator),
            resamples=resamples,
            seed=run,
            refits=isinstance(scenario, Refits),
        )
        for name in NAMES:
            own = intervals[name]
            if not own.reason:
                holds = own.low <= truth[name] <= own.high
                found[name].append((holds, own.high - own.low))
    nothing = (float("nan"), 0.0, float("nan"))
    return {
        name: (
            (float(np.mean(own, axis=0)[0]), len(own) / runs, np.mean(own, axis=0)[1])
            if own
            else nothing
        )
        for name, own in found.items()
    }


def main(arguments: Sequence[str]) -> None:
    runs = int(arguments[0]) if arguments else 400
    for name in arguments[1:] or SCENARIOS:
        print(name)
        for metric, (held, given, width) in coverage(SCENARIOS[name], runs).items():
            print(f"  {metric:18} {held:6.1%} given {given:4.0%} width {width:.3f}")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
