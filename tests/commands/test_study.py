"""`mdmt_tf.study` as a user calls it."""

import pytest
from small_studies import SMALL

from mdmt_tf import study
from mdmt_tf.errors import ConfigError


def test_it_writes_a_page_and_names_it(tmp_path, capsys):
    # Keys of the study and the executor need no section.
    short = [text.removeprefix("study.").removeprefix("benchmark.") for text in SMALL]
    short += ["scores=[30]", "shifts=[none]", "datasets=1", f"run_dir={tmp_path}"]
    assert study.main(["--config", "when_it_helps", *short]) == 0
    out = capsys.readouterr().out
    assert "All 1 cells have 1 pairs of datasets." in out
    assert f"page:    {tmp_path / 'index.html'}" in out
    assert "n30-s30-rho0.5-none" in out


def test_a_report_alone_computes_nothing_and_its_status_says_so(tmp_path, capsys):
    words = ["--report", "--config", "when_it_helps", f"run_dir={tmp_path}"]
    assert study.main(words) == 1
    assert "0 of 144 cells have all 60 pairs" in capsys.readouterr().out
    assert not (tmp_path / "cells").exists()


def test_a_configuration_without_a_study_is_refused():
    with pytest.raises(ConfigError, match="has no section `study`"):
        study.main(["--config", "phantom"])
