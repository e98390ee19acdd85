"""Where the printed results of a paper stand beside our own."""

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import ruffini_2024
from mdmt_tf.tasks import Task

NAME = "Ruffini et al., MICCAI 2024"
STARS = (
    "stars: of our p without adjustment, as the paper's are: * < 0.05, ** < 0.01, *** "
    "< 0.001."
)


def are_shown(results: Results) -> bool:
    """Whether the datasets are those of the paper, real, and judged on test rows.

    Other data have another prognosis, also under the same name. A synthetic dataset of
    the same name has none.
    """
    is_same = ruffini_2024.is_of_data(results.datasets, results.synthetic)
    return results.split == "test" and is_same


def value(
    results: Results, task: Task, validation: str, experiment: str, metric: str
) -> float | None:
    """The printed metric of an experiment; None when there is none."""
    if not are_shown(results):
        return None
    return ruffini_2024.value(task, _kind(results, validation), experiment, metric)


def stars(
    results: Results, task: Task, validation: str, statistic: str, pair, metric: str
) -> str | None:
    """The printed stars of a test; None when there are none.

    Args:
        statistic: "mean" or "sd".
        pair: the candidate and the other experiment.
    """
    if not are_shown(results):
        return None
    kind = _kind(results, validation)
    return ruffini_2024.stars(task, kind, statistic, *pair, metric)


def _kind(results: Results, validation: str) -> str:
    """The kind of a validation, also of folds that were imported from the authors'."""
    section = results.benchmark.cross_validation[validation]
    folds = results.cells.loc[results.cells["validation"] == validation, "fold"]
    return ruffini_2024.kind_of(section.kind, folds.nunique())


def notes(results: Results, what: str) -> list[str]:
    """The sentences below a table with printed results.

    Args:
        what: "Table 1" or "Table 2".
    """
    found = [f"paper: {ruffini_2024.SOURCE} ({NAME}, {what})."]
    backbones = len(results.benchmark.backbones)
    if backbones != ruffini_2024.BACKBONES:
        found.append(
            f"The paper's results are over {ruffini_2024.BACKBONES} backbones; here "
            f"there {'is 1' if backbones == 1 else f'are {backbones}'}."
        )
    return [*found, *ruffini_2024.NOTES]
