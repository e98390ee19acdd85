"""`python -m mdmt_tf.evaluate`."""

from command_lines import run


def test_an_unfinished_run_cannot_be_evaluated(tmp_path):
    (tmp_path / "config.yaml").write_text("experiment: x\n")
    result = run("-m", "mdmt_tf.evaluate", str(tmp_path))
    assert result.returncode == 2
    assert "the run is not finished" in result.stderr
