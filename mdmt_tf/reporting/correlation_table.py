"""How the fields of the tables go with the outcome, as a table for people."""

import numpy as np
import pandas as pd

from mdmt_tf.reporting.table_files import (
    NO_NUMBER,
    Entry,
    Section,
    Table,
    numbered,
    p_value,
)


def correlation_table(data: pd.DataFrame) -> Table:
    """For people, a section a baseline."""
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
        sections.append(Section(f"{baseline}: fields and {task}", headings, rows))
    notes = [
        "Association in this sample of patients, not causation: each field by itself, "
        "without correction for any other.",
        "n: patients of whom field and class are known, those of all folds; of several "
        "images of a patient the first.",
        "Numbers: Spearman's rho with the index of the class, and its two-sided test; "
        "beside it Pearson's r, point-biserial for two classes, not tested. Texts: "
        "Cramer's V and the chi-square test, whose p is rough where few patients share "
        "a value. Holm's adjustment over the fields of the baseline.",
    ]
    title = "Correlations: fields of the tables and the outcome, without any image"
    return Table("correlations", title, sections, notes, data)
