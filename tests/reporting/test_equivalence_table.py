"""The Bayesian comparison in the report, if a region of equivalence is declared."""

import dataclasses

import pytest

from mdmt_tf.config.comparison_section import ComparisonSection
from mdmt_tf.config.experiments import Experiments
from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.equivalence_table import equivalence_table
from mdmt_tf.statistics.equivalence import bayesian_t, fold_differences


def with_rope(results, **rope):
    update = {"comparison": ComparisonSection(rope=rope)}
    benchmark = results.benchmark.model_copy(update=update)
    experiments = Experiments(benchmark, results.experiments.feeding)
    return Aggregates(dataclasses.replace(results, experiments=experiments), 0)


@pytest.fixture(scope="module")
def results(whole):
    return Results.read(whole)


def test_each_pair_has_the_probabilities_of_the_declared_metrics(results):
    table = equivalence_table(with_rope(results, auc=0.02, kappa=0.1))
    assert len(table.data) == len(table.sections[0].rows) + len(table.sections[1].rows)
    # Kappa is of the severity, and the AUC of the prognosis.
    metrics = table.data.groupby("task")["figure"].unique()
    assert metrics["prognosis"].tolist() == ["auc"]
    assert "kappa" in metrics["severity"]
    row = table.data[table.data["other"] == "ft"].iloc[0]
    rows = [results.rows_of(name, "cv", "prognosis") for name in ("mdmt", "ft")]
    values = fold_differences(*rows, results.tasks["prognosis"], "auc", folds=3)
    expected = bayesian_t(values, folds=3, rope=0.02)
    assert tuple(row[["less", "equivalent", "greater"]]) == pytest.approx(
        (expected.less, expected.equivalent, expected.greater)
    )


def test_without_a_region_there_is_no_table(results):
    assert equivalence_table(Aggregates(results, 0)) is None


def test_what_is_not_estimable_is_said(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        for experiment in ("mdmt", "ft")[: 2 if fold else 1]:
            folder.add("cv", "resnet18", 0, fold, experiment)
    table = equivalence_table(with_rope(Results.read(folder.path), auc=0.02))
    assert table.sections[0].rows[0][3].text == "not estimable"


def test_an_incomplete_grid_has_no_probabilities(benchmark_folder, tmp_path):
    """Not even if both lack the same fold."""
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        for name in ("ft", "mdmt"):
            folder.add("cv", "resnet18", 0, fold, name, missing=fold == 1)
    table = equivalence_table(with_rope(Results.read(folder.path), auc=0.02))
    assert table.data[["less", "equivalent", "greater"]].isna().all(axis=None)
    assert table.sections[0].rows[0][3].text == "not estimable"
