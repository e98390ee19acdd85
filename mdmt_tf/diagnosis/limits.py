"""What the number of patients can show, by task."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from mdmt_tf.diagnosis.findings import NOTE, WARNING, Finding
from mdmt_tf.diagnosis.material import Material
from mdmt_tf.diagnosis.targets import Target, targets_of
from mdmt_tf.statistics import power

# Assumed true metrics of the weaker model, and correlation of two models' estimates.
AUC, ACCURACY, CORRELATION = 0.8, 0.75, 0.5
_NAMES = {"auc": "AUC", "accuracy": "accuracy", "mae": "MAE"}
# A larger detectable gain is a warning.
_LARGE = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limit:
    """One metric of one task, dataset and set of test patients.

    Attributes:
        metric: "auc" for two classes; "accuracy"; "mae" for numbers, in std of the
            paired differences by patient.
        patients: of each class for the AUC, else their number alone.
        width: of the 95 % interval.
        detectable: smallest detected gain of one model over another; NaN if none is.
    """

    task: str
    dataset: str
    tested: str
    metric: str
    patients: tuple[int, ...]
    assumed: float
    width: float
    detectable: float

    def to_plain(self) -> dict:
        return dataclasses.asdict(self)


def find_limits(material: Material) -> tuple[list[Limit], list[Finding]]:
    """Widths and detectable gains, for the patients tested in all folds and in one.

    Not of auxiliary datasets, which no fold tests.
    """
    datasets = {dataset.name: dataset for dataset in material.datasets}
    found, findings = [], []
    for _, target in targets_of(material.tasks, material.tables):
        if target.dataset in material.auxiliary:
            continue
        ids = datasets[target.dataset].ids("image_id")[target.rows]
        split = material.folds[material.fold].datasets.get(target.dataset, {})
        in_fold = np.isin(ids, list(split.get("test", ())))
        tested = {
            name
            for fold in material.folds
            for name in fold.datasets.get(target.dataset, {}).get("test", ())
        }
        everybody = list(_limits(target, np.isin(ids, list(tested)), "all folds"))
        found += everybody
        found += _limits(target, in_fold, f"fold {material.fold}")
        findings += [_finding(target, limit) for limit in everybody[:1]]
    return found, findings


def _limits(target: Target, chosen: np.ndarray, tested: str) -> Iterator[Limit]:
    """The AUC of two classes, and the accuracy; or the MAE of numbers."""
    if not chosen.any():
        return
    facts = {"task": target.name, "dataset": target.dataset, "tested": tested}
    n = len(np.unique(target.patients[chosen]))
    if not target.classes:
        yield Limit(
            **facts,
            metric="mae",
            patients=(n,),
            assumed=math.nan,
            width=power.interval_width(1 / n),
            detectable=power.detectable_mean(n),
        )
        return
    pairs = np.unique(np.stack([target.patients, target.values])[:, chosen], axis=1)
    counts = np.bincount(pairs[1].astype(int), minlength=len(target.classes))
    if len(counts) == 2 and counts.all():
        negative, positive = counts.tolist()

        def of_auc(auc: float) -> float:
            return power.auc_variance(auc, negative, positive)

        yield Limit(
            **facts,
            metric="auc",
            patients=(negative, positive),
            assumed=AUC,
            width=power.interval_width(of_auc(AUC)),
            detectable=power.detectable_difference(of_auc, AUC, CORRELATION),
        )

    def of_accuracy(accuracy: float) -> float:
        return power.accuracy_variance(accuracy, n)

    yield Limit(
        **facts,
        metric="accuracy",
        patients=(n,),
        assumed=ACCURACY,
        width=power.interval_width(of_accuracy(ACCURACY)),
        detectable=power.detectable_difference(of_accuracy, ACCURACY, CORRELATION),
    )


def _finding(target: Target, limit: Limit) -> Finding:
    name = _NAMES[limit.metric]
    counts = " and ".join(map(str, limit.patients))
    facts = {
        "level": NOTE,
        "kind": "detectable_difference",
        "where": target.where,
        "values": limit.to_plain(),
    }
    start = f"With {counts} patients in all folds"
    if not target.classes:
        return Finding(
            **facts,
            text=f"{start}, a difference in MAE of {limit.detectable:.2f} or more is "
            "detected with 80 % power, in std of the paired differences by patient.",
            advice="Ask for no smaller differences, or for more patients.",
        )
    lost = math.isnan(limit.detectable)
    gain = "no gain at all" if lost else f"a gain of {limit.detectable:.2f} or more"
    if lost or limit.detectable > _LARGE:
        facts["level"] = WARNING
    return Finding(
        **facts,
        text=f"{start}, {gain} in {name} over {limit.assumed:g} is detected with 80 % "
        f"power; the 95 % interval of one model is {limit.width:.2f} wide.",
        advice="Ask for no smaller differences, or for more patients. Assumed: two "
        f"models whose {name} correlates at {CORRELATION:g}.",
    )
