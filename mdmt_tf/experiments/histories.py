"""`history.csv` of a run: one row per epoch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.experiments.cells import again
from mdmt_tf.runs.folder import RunFolder

# Seconds are written with two digits an epoch, and summed.
_SECONDS = 0.01


def read_history(run: RunFolder, manifest: Mapping) -> pd.DataFrame | None:
    """Read and check the table.

    Args:
        run: folder of a finished run.
        manifest: its manifest, whose effort the table has to agree with.
    Returns: None where there is none, as of a baseline.
    Raises: DataError for a table that is damaged: without numbers, with epochs that do
        not follow one another, or with other epochs than the manifest states.
    """
    path = run.history
    if not path.is_file():
        return None
    try:
        history = pd.read_csv(path)
        if "epoch" not in history.columns:
            raise ValueError("it has no column epoch")
        _check(history, manifest.get("effort"))
    except ValueError as error:
        raise DataError(
            f"{path}: not a table of epochs: {error}; {again(path)}"
        ) from error
    return history


def _check(history: pd.DataFrame, effort) -> None:
    for name in history.columns:
        if history[name].dtype.kind not in "biuf":
            parsed = pd.to_numeric(history[name], errors="coerce")
            wrong = np.flatnonzero(parsed.isna() & history[name].notna())
            row = int(wrong[0]) if len(wrong) else 0
            raise ValueError(
                f"line {row + 2}: {name} = {history[name].iloc[row]!r}: expected a "
                "number"
            )
    epochs = history["epoch"].to_numpy()
    wrong = np.flatnonzero(epochs != np.arange(len(epochs)))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"line {row + 2}: epoch = {epochs[row]:g}: expected {row}, the one after "
            "the line above"
        )
    if "seconds" not in history or not isinstance(effort, Mapping):
        return
    if effort.get("epochs") != len(history):
        raise ValueError(
            f"it has {len(history)} epochs; by manifest.json, the effort was "
            f"{effort.get('epochs')}"
        )
    seconds, stated = float(history["seconds"].sum()), effort.get("seconds")
    if not isinstance(stated, (int, float)) or abs(seconds - stated) > _SECONDS:
        raise ValueError(
            f"the seconds of its epochs sum to {seconds:.2f}; by manifest.json, the "
            f"effort was {stated}"
        )
