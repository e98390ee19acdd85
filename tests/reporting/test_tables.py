"""Every number of the tables, computed again from predictions.csv by other code."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from independent_metrics import INDEPENDENT

from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.table import METRICS, compared, headline, names_of
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.tables import build_tables, table_1
from mdmt_tf.statistics.comparisons import MEASURED_TYPE_I
from mdmt_tf.tasks import Task, make_task

TASKS = {
    "prognosis": make_task(
        kind="categorical", name="prognosis", classes=("mild", "severe")
    ),
    "severity": make_task(kind="categorical", name="severity", cut_points=(5, 9, 14)),
}
# Test groups: backbones and experiments, the baseline once.
GROUPS = {"prognosis": 3 * 2 + 1, "severity": 2 * 2}


def recomputed(rows: pd.DataFrame, task: Task) -> dict[str, float]:
    """All metrics of a task by other libraries."""
    y, said = rows["target"].astype(int), rows["prediction"].astype(int)
    p = rows[list(task.probability_columns)].to_numpy()
    of_rows = (y.to_numpy(), said.to_numpy(), p, np.ones(len(y)))
    return {name: INDEPENDENT[name](*of_rows) for name in names_of(task)}


@pytest.fixture(scope="module")
def truth(whole) -> pd.DataFrame:
    """backbone, fold, experiment, task, metric, value; and the rows themselves."""
    grid = pd.read_csv(whole / "grid.csv")
    found = []
    for cell in grid.itertuples():
        rows = pd.read_csv(whole / "runs" / cell.fit / "predictions.csv")
        rows = rows[(rows["split"] == "test") & rows["target"].notna()]
        for task, own in rows.groupby("task"):
            for metric, value in recomputed(own, TASKS[task]).items():
                found.append(
                    (cell.backbone, cell.fold, cell.experiment, task, metric, value)
                )
    columns = ["backbone", "fold", "experiment", "task", "figure", "value"]
    return pd.DataFrame(found, columns=columns)


def csv_of(report, name: str) -> pd.DataFrame:
    return pd.read_csv(report.folder / "tables" / f"{name}.csv", keep_default_na=True)


def test_table_1(report, truth):
    table = csv_of(report, "table_1")
    experiments = {"prognosis": 4, "severity": 2}
    assert len(table) == sum(
        len(headline(TASKS[t])) * n for t, n in experiments.items()
    )
    for row in table.itertuples():
        chosen = truth.query(
            "experiment == @row.experiment and task == @row.task "
            "and figure == @row.figure"
        )
        assert row.mean == pytest.approx(
            chosen.groupby("backbone")["value"].mean().mean(), abs=1e-12
        )
        assert row.backbones == chosen["backbone"].nunique()
        assert row.folds == chosen["fold"].nunique() == 3
        # The paper has no synthetic data.
        assert np.isnan(row.paper) and row.unit == "image"


def test_table_s1(report, truth):
    table = csv_of(report, "table_s1")
    assert len(table) == sum(len(names_of(TASKS[t])) * n for t, n in GROUPS.items())
    counts = {"prognosis": (117, 87, 90), "severity": (159, 117, 120)}
    for row in table.itertuples():
        values = truth.query(
            "backbone == @row.backbone and experiment == @row.experiment "
            "and task == @row.task and figure == @row.figure"
        )["value"]
        assert row.mean == pytest.approx(values.mean(), abs=1e-12)
        assert row.sd == pytest.approx(values.std(ddof=1), abs=1e-12)
        assert row.folds == len(values) == 3
        assert row.predictions == row.images == counts[row.task][0]
        # The last row of each fold has no label; it may be a patient's only image.
        assert counts[row.task][1] <= row.patients <= counts[row.task][2]
        if np.isnan(row.low):
            # Too many resamples of so few images are separated.
            assert row.figure == "calibration_slope"
            assert " undefined in " in row.not_estimable
            continue
        # The interval of the calibration error, which is biased, may end at the value.
        more = 1e-12 if METRICS[row.figure].parts else 0.0
        assert row.low < row.mean < row.high + more
        assert row.undefined_resamples <= 0.05


def test_runs(report, truth, whole):
    table = csv_of(report, "runs")
    grid = pd.read_csv(whole / "grid.csv")
    assert len(table) == len(grid)
    keys = list(grid.columns)
    assert table[keys].equals(grid[keys])
    assert set(table["state"]) == {"finished"}
    values = truth.groupby(["backbone", "fold", "experiment", "task"])
    values_of = {k: v.set_index("figure")["value"] for k, v in values}
    seen = 0
    for _, row in table.iterrows():
        for task in TASKS:
            cell = (row["backbone"], row["fold"], row["experiment"], task)
            if cell not in values_of:
                assert row.filter(regex=f"^{task}/").isna().all()
                continue
            assert row[f"{task}/n"] == {"prognosis": 39, "severity": 53}[task]
            for metric, value in values_of[cell].items():
                column = f"{task}/{metric}"
                assert row[column] == pytest.approx(value, abs=1e-12)
                # A percentile interval need not hold the point, but with so few
                # resamples one that misses it by its own width is wrong.
                low, high = row[f"{column}/low"], row[f"{column}/high"]
                seen += 1
                if np.isnan(low):
                    # Too many resamples of so few images are separated.
                    assert metric == "calibration_slope" and np.isnan(high)
                    continue
                assert low <= high
                assert 2 * low - high <= value <= 2 * high - low
    assert seen == 3 * sum(len(names_of(TASKS[t])) * n for t, n in GROUPS.items())


def test_table_2(report, truth):
    table = csv_of(report, "table_2")
    pairs = [("prognosis", "stl_prognosis"), ("prognosis", "ft")]
    pairs += [("severity", "stl_severity")]
    tested = [(t, other, m) for t, other in pairs for m in compared(TASKS[t])]
    assert len(table) == len(tested) * 6
    for task, other, metric in tested:
        chosen = truth[(truth["task"] == task) & (truth["figure"] == metric)]
        wide = chosen[chosen["experiment"].isin(["mdmt", other])].pivot(
            index=["backbone", "fold"], columns="experiment", values="value"
        )
        by_backbone = wide.groupby("backbone")
        for statistic, unit, pair, way in (
            ("mean", "backbone", by_backbone.mean(), "greater"),
            ("sd", "backbone", by_backbone.std(ddof=1), "less"),
            ("mean", "backbone x fold", wide, "greater"),
        ):
            own = table[
                (table["task"] == task)
                & (table["other"] == other)
                & (table["figure"] == metric)
                & (table["statistic_of"] == statistic)
                & (table["unit"] == unit)
            ].set_index("test")
            difference = pair["mdmt"] - pair[other]
            assert list(own["alternative"]) == [way, way]
            assert list(own["n"]) == [len(pair)] * 2
            np.testing.assert_allclose(own["difference"], difference.mean(), 1e-9)
            t = scipy.stats.ttest_1samp(difference, 0, alternative=way)
            assert own.loc["paired t", "p"] == pytest.approx(t.pvalue, rel=1e-6)
            assert own.loc["paired t", "statistic"] == pytest.approx(
                t.statistic, rel=1e-6
            )
            w = scipy.stats.wilcoxon(np.round(difference, 12), alternative=way)
            assert own.loc["Wilcoxon signed-rank", "p"] == pytest.approx(w.pvalue)
            assert own.loc["Wilcoxon signed-rank", "statistic"] == w.statistic
    for _, row in table.iterrows():
        expected = sum(row["p"] < bound for bound in (0.05, 0.01, 0.001))
        assert ("" if pd.isna(row["stars"]) else row["stars"]) == "*" * expected


def test_holm_is_within_the_stated_family(report):
    table = csv_of(report, "table_2")
    family = ["task", "validation", "test", "statistic_of", "unit"]
    sizes = set()
    for _, rows in table.groupby(family):
        p = rows["p"].to_numpy()
        order = np.argsort(p, kind="stable")
        steps = p[order] * np.arange(len(p), 0, -1)
        expected = np.minimum(np.maximum.accumulate(steps), 1)
        np.testing.assert_allclose(rows["p_holm"].to_numpy()[order], expected, 1e-12)
        sizes.add(len(rows))
    # All metrics; 2 other experiments for prognosis and 1 for severity.
    assert sizes == {
        2 * len(compared(TASKS["prognosis"])),
        len(compared(TASKS["severity"])),
    }


def test_means_over_an_incomplete_grid_are_not_there(benchmark_folder, tmp_path):
    def change(backbone, fold, experiment):
        if (backbone, fold, experiment) == ("mobilenet_v2", 2, "mdmt"):
            return {"error": "lost"}
        if (backbone, fold, experiment) == ("resnet18", 0, "ft"):
            return {"missing": True}
        return {}

    folder = benchmark_folder(tmp_path / "b").add_all(change)
    tables = build_tables(Aggregates(Results.read(folder.path), resamples=20))
    data = {table.name: table.data for table in tables}
    names = ("table_1", "table_2", "table_s1", "runs")
    one, two, s1, runs = (data[name] for name in names)

    row = one.set_index(["task", "experiment", "figure"])
    for task in ("prognosis", "severity"):
        cell = row.loc[(task, "mdmt", "accuracy")]
        assert np.isnan(cell["mean"])
        assert cell["not_complete"] == "1 of 2 backbones"
    assert row.loc[("prognosis", "stl_prognosis", "f1"), "not_complete"] == ""
    assert not np.isnan(row.loc[("prognosis", "stl_prognosis", "f1"), "mean"])

    assert two["p"].isna().all()
    reasons = set(two["not_complete"])
    assert "mdmt: 1 of 2 backbones; ft: 1 of 2 backbones" in reasons

    rows = s1.set_index(["backbone", "experiment", "task"])
    short = rows.loc[("mobilenet_v2", "mdmt", "severity")]
    assert set(short["not_complete"]) == {"2 of 3 folds"}
    assert short[["mean", "sd", "low", "high"]].isna().all(axis=None)
    full = rows.loc[("resnet18", "mdmt", "severity")]
    assert full[["mean", "sd", "low", "high"]].notna().all(axis=None)

    counts = runs["state"].value_counts().to_dict()
    assert counts == {"finished": 22, "failed": 1, "missing": 1}
    failed = runs[runs["state"] == "failed"].iloc[0]
    assert failed["error"] == "lost (2 attempts)"
    assert np.isnan(failed["severity/accuracy"])
    (first,) = [table for table in tables if table.name == "table_1"]
    shown = [entry.text for row in first.sections[0].rows for entry in row]
    assert "1 of 2 backbones" in shown
    assert "5 of 6 cells" in shown


def test_a_baseline_stands_beside_and_is_in_no_mean(report, whole):
    rows = {row[0].text: row for row in report.table("table_1").sections[0].rows}
    assert rows["age_and_sex (baseline)"][1].text == "3 x 1"
    assert "age_and_sex: fields, no image." in " ".join(report.table("table_1").notes)
    results = Results.read(whole)
    before = table_1(Aggregates(results, 0)).data
    results.metrics.loc[results.metrics["backbone"] == "none", "value"] = 0.0
    after = table_1(Aggregates(results, 0)).data
    changed = before["mean"] != after["mean"]
    assert set(before.loc[changed, "experiment"]) == {"age_and_sex"}
    assert "age_and_sex" not in csv_of(report, "table_2").to_csv()


def test_the_tests_of_the_paper_are_marked_as_what_they_are(report):
    (lead,) = report.table("table_2").lead
    for (statistic, unit, name), (low, high) in MEASURED_TYPE_I.items():
        assert f"{name} of the {statistic}, unit “{unit}”: {low} to {high} %" in lead
    page = report.page.read_text()
    assert page.index("do not keep their level") < page.index('id="table_2-0"')
    names = [table.name for table in report.tables]
    assert names.index("primary") < names.index("table_2")
