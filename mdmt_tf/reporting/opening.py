"""The first sentences of a report: the primary comparison in plain words."""

import collections
from collections.abc import Iterator, Sequence

from mdmt_tf.metrics.table import METRICS, leading
from mdmt_tf.metrics.text import p_in_words, plural
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.differences import conclusion, interval, signed, texts, unit_of
from mdmt_tf.reporting.headings import kind_in_words
from mdmt_tf.reporting.primary_table import compared_pairs
from mdmt_tf.reporting.table_files import plain_heading
from mdmt_tf.statistics.primary import Difference

# task, validation, candidate, other, difference
Compared = tuple[str, str, str, str, Difference]
# As many further comparisons are named; of more, a reader learns the counts.
_NAMED = 3
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
    "not estimable": "{candidate} and {other} cannot be compared at {task} yet, "
    "{validation}.",
}
# The order in which conclusions are counted.
_COUNTED = {
    "better": "better",
    "worse": "worse",
    "higher": "higher",
    "lower": "lower",
    "undecided": "with no difference shown",
    "not estimable": "not estimable",
}


def opening(aggregates: Aggregates) -> list[str]:
    """What came out: the first declared comparison, and how the others came out."""
    found = list(_differences(aggregates))
    if not found:
        return [NOTHING]
    results = aggregates.results
    several = len(results.benchmark.cross_validation) > 1
    (task, validation, candidate, other, difference), *others = found
    where = kind_in_words(results, validation)
    if several:
        where += f" {validation}"
    sentences = [
        f"Primary comparison: {in_words(candidate, other, task, where, difference)}"
    ]
    return [*sentences, others_in_words(others, several)] if others else sentences


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
        candidate=candidate,
        other=other,
        task=task,
        metric=name,
        validation=validation,
    )
    if difference.reason is not None:
        return f"{first} {difference.reason}"
    _, low, high = texts(difference)
    patients = plural(difference.n_patients, "patient")
    if difference.sites:
        patients += f" at {difference.sites}"
    text = (
        f"{first} The difference in {name}, {candidate} − {other}, is "
        f"{signed(difference)} with a 95 % interval from {low} to {high} "
        f"({p_in_words(difference.p)}; {patients}, {validation})."
    )
    if difference.conclusion == "undecided":
        text += _allowed(candidate, difference)
    return text


def _allowed(candidate: str, difference: Difference) -> str:
    """What an interval that includes 0 allows; nothing where no direction is better."""
    metric = METRICS[difference.metric]
    if metric.ideal is not None:
        return ""
    # The low end is below 0 and the high end above.
    ends = [end.lstrip("+-") for end in texts(difference)[1:]]
    worse, better = reversed(ends) if metric.lower_is_better else ends
    unit = unit_of(difference.metric)
    return (
        f" These data fit anything from {candidate} being {worse}{unit} worse to "
        f"{better}{unit} better."
    )


def others_in_words(found: Sequence[Compared], several: bool = False) -> str:
    """How the further comparisons came out: each by name, or a count of many.

    Args:
        found: the comparisons after the first.
        several: whether there are several cross-validations, so that each is named.

    Example:
        >>> found = Difference("auc", "patient", 0.01, -0.03, 0.05, 0.6, 60, 10, "")
        >>> others_in_words([("death", "loco", "a", "b", found)], True).split(" (")[0]
        'Also compared: a − b at death, loco: no difference shown'
    """
    if len(found) <= _NAMED:
        parts = [
            f"{candidate} − {other} at {task}{f', {validation}' if several else ''}: "
            f"{_briefly(difference)}"
            for task, validation, candidate, other, difference in found
        ]
        return f"Also compared: {'; '.join(parts)}."
    counts = collections.Counter(row[-1].conclusion for row in found)
    words = ", ".join(
        f"{counts[name]} {text}" for name, text in _COUNTED.items() if counts[name]
    )
    return (
        f"{len(found)} further comparisons: {words}. Each stands for itself; decide "
        "before which one counts."
    )


def _briefly(difference: Difference) -> str:
    """The conclusion with the difference and its interval."""
    if difference.reason is not None:
        return "not estimable"
    return (
        f"{conclusion(difference)} ({plain_heading(difference.metric)} "
        f"{texts(difference)[0]} {interval(difference)})"
    )


def _differences(aggregates: Aggregates) -> Iterator[Compared]:
    """All comparisons, in the order of the table."""
    for task, validation, pairs in compared_pairs(aggregates):
        for candidate, other in pairs:
            found = aggregates.differences.of(validation, task.name, candidate, other)
            yield task.name, validation, candidate, other, found[leading(task)]
