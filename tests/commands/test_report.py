"""`python -m mdmt_tf.report`."""

import re
import subprocess
import sys
import time

import pytest

from mdmt_tf import report as command
from mdmt_tf.errors import DataError
from mdmt_tf.reporting import report as reports


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
