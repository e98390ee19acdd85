"""`python -m mdmt_tf.report`."""

import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import quick_plots
from made_kinds_run import make_kinds_run

from mdmt_tf import report as command
from mdmt_tf.errors import DataError
from mdmt_tf.reporting import report as reports
from mdmt_tf.reporting.one_run import page, plots, terminal
from mdmt_tf.reporting.one_run.pictures import Pictures
from mdmt_tf.saliency import explanation


def test_a_benchmark_of_which_nothing_is_finished(benchmark_folder, tmp_path, capsys):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "mdmt", missing=True)
    command.main([str(folder.path)])
    assert "0 of 3 cells" in capsys.readouterr().out
    assert "No fit is finished yet" in (folder.path / "index.html").read_text()


def test_the_terminal_has_80_columns(report, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(reports, "write_report", lambda *args, **options: report)
    assert command.main([str(report.results.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if str(report.folder) not in line) <= 80
    text = "\n".join(lines)
    assert re.search(r"mdmt .* \d\d\.\d", text)
    assert "SYNTHETIC" in text
    assert "27 of 27 cells" in text
    assert str(report.page) in text


def test_help_is_quick():
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "mdmt_tf.report", "--help"],
        capture_output=True,
        text=True,
    )
    assert "--resamples" in done.stdout
    assert time.perf_counter() - start < 1.0


def test_what_is_no_benchmark_is_refused(tmp_path):
    with pytest.raises(DataError, match="not the folder of a benchmark"):
        command.main([str(tmp_path)])
    with pytest.raises(SystemExit):
        command.main([str(tmp_path), "--resamples", "-1"])


def test_the_folder_decides_what_is_reported(tmp_path, monkeypatch, capsys):
    """A run has its own page, in a folder of its own, and needs no TensorFlow."""
    run = make_kinds_run(tmp_path / "run", ("icu",))
    monkeypatch.setattr(plots, "render", quick_plots.not_drawn)
    assert command.main([str(run.path), "--resamples", "0"]) == 0
    text = capsys.readouterr().out
    assert "AUC for icu is" in text and "saliency: none of the test split" in text
    assert (run.path / "report" / "index.html").is_file()
    out = tmp_path / "out"
    monkeypatch.setattr(terminal, "print_report", lambda report, note: None)
    assert command.main([str(run.path), "--resamples", "0", "--out", str(out)]) == 0
    assert (out / "index.html").is_file()


def test_existing_saliency_is_used(tmp_path, monkeypatch):
    run = make_kinds_run(tmp_path / "run", ("icu",))
    run.saliency.mkdir()
    table = run.saliency / "saliency.csv"
    table.write_text("image_id,task,method,split\n1,icu,grad_cam,test\n")
    shown = Pictures("that one")
    monkeypatch.setattr(page, "pictures_of", lambda results, folder: shown)
    said = []
    monkeypatch.setattr(plots, "render", quick_plots.not_drawn)
    monkeypatch.setattr(
        terminal, "print_report", lambda report, note: said.append(note)
    )
    command.main([str(run.path), "--resamples", "0", "--saliency", "2"])
    assert said == [f"saliency: that of {run.saliency}; nothing was made"]


def test_maps_of_another_split_do_not_count_and_are_kept(tmp_path, monkeypatch):
    run = make_kinds_run(tmp_path / "run", ("icu",))
    run.saliency.mkdir()
    table = run.saliency / "saliency.csv"
    table.write_text("image_id,task,method,split\n1,icu,grad_cam,test\n")
    made, said = [], []

    def explain(of, chosen, *, folder, progress):
        made.append((chosen.split, chosen.most, folder))
        return SimpleNamespace(rows=[1], n_images=1)

    monkeypatch.setattr(explanation, "explain_finished", explain)
    monkeypatch.setattr(plots, "render", quick_plots.not_drawn)
    monkeypatch.setattr(
        terminal, "print_report", lambda report, note: said.append(note)
    )
    words = [str(run.path), "--resamples", "0", "--split", "validation"]
    command.main(words)
    assert said == [
        "saliency: none of the validation split; --saliency N makes maps of N images"
    ]
    command.main([*words, "--saliency", "2"])
    own = run.path / "report_validation" / "saliency"
    assert made == [("validation", 2, own)]
    # The next report finds them there.
    own.mkdir()
    (own / "saliency.csv").write_text(
        "image_id,task,method,split\n1,icu,grad_cam,validation\n"
    )
    monkeypatch.setattr(page, "pictures_of", lambda results, folder: Pictures(""))
    command.main(words)
    assert said[-1] == f"saliency: that of {own}; nothing was made"


def test_saliency_is_of_a_run(tmp_path):
    with pytest.raises(DataError, match="not the folder of a run"):
        command.main([str(tmp_path), "--saliency", "2"])
