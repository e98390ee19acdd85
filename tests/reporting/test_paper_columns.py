"""Printed results stand beside the datasets of the paper only."""

import re

import pandas as pd
import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import paper_columns, plots, ruffini_2024, terminal
from mdmt_tf.reporting.report import write_report


@pytest.fixture(scope="module")
def of_paper(benchmark_folder, tmp_path_factory):
    folder = benchmark_folder(
        tmp_path_factory.mktemp("paper") / "b", {"synthetic": False, "history": False}
    ).add_all()
    return folder.path


@pytest.fixture(scope="module")
def written(of_paper, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "KINDS", {})
        return write_report(of_paper, tmp_path_factory.mktemp("out"), resamples=0)


@pytest.fixture(scope="module")
def tables(written):
    return {table.name: table for table in written.tables}


def test_they_follow_in_brackets_on_the_terminal(written, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    terminal.print_report(written)
    lines = capsys.readouterr().out.splitlines()
    own = [line for line in lines if str(written.folder) not in line]
    assert max(map(len, own)) <= 80
    text = "\n".join(lines)
    assert "in brackets: paper" in text
    assert re.search(r"mdmt .* \d\d\.\d \(68\.6\)", text)
    assert "paper: AIforCOVID + BRIXIA, 18 backbones" in text


def test_means_stand_beside_those_of_the_same_experiment(tables):
    table = tables["table_1"]
    for row in table.data.itertuples():
        of_kind = ruffini_2024.TABLE_1["kfold"]
        expected = of_kind.get(row.experiment, {}).get(row.figure)
        if row.task == "severity" or expected is None:
            assert pd.isna(row.paper)
        else:
            assert row.paper == expected
    # The paper's metrics are a part of their own, with its columns beside them.
    beside = [any("paper" in h for h in s.headings) for s in table.sections]
    assert beside[0] and not any(beside[1:])
    notes = " ".join(table.notes)
    assert "paper: AIforCOVID + BRIXIA, 18 backbones" in notes
    assert "over 18 backbones; here there are 2." in notes


def test_stars_stand_beside_the_tests_of_the_paper_only(tables):
    table = tables["table_2"].data
    beside = table[table["paper_stars"] != ""]
    assert set(beside["test"]) == {"paired t"}
    assert set(beside["unit"]) == {"backbone"}
    assert set(beside["task"]) == {"prognosis"}
    groups = beside.groupby(["other", "statistic_of"])["paper_stars"]
    assert {key: stars.tolist() for key, stars in groups} == {
        ("stl_prognosis", "mean"): ["***", "***", "***"],
        ("ft", "mean"): ["**", "***", "**"],
        ("stl_prognosis", "sd"): ["*", "*", "*"],
        ("ft", "sd"): ["no star"] * 3,
    }


def test_other_data_have_no_printed_results(
    whole, of_paper, benchmark_folder, tmp_path
):
    assert paper_columns.are_shown(Results.read(of_paper))
    assert not paper_columns.are_shown(Results.read(of_paper, "validation"))
    assert not paper_columns.are_shown(Results.read(whole))
    folder = benchmark_folder(tmp_path / "b", {"synthetic": False})
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "stl_prognosis")
    results = Results.read(folder.path)
    assert list(results.datasets) == ["aiforcovid"]
    assert not paper_columns.are_shown(results)


def test_folds_of_the_authors_are_beside_their_results(benchmark_folder, tmp_path):
    """Five files of lists are a cross-validation, as `mdmt_tf.folds` writes them."""
    section = {"kind": "file", "file": "folds/{fold}.json"}
    run = {"synthetic": False, "history": False}
    experiments = {"stl_severity": ["severity"], "mdmt": ["prognosis", "severity"]}
    folder = benchmark_folder(
        tmp_path / "b", run, experiments=experiments, cross_validation={"cv": section}
    )
    for fold in range(5):
        for name in experiments:
            folder.add("cv", "resnet18", 0, fold, name)
    results = Results.read(folder.path)
    task = results.tasks["prognosis"]
    found = paper_columns.value(results, task, "cv", "mdmt", "accuracy")
    assert found == ruffini_2024.TABLE_1["kfold"]["mdmt"]["accuracy"]
    stars = paper_columns.stars(results, task, "cv", "mean", ("mdmt", "ft"), "f1")
    assert stars == "***"
