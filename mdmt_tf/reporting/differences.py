"""Differences of two experiments with their intervals, each computed once."""

from collections.abc import Mapping

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.table import compared
from mdmt_tf.metrics.text import in_percent, p_in_words, plural, shown_alike
from mdmt_tf.reporting.groups import NAN
from mdmt_tf.reporting.table_files import plain_heading
from mdmt_tf.statistics import primary, sites
from mdmt_tf.statistics.primary import Difference

# What a sentence says of a conclusion.
_WORDS = {
    "better": "{candidate} is better",
    "worse": "{candidate} is worse",
    "higher": "it is higher with {candidate}",
    "lower": "it is lower with {candidate}",
    "undecided": "no difference shown",
}


class Differences:
    """All differences of a benchmark that a table or a plot asks for.

    Args:
        results: the results of the benchmark.
    """

    def __init__(self, results: Results):
        self.results = results
        self._found: dict[tuple[str, ...], Mapping[str, Difference]] = {}

    def of(
        self, validation: str, task: str, candidate: str, other: str
    ) -> Mapping[str, Difference]:
        """The difference candidate - other of each metric that is compared.

        Args:
            validation: name of a cross-validation.
            task: name of a task of both.
            candidate, other: experiments or baselines.
        Returns: metric -> difference; with a `reason` where fits are missing.
        """
        key = (validation, task, candidate, other)
        if key not in self._found:
            self._found[key] = self._compare(*key)
        return self._found[key]

    def _compare(self, validation, task_name, candidate, other):
        task = self.results.tasks[task_name]
        metrics = compared(task)
        missing = [
            words
            for experiment in (candidate, other)
            if (words := self.shortfall(validation, experiment))
        ]
        if missing:
            reason = f"Not complete: {'; '.join(missing)}."
            return {name: _nothing(name, reason) for name in metrics}
        rows = [
            self.results.rows_of(experiment, validation, task_name)
            for experiment in (candidate, other)
        ]
        if any(own.empty for own in rows):
            reason = f"One of them has no labelled {self.results.split} rows."
            return {name: _nothing(name, reason) for name in metrics}
        folds = self.folds(validation)
        section = self.results.benchmark.cross_validation[validation]
        if section.kind == "leave_one_site_out":
            return {
                name: sites.across_sites(*rows, task, name, folds=folds)
                for name in metrics
            }
        return primary.compare_metrics(*rows, task, metrics, folds=folds)

    def folds(self, validation: str) -> int:
        """Folds of one repeat."""
        section = self.results.benchmark.cross_validation[validation]
        if section.kind == "kfold":
            return section.folds
        cells = self.results.cells
        return cells.loc[cells["validation"] == validation, "fold"].nunique()

    def shortfall(self, validation: str, experiment: str) -> str:
        """How many cells of an experiment are finished; "" when all are."""
        cells = self.results.cells
        own = cells[
            (cells["validation"] == validation) & (cells["experiment"] == experiment)
        ]
        done = int((own["state"] == FINISHED).sum())
        if len(own) and done == len(own):
            return ""
        return f"{experiment}: {done} of {plural(len(own), 'cell')}"


def _nothing(metric: str, reason: str) -> Difference:
    return Difference(metric, "", NAN, NAN, NAN, NAN, 0, 0, "", reason)


def sentence(candidate: str, other: str, difference: Difference) -> str:
    """A difference in words; "better" only if the interval excludes 0.

    Example:
        >>> found = Difference("auc", "patient", 0.01, -0.03, 0.05, 0.6, 60, 10, "")
        >>> sentence("mdmt", "stl", found)
        'mdmt - stl: AUC +0.010 [-0.030, +0.050], p = 0.600, no difference shown.'
    """
    metric = difference.metric
    start = f"{candidate} - {other}: {plain_heading(metric)}"
    if difference.value == difference.value:
        start += f" {signed(difference)}"
    if difference.reason is not None:
        return f"{start}, not estimable. {difference.reason}"
    words = _WORDS[difference.conclusion].format(candidate=candidate)
    p = p_in_words(difference.p)
    return f"{start} {interval(difference)}, {p}, {words}{_sites(difference)}."


def conclusion(difference: Difference) -> str:
    """The conclusion for a table, with the reason where there is none.

    Example:
        >>> conclusion(Difference("auc", "image", 0.0, -0.1, 0.1, 0.9, 60, 10, ""))
        'no difference shown'
    """
    if difference.reason is not None:
        return f"not estimable. {difference.reason}"
    words = difference.conclusion.replace("undecided", "no difference shown")
    return words + _sites(difference)


def _sites(difference: Difference) -> str:
    """Which sites count, in brackets, where some do not."""
    return f" ({difference.sites})" if difference.sites else ""


def texts(difference: Difference) -> tuple[str, str, str]:
    """Value and ends with signs, and with the digits that show their sides of 0.

    Example:
        >>> texts(Difference("auc", "image", 0.04, 0.0002, 0.08, 0.049, 60, 10, ""))
        ('+0.0400', '+0.0002', '+0.0800')
    """
    numbers = (difference.value, difference.low, difference.high)
    return shown_alike(difference.metric, *numbers, sign="+")


def interval(difference: Difference) -> str:
    """The ends of the interval in brackets, with signs.

    Example:
        >>> interval(Difference("f1", "image", 0.0, -0.03, 0.05, 0.6, 60, 10, ""))
        '[-3.0, +5.0]'
    """
    _, low, high = texts(difference)
    return f"[{low}, {high}]"


def signed(difference: Difference) -> str:
    """The value with its sign; of per cents, in points.

    Example:
        >>> signed(Difference("f1", "image", 0.012, -0.03, 0.05, 0.6, 60, 10, ""))
        '+1.2 points'
    """
    return texts(difference)[0] + unit_of(difference.metric)


def unit_of(metric: str) -> str:
    """The unit of a difference of a metric, after a blank; "" for most metrics."""
    return " points" if in_percent(metric) else ""
