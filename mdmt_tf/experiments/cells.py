"""The cells of a benchmark, from its grid.csv, and the state of each."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mdmt_tf.config.experiments import Experiments
from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments.grid import CELL_KEYS, NO_BACKBONE, Folder

FINISHED, FAILED, MISSING = "finished", "failed", "missing"


def read_cells(
    folder: Folder, experiments: Experiments, folds: Mapping[str, int]
) -> pd.DataFrame:
    """The grid with the state of each cell; absent cells are added as missing.

    Args:
        folder: of the benchmark.
        experiments: its settings; the grid must agree with them.
        folds: validation -> number of its folds, where that is known.
    Returns: one row per cell: `CELL_KEYS`, fit, state, error.
    Raises: DataError when the grid is missing, damaged or of another benchmark.
    """
    path = folder.cells
    columns = [*CELL_KEYS, "fit"]
    try:
        grid = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(grid.columns) != columns:
            raise ValueError(f"its columns are {', '.join(grid.columns)}")
        grid = grid.astype({"seed": int, "fold": int})
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing; expected a row for each cell of the benchmark. Run "
            "`python -m mdmt_tf.benchmark` on the folder again."
        ) from None
    except ValueError as error:  # also what pandas' parser raises
        raise DataError(
            f"{path}: expected the columns {', '.join(columns)}, seed and fold as "
            f"integers; {error}. The file is damaged."
        ) from error
    _check_grid(path, grid, experiments)
    grid = _complete(grid, experiments.section, folds)
    states = {fit: _state(folder, fit) for fit in grid["fit"].unique()}
    grid["state"] = [states[fit][0] for fit in grid["fit"]]
    grid["error"] = [states[fit][1] for fit in grid["fit"]]
    return grid


def _check_grid(path: Path, grid: pd.DataFrame, experiments: Experiments) -> None:
    benchmark = experiments.section
    known = {
        "validation": list(benchmark.cross_validation),
        "backbone": [*benchmark.backbones, NO_BACKBONE],
        "experiment": [*experiments.resolved, *benchmark.baselines],
    }
    for column, allowed in known.items():
        wrong = ~grid[column].isin(allowed)
        if wrong.any():
            raise DataError(
                f"{path}: row {int(wrong.to_numpy().argmax()) + 2}: {column} "
                f"{grid.loc[wrong, column].iloc[0]!r} is not in benchmark.yaml, which "
                f"has {', '.join(map(str, allowed))}. The two are of different "
                "benchmarks."
            )
    # A fit must be a folder directly in runs/.
    unsafe = grid["fit"].isin(["", ".", ".."]) | grid["fit"].str.contains(r"[/\\\0]")
    for wrong, what in (
        (unsafe, "its fit is no name of a folder"),
        (grid.duplicated(CELL_KEYS), "the same cell is listed above"),
        (grid["fold"] < 0, "its fold is negative"),
        (
            (grid["backbone"] == NO_BACKBONE)
            != grid["experiment"].isin(list(benchmark.baselines)),
            f"the backbone {NO_BACKBONE!r} is for baselines, and they have no other",
        ),
        # A baseline has no seed, but its row has a number in that column.
        (
            (grid["backbone"] != NO_BACKBONE) & ~grid["seed"].isin(benchmark.seeds),
            "its seed is not in benchmark.yaml",
        ),
    ):
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            values = ", ".join(map(str, grid.iloc[row]))
            raise DataError(
                f"{path}: row {row + 2} ({values}): {what}. The file is damaged."
            )
    if grid.empty:
        raise DataError(f"{path}: has no rows; expected one for each cell.")


def _complete(
    grid: pd.DataFrame, benchmark: BenchmarkSection, folds_of: Mapping[str, int]
) -> pd.DataFrame:
    """Add the cells that a truncated grid lacks, without a fit, so that they count.

    If a validation leaves out a whole experiment, it is not added.
    """
    added = []
    present = set(grid[CELL_KEYS].itertuples(index=False, name=None))
    for validation, rows in grid.groupby("validation", sort=False):
        section = benchmark.cross_validation[validation]
        known = section.folds * section.repeats if section.kind == "kfold" else 0
        folds = sorted({*rows["fold"], *range(folds_of.get(validation, known))})
        for experiment in rows["experiment"].unique():
            own = rows[rows["experiment"] == experiment]
            baseline = experiment in benchmark.baselines
            backbones = (NO_BACKBONE,) if baseline else benchmark.backbones
            seeds = sorted(own["seed"].unique()) if baseline else benchmark.seeds
            wanted = (
                (validation, backbone, seed, fold, experiment)
                for backbone in backbones
                for seed in seeds
                for fold in folds
            )
            added += [(*cell, "") for cell in wanted if cell not in present]
    if not added:
        return grid
    return pd.concat(
        [grid, pd.DataFrame(added, columns=grid.columns)], ignore_index=True
    )


def _state(folder: Folder, fit: str) -> tuple[str, str]:
    """The state of a fit and, when it failed, why."""
    if not fit:
        return MISSING, ""
    if folder.run(fit).is_finished:
        return FINISHED, ""
    path = folder.failure(fit)
    if not path.is_file():
        return MISSING, ""
    failure = read_json(path)
    error = str(failure.get("error") or "no error text")
    attempts = failure.get("attempts", 1)
    if isinstance(attempts, int) and attempts > 1:
        error += f" ({attempts} attempts)"
    return FAILED, error


def read_json(path: Path) -> dict:
    """Raises: DataError when the file is missing or holds no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: missing; {again(path)}") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: not valid JSON: {error}; {again(path)}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a JSON object; {again(path)}")
    return value


def again(path: Path) -> str:
    """What to do about a damaged file of a run."""
    return f"remove {path.parent} and run the benchmark again."


def remedy(path: Path) -> str:
    """The same as a sentence."""
    text = again(path)
    return text[0].upper() + text[1:]
