"""What a benchmark will take: one fit of each experiment and backbone is measured.

Nothing is written, and nothing is trained further than a few steps. No TensorFlow at
import.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mdmt_tf.config import Config
from mdmt_tf.config.schema import SplitSection
from mdmt_tf.data import embedded
from mdmt_tf.data.label_notes import label_notes
from mdmt_tf.data.samples import all_samples
from mdmt_tf.data.sources import PreparedDataset, units_of
from mdmt_tf.experiments import plan
from mdmt_tf.experiments.grid import Grid, build_grid
from mdmt_tf.experiments.known_starts import check_starts
from mdmt_tf.experiments.protocol import Fit
from mdmt_tf.splits.split import Split
from mdmt_tf.tasks.units import with_units

if TYPE_CHECKING:
    from mdmt_tf.training.dry_run import Measured

Write = Callable[[str], object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """The fits of one experiment with one backbone.

    Attributes:
        experiment, backbone: names.
        settings: of the fit that was measured.
        fits: number of fits.
        measured: what the first one of them takes.
    """

    experiment: str
    backbone: str
    settings: Config
    fits: int
    measured: "Measured"

    @property
    def seconds(self) -> float:
        """The training of all fits, one after another; no start, no predictions."""
        return self.fits * self.measured.seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planned:
    """The grid of a benchmark that was not begun.

    Attributes:
        settings: with the folders of the data.
        splits: (validation, fold) -> lists.
        files: the same -> a file of them, for the moment.
        datasets: opened datasets.
        grid: all cells and fits.
        cores: of each fit, by their numbers.
        at_a_time: number of fits that would run at a time on this machine.
    """

    settings: Config
    splits: Mapping[tuple[str, int], Split]
    files: Mapping[tuple[str, int], Path]
    datasets: Sequence[PreparedDataset]
    grid: Grid
    cores: Sequence[int]
    at_a_time: int

    @property
    def baselines(self) -> int:
        """Number of baselines, which are not measured."""
        return sum(fit.baseline is not None for fit in self.grid.fits.values())


def make_plan(config: Config, scratch: Path, write: Write, bar: Callable) -> Planned:
    """The grid of the settings; nothing is written outside of `scratch`.

    Args:
        config: with a section `benchmark`.
        scratch: folder for the lists, and for phantoms that are not drawn yet.
        write: receives a line with the folder of the phantoms.
        bar: opens a progress bar, see `prepare.Bar`.
    Raises: as `plan.make_plan`.
    """
    config = embedded.provide_without_writing(config, scratch, write, bar)
    divided = plan.divide(config)
    fingerprints = _fingerprints(divided.datasets)
    cores, at_a_time = _slots(config)
    files = {}
    for number, (where, split) in enumerate(divided.splits.items()):
        files[where] = scratch / f"split-{number}.json"
        split.write(files[where])
    grid = build_grid(config, divided.splits, fingerprints, divided.steps)
    check_starts(config, grid, divided.datasets, divided.splits)
    return Planned(
        settings=config,
        splits=divided.splits,
        files=files,
        datasets=divided.datasets,
        grid=grid,
        cores=cores,
        at_a_time=at_a_time,
    )


def count_labels(
    planned: Planned,
) -> dict[str, list[tuple[int, dict[str, dict[str, int]]]]]:
    """How many labels each fold has, see `training.inputs.labels_in`.

    Returns: validation -> (fold, labels) of each fold.
    """
    from mdmt_tf.training.inputs import labels_in

    config = planned.settings
    answers = (*config.build_tasks(), *config.build_derived())
    rows = all_samples(planned.datasets, answers)
    counts: dict[str, list] = {}
    for (validation, fold), split in planned.splits.items():
        own = labels_in(rows, split, config.seed)
        counts.setdefault(validation, []).append((fold, own))
    return counts


def label_lines(planned: Planned) -> Iterator[str]:
    """What labels were taken for, see `label_notes`."""
    config, datasets = planned.settings, planned.datasets
    answers = (*config.build_tasks(), *config.build_derived())
    return label_notes(with_units(answers, units_of(datasets)), datasets)


def measure(
    planned: Planned, progress: Callable[[int, int], object] = lambda done, total: None
) -> Iterator[Group]:
    """Measure one fit of each experiment and backbone, on the cores that it would have.

    Fits start from random values where their weights are not on this machine.

    Args:
        progress: called with (groups done, all groups).
    Yields: groups in the order of the grid.
    """
    from mdmt_tf.training import dry_run
    from mdmt_tf.training.inputs import open_inputs

    groups = _groups(planned.grid)
    opened, inputs = None, None
    for number, ((experiment, backbone), fits) in enumerate(groups.items()):
        progress(number, len(groups))
        settings = _settings_of(fits[0], planned)
        # Backbones of an experiment read the same images.
        key = settings.model_copy(update={"model": None})
        if key != opened:
            opened, inputs = key, open_inputs(settings)
        yield Group(
            experiment=experiment,
            backbone=backbone,
            settings=settings,
            fits=len(fits),
            measured=dry_run.measure(settings, inputs),
        )


def use_cores(planned: Planned) -> None:
    """Let this process compute on the cores of one fit; before TensorFlow computes."""
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(len(planned.cores))
    os.sched_setaffinity(0, planned.cores)


def _groups(grid: Grid) -> dict[tuple[str, str], list[Fit]]:
    """(experiment, backbone) -> its fits."""
    found: dict[tuple[str, str], list[Fit]] = {}
    for fit in grid.fits.values():
        if fit.settings is not None:
            key = (fit.settings.experiment, fit.settings.model.backbone)
            found.setdefault(key, []).append(fit)
    return found


def _settings_of(fit: Fit, planned: Planned) -> Config:
    """The settings of a fit with the file of its lists, as those of the grid."""
    file, (_, fold) = str(planned.files[fit.split]), fit.split
    split = SplitSection(kind="file", file=file, fold=fold)
    return fit.settings.model_copy(update={"split": split})


def _fingerprints(datasets: Sequence[PreparedDataset]) -> dict[str, str]:
    described = {dataset.name: dataset.describe() for dataset in datasets}
    return plan.fingerprints_of({"datasets": described})


def _slots(config: Config) -> tuple[list[int], int]:
    """The cores of a fit, and how many fits run at a time."""
    import psutil

    from mdmt_tf.experiments.executors import local

    cores = sorted(os.sched_getaffinity(0))
    section = config.benchmark
    if section.executor != "local":
        # How many machines there will be is not known.
        return cores[: section.cores_per_fit], 1
    memory = psutil.virtual_memory().available
    slots = local.slots(cores, local.gpus(), memory, section)
    return slots[0][0], len(slots)
