"""Optimizer steps, images and seconds of a fit, beside the metrics and as a table."""

import dataclasses
import math

import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.text import NO_NUMBER
from mdmt_tf.reporting.groups import NAN
from mdmt_tf.reporting.table_files import Entry, Table, TableSection

# The last columns of Table 1 and the middle ones of Table S1.
HEADINGS = ("steps", "images seen", "seconds")


@dataclasses.dataclass(frozen=True)
class Effort:
    """Mean effort of one fit of an experiment.

    Attributes:
        steps, images, seconds: of the training of a fit, without those that it starts
            from; NaN where no fit has recorded them.
        fits: distinct finished fits that have recorded them.
    """

    steps: float = NAN
    images: float = NAN
    seconds: float = NAN
    fits: int = 0


def effort_of(
    results: Results, validation: str, experiment: str, backbone: str | None = None
) -> Effort:
    """The mean over the finished fits of an experiment.

    Args:
        backbone: None: the fits of all backbones.
    """
    cells = results.cells
    chosen = (cells["validation"] == validation) & (cells["experiment"] == experiment)
    chosen &= cells["state"] == FINISHED
    if backbone is not None:
        chosen &= cells["backbone"] == backbone
    names = cells.loc[chosen, "fit"].unique()
    found = [results.efforts[name] for name in names if name in results.efforts]
    if not found:
        return Effort()
    means = pd.DataFrame(found).reindex(columns=["steps", "images", "seconds"]).mean()
    return Effort(*map(float, means), fits=len(found))


def entries(effort: Effort) -> list[Entry]:
    """The cells below `HEADINGS`."""
    return [counted(effort.steps), counted(effort.images), _seconds(effort.seconds)]


def numbers(effort: Effort) -> dict[str, float]:
    """The same for the data of a table."""
    return {
        "steps": effort.steps,
        "images_seen": effort.images,
        "seconds": effort.seconds,
    }


def counted(value: float) -> Entry:
    """A mean of counts, with a decimal only where it is not whole."""
    if math.isnan(value):
        return Entry(NO_NUMBER)
    return Entry(f"{value:.0f}" if value == round(value) else f"{value:.1f}", value)


def _seconds(value: float) -> Entry:
    if math.isnan(value):
        return Entry(NO_NUMBER)
    return Entry(f"{value:.0f}" if value >= 10 else f"{value:.1f}", value)


def effort_table(results: Results) -> Table | None:
    """What a fit of each experiment costs; None where no fit has recorded it."""
    if not results.efforts:
        return None
    sections, data = [], []
    for validation in results.benchmark.cross_validation:
        cells = results.cells[results.cells["validation"] == validation]
        rows = []
        for experiment in results.experiments.resolved:
            if experiment not in set(cells["experiment"]):
                continue
            effort = effort_of(results, validation, experiment)
            starts = _starts(results, experiment)
            weights = list(dict.fromkeys(results.weights.values()))
            total = effort.steps + sum(
                effort_of(results, validation, other).steps for other in starts
            )
            rows.append(
                (
                    Entry(experiment),
                    Entry(str(effort.fits), effort.fits),
                    *entries(effort),
                    counted(total),
                    Entry(", ".join([*starts, *weights])),
                )
            )
            facts = {"validation": validation, "experiment": experiment}
            facts |= {"fits": effort.fits, **numbers(effort)}
            data.append({**facts, "steps_with_starts": total, "starts": len(starts)})
        headings = ("experiment", "fits", *HEADINGS, "steps with starts", "starts")
        sections.append(TableSection(f"{validation}: one fit", headings, rows))
    notes = [
        "Mean over the finished fits. steps: of the optimizer. images seen: rows of "
        "all training batches. seconds: of training, on the machine that ran the fit; "
        "fits that ran at the same time slow each other down.",
        "steps with starts: with the steps of the fits that the experiment starts "
        "from, each experiment counted once.",
        *weights_notes(results),
        "A difference between experiments with unequal steps may come from the steps. "
        "A control of equal effort is an experiment with the setting match.",
    ]
    numbers_of_devices = sorted(set(results.devices.values()))
    if len(numbers_of_devices) > 1:
        counts = " or ".join(map(str, numbers_of_devices))
        notes.append(
            f"Fits were trained on {counts} devices. With model.batch_norm = local, "
            "each device normalises its part of a batch, so these are unequal methods: "
            "train all on one number of devices (training.devices, gpus_per_fit)."
        )
    title = "Effort: what one fit of each experiment takes"
    return Table("effort", title, sections, notes, pd.DataFrame(data))


def weights_notes(results: Results) -> list[str]:
    """That the training of the first weights is not counted; [] for random ones."""
    names = ", ".join(dict.fromkeys(results.weights.values()))
    return [
        f"No steps, images and seconds are those of the weights that the first fits "
        f"begin with (model.weights, benchmark.weights): {names}. They were trained "
        "elsewhere."
    ] * bool(names)


def _starts(results: Results, experiment: str) -> list[str]:
    """All experiments that one starts from, also by way of others."""
    found: list[str] = []
    experiments = results.experiments.resolved
    waiting = list(experiments[experiment].start)
    while waiting:
        other = waiting.pop(0)
        if other not in found:
            found.append(other)
            waiting += experiments[other].start
    return found
