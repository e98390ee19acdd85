"""How well the features of the trained networks tell the dataset of an image."""

import pandas as pd

from mdmt_tf.config.experiment_sections import parse_variant
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.text import shown
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, numbered

_METRIC = "balanced_accuracy"


def probe_table(results: Results) -> Table | None:
    """Mean over the fits of each experiment; None where no fit has been probed."""
    cells = results.cells[results.cells["fit"].isin(list(results.probes))]
    # Not with a fraction of the labels.
    cells = cells.loc[[not parse_variant(name)[1] for name in cells["experiment"]]]
    if cells.empty:
        return None
    keys = ["validation", "experiment", "backbone"]
    rows, data = [], []
    for key, own in cells.groupby(keys, sort=False):
        fits = own["fit"].unique()
        found = pd.DataFrame([results.probes[fit] for fit in fits])
        columns = [_METRIC, "low", "high", "chance", "n"]
        known = found.reindex(columns=columns).astype(float).dropna(subset=_METRIC)
        value, chance, n = (
            known[_METRIC].mean(),
            known["chance"].mean(),
            known["n"].sum(),
        )
        # Of single fits: the mean of their ends is no interval of the mean.
        lowest, highest = known["low"].min(), known["high"].max()
        reasons = [probe.get("reason") for probe in map(results.probes.get, fits)]
        reason = next(filter(None, reasons), "") if known.empty else ""
        rows.append(
            (
                *map(Entry, key),
                Entry(str(len(known)), len(known)),
                Entry(f"{n:.0f}", n),
                numbered(reason or shown(_METRIC, value), value),
                numbered(shown(_METRIC, lowest), lowest),
                numbered(shown(_METRIC, highest), highest),
                numbered(shown(_METRIC, chance), chance),
            )
        )
        facts = dict(zip(keys, key, strict=True))
        facts |= {"fits": len(known), "images": n, _METRIC: value}
        facts |= {"lowest": lowest, "highest": highest, "chance": chance}
        data.append({**facts, "reason": reason})
    headings = (*keys, "fits", "images", "bal. accuracy (%)", "lowest", "highest")
    headings += ("chance",)
    notes = [
        "A linear classifier of the pooled features of test images tells the dataset "
        "that an image is from. images: of all fits. Mean over fits; lowest, highest: "
        "the most extreme ends of the 95 % intervals of the fits. chance: of a guess.",
        "Features that tell the dataset may serve as a shortcut where the datasets "
        "differ in the frequency of an outcome.",
    ]
    title = "Probe: the dataset of an image, from the features of the network"
    section = TableSection("Trained networks", headings, rows)
    return Table("features_probe", title, [section], notes, pd.DataFrame(data))
