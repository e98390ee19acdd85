"""What is known of the weights that the fits of a benchmark start from.

They are checked before the first fit is trained; each fit is checked again, with what
its own start has seen. No TensorFlow at import.
"""

from collections.abc import Mapping, Sequence

from mdmt_tf.config import Config
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.experiments.grid import Grid
from mdmt_tf.experiments.protocol import Fit
from mdmt_tf.models.weights import lineage
from mdmt_tf.splits.fit_lists import of_fit
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import digest_of


def check_starts(
    config: Config,
    grid: Grid,
    datasets: Sequence[PreparedDataset],
    splits: Mapping[tuple[str, int], Split],
) -> None:
    """Make sure that no weights have seen what a fit, or a baseline, is judged on.

    Args:
        config: with a section `benchmark`.
        grid: its fits.
        datasets: all datasets of the settings.
        splits: (validation, fold) -> lists.
    Raises: LeakageError; DataError for a damaged file of weights.
    """
    from mdmt_tf.training.start import check_start, known_start

    allowed = config.pipeline.allow_identical_images
    sources = {name: task.sources for name, task in config.tested_tasks.items()}
    notes: dict[str, dict] = {}
    said: set[str] = set()
    done: set[str] = set()
    for fit in grid.fits.values():
        # Fits that others start from come first.
        notes[fit.name] = lineage.combined(
            known_start(*_weights_of(fit)), *(notes[name] for name in fit.starts)
        )
        unknown = [n for n in notes[fit.name][lineage.UNKNOWN] if n not in said]
        said |= set(unknown)
        note = notes[fit.name] | {lineage.UNKNOWN: unknown}
        if note == lineage.empty():
            continue
        is_network = fit.baseline is None
        names = fit.settings.datasets if is_network else sources[fit.baseline.task]
        own = [dataset for dataset in datasets if dataset.name in names]
        lists = _lists_of(fit, splits[fit.split].only(names), own)
        # Seeds and experiments may have the same lists.
        if (content := digest_of([note, lists])) not in done:
            check_start(note, own, lists, allowed, f"the weights of {fit.name}")
            done.add(content)


def _weights_of(fit: Fit) -> tuple[str | None, str | Mapping[str, float] | None]:
    """Backbone, and weights that are no other fit's; None: none."""
    if (baseline := fit.baseline) is not None:
        # One of fields or thumbnails has no network, whatever its default weights.
        return baseline.backbone, baseline.weights if baseline.backbone else None
    model = fit.settings.model
    return model.backbone, None if fit.starts else model.weights


def _lists_of(fit: Fit, split: Split, datasets: Sequence[PreparedDataset]):
    """Dataset -> split -> images, that a fit is given."""
    if fit.baseline is not None:
        return split.datasets
    settings = fit.settings
    return of_fit(
        split,
        {dataset.name: dataset.table for dataset in datasets},
        settings.auxiliary,
        settings.dataset_fractions,
        settings.seed,
    ).datasets
