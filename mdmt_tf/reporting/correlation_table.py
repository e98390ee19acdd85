"""The table of correlations between the fields and the outcome."""

import numpy as np
import pandas as pd

from mdmt_tf.metrics.text import NO_NUMBER
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, numbered, p_value


def correlation_table(data: pd.DataFrame) -> Table:
    """The table of correlations, one section per baseline."""
    sections = []
    for (baseline, task), own in data.groupby(["baseline", "task"], sort=False):
        rows = [
            (
                Entry(row.dataset),
                Entry(row.field),
                Entry(str(row.n), row.n),
                Entry(row.measure),
                numbered(
                    NO_NUMBER if np.isnan(row.value) else f"{row.value:.3f}", row.value
                ),
                p_value(row.p),
                p_value(row.p_holm),
            )
            for row in own.itertuples(index=False)
        ]
        headings = ("dataset", "field", "n", "measure", "value", "p", "p (Holm)")
        sections.append(TableSection(f"{baseline}: fields and {task}", headings, rows))
    notes = [
        "Association in this sample of patients, not causation. Each field is tested "
        "by itself, without adjustment for any other.",
        "n: patients of all folds whose field and class are known; the first of "
        "several images of a patient counts.",
        "Numbers: Spearman's rho with the index of the class, and its two-sided test; "
        "also Pearson's r, point-biserial for two classes, not tested. Texts: Cramer's "
        "V and the chi-square test, whose p is rough where few patients have the same "
        "value. Holm's adjustment is over the fields of the baseline.",
    ]
    title = "Correlations: fields of the tables and the outcome, without any image"
    return Table("correlations", title, sections, notes, data)
