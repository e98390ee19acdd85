"""A benchmark that is judged on validation rows: marked, and blind to test rows."""

import dataclasses
import hashlib
import json
import shutil

import pandas as pd
import pytest
import quick_plots
from sklearn.metrics import accuracy_score

from mdmt_tf import report as command
from mdmt_tf.errors import DataError
from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import marks, plots
from mdmt_tf.reporting.report import write_report


def judge(folder, out):
    """Report on validation rows, with one kind of plots and of pooled plots."""
    kinds = {name: plots.KINDS[name] for name in ("box", "confusion")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "KINDS", kinds)
        patch.setattr(plots, "render", quick_plots.render)
        return write_report(folder, out, resamples=5, split="validation")


@pytest.fixture(scope="module")
def folder(benchmark_folder, tmp_path_factory):
    """Of one backbone, and a baseline, which has correlations."""
    fields = {"aiforcovid": ["age", "sex"]}
    folder = benchmark_folder(
        tmp_path_factory.mktemp("marks") / "b",
        backbones=["resnet18"],
        baselines={"age_and_sex": {"task": "prognosis", "fields": fields}},
    ).add_all()
    for fold in range(3):
        folder.add("cv", "none", 0, fold, "age_and_sex", history=False)
    return folder.path


@pytest.fixture(scope="module")
def judged(folder, tmp_path_factory):
    return judge(folder, tmp_path_factory.mktemp("validation"))


def poison(folder, text="no number"):
    """Make every test row and test metric of the fits unusable."""
    for path in folder.glob("runs/*/predictions.csv"):
        lines = path.read_text().splitlines()
        at = lines[0].split(",").index("split")
        for number, line in enumerate(lines):
            cells = line.split(",")
            if cells[at] == "test":
                rest = [text] * (len(cells) - at - 1)
                lines[number] = ",".join([*cells[: at + 1], *rest, "more", "fields"])
        assert text in "\n".join(lines)
        path.write_text("\n".join(lines) + "\n")
        metrics = json.loads(path.with_name("metrics.json").read_text())
        metrics["test"] = text
        path.with_name("metrics.json").write_text(json.dumps(metrics))


def digests(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_test_rows_are_never_read(judged, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "correlations.csv").write_text("not a table of all patients")
    poison(copy)
    with pytest.raises(DataError):
        Results.read(copy)
    judge(copy, tmp_path / "out")
    assert digests(tmp_path / "out") == digests(judged.folder)


def test_the_numbers_are_those_of_validation_rows(judged, folder):
    table = pd.read_csv(judged.folder / "tables" / "runs.csv")
    assert set(table["split"]) == {"validation"}
    for row in table.itertuples():
        rows = pd.read_csv(folder / "runs" / row.fit / "predictions.csv")
        rows = rows[(rows["split"] == "validation") & rows["target"].notna()]
        for task, own in rows.groupby("task"):
            expected = accuracy_score(own["target"], own["prediction"])
            place = table.columns.get_loc(f"{task}/accuracy")
            assert row[place + 1] == pytest.approx(expected)


def test_everything_says_that_it_is_of_validation_rows(judged, capsys, monkeypatch):
    from mdmt_tf.reporting import terminal

    for path in (judged.folder / "tables").iterdir():
        text = path.read_text()
        mark = "validation" if path.suffix == ".csv" else "VALIDATION rows, which were"
        assert mark in text, path
        if path.suffix == ".csv":
            assert text.startswith("split,")
    page = judged.page.read_text()
    assert f'<p class="banner">{marks.VALIDATION}</p>' in page
    assert "<h1>Benchmark tiny, judged on validation rows</h1>" in page
    assert "--resamples 5 --split validation" in page
    assert page.count("<figcaption>SYNTHETIC data. VALIDATION rows, optimistic.") == 4
    assert "test set" not in page and "test row was read" in page
    # Numbers of the paper are of test sets.
    assert "paper" not in (judged.folder / "tables" / "table_1.md").read_text()
    monkeypatch.setenv("COLUMNS", "80")
    terminal.print_report(judged)
    printed = capsys.readouterr().out
    assert "VALIDATION rows" in printed and "optimistic" in printed
    assert "SYNTHETIC" in printed and "cv (3-fold cross-validation), valid" in printed


@pytest.mark.parametrize(
    ("selected", "mark", "start"),
    [
        ([[0, 1], [0, 0]], marks.VALIDATION, "VALIDATION rows, optimistic. "),
        (
            [[0, 0], [0, 0]],
            "VALIDATION rows; no epoch was chosen by them. No test row was read.",
            "VALIDATION rows. ",
        ),
    ],
)
def test_rows_that_chose_no_epoch_are_not_said_to_be_optimistic(
    folder, selected, mark, start
):
    histories = {
        str(fit): pd.DataFrame({"epoch": [0, 1], "selected": own})
        for fit, own in enumerate(selected)
    }
    results = Results.read(folder, "validation")
    results = dataclasses.replace(results, synthetic=False, histories=histories)
    assert marks.warnings_of(results) == [mark]
    assert marks.start_of_title(results) == start


def test_a_report_on_test_rows_is_not_marked_and_not_replaced(
    benchmark_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(plots, "KINDS", {})
    made = benchmark_folder(tmp_path / "copy", backbones=["resnet18"])
    for fold in range(3):
        made.add("cv", "resnet18", 0, fold, "ft")
    copy = made.path
    command.main([str(copy), "--resamples", "0"])
    before = digests(copy)
    assert "VALIDATION" not in (copy / "index.html").read_text()
    assert "VALIDATION" not in capsys.readouterr().out
    command.main([str(copy), "--resamples", "0", "--split", "validation"])
    after = digests(copy)
    assert {path: after[path] for path in before} == before
    new = set(after) - set(before)
    assert {path.parts[0] for path in new} == {"validation"}
    assert str(copy / "validation" / "index.html") in capsys.readouterr().out


def test_an_unknown_split_is_refused(folder, capsys):
    with pytest.raises(SystemExit):
        command.main([str(folder), "--split", "validatoin"])
    assert "Did you mean 'validation'?" in capsys.readouterr().err


def test_experiments_that_were_trained_with_synthetic_images_are_named(folder):
    results = Results.read(folder)
    images = {"joint": {"drawn": 2700}, "start": {"drawn": 2700}, "few": {"drawn": 9}}
    synthetic = dataclasses.replace(results, synthetic_images=images)
    assert marks.warnings_of(synthetic) == [marks.SYNTHETIC]
    real = dataclasses.replace(synthetic, synthetic=False)
    assert marks.warnings_of(real) == [
        "Trained with synthetic images: joint, start (up to 2,700 of drawn in a fit); "
        "few (up to 9 of drawn in a fit). All numbers here are of real images."
    ]
    assert marks.start_of_title(real) == ""
