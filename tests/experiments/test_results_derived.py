"""Derived answers of a benchmark, and the tasks of others with the same label."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from mdmt_tf.config.schema import TaskSection
from mdmt_tf.experiments.results import Results
from mdmt_tf.pages import environment
from mdmt_tf.reporting import terminal
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.means_table import table_1
from mdmt_tf.reporting.primary_table import primary_table
from mdmt_tf.reporting.table_files import markdown
from mdmt_tf.runs import predictions
from mdmt_tf.storage import write_json
from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.derived import with_derived

ZONE = {"kind": "ordinal", "classes": ["0", "1", "2"], "from": {"ward": "zone"}}
TASKS = {
    "severity": {"kind": "categorical", "cut_points": [2, 4], "from": {"ward": "s"}},
    "left": ZONE,
    "right": ZONE,
}
DERIVED = {
    "total": {"sum": ["left", "right"], "cut_points": [2.0, 4.0], "of": "severity"}
}
EXPERIMENTS = {
    "whole": {"tasks": ["severity"]},
    "zones": {"tasks": ["left", "right"]},
    "both": {"tasks": ["severity", "left", "right"]},
    "null": {"tasks": ["left", "right"], "null": ["left"]},
}
PATIENTS = 40


def rows_of_fit(name, fold, answers):
    """Images of 40 patients with one image each; all scores say something."""
    labels = np.random.default_rng(fold)
    left, right = labels.integers(0, 3, (2, PATIENTS))
    left[:6], right[:6] = [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]
    encoded = {"left": left, "right": right}
    encoded["severity"] = np.digitize(left + right, [2, 4])
    model = np.random.default_rng([fold, len(name)])
    predicted = {}
    for task, values in encoded.items():
        logits = model.normal(size=(PATIENTS, 3))
        logits[np.arange(PATIENTS), values] += 1.5
        powers = np.exp(logits)
        predicted[task] = powers / powers.sum(axis=1, keepdims=True)
    predicted = with_derived(predicted, answers)
    rows = pd.DataFrame({"image_id": [f"i{fold}_{i}" for i in range(PATIENTS)]})
    rows = rows.assign(dataset="ward", split="test", fold=fold, site="A")
    rows = rows.assign(patient_id=rows["image_id"])
    return pd.concat(
        [
            predictions.prediction_table(
                answer,
                rows,
                encoded.get(answer.name)
                if answer.name in encoded
                else answer.labels_from(encoded),
                predicted[answer.name],
            )
            for answer in answers
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("benchmark") / "zones"
    path.mkdir()
    values = {
        "experiment": "tiny",
        "tasks": TASKS,
        "derived": DERIVED,
        "benchmark": {
            "backbones": ["resnet18"],
            "cross_validation": {"cv": {"kind": "kfold", "folds": 3}},
            "experiments": EXPERIMENTS,
            "comparisons": [["zones", "whole"], ["both", "zones"], ["null", "whole"]],
        },
    }
    (path / "benchmark.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    terms = {"left": (0, 1, 2), "right": (0, 1, 2)}
    made = [
        make_task(kind="category_of_sum", name="total", terms=terms, cut_points=(2, 4)),
        make_task(kind="sum", name="total_sum", terms=terms),
    ]
    cells = []
    for fold in range(3):
        for name, section in EXPERIMENTS.items():
            own = [
                TaskSection.model_validate(TASKS[name]).to_task(name)
                for name in section["tasks"]
            ]
            answers = own + (made if "left" in section["tasks"] else [])
            fit = f"{name}{fold}"
            run = path / "runs" / fit
            run.mkdir(parents=True)
            table = rows_of_fit(name, fold, answers)
            predictions.write(table, run / "predictions.csv")
            write_json(run / "metrics.json", predictions.metrics_of(table, answers))
            facts = {"version": "1.0.0", "config": "x", "examples": 9}
            manifest = {"synthetic": True, "datasets": {"ward": facts}}
            write_json(run / "manifest.json", manifest)
            cells.append(("cv", "resnet18", 0, fold, name, fit))
    columns = ["validation", "backbone", "seed", "fold", "experiment", "fit"]
    pd.DataFrame(cells, columns=columns).to_csv(path / "grid.csv", index=False)
    return path


@pytest.fixture(scope="module")
def results(folder):
    return Results.read(folder)


@pytest.fixture(scope="module")
def aggregates(results):
    return Aggregates(results, resamples=0)


def test_experiments_have_what_is_derived_from_their_tasks(results):
    assert list(results.tasks) == [*TASKS, "total", "total_sum"]
    assert results.tasks_of("zones") == ("left", "right", "total", "total_sum")
    assert results.tasks_of("both") == (*TASKS, "total", "total_sum")
    assert results.tasks_of("whole") == ("severity", "total")
    assert results.trained_by("zones") == ("left", "right")
    assert results.predicted_as("both", "total").name == "total"
    assert results.predicted_as("whole", "total").name == "severity"


def test_of_others_it_has_the_rows_of_the_task_with_the_same_label(results):
    own = results.labelled("whole0", "severity")
    rows = results.labelled("whole0", "total")
    assert set(rows["task"]) == {"total"} and rows["value"].isna().all()
    same = ["image_id", "target", "prediction", "p_0", "p_1", "p_2"]
    pd.testing.assert_frame_equal(rows[same], own[same])
    assert set(results.labelled("both0", "total")["task"]) == {"total"}
    assert results.labelled("both0", "total")["value"].notna().all()


def test_their_metrics_are_those_of_these_rows_as_the_task_predicts_them(results):
    def metrics(experiment, task):
        own = results.metrics[results.metrics["experiment"] == experiment]
        own = own[(own["task"] == task) & (own["fold"] == 0)]
        return dict(zip(own["figure"], own["value"], strict=True))

    of_task, of_answer = metrics("whole", "severity"), metrics("whole", "total")
    # The loss is that of ordered classes, which the categorical task has not either.
    for name in ("kappa", "accuracy", "auc", "brier"):
        assert of_answer[name] == pytest.approx(of_task[name])
    assert "mae" in of_answer and "mae" not in of_task
    stored = json.loads((results.folder / "runs/zones0/metrics.json").read_text())
    assert metrics("zones", "total")["kappa"] == stored["test"]["total"]["kappa"]


def test_one_table_has_them_all_and_says_whose_they_are(aggregates):
    table = table_1(aggregates)
    (section,) = [
        s
        for s in table.sections
        if s.title.startswith("total,") and "kappa" in s.headings
    ]
    shown = [row[0].text for row in section.rows]
    assert shown == ["whole", "zones", "both", "null (left permuted)"]
    notes = " ".join(table.notes)
    assert "total: of whole, the results of the task severity, which has" in notes


def test_experiments_are_compared_in_the_label_that_they_share(aggregates):
    table = primary_table(aggregates)
    data = table.data[["task", "candidate", "other", "figure"]]
    found = {tuple(row) for row in data.itertuples(index=False)}
    assert ("total", "zones", "whole", "kappa") in found
    assert ("total", "both", "zones", "mae") in found
    assert ("total_sum", "both", "zones", "mae") in found
    assert not any(task == "severity" for task, *_ in found)
    # One of its zones is permuted.
    assert not any("null" in row for row in found)
    values = table.data.set_index(["task", "candidate", "other", "figure"])
    difference = values.loc[("total", "zones", "whole", "kappa")]
    assert np.isfinite(difference["difference"])
    assert np.isfinite(difference["low"]) and difference["patients"] == 3 * PATIENTS


def test_tasks_of_a_sum_are_folded_below_what_follows_from_them(folder, capsys):
    results = Results.read(folder)
    assert results.terms == ("left", "right")
    table = primary_table(Aggregates(results, 0))
    order = list(dict.fromkeys(text.split(",")[0] for text in table.sentences))
    assert order == ["total", "total_sum", "left", "right"]
    assert {text.split(",")[0] for text in table.folded.lead} == {"left", "right"}
    parts = environment._environment().get_template("parts.html").module
    page, files = parts.report_table(table), markdown(table, "")
    before, details = page.split("<details>\n<summary>")
    after = details.split("</details>")[1]
    for title in ('caption">left, cv', "<li>left, cv: ", 'caption">right, cv'):
        assert title in details and title not in before + after
    assert 'caption">total, cv' in before and "- left, cv: " in files
    title = "Other metrics. Tasks that feed a derived answer (left, right)"
    assert details.startswith(f"{title}</summary>")
    first = table_1(Aggregates(results, 0))
    assert [s.folded for s in first.sections if s.title.startswith("left")] != []
    assert all(
        s.folded == s.title.startswith(("left", "right")) for s in first.sections
    )
    terminal._print_left_out(Console(), table)
    said = " ".join(capsys.readouterr().out.split())
    assert said == f"{title}: see the page, or tables/primary.md"
