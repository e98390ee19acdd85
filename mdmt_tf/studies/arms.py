"""The arms of a cell on simulated features.

All arms of a pair of datasets have the same patients, the same initial values and the
same validation rows. They differ in what they are trained on and for how many steps:

    stl            outcomes, the epochs of the settings
    stl_matched    outcomes, as many steps as mdmt_direct
    stl_continued  outcomes, from the backbone of stl, as many steps as mdmt
    ft             outcomes, from the backbone of a network of the scores
    mdmt_direct    outcomes and scores
    mdmt           outcomes and scores, from the average of the backbones of stl and of
                   the network of the scores
    mdmt_null      as mdmt_direct, with the scores permuted among their images
    oracle         P(severe | score, size of the heart), trained on nothing

Without scores (n2 = 0), ft, mdmt and mdmt_null do not exist, and mdmt_direct is
stl_matched.
"""

import numpy as np
import pandas as pd

from mdmt_tf.studies import networks
from mdmt_tf.studies.design import COLUMNS, Work, metrics_of
from mdmt_tf.studies.features import CATEGORIES, Imaging, Patients, draw_patients
from mdmt_tf.studies.training import Rows, Schedule, steps_of, train

# Uses of random numbers. A key that ends in 0 has the stream of the key without it.
_OUTCOMES, _SCORES, _TEST, _INSIDE, _NULL, _ORDER, _INITIAL = range(1, 8)


def compute(work: Work) -> pd.DataFrame:
    """The results of some datasets of a cell: `COLUMNS`, one row per dataset and arm.

    Up to rounding, a dataset's do not depend on those that are computed with it.
    """
    data = _Data(work)
    fits = _fit_arms(data)
    rows = []
    for arm, (parameters, steps) in fits.items():
        chances = _chances(parameters, data.test)
        inside = _chances(parameters, data.inside) if data.inside else chances
        for number, dataset in enumerate(work.datasets):
            rows.append(
                _row(work, data, number, dataset, arm, steps)
                | _metrics(data.test[number], chances[number])
                | {"auc_inside": _inside(data, number, inside[number])}
            )
    for number, dataset in enumerate(work.datasets):
        patients = data.test[number]
        row = _row(work, data, number, dataset, "oracle", 0)
        row |= _metrics(patients, patients.chance)
        within = (data.inside or data.test)[number]
        row["auc_inside"] = _metrics(within, within.chance)["auc"]
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(work, data, number, dataset, arm, steps):
    cell = work.cell
    return {
        "mode": "features",
        "outcomes": cell.outcomes,
        "scores": cell.scores,
        "correlation": cell.correlation,
        "shift": cell.shift,
        "dataset": dataset,
        "arm": arm,
        "steps": steps,
    }


def _inside(data, number, chances):
    patients = (data.inside or data.test)[number]
    return _metrics(patients, chances)["auc"]


def _metrics(patients: Patients, chance: np.ndarray) -> dict[str, float]:
    return metrics_of(patients.severe, chance)


def _chances(parameters, patients):
    """P(severe) of the patients of each dataset, float64 (k, n)."""
    features = np.stack([p.features for p in patients])
    logit = networks.forward(parameters, features)[2]
    return networks.sigmoid(logit[..., 0].astype(np.float64))


class _Data:
    """The patients of some datasets of a cell, as rows of networks.

    Attributes:
        outcomes, outcomes_validation: `Rows` of the first dataset.
        scores, scores_validation: `Rows` of the second dataset, or None without one.
        null: `scores` with permuted scores, or None.
        test: `Patients` of each dataset; projection and outcome are independent.
        inside: the same with the shortcut of the training rows; None without one.
    """

    def __init__(self, work: Work):
        cell, section, options = work.cell, work.section, work.section.features
        self.work = work
        imaging = Imaging(work.seed, options.size, options.noise, options.detector)
        shortcut = section.shortcut if cell.shift == "shortcut" else 0.0
        correlation = cell.correlation

        def draw(use, n, **conditions):
            return [
                draw_patients(
                    self.rng(dataset, use),
                    n,
                    imaging,
                    correlation=correlation,
                    **conditions,
                )
                for dataset in work.datasets
            ]

        def rows(patients, make):
            # The first are for validation: patients are drawn independently.
            held = max(2, round(section.validation_fraction * len(patients[0].severe)))
            every = make(patients)
            return _part(every, slice(held, None)), _part(every, slice(held))

        first = draw(
            _OUTCOMES,
            cell.outcomes,
            shortcut=shortcut,
            label_noise=section.label_noise,
        )
        self.outcomes, self.outcomes_validation = rows(first, _outcome_rows)
        self.scores = self.scores_validation = self.null = None
        if cell.scores:
            second = draw(_SCORES, cell.scores, other=cell.shift == "detector")
            self.scores, self.scores_validation = rows(second, _score_rows)
            orders = [rng.permutation(self.scores.count) for rng in self.rngs(_NULL)]
            permuted = np.stack(
                [
                    own[order]
                    for own, order in zip(self.scores.scores, orders, strict=True)
                ]
            )
            self.null = Rows(self.scores.features, self.scores.outcome, permuted)
        self.test = draw(_TEST, section.test_patients)
        self.inside = None
        if shortcut:
            self.inside = draw(_INSIDE, section.test_patients, shortcut=shortcut)

    def rng(self, dataset, use):
        """The generator of one use of a dataset, the same in every cell."""
        return np.random.default_rng(
            np.random.SeedSequence([self.work.seed, dataset, use])
        )

    def rngs(self, use):
        """New generators of one use, one for each dataset: the same in every arm."""
        return [self.rng(dataset, use) for dataset in self.work.datasets]


def _part(rows: Rows, part: slice) -> Rows:
    return Rows(*(values[:, part] for values in vars(rows).values()))


def _outcome_rows(patients):
    outcome = np.stack([p.recorded for p in patients]).astype(np.float32)
    scores = np.full((*outcome.shape, CATEGORIES), np.nan, np.float32)
    features = np.stack([p.features for p in patients])
    return Rows(features, outcome[..., None], scores)


def _score_rows(patients):
    category = np.stack([p.category for p in patients])
    scores = np.eye(CATEGORIES, dtype=np.float32)[category]
    features = np.stack([p.features for p in patients])
    return Rows(features, np.full((*category.shape, 1), np.nan, np.float32), scores)


def _fit_arms(data: _Data):
    """Arm -> (parameters, steps of the optimizer), without the oracle."""
    options, training = data.work.section.features, data.work.training
    # One start for all pairs would not average out over them.
    rngs = data.rngs(_INITIAL)
    start = networks.initial(rngs, options.size, options.layers, CATEGORIES)

    def fit(rows, steps, begin=start, validation=data.outcomes_validation):
        schedule = Schedule(
            steps,
            steps * training.warmup_epochs // training.epochs,
            training.batch_size,
            training.learning_rate,
            training.weight_decay,
        )
        return train(begin, rows, validation, schedule, data.rngs(_ORDER)), steps

    def steps(*rows):
        total = sum(r.count for r in rows)
        return steps_of(total, training.epochs, training.batch_size)

    single = steps(data.outcomes)
    both = data.outcomes if data.scores is None else data.outcomes.joined(data.scores)
    long = steps(both)
    fits = {"stl": fit(data.outcomes, single), "stl_matched": fit(data.outcomes, long)}
    own = networks.with_backbone(start, (fits["stl"][0], 1.0))
    fits["stl_continued"] = fit(data.outcomes, long, own)
    fits["mdmt_direct"] = fit(both, long)
    if data.scores is None:
        return fits
    of_scores, _ = fit(
        data.scores, steps(data.scores), validation=data.scores_validation
    )
    tuned = networks.with_backbone(start, (of_scores, 1.0))
    fits["ft"] = fit(data.outcomes, single, tuned)
    average = networks.with_backbone(start, (fits["stl"][0], 0.5), (of_scores, 0.5))
    fits["mdmt"] = fit(both, long, average)
    fits["mdmt_null"] = fit(data.outcomes.joined(data.null), long)
    return fits
