"""All tables of a benchmark, in the order of the page."""

import dataclasses

from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.benchmark_flow import benchmark_flow
from mdmt_tf.reporting.comparison_table import table_2
from mdmt_tf.reporting.correlation_table import correlation_table
from mdmt_tf.reporting.detailed_tables import runs, table_s1
from mdmt_tf.reporting.effort import effort_table
from mdmt_tf.reporting.equivalence_table import equivalence_table
from mdmt_tf.reporting.gain_tables import gain_table, worth_table
from mdmt_tf.reporting.loss_shares import loss_shares
from mdmt_tf.reporting.marks import mark_of_validation
from mdmt_tf.reporting.means_table import table_1
from mdmt_tf.reporting.pooled_table import pooled_table
from mdmt_tf.reporting.primary_table import baseline_table, primary_table
from mdmt_tf.reporting.probe_table import probe_table
from mdmt_tf.reporting.table_files import Table
from mdmt_tf.reporting.trimming import trimmed
from mdmt_tf.reporting.within_table import within_table


def build_tables(aggregates: Aggregates) -> list[Table]:
    """All tables, in the order of the page; those of validation rows say so."""
    results = aggregates.results
    found = [
        primary_table(aggregates),
        benchmark_flow(results),
        equivalence_table(aggregates),
        table_1(aggregates),
        effort_table(results),
        baseline_table(aggregates),
        within_table(aggregates),
        gain_table(aggregates),
        worth_table(aggregates),
        loss_shares(results),
        probe_table(results),
        table_2(aggregates),
        pooled_table(aggregates),
        table_s1(aggregates),
        runs(aggregates),
    ]
    if results.benchmark.baselines and results.correlations is not None:
        found.append(correlation_table(results.correlations))
    tables = [trimmed(table) for table in found if table is not None]
    if results.split == "validation":
        tables = [_marked(table, mark_of_validation(results)) for table in tables]
    return tables


def _marked(table: Table, mark: str) -> Table:
    """A table of validation rows, with the warning in all of its files."""
    data = table.data.copy()
    data.insert(0, "split", "validation")
    return dataclasses.replace(
        table,
        title=f"{table.title} (validation rows)",
        notes=[mark, *table.notes],
        data=data,
    )
