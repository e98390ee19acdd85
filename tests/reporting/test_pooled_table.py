"""The table of pooled metrics, computed again from predictions.csv."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from independent_metrics import INDEPENDENT

from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.table import compared, headline
from mdmt_tf.reporting import ruffini_2024
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.pooled_table import pooled_table


def table_of(folder):
    return pooled_table(Aggregates(Results.read(folder), resamples=0))


@pytest.fixture(scope="module")
def table(whole):
    return table_of(whole)


def pooled(whole, experiment, backbone, metric):
    """By scikit-learn, of the rows of the three folds together."""
    files = sorted(whole.glob(f"runs/{experiment}-{backbone}-s0-cv*/predictions.csv"))
    assert len(files) == 3
    rows = pd.concat(map(pd.read_csv, files))
    rows = rows[rows["split"].eq("test") & rows["target"].notna()]
    rows = rows[rows["task"] == "prognosis"]
    p = rows[["p_0", "p_1"]].to_numpy()
    answers = (rows["target"].to_numpy(int), rows["prediction"].to_numpy(int), p)
    return INDEPENDENT[metric](*answers, np.ones(len(rows)))


def test_means_over_backbones(table, whole):
    data = table.data[table.data["mean"].notna() & table.data["task"].eq("prognosis")]
    task = Results.read(whole).tasks["prognosis"]
    assert set(data["figure"]) == set(headline(task))
    assert set(data["experiment"]) == {"stl_prognosis", "ft", "mdmt", "age_and_sex"}
    of_mdmt = data[data["experiment"] == "mdmt"].set_index("figure")
    for metric in headline(task):
        values = [
            pooled(whole, "mdmt", backbone, metric)
            for backbone in ("resnet18", "mobilenet_v2")
        ]
        row = of_mdmt.loc[metric]
        assert row["backbones"] == 2
        assert row["mean"] == pytest.approx(np.mean(values), abs=1e-12)
        assert row["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    # It is not the mean over folds.
    means = Aggregates(Results.read(whole), resamples=0).over_backbones(
        "cv", "mdmt", "prognosis", "f1", "image"
    )
    assert abs(of_mdmt.loc["f1", "mean"] - means.number) > 1e-4


def test_tests_over_backbones(table, whole):
    data = table.data[table.data["p"].notna() & table.data["task"].eq("prognosis")]
    task = Results.read(whole).tasks["prognosis"]
    assert set(data["experiment"]) == {"mdmt"}
    assert set(data["other"]) == {"stl_prognosis", "ft"}
    backbones = ("resnet18", "mobilenet_v2")
    for row in data.itertuples():
        one, other = (
            [pooled(whole, name, backbone, row.figure) for backbone in backbones]
            for name in ("mdmt", row.other)
        )
        expected = scipy.stats.ttest_rel(one, other, alternative="greater")
        assert row.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert row.difference == pytest.approx(np.mean(one) - np.mean(other))
    assert len(data) == 2 * len(compared(task))
    assert set(data["paper_stars"]) == {""}


def test_sections_fit_and_say_how_the_numbers_are_made(table):
    for section in table.sections:
        assert {len(row) for row in section.rows} == {len(section.headings)}
    titles = [section.title for section in table.sections]
    assert "prognosis, cv (3-fold cross-validation), tests" in titles
    notes = " ".join(table.notes)
    assert "rows of all folds of a backbone together" in notes
    assert "reject a true null far too often" in notes and "paper:" not in notes


def test_an_incomplete_experiment_has_a_reason_and_no_test(benchmark_folder, tmp_path):
    def change(backbone, fold, name):
        return {"missing": (backbone, fold, name) == ("resnet18", 1, "ft")}

    folder = benchmark_folder(tmp_path / "b", {"history": False}).add_all(change)
    data = table_of(folder.path).data
    rows = data[(data["experiment"] == "ft") & data["task"].eq("prognosis")]
    assert set(rows["not_complete"]) == {"1 of 2 backbones"}
    assert rows["mean"].isna().all()
    assert set(data.loc[data["p"].notna(), "other"]) == {
        "stl_prognosis",
        "stl_severity",
    }


def test_stars_of_the_paper_stand_beside_its_data_only(benchmark_folder, tmp_path):
    run = {"synthetic": False, "history": False}
    folder = benchmark_folder(tmp_path / "b", run).add_all()
    table = table_of(folder.path)
    shown = table.data[table.data["paper_stars"].fillna("") != ""]
    assert set(shown["figure"]) == {"accuracy", "f1", "g_mean_weighted"}
    assert {
        other: own["paper_stars"].tolist() for other, own in shown.groupby("other")
    } == {"stl_prognosis": ["***"] * 3, "ft": ["**", "***", "**"]}
    assert set(ruffini_2024.NOTES) <= set(table.notes)


def test_one_fold_has_no_table(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", {"history": False})
    for name in ("stl_prognosis", "mdmt"):
        folder.add("cv", "resnet18", 0, 0, name)
    folder.path.joinpath("data.json").write_text('{"folds": {"cv": 1}}')
    assert table_of(folder.path) is None
