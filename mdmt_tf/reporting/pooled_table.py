"""Metrics of the rows of all folds together, with the paper's tests over backbones."""

import math

import pandas as pd

from mdmt_tf.metrics.layout import blocks_of
from mdmt_tf.metrics.table import compared, headline
from mdmt_tf.metrics.text import NO_NUMBER, in_percent, shown
from mdmt_tf.reporting import paper_columns
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.groups import NAN
from mdmt_tf.reporting.headings import title_of
from mdmt_tf.reporting.table_files import (
    Entry,
    Table,
    TableSection,
    heading,
    numbered,
    p_value,
    plain_heading,
    titled,
)
from mdmt_tf.statistics.comparisons import stars
from mdmt_tf.statistics.pooled import pooled_metrics, pooled_test
from mdmt_tf.tasks import Task

# Metrics in one block.
_MOST = 5

# experiment -> its backbones with their pooled metrics, or why there are none.
_Pooled = dict[str, pd.DataFrame | str]


def pooled_table(aggregates: Aggregates) -> Table | None:
    """Means over backbones of pooled metrics; None where there is one fold only."""
    results = aggregates.results
    sections, data = [], []
    for task in results.tasks.values():
        for validation in aggregates.validations_of(task.name):
            pooled = _pooled(aggregates, task, validation)
            if not pooled:
                continue
            title = f"{task.name}, {title_of(results, validation)}"
            found, means = _means(pooled, task, title)
            tests = _tests(aggregates, pooled, task, validation)
            sections += found
            if tests:
                sections.append(_test_section(f"{title}, tests", tests))
            facts = {"task": task.name, "validation": validation}
            data += [{**facts, **row} for row in (*means, *tests)]
    if not sections:
        return None
    notes = [
        "One metric of the rows of all folds of a backbone together, by image, as in "
        "the authors' code; then the mean over seeds, repeats and backbones. Table 1 "
        "has means over folds. An AUC of pooled rows also compares probabilities of "
        "different models with each other.",
        "tests: one-sided paired t-tests over backbones, as the paper's. They are "
        "about other backbones on the same images, whose luck all backbones share, so "
        "they reject a true null far too often; the primary comparison does not. The p "
        "are not adjusted.",
    ]
    if any(row.get("paper_stars") for row in data):
        notes.append(paper_columns.STARS)
        notes += paper_columns.notes(results, "Table 2, its tests of means")
    title = "Pooled over folds: metrics of all test rows of a backbone"
    return Table("pooled", title, sections, notes, pd.DataFrame(data))


def _pooled(aggregates: Aggregates, task: Task, validation: str) -> _Pooled:
    results = aggregates.results
    section = results.benchmark.cross_validation[validation]
    folds = section.folds if getattr(section, "repeats", 1) > 1 else None
    pooled: _Pooled = {}
    for experiment in results.experiments_of(task.name, validation):
        groups = aggregates.of(validation, experiment, task.name, "image")
        if max(group.cells["fold"].nunique() for group in groups) < 2:
            return {}
        short = [group.shortfall for group in groups if group.shortfall]
        rows = results.rows_of(experiment, validation, task.name)
        if short:
            done = len(groups) - len(short)
            pooled[experiment] = (
                short[0] if len(groups) == 1 else f"{done} of {len(groups)} backbones"
            )
        elif rows.empty:
            pooled[experiment] = f"no {results.split} rows"
        else:
            pooled[experiment] = pooled_metrics(rows, task, folds)
    return pooled


def _means(
    pooled: _Pooled, task: Task, title: str
) -> tuple[list[TableSection], list[dict]]:
    """The sections of the means, and their data rows."""
    metrics = headline(task)
    blocks = blocks_of(metrics, most=_MOST)
    sections, data = [], []
    for number, block in enumerate(blocks):
        rows = []
        for experiment, found in pooled.items():
            whole = not isinstance(found, str)
            row = [Entry(experiment), Entry(str(len(found)) if whole else NO_NUMBER)]
            for metric in block:
                mean = found[metric].mean(skipna=False) if whole else NAN
                spread = found[metric].std(ddof=1) if whole else NAN
                row.append(numbered(shown(metric, mean) if whole else found, mean))
                data.append(
                    {
                        "experiment": experiment,
                        "figure": metric,
                        "backbones": len(found) if whole else 0,
                        "mean": mean,
                        "sd": spread,
                        "not_complete": "" if whole else found,
                    }
                )
            rows.append(tuple(row))
        headings = ("experiment", "backbones", *map(heading, block))
        sections.append(
            TableSection(titled(title, number, len(blocks)), headings, rows)
        )
    return sections, data


def _tests(
    aggregates: Aggregates, pooled: _Pooled, task: Task, validation: str
) -> list[dict]:
    """One data row for each other experiment and metric; none without a candidate."""
    results = aggregates.results
    candidate = results.benchmark.candidate
    own = pooled.get(candidate)
    tests = []
    for experiment, other in pooled.items() if isinstance(own, pd.DataFrame) else ():
        if (
            experiment == candidate
            or results.is_baseline(experiment)
            or results.is_permuted(experiment, task.name)
            or isinstance(other, str)
            or set(own.index) != set(other.index)
            or len(own) < 2
        ):
            continue
        for metric in compared(task):
            if own[metric].isna().any() or other[metric].isna().any():
                continue
            test = pooled_test(own[metric].to_dict(), other[metric].to_dict(), metric)
            printed = paper_columns.stars(
                results, task, validation, "mean", (candidate, experiment), metric
            )
            tests.append(
                {
                    "experiment": candidate,
                    "other": experiment,
                    "figure": metric,
                    "backbones": test.n,
                    "difference": test.difference,
                    "p": test.p,
                    "stars": stars(test.p),
                    "paper_stars": printed or "",
                }
            )
    return tests


def _test_section(title: str, tests: list[dict]) -> TableSection:
    with_paper = any(row["paper_stars"] for row in tests)
    headings = ["other", "metric", "backbones", "difference", "p"]
    headings += ["stars", "paper"] if with_paper else []
    rows = []
    for row in tests:
        metric, difference = row["figure"], row["difference"]
        text = shown(metric, difference, "+")
        if in_percent(metric) and not math.isnan(difference):
            text += " pp"
        cells = [
            Entry(row["other"]),
            Entry(plain_heading(metric)),
            Entry(str(row["backbones"]), row["backbones"]),
            numbered(text, difference),
            p_value(row["p"]),
        ]
        if with_paper:
            cells += [Entry(row["stars"]), Entry(row["paper_stars"])]
        rows.append(tuple(cells))
    return TableSection(title, tuple(headings), rows, keys=2)
