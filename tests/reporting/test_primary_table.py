"""The declared comparisons, in words, tables and on the terminal."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from one_metric import compare

from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.table import compared, leading
from mdmt_tf.reporting import terminal
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.differences import conclusion, sentence
from mdmt_tf.reporting.primary_table import (
    _data,
    _notes,
    baseline_table,
    primary_table,
)
from mdmt_tf.reporting.tables import build_tables
from mdmt_tf.statistics.primary import Difference
from mdmt_tf.tasks import make_task


@pytest.fixture(scope="module")
def results(whole):
    return Results.read(whole)


@pytest.fixture(scope="module")
def table(report):
    return report.table("primary")


def test_each_pair_and_metric_is_compared_once(table, results):
    data = table.data
    pairs = list(dict.fromkeys(zip(data["task"], data["other"], strict=True)))
    # The candidate with each other network of the task; baselines have their table.
    assert pairs == [
        *(("prognosis", "stl_prognosis"), ("prognosis", "ft")),
        ("severity", "stl_severity"),
    ]
    for task, other in pairs:
        own = data[(data["task"] == task) & (data["other"] == other)]
        assert list(own["figure"]) == list(compared(results.tasks[task]))
    rows = [
        results.rows_of(experiment, "cv", "prognosis") for experiment in ("mdmt", "ft")
    ]
    expected = compare(*rows, results.tasks["prognosis"], "auc", folds=3)
    row = data[(data["other"] == "ft") & (data["figure"] == "auc")].iloc[0]
    assert row["difference"] == expected.value and row["p"] == expected.p
    assert (row["low"], row["high"]) == (expected.low, expected.high)
    assert row["patients"] == expected.n_patients and row["fits"] == 2 * 3


def test_it_is_the_first_thing_on_the_page(report, table):
    assert report.tables[0].name == "primary"
    page = report.page.read_text()
    first = re.findall(r'<h2 id="(\w+)"', page)[0]
    assert first == "primary"
    opening = re.search(r'<p class="opening">(.*?)</p>', page)[1]
    assert opening.startswith("Primary comparison: ")
    assert "mdmt − stl_prognosis, is" in opening and page.index(opening) < page.index(
        "<h2"
    )
    for suffix in ("md", "tex"):
        text = (report.folder / "tables" / f"primary.{suffix}").read_text()
        assert "prognosis, cv: mdmt - stl" in text
    assert len(table.lead) == 3


def test_the_metric_in_words_comes_first_and_the_others_are_folded(table, results):
    prognosis = results.tasks["prognosis"]
    titles = [(section.title, section.folded) for section in table.sections]
    assert titles == [
        ("prognosis, cv (3-fold cross-validation): AUC", False),
        ("prognosis, cv (3-fold cross-validation): other metrics", True),
        ("severity, cv (3-fold cross-validation): AUC", False),
        ("severity, cv (3-fold cross-validation): other metrics", True),
    ]
    first, others = table.sections[:2]
    assert len(first.rows) == 2
    assert len(others.rows) == 2 * (len(compared(prognosis)) - 1)
    assert table.folded.title == "Other metrics"


def test_words_follow_the_interval(report):
    data = pd.concat(report.table(name).data for name in ("primary", "baselines"))
    excludes = (data["low"] > 0) | (data["high"] < 0)
    is_told = data["conclusion"].isin(["better", "worse"])
    assert (excludes == is_told).all() and is_told.any() and not is_told.all()
    lower_is_better = data["figure"].isin(["mae", "rmse", "ordinal_index"])
    is_better = (data["difference"] > 0) != lower_is_better
    assert (data.loc[is_told, "conclusion"].eq("better") == is_better[is_told]).all()


@pytest.mark.parametrize(
    ("low", "high", "p", "metric", "words"),
    [
        (-0.03, 0.05, 0.62, "auc", "[-0.030, +0.050], p = 0.620, no difference shown."),
        (0.01, 0.05, 0.01, "auc", "p = 0.010, mdmt is better."),
        (0.01, 0.05, 0.01, "mae", "p = 0.010, mdmt is worse."),
        (0.01, 0.05, 0.01, "calibration_slope", "it is higher with mdmt."),
        (0.01, 0.05, 1e-9, "f1", "[+1.0, +5.0], p < 0.001, mdmt is better."),
    ],
)
def test_a_sentence(low, high, p, metric, words):
    value = (low + high) / 2
    found = Difference(metric, "patient", value, low, high, p, 60, 10, "by patient")
    assert sentence("mdmt", "stl", found).endswith(words)


def test_sites_that_do_not_count_are_named():
    found = Difference("auc", "patient", 0.03, 0.01, 0.05, 0.01, 160, 8, "")
    found = dataclasses.replace(found, sites="4 of 6 sites, without D, E")
    words = sentence("mdmt", "stl", found)
    assert words.endswith("mdmt is better (4 of 6 sites, without D, E).")
    assert conclusion(found) == "better (4 of 6 sites, without D, E)"


def test_methods_name_the_differences_that_they_belong_to():
    facts = [("death", "loco", "a", other) for other in "bc"]
    two, three = "random effects over 2 sites", "random effects over 3 sites"
    data = [
        _data((*fact,), Difference(metric, "patient", 0, -1, 1, 0.5, 9, 9, method))
        for fact, methods in zip(facts, [(three, two), (two, two)], strict=True)
        for metric, method in zip(("auc", "f1"), methods, strict=True)
    ]
    notes = [note for note in _notes(data) if note.startswith("Method")]
    assert notes == [
        f"Method: {three}. For death, loco: AUC (a - b).",
        f"Method: {two}. For death, loco: F1 (a - b); death, loco: all metrics "
        "(a - c).",
    ]
    notes = [note for note in _notes(data[2:]) if note.startswith("Method")]
    assert notes == [f"Method: {two}."]


def test_what_is_not_estimable_is_not_told():
    nan = float("nan")
    found = Difference("auc", "patient", 0.2, nan, nan, nan, 8, 10, "", "Too few.")
    words = "mdmt - stl: AUC +0.200, not estimable. Too few."
    assert sentence("mdmt", "stl", found) == words
    found = dataclasses.replace(found, value=nan)
    assert sentence("mdmt", "stl", found) == "mdmt - stl: AUC, not estimable. Too few."


def test_an_incomplete_grid_compares_nothing(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "ft")
        folder.add("cv", "resnet18", 0, fold, "mdmt", missing=fold == 1)
    table = primary_table(Aggregates(Results.read(folder.path), 0))
    reason = "not estimable. Not complete: mdmt: 2 of 3 cells."
    assert table.lead == (f"prognosis, cv: mdmt - ft: AUC, {reason}",)
    assert table.data[["difference", "low", "p"]].isna().all(axis=None)
    # One row for all metrics.
    (section,) = table.sections
    (row,) = section.rows
    assert row[4].text == reason and [entry.text for entry in row[5:]] == ["–", "–"]
    assert len(table.data) == len(compared(make_task(kind="binary", name="t")))


def test_without_a_candidate_nothing_is_compared(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", candidate=None)
    folder.add("cv", "resnet18", 0, 0, "ft")
    table = primary_table(Aggregates(Results.read(folder.path), 0))
    assert table.data.empty and "Nothing is compared" in table.notes[0]


def test_networks_minus_baselines(report, results):
    table = report.table("baselines")
    pairs = set(zip(table.data["candidate"], table.data["other"], strict=True))
    networks = ("stl_prognosis", "ft", "mdmt")
    assert pairs == {(network, "age_and_sex") for network in networks}
    rows = [
        results.rows_of(experiment, "cv", "prognosis")
        for experiment in ("mdmt", "age_and_sex")
    ]
    expected = compare(*rows, results.tasks["prognosis"], "auc", folds=3)
    data = table.data.set_index(["candidate", "figure"])
    assert data.loc[("mdmt", "auc"), "difference"] == expected.value
    (section,) = table.sections
    assert section.title.endswith(": AUC") and len(section.rows) == 3


def test_without_baselines_there_is_no_such_table(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b")
    folder.add("cv", "resnet18", 0, 0, "ft")
    assert baseline_table(Aggregates(Results.read(folder.path), 0)) is None


def test_the_metric_in_words(results, head):
    assert leading(results.tasks["prognosis"]) == "auc"
    assert leading(Results.read(head).tasks["coma"]) == "kappa"


def test_the_terminal_tells_it_first(report, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    terminal.print_report(report)
    lines = capsys.readouterr().out.splitlines()
    own = [line for line in lines if str(report.folder) not in line]
    assert max(map(len, own)) <= 80
    text = " ".join(" ".join(lines).split())
    start = text.index("Primary comparison")
    assert start < text.index("folds x")
    assert " ".join(report.table("primary").lead[0].split()) in text
    assert np.isfinite(pd.to_numeric(report.table("primary").data["p"])).all()


def test_sites_are_the_units_where_they_are_left_out(benchmark_folder, tmp_path):
    folder = benchmark_folder(
        tmp_path / "b",
        {"history": False},
        backbones=["resnet18"],
        cross_validation={
            "loco": {"kind": "leave_one_site_out", "leave_out": ["aiforcovid"]}
        },
    )
    for fold in range(3):
        for name in ("ft", "mdmt"):
            folder.add("loco", "resnet18", 0, fold, name)
            path = folder.path / "runs" / f"{name}-resnet18-s0-loco{fold}"
            rows = pd.read_csv(path / "predictions.csv")
            rows = rows.assign(site=f"S{fold}")
            rows.to_csv(path / "predictions.csv", index=False)
    table = primary_table(Aggregates(Results.read(folder.path), 0))
    row = table.data[table.data["figure"] == "auc"].iloc[0]
    assert row["method"] == "random effects over 3 sites"
    assert row["low"] < row["difference"] < row["high"]
    assert "Method: random effects over 3 sites" in " ".join(table.notes)


def test_permuted_labels_are_not_compared(benchmark_folder, tmp_path):
    """With them an experiment is worse by construction, in any table."""
    both = ["prognosis", "severity"]
    folder = benchmark_folder(
        tmp_path / "b",
        experiments={
            "mdmt": {"tasks": both},
            "control": {"tasks": both, "match": "mdmt", "null": ["severity"]},
        },
        baselines={"thumbnail": {"task": "severity", "model": "thumbnail"}},
        comparison={"rope": {"accuracy": 0.02}},
    ).add_all()
    for fold in range(3):
        name = ("cv", "none", 0, fold, "thumbnail")
        folder.add(*name, "mdmt-resnet18-s0-cv" + str(fold))
    tables = build_tables(Aggregates(Results.read(folder.path), 0))
    by_name = {table.name: table for table in tables}
    for name in ("primary", "equivalence", "table_2"):
        data = by_name[name].data
        pairs = set(zip(data["task"], data["candidate"], data["other"], strict=True))
        own = {pair for pair in pairs if pair[2] == "control"}
        assert own == {("prognosis", "mdmt", "control")}
    tests = by_name["pooled"].data.dropna(subset=["other"])
    assert set(tests["task"]) == {"prognosis"}
    assert set(by_name["baselines"].data["candidate"]) == {"mdmt"}
    note = by_name["primary"].notes[-1]
    assert note.startswith("Not compared") and "severity: mdmt - control." in note
    assert not any("severity" in text for text in by_name["primary"].lead)
    # Its metrics are there.
    data = by_name["table_1"].data
    assert "control" in set(data.loc[data["task"] == "severity", "experiment"])
