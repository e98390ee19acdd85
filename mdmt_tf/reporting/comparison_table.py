"""Table 2: the one-tailed tests of the paper, with the type-I error measured."""

import math

import pandas as pd

from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.table import compared
from mdmt_tf.metrics.text import NO_NUMBER, in_percent, shown
from mdmt_tf.reporting import paper_columns, ruffini_2024
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.headings import task_by, title_of
from mdmt_tf.reporting.table_files import (
    Entry,
    Table,
    TableSection,
    numbered,
    p_value,
    plain_heading,
)
from mdmt_tf.statistics.comparisons import (
    MEASURED_TYPE_I,
    Comparison,
    compare,
    holm,
    stars,
)
from mdmt_tf.tasks import Task


def table_2(aggregates: Aggregates) -> Table:
    """Tests of the candidate against each other experiment, with p and adjusted p."""
    results = aggregates.results
    candidate = results.benchmark.candidate
    sections, data = [], []
    for task in results.tasks.values():
        for validation in aggregates.validations_of(task.name):
            experiments = results.experiments_of(task.name, validation)
            if candidate not in experiments or results.is_permuted(
                candidate, task.name
            ):
                continue
            others = [
                e
                for e in experiments
                if e != candidate
                and not results.is_baseline(e)
                and not results.is_permuted(e, task.name)
            ]
            tests = _tests(aggregates, task, validation, others)
            if not tests:
                continue
            data += tests
            title = task_by(aggregates, task.name, aggregates.units(task.name)[0])
            title += f", {title_of(results, validation)}"
            sections.append(_section_2(title, tests))
    columns = "task validation figure candidate other statistic_of test alternative"
    columns += " unit n difference statistic p p_holm stars paper_stars not_complete"
    notes = [
        "One-tailed tests of the paired differences candidate − other: of the mean "
        "(candidate better) and of the standard deviation over folds (candidate "
        "smaller).",
        "Holm's adjustment: one family is all tests of the same name (t or Wilcoxon) "
        "on the same statistic (mean or sd) with the same unit, over all metrics and "
        "all other experiments of one task and validation.",
        "No unit is a patient: all backbones share the luck of the same patients, and "
        "folds share training images. The paper does not state its unit.",
    ]
    undefined = sum(math.isnan(row["p"]) for row in data if not row["not_complete"])
    if undefined:
        notes.append(
            f"{undefined} of {len(data)} tests are not defined, such as those over one "
            "backbone or of equal metrics. table_2.csv has them, too."
        )
    if any(row["paper_stars"] for row in data):
        notes.append(paper_columns.STARS)
        notes += paper_columns.notes(results, "Table 2, its t-tests over backbones")
        if any(row["paper_stars"] == ruffini_2024.TWO_OF_THREE for row in data):
            notes.append(ruffini_2024.TWO_OF_THREE_NOTE)
    if candidate is None:
        notes = ["benchmark.candidate is not set, so nothing is compared."]
    return Table(
        "table_2",
        f"Table 2: one-tailed tests of {candidate or 'no candidate'}",
        sections,
        notes,
        pd.DataFrame(data, columns=columns.split()),
        _lead() if data else (),
    )


def _lead() -> tuple[str, ...]:
    """What the tests are worth, in front of them."""
    rates = [
        f"{name} of the {statistic}, unit “{unit}”: {low} to {high} %"
        for (statistic, unit, name), (low, high) in MEASURED_TYPE_I.items()
    ]
    return (
        "These tests do not keep their level. Where neither experiment is better on "
        "average, p < 0.05 should appear in 5 % of cases. In simulations "
        "(tools/simulate_comparisons.py) it appeared, depending on the scenario, in: "
        f"{'; '.join(rates)}. All backbones share the luck of the same patients, and "
        "Holm's adjustment does not repair that. Conclusions come from the primary "
        "comparison.",
    )


def _tests(
    aggregates: Aggregates, task: Task, validation: str, others: list[str]
) -> list[dict]:
    """One row per test, Holm-adjusted within this task and validation."""
    results = aggregates.results
    candidate = results.benchmark.candidate
    metrics = aggregates.metrics
    metrics = metrics[metrics["validation"] == validation]
    metrics = metrics[metrics["task"] == task.name]
    rows = []
    for other in others:
        for metric in compared(task):
            reasons = {
                e: aggregates.over_backbones(validation, e, task.name, metric).reason
                for e in (candidate, other)
            }
            reason = "; ".join(f"{e}: {why}" for e, why in reasons.items() if why)
            facts = {
                "task": task.name,
                "validation": validation,
                "figure": metric,
                "candidate": candidate,
                "other": other,
                "not_complete": reason,
            }
            if reason:
                rows.append({**facts, "paper_stars": "", "stars": ""})
                continue
            for comparison in compare(
                metrics,
                task=task.name,
                metric=metric,
                candidate=candidate,
                other=other,
                validation=validation,
            ):
                rows.append({**facts, **_test_row(results, comparison, task)})
    families: dict[tuple, list[dict]] = {}
    for row in rows:
        if "p" in row:
            family = (row["test"], row["statistic_of"], row["unit"])
            families.setdefault(family, []).append(row)
    for family in families.values():
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = float(p)
    return rows


def _test_row(results: Results, comparison: Comparison, task: Task) -> dict:
    test = comparison.test
    of_paper = None
    if test.name == "paired t" and test.unit == "backbone":
        of_paper = paper_columns.stars(
            results,
            task,
            comparison.validation,
            comparison.statistic_of,
            (comparison.candidate, comparison.other),
            comparison.metric,
        )
    return {
        "statistic_of": comparison.statistic_of,
        "test": test.name,
        "alternative": test.alternative,
        "unit": test.unit,
        "n": test.n,
        "difference": test.difference,
        "statistic": test.statistic,
        "p": test.p,
        "stars": stars(test.p),
        "paper_stars": of_paper or "",
    }


def _section_2(title: str, tests: list[dict]) -> TableSection:
    with_paper = any(row["paper_stars"] for row in tests)
    headings = ["other", "metric", "of", "test", "expected", "unit", "n"]
    headings += ["difference", "p", "p (Holm)"]
    headings += ["stars", "paper"] if with_paper else []
    rows = []
    for row in tests:
        if not row["not_complete"] and math.isnan(row["p"]):
            continue
        metric = row["figure"]
        head = [Entry(row["other"]), Entry(plain_heading(metric))]
        if row["not_complete"]:
            empty = [Entry(NO_NUMBER)] * (len(headings) - 3)
            rows.append((*head, Entry(row["not_complete"]), *empty))
            continue
        difference = shown(metric, row["difference"], "+")
        if in_percent(metric) and difference != NO_NUMBER:
            difference += " pp"
        cells = [
            *head,
            *(
                Entry(row[key])
                for key in ("statistic_of", "test", "alternative", "unit")
            ),
            Entry(str(row["n"]), row["n"]),
            numbered(difference, row["difference"]),
            p_value(row["p"]),
            p_value(row["p_holm"]),
        ]
        if with_paper:
            cells += [Entry(row["stars"]), Entry(row["paper_stars"])]
        rows.append(tuple(cells))
    return TableSection(title, tuple(headings), rows, keys=4)
