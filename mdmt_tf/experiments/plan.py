"""What a benchmark needs before its first fit: splits, the data's state, baselines."""

from pathlib import Path

from mdmt_tf.config import Config
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.data.splits import Split, count_folds, make_split
from mdmt_tf.experiments.baselines import fit_baseline
from mdmt_tf.experiments.grid import Folder, Grid, build_grid
from mdmt_tf.training.run_folder import write_json


def make_plan(config: Config, folder: Folder) -> Grid:
    """Write `data.json` and `splits/`, and fit the baselines.

    Done again, it leaves the same files. Where the data have changed, so have the
    identities of all fits, and earlier runs are no longer part of the grid.

    Args:
        config: with a section `benchmark`; its data are prepared.
        folder: exists.
    Raises: DataError for anything missing or contradictory.
    """
    datasets = [
        open_dataset(config.data_dir, name, section.config, section.version)
        for name, section in config.datasets.items()
    ]
    tables = {dataset.name: dataset.table for dataset in datasets}
    tasks = config.build_tasks()
    folds = {}
    for name, section in config.benchmark.validation.items():
        folds[name] = count_folds(tables, section)
        for fold in range(folds[name]):
            settings = section.model_copy(update={"fold": fold})
            split = make_split(tables, tasks, settings)
            path = folder.split(name, fold)
            path.parent.mkdir(parents=True, exist_ok=True)
            split.write(path)
    write_json(
        folder.data,
        {
            "data_dir": str(Path(config.data_dir).resolve()),
            "folds": folds,
            "datasets": {
                dataset.name: {
                    "config": dataset.config,
                    "version": dataset.version,
                    "fingerprint": dataset.fingerprint,
                    "examples": len(dataset),
                    "synthetic": dataset.synthetic,
                }
                for dataset in datasets
            },
        },
    )
    grid = build_grid(config, read_splits(folder), fingerprints_of(folder.read_data()))
    for fit in grid.fits.values():
        run = folder.run(fit.name)
        if fit.baseline is not None and not run.is_finished:
            task = next(task for task in tasks if task.name == fit.baseline.task)
            split = Split.read(folder.split(*fit.split))
            used = [dataset for dataset in datasets if dataset.name in task.sources]
            facts = {
                "synthetic": any(dataset.synthetic for dataset in used),
                "datasets": {d.name: {"fingerprint": d.fingerprint} for d in used},
            }
            fit_baseline(fit.baseline, task, tables, split, run, facts)
    return grid


def fingerprints_of(data: dict) -> dict[str, str]:
    """dataset -> fingerprint, from the content of `data.json`."""
    return {name: facts["fingerprint"] for name, facts in data["datasets"].items()}


def read_splits(folder: Folder) -> dict[tuple[str, int], Split]:
    """(validation, fold) -> lists, as `make_plan` wrote them."""
    return {
        (validation, fold): Split.read(folder.split(validation, fold))
        for validation, folds in folder.read_data()["folds"].items()
        for fold in range(folds)
    }
