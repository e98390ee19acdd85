"""The primary comparison, and what the networks add to the baselines."""

import collections
import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator

import pandas as pd

from mdmt_tf.metrics.table import compared, leading
from mdmt_tf.metrics.text import NO_NUMBER
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.differences import conclusion, interval, sentence, texts
from mdmt_tf.reporting.headings import title_of
from mdmt_tf.reporting.means_table import folded_terms, same_label_notes
from mdmt_tf.reporting.table_files import (
    Entry,
    Folded,
    Table,
    TableSection,
    heading,
    numbered,
    p_value,
    plain_heading,
)
from mdmt_tf.statistics.primary import Difference
from mdmt_tf.tasks import Answer, Derived, Task

_HEADINGS = ("difference", "95 % interval", "p", "conclusion", "patients", "fits")
_COLUMNS = [
    *("task", "validation", "candidate", "other", "figure", "unit", "difference"),
    *("low", "high", "p", "conclusion", "patients", "fits", "method"),
    "not_estimable",
]


def primary_table(aggregates: Aggregates) -> Table:
    """The declared comparisons of two experiments, two-sided, with intervals."""
    results = aggregates.results
    sections, data, unlike = [], [], []
    lead: dict[bool, list[str]] = {False: [], True: []}
    terms = results.terms
    for task, validation, pairs in compared_pairs(aggregates):
        unlike += [
            f"{task.name}: {' - '.join(pair)}"
            for pair in results.unlike(task.name, validation)
        ]
        first, others = [], []
        for candidate, other in pairs:
            found = aggregates.differences.of(validation, task.name, candidate, other)
            words = sentence(candidate, other, found[leading(task)])
            lead[task.name in terms].append(f"{task.name}, {validation}: {words}")
            facts = (task.name, validation, candidate, other)
            data += [_data(facts, found[metric]) for metric in compared(task)]
            pair = Entry(f"{candidate} - {other}")
            first.append((pair, *_entries(found[leading(task)])))
            if not _is_nothing(found.values()):
                others += [
                    (pair, Entry(heading(metric)), *_entries(found[metric]))
                    for metric in compared(task)
                    if metric != leading(task)
                ]
        title = f"{task.name}, {title_of(results, validation)}"
        if first:
            headings = ("compared", *_HEADINGS)
            is_term = task.name in terms
            name = f"{title}: {heading(leading(task))}"
            sections.append(TableSection(name, headings, first, folded=is_term))
        if others:
            headings = ("compared", "metric", *_HEADINGS)
            name = f"{title}: other metrics"
            sections.append(TableSection(name, headings, others, folded=True, keys=2))
    notes = [*_notes(data), *same_label_notes(results)]
    if not data:
        notes = [
            "Nothing is compared: benchmark.candidate and benchmark.comparisons are "
            "not set, or name no other experiment."
        ]
    if unlike:
        notes.append(
            "Not compared, because one of the two learns from permuted labels of this "
            f"task and is worse by construction: {'; '.join(dict.fromkeys(unlike))}."
        )
    return Table(
        "primary",
        "Primary comparison: difference of two experiments",
        sections,
        notes,
        pd.DataFrame(data, columns=_COLUMNS),
        tuple(lead[False]),
        _folded(results, sections, tuple(lead[True])),
    )


def _folded(results, sections, lead: tuple[str, ...]) -> Folded | None:
    """What the folded sections are: other metrics, and tasks of a derived answer."""
    found = folded_terms(results, sections, lead)
    if found is None:
        return None
    if not results.terms:
        return Folded("Other metrics")
    return dataclasses.replace(found, title=f"Other metrics. {found.title}")


def compared_pairs(
    aggregates: Aggregates,
) -> Iterator[tuple[Task, str, list[tuple[str, str]]]]:
    """(task, validation, pairs of experiments) to compare, first things first.

    What follows from other answers comes first, and those that it follows from last.
    """
    results = aggregates.results
    judged = sorted(_judged(aggregates), key=lambda pair: _rank(pair[0], results.terms))
    for task, validation in judged:
        yield (
            task,
            validation,
            [
                pair
                for pair in results.pairs(task.name, validation)
                if not any(map(results.is_baseline, pair))
            ],
        )


def baseline_table(aggregates: Aggregates) -> Table | None:
    """Each experiment minus each baseline; None where there are no baselines."""
    results = aggregates.results
    sections, data = [], []
    for task, validation in _judged(aggregates):
        experiments = results.experiments_of(
            task.name, validation, with_fractions=False
        )
        baselines = [e for e in experiments if results.is_baseline(e)]
        networks = [
            e
            for e in experiments
            if not results.is_baseline(e)
            and "@" not in e
            and not results.is_permuted(e, task.name)
        ]
        rows = []
        for baseline in baselines:
            for network in networks:
                found = aggregates.differences.of(
                    validation, task.name, network, baseline
                )
                facts = (task.name, validation, network, baseline)
                data += [_data(facts, own) for own in found.values()]
                names = (Entry(network), Entry(baseline))
                rows.append((*names, *_entries(found[leading(task)])))
        if rows:
            title = f"{task.name}, {title_of(results, validation)}"
            title += f": {heading(leading(task))}"
            headings = ("network", "baseline", *_HEADINGS)
            sections.append(TableSection(title, headings, rows, keys=2))
    if not sections:
        return None
    notes = [
        "Network − baseline. An image has shown its worth only where the difference "
        "to a model without it, or of the image as a whole, excludes 0.",
        "baselines.csv has the other metrics.",
        *_notes(data),
    ]
    title = "Baselines: difference of each network and each simple model"
    frame = pd.DataFrame(data, columns=_COLUMNS)
    return Table("baselines", title, sections, notes, frame)


def _rank(answer: Answer, terms: Collection[str]) -> int:
    """0 for derived answers, 1 for other tasks, 2 for those that feed one."""
    return 0 if isinstance(answer, Derived) else 1 + (answer.name in terms)


def _judged(aggregates: Aggregates) -> Iterator[tuple[Task, str]]:
    for task in aggregates.results.tasks.values():
        for validation in aggregates.validations_of(task.name):
            yield task, validation


def _is_nothing(found: Iterable[Difference]) -> bool:
    """Whether all metrics lack a value for the same reason, such as missing fits."""
    facts = {(own.reason, math.isnan(own.value)) for own in found}
    return len(facts) == 1 and facts.pop()[1]


def _entries(found: Difference) -> tuple[Entry, ...]:
    """The cells below `_HEADINGS`."""
    value = numbered(texts(found)[0], found.value)
    # Nothing was counted where fits are missing.
    counts = [
        Entry(str(n), n) if n else Entry(NO_NUMBER)
        for n in (found.n_patients, found.n_fits)
    ]
    words = Entry(conclusion(found))
    if found.reason is not None:
        return (value, Entry(NO_NUMBER), Entry(NO_NUMBER), words, *counts)
    return (value, Entry(interval(found), found.low), p_value(found.p), words, *counts)


def _data(facts: tuple, found: Difference) -> dict:
    values = (found.metric, found.unit, found.value, found.low, found.high, found.p)
    counts = (found.conclusion, found.n_patients, found.n_fits, found.method)
    row = (*facts, *values, *counts, found.reason or "")
    return dict(zip(_COLUMNS, row, strict=True))


def _notes(data: list[dict]) -> list[str]:
    units = dict.fromkeys(row["unit"] for row in data if row["unit"])
    several = len({(row["candidate"], row["other"]) for row in data}) > 1
    notes = [
        "Two-sided; p is below 0.05 exactly where the 95 % interval of the difference "
        "excludes 0, and only then is one of them called better. Without it, there may "
        "be a difference that these data cannot show; the interval says how large.",
        f"Metrics by {' or '.join(units) or 'patient'}, averaged over backbones, seeds "
        "and repeats. They are of the rows of all folds of a repeat (or of a site, "
        "where sites are left out), an AUC of pairs of the same fold; Table 1 has "
        "means over folds, in which small folds count as much as large ones. So a "
        "difference may differ from that of two rows of Table 1.",
        "The interval is about other patients to test and to train on; about other "
        "sites where sites are left out.",
        *_methods(data),
    ]
    if several:
        notes.append(
            "Each comparison stands for itself; p is not adjusted for their number or "
            "for that of the metrics. Decide before which one counts."
        )
    return notes


def _methods(data: list[dict]) -> list[str]:
    """Each method, with the differences that it belongs to where there are several."""
    rows = pd.DataFrame(data, columns=_COLUMNS)
    rows = rows[rows["method"] != ""]
    methods = list(rows.groupby("method", sort=False))
    if len(methods) < 2:
        return [f"Method: {method}." for method, _ in methods]
    names = ["task", "validation", "candidate", "other"]
    everything = rows.groupby(names)["figure"].size()
    notes = []
    for method, own in methods:
        pairs = collections.defaultdict(list)
        for key, found in own.groupby(names, sort=False):
            task, validation, candidate, other = key
            metrics = ", ".join(map(plain_heading, found["figure"]))
            if len(found) == everything[key]:
                metrics = "all metrics"
            pairs[f"{task}, {validation}: {metrics}"].append(f"{candidate} - {other}")
        of = (f"{what} ({', '.join(of_pairs)})" for what, of_pairs in pairs.items())
        notes.append(f"Method: {method}. For {'; '.join(of)}.")
    return notes
