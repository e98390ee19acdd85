"""The first sentences of a report: the primary comparison in plain words."""

import collections
from collections.abc import Iterator

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.differences import leading, signed
from mdmt_tf.reporting.headings import title_of
from mdmt_tf.reporting.primary_table import compared_pairs
from mdmt_tf.reporting.table_files import in_percent, plain_heading, shown
from mdmt_tf.statistics.primary import Difference

NOTHING = (
    "Nothing is compared: benchmark.candidate and benchmark.comparisons are not set, "
    "or name no other experiment."
)
# conclusion -> what it says of the candidate, the other and the task.
_FIRST = {
    "better": "{candidate} is better than {other} at {task}.",
    "worse": "{candidate} is worse than {other} at {task}.",
    "undecided": "no difference between {candidate} and {other} is shown at {task}.",
    "higher": "{metric} of {task} is higher with {candidate} than with {other}.",
    "lower": "{metric} of {task} is lower with {candidate} than with {other}.",
    "not estimable": "{candidate} and {other} cannot be compared at {task} yet.",
}
# The order in which conclusions are counted.
_COUNTED = {
    "better": "better",
    "worse": "worse",
    "higher": "higher",
    "lower": "lower",
    "undecided": "without a shown difference",
    "not estimable": "not estimable",
}


def opening(aggregates: Aggregates) -> list[str]:
    """What came out: the first declared comparison, and a count of the others."""
    found = list(_differences(aggregates))
    if not found:
        return [NOTHING]
    task, validation, candidate, other, difference = found[0]
    where = title_of(aggregates.results, validation)
    sentences = [
        f"Primary comparison: {in_words(candidate, other, task, where, difference)}"
    ]
    if len(found) > 1:
        sentences.append(_others([row[-1] for row in found[1:]]))
    return sentences


def in_words(
    candidate: str, other: str, task: str, validation: str, difference: Difference
) -> str:
    """A comparison as plain sentences, with its interval and what this allows.

    Example:
        >>> found = Difference("auc", "patient", 0.01, -0.03, 0.05, 0.6, 60, 10, "")
        >>> in_words("mdmt", "stl", "death", "cv", found).split(". ")[0]
        'no difference between mdmt and stl is shown at death'
    """
    name = plain_heading(difference.metric)
    first = _FIRST[difference.conclusion].format(
        candidate=candidate, other=other, task=task, metric=name
    )
    if difference.reason is not None:
        return f"{first} {difference.reason}"
    low, high = (
        shown(difference.metric, end, "+") for end in (difference.low, difference.high)
    )
    p = f"p = {difference.p:.3f}" if difference.p >= 0.001 else "p < 0.001"
    text = (
        f"{first} The difference in {name}, {candidate} − {other}, is "
        f"{signed(difference.metric, difference.value)} with a 95 % interval from "
        f"{low} to {high} ({p}; {difference.n_patients} patients, {validation})."
    )
    if difference.conclusion == "undecided":
        text += _allowed(candidate, difference)
    return text


def _allowed(candidate: str, difference: Difference) -> str:
    """What an interval that includes 0 allows; nothing where no direction is better."""
    metric = METRICS[difference.metric]
    if metric.ideal is not None:
        return ""
    ends = -difference.low, difference.high
    worse, better = reversed(ends) if metric.lower_is_better else ends
    unit = " points" if in_percent(difference.metric) else ""
    return (
        f" These data fit anything from {candidate} being "
        f"{shown(difference.metric, worse)}{unit} worse to "
        f"{shown(difference.metric, better)}{unit} better."
    )


def _others(differences: list[Difference]) -> str:
    """How the further comparisons came out."""
    counts = collections.Counter(own.conclusion for own in differences)
    words = [
        f"{counts[name]} {text}" for name, text in _COUNTED.items() if counts[name]
    ]
    if len(differences) == 1:
        return f"A further comparison is {words[0].removeprefix('1 ')}."
    return (
        f"Of {len(differences)} further comparisons {_joined(words)}. Each stands for "
        "itself; decide before which one counts."
    )


def _joined(words: list[str]) -> str:
    """The parts of a sentence with its verbs: 1 is better, 2 are worse and ..."""
    parts = [
        f"{w.split()[0]} {'is' if w.startswith('1 ') else 'are'} {w.split(' ', 1)[1]}"
        for w in words
    ]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _differences(
    aggregates: Aggregates,
) -> Iterator[tuple[str, str, str, str, Difference]]:
    """(task, validation, candidate, other, difference) in the order of the table."""
    for task, validation, pairs in compared_pairs(aggregates):
        for candidate, other in pairs:
            found = aggregates.differences.of(validation, task.name, candidate, other)
            yield task.name, validation, candidate, other, found[leading(task)]
