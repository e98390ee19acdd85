"""The number of steps of the experiments that others match, in each fold."""

from collections.abc import Mapping, Sequence

from mdmt_tf.config import Config
from mdmt_tf.data.samples import all_samples, split_samples
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.data.training_set import count_steps
from mdmt_tf.experiments import protocol
from mdmt_tf.experiments.grid import Place
from mdmt_tf.splits.fit_lists import of_fit
from mdmt_tf.splits.split import Split


def count_matched(
    config: Config,
    splits: Mapping[tuple[str, int], Split],
    datasets: Sequence[PreparedDataset],
) -> dict[Place, int]:
    """Count the steps of each experiment that another one matches.

    Args:
        config: with a section `benchmark`.
        splits: (validation, fold) -> lists.
        datasets: all datasets of the settings.
    Returns: (validation, fold, seed, experiment) -> steps of the whole training.
    """
    benchmark, result = config.benchmark, {}
    sections = config.experiments.resolved.values()
    for name in dict.fromkeys(section.match for section in sections if section.match):
        # An epoch does not depend on the backbone.
        settings = protocol.settings_of(config, name, benchmark.backbones[0])
        own = [dataset for dataset in datasets if dataset.name in settings.datasets]
        rows = all_samples(own, settings.build_tasks())
        tables = {dataset.name: dataset.table for dataset in own}
        for (validation, fold), split in splits.items():
            for seed in benchmark.seeds:
                lists = of_fit(
                    split.only(settings.datasets),
                    tables,
                    settings.auxiliary,
                    settings.dataset_fractions,
                    seed,
                )
                training = split_samples(rows, lists, seed)["train"]
                of_epoch = count_steps(training, settings.training.batch_size)
                place = (validation, fold, seed, name)
                result[place] = settings.training.steps_in_all(of_epoch)
    return result


def to_plain(steps: Mapping[Place, int]) -> list[list]:
    """For JSON: a list with validation, fold, seed, experiment and steps of each."""
    return [[*place, number] for place, number in steps.items()]


def from_plain(rows: Sequence[Sequence]) -> dict[Place, int]:
    """The inverse of `to_plain`."""
    return {tuple(place): number for *place, number in rows}
