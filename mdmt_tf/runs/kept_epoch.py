"""The epoch of a run whose weights were kept, and whether a metric chose it."""

import dataclasses

import pandas as pd

from mdmt_tf.config.training_section import SelectionSection
from mdmt_tf.runs.folder import RunFolder


@dataclasses.dataclass(frozen=True)
class KeptEpoch:
    """The epoch whose weights are those of the run.

    Attributes:
        number: of the epoch, from 1.
        chosen: whether it was the best one by the metric of `training.select_on`. If
            that was defined in no epoch, the last epoch is kept.
    """

    number: int
    chosen: bool


def kept_epoch(history: pd.DataFrame, selection: SelectionSection | None) -> KeptEpoch:
    """The epoch that was kept, from the rows of `history.csv`, one or more.

    Args:
        selection: settings of the run; None: not known, so every mark counts.

    Example:
        >>> selection = SelectionSection(task="death", metric="auc")
        >>> aucs = {"epoch": [0, 1], "validation/death/auc": [0.7, 0.6]}
        >>> kept_epoch(pd.DataFrame({**aucs, "selected": [1, 0]}), selection)
        KeptEpoch(number=1, chosen=True)
        >>> aucs["validation/death/auc"] = [float("nan")] * 2
        >>> kept_epoch(pd.DataFrame({**aucs, "selected": [0, 0]}), selection)
        KeptEpoch(number=2, chosen=False)
    """
    chosen = history["selected"] == 1
    column = selection and f"validation/{selection.task}/{selection.metric}"
    if column in history:
        # Earlier versions marked an epoch without the metric, too.
        chosen &= history[column].notna()
    epochs = history["epoch"][chosen] if chosen.any() else history["epoch"]
    return KeptEpoch(int(epochs.iloc[-1]) + 1, bool(chosen.any()))


def read_kept_epoch(run: RunFolder, selection: SelectionSection) -> KeptEpoch | None:
    """The epoch that a run has kept; None without a history."""
    if not run.history.is_file():
        return None
    return kept_epoch(pd.read_csv(run.history), selection)


def not_chosen(by: SelectionSection, kept: str = "the last epoch is kept") -> str:
    """The sentence on a run whose metric was defined in no epoch."""
    return (
        f"no epoch was chosen: {by.metric} of {by.task} is not defined on the "
        f"validation split; {kept}"
    )
