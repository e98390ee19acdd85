"""All parts of a diagnosis, one after another."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd

from mdmt_tf.diagnosis import (
    associations,
    counts,
    limits,
    origins,
    repeats,
    shortcuts,
    timing,
)
from mdmt_tf.diagnosis.findings import Finding, ordered
from mdmt_tf.diagnosis.material import Material


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Diagnosis:
    """What was found, and the numbers behind it.

    Attributes:
        material: what was examined.
        findings: the serious ones first.
        shortcuts, origins, repeats, counts, limits, timing: see the modules of
            these names.
        associations: table of `associations.associate`.
    """

    material: Material
    findings: list[Finding]
    shortcuts: list[shortcuts.Shortcut]
    origins: list[shortcuts.Shortcut]
    repeats: list[repeats.Repeat]
    counts: list[counts.Count]
    limits: list[limits.Limit]
    timing: list[timing.Timing]
    associations: pd.DataFrame

    def to_plain(self) -> dict:
        """Everything as dicts, lists, strings and numbers, for JSON."""
        lists = ("shortcuts", "origins", "repeats", "counts", "limits", "timing")
        return {
            "datasets": {
                dataset.name: {
                    "images": len(dataset.pictures),
                    "patients": len(np.unique(dataset.ids("patient_id"))),
                    "synthetic": dataset.synthetic,
                }
                for dataset in self.material.datasets
            },
            "fold": self.material.fold,
            "folds": len(self.material.folds),
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            **{name: [one.to_plain() for one in getattr(self, name)] for name in lists},
            "associations": self.associations.to_dict("records"),
        }


def examine(
    material: Material,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Diagnosis:
    """Find everything.

    Args:
        material: tables, pictures and folds.
        progress: called with (pairs of pictures compared, all pairs).
    Raises: DataError for a missing label field, or a label that a task cannot have.
    """
    parts = {
        "timing": timing.find_timing(material),
        "shortcuts": shortcuts.find_shortcuts(material),
        "origins": origins.find_origins(material),
        "repeats": repeats.find_repeats(material, progress),
        "counts": counts.count_labels(material),
        "limits": limits.find_limits(material),
        "associations": associations.associate(material),
    }
    findings = [finding for _, own in parts.values() for finding in own]
    return Diagnosis(
        material=material,
        findings=ordered(findings),
        **{name: found for name, (found, _) in parts.items()},
    )
