"""What a report shows of binary and ordinal tasks, from the files to the terminal."""

import re

import numpy as np
import pandas as pd
import pytest
import quick_plots
from sklearn import metrics

from mdmt_tf import report as command
from mdmt_tf.experiments import correlations
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.layout import blocks_of
from mdmt_tf.reporting import plots
from mdmt_tf.reporting import report as reports
from mdmt_tf.reporting.table_files import heading

# Of two classes, and of ordered ones: all metrics of Cobo et al., MLMI 2024, are here.
PROGNOSIS = ["accuracy", "f1", "g_mean_weighted", "g_mean", "balanced_accuracy", "auc"]
PROGNOSIS += ["recall", "specificity", "precision", "npv"]
COMA = ["balanced_accuracy", "kappa", "ordinal_index", "uoc", "mae", "rmse"]


@pytest.fixture(scope="module")
def made(head, tmp_path_factory):
    """The report of the head benchmark, with correlations of its baseline."""
    table = pd.DataFrame(
        [
            ("clinical", "prognosis", "ich_csic", "age", 90, correlations.SPEARMAN)
            + (0.4, 2e-5, 4e-5),
            ("clinical", "prognosis", "ich_csic", "age", 90, correlations.PEARSON)
            + (0.35, np.nan, np.nan),
            ("clinical", "prognosis", "ich_csic", "sex", 88, correlations.CRAMER)
            + (0.1, 0.35, 0.35),
        ],
        columns=correlations.COLUMNS,
    )
    correlations.write(table, head / "correlations.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "KINDS", {"box": plots.box, "slopes": plots.slopes})
        patch.setattr(plots, "render", quick_plots.not_drawn)
        return reports.write_report(head, tmp_path_factory.mktemp("head"), resamples=50)


def csv_of(made, name):
    return pd.read_csv(made.folder / "tables" / f"{name}.csv")


def test_table_1_has_them_in_parts_that_fit(made, head):
    data = csv_of(made, "table_1").set_index(["task", "experiment"])
    assert list(data.loc[("prognosis", "mdmt"), "figure"]) == PROGNOSIS
    assert list(data.loc[("coma", "mdmt"), "figure"]) == COMA
    sections = made.table("table_1").sections
    assert [section.title for section in sections] == [
        "prognosis, cv (3-fold cross-validation), part 1 of 3",
        "prognosis, cv (3-fold cross-validation), part 2 of 3",
        "prognosis, cv (3-fold cross-validation), part 3 of 3",
        "coma, cv (3-fold cross-validation), part 1 of 2",
        "coma, cv (3-fold cross-validation), part 2 of 2",
    ]
    words = ("specificity (%)", "precision (%)", "NPV (%)")
    assert sections[2].headings[2:] == words
    for section in sections:
        assert {len(row) for row in section.rows} == {len(section.headings)}
    (note, *_) = made.table("table_1").notes
    assert "Sensitivity (recall)" in note and "Ordinal index: Cardoso" in note
    # That of a regression or a sum would be in the unit of its label.
    notes = made.table("table_1").notes
    assert "MAE and RMSE of coma count classes." in notes
    assert not any("count classes" in text for text in notes if "coma" not in text)
    # Computed again from the predictions.
    found = []
    for path in head.glob("runs/mdmt-*/predictions.csv"):
        rows = pd.read_csv(path)
        rows = rows[(rows["split"] == "test") & rows["target"].notna()]
        own = rows[rows["task"] == "prognosis"]
        found.append(
            metrics.precision_score(own["target"], own["prediction"], pos_label=0)
        )
    row = data.loc[("prognosis", "mdmt")].set_index("figure").loc["npv"]
    assert len(found) == 6 and row["mean"] == pytest.approx(np.mean(found))


def test_table_1_says_that_the_unit_is_the_image(made, head):
    tests = [pd.read_csv(path) for path in head.glob("runs/mdmt-*/predictions.csv")]
    rows = pd.concat(tests)
    rows = rows[(rows["split"] == "test") & rows["target"].notna()]
    counts = []
    for task in ("prognosis", "coma"):
        own = rows[rows["task"] == task]
        images, patients = own["image_id"].nunique(), own["patient_id"].nunique()
        assert images > patients
        counts.append(f"{task}: {images} test images of {patients} patients")
    (note,) = [text for text in made.table("table_1").notes if "By image" in text]
    assert "; ".join(counts) in note


def test_the_paper_on_chest_radiographs_is_not_beside_it(made):
    """Another prognosis, though task and experiment have the names of that paper."""
    assert csv_of(made, "table_1")["paper"].isna().all()
    assert csv_of(made, "table_2")["paper_stars"].isna().all()


def test_every_metric_has_an_interval(made):
    data = csv_of(made, "table_s1")
    for task, shown in (("prognosis", PROGNOSIS), ("coma", COMA)):
        own = data[data["task"] == task]
        assert set(shown) <= set(own["figure"])
        rows = own[own["figure"].isin(shown)]
        assert (rows["low"] < rows["mean"]).all()
        assert (rows["mean"] < rows["high"]).all()
    titles = [section.title for section in made.table("table_s1").sections]
    parts = [
        f"{number + 1} of {len(blocks)}"
        for task in ("prognosis", "coma")
        for blocks in [blocks_of(report_metrics(made.table("table_s1"), task), most=8)]
        for number in range(len(blocks))
    ]
    assert [title[-6:] for title in titles] == parts
    text = (made.folder / "tables" / "table_s1.md").read_text()
    assert re.search(r"\| RMSE \|\n", text) and "Only in table" not in text


def test_less_is_better_in_table_2(made):
    data = csv_of(made, "table_2")
    data = data[(data["statistic_of"] == "mean") & (data["task"] == "coma")]
    ways = dict(zip(data["figure"], data["alternative"], strict=True))
    assert ways == {
        name: "less" if name in ("mae", "rmse", "ordinal_index", "uoc") else "greater"
        for name in COMA
    }


def report_metrics(table, task):
    """All metrics that a task has in the data of a table."""
    data = table.data
    return list(dict.fromkeys(data.loc[data["task"] == task, "figure"]))


def test_tables_of_the_chest_show_what_they_showed(report):
    detailed, runs = report.table("table_s1"), report.table("runs")
    first = report.table("table_1")
    assert first.sections[-1].headings[2:] == (
        "accuracy (%)",
        "F1 (%)",
        "G-mean weighted (%)",
        "G-mean (%)",
    )
    assert not [h for s in first.sections for h in s.headings if "paper" in h]
    for task in report.results.tasks:
        shown = [s.headings[5:] for s in detailed.sections if s.title.startswith(task)]
        metrics_of = report_metrics(detailed, task)
        blocks = blocks_of(metrics_of, most=8)
        assert shown == [tuple(map(heading, block)) for block in blocks] * (
            len(shown) // len(blocks)
        )
    assert runs.sections[0].title == "All cells with prognosis"
    assert "sensitivity (%)" in runs.sections[0].headings
    # Each cell stands below the tasks that it predicts.
    assert [
        sorted({row[4].text for row in section.rows}) for section in runs.sections
    ] == [["age_and_sex", "ft", "mdmt", "stl_prognosis"], ["mdmt", "stl_severity"]]
    assert "prognosis/recall" in runs.data


def test_the_terminal_has_80_columns(made, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(reports, "write_report", lambda *args, **options: made)
    command.main([str(made.results.folder)])
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if str(made.folder) not in line) <= 80
    text = "\n".join(lines)
    # No number is cut off.
    assert "…" not in text
    for metric in (*PROGNOSIS, *COMA):
        row = made.table("table_1").data.query(
            "experiment == 'mdmt' and figure == @metric"
        )
        percent = metric not in ("auc", *COMA[1:])
        for mean in row["mean"]:
            assert (f"{100 * mean:.1f}" if percent else f"{mean:.3f}") in text


def test_correlations_are_a_table_of_the_report(made, report):
    table = made.table("correlations")
    assert table.name == "correlations"
    (section,) = table.sections
    assert section.title == "clinical: fields and prognosis"
    assert [entry.text for entry in section.rows[0]] == [
        *("ich_csic", "age", "90", "Spearman's rho", "0.400", "2.0e-05", "4.0e-05"),
    ]
    assert [entry.text for entry in section.rows[1]][4:] == ["0.350", "–", "–"]
    assert "not causation" in " ".join(table.notes)
    page = made.page.read_text()
    assert 'id="correlations"' in page and "not causation" in page
    read = pd.read_csv(made.folder / "tables" / "correlations.csv")
    assert list(read.columns) == correlations.COLUMNS
    # That benchmark has no such file: it was planned before there were any.
    assert "correlations" not in [table.name for table in report.tables]


def test_without_baselines_there_are_no_correlations(benchmark_folder, head, tmp_path):
    from mdmt_tf.reporting.aggregates import Aggregates
    from mdmt_tf.reporting.tables import build_tables

    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    folder.add("cv", "resnet18", 0, 0, "mdmt")
    correlations.write(pd.DataFrame(columns=correlations.COLUMNS), folder.path / "c")
    (folder.path / "c").rename(folder.path / "correlations.csv")
    tables = build_tables(Aggregates(Results.read(folder.path), 0))
    assert [table.name for table in tables][-1] == "runs"


def test_permuted_labels_are_named(benchmark_folder, tmp_path):
    from mdmt_tf.reporting.aggregates import Aggregates
    from mdmt_tf.reporting.means_table import table_1

    both = ["prognosis", "severity"]
    experiments = {
        "mdmt": {"tasks": both},
        "control": {"tasks": both, "match": "mdmt", "null": ["severity"]},
    }
    folder = benchmark_folder(
        tmp_path / "b", backbones=["resnet18"], experiments=experiments
    )
    for name in experiments:
        folder.add("cv", "resnet18", 0, 0, name)
    table = table_1(Aggregates(Results.read(folder.path), 0))
    names = [row[0].text for row in table.sections[0].rows]
    assert names == ["mdmt", "control (severity permuted)"]
