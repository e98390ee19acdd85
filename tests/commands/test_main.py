"""One command for all: `python -m mdmt_tf` and `mdmt-tf`."""

import pytest
from command_lines import COMMANDS, run, without_tensorflow

import mdmt_tf
from mdmt_tf import __main__


def test_one_command_for_all():
    code = without_tensorflow("mdmt_tf.__main__", "--help")
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for command in COMMANDS:
        assert any(line.startswith(f"  {command} ") for line in lines), command


def test_the_version():
    result = run("-m", "mdmt_tf", "--version")
    assert result.stdout == f"mdmt_tf {mdmt_tf.__version__}\n"


def test_a_command_that_is_none_gets_the_nearest():
    result = run("-m", "mdmt_tf", "trian")
    assert result.returncode == 2
    assert "Did you mean 'train'?" in result.stderr


@pytest.mark.parametrize("command", ["train", "config"])  # a module, a package
def test_the_help_names_the_command_as_it_was_called(command, tmp_path):
    # Where pip puts the console command there is a script of this name.
    script = tmp_path / "mdmt-tf"
    script.write_text("from mdmt_tf.__main__ import command\ncommand()\n")
    for called, shown in (
        ([str(script), command], "mdmt-tf "),
        (["-m", "mdmt_tf", command], "python -m mdmt_tf "),
        (["-m", f"mdmt_tf.{command}"], "python -m mdmt_tf."),
    ):
        result = run(*called, "--help")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"usage: {shown}{command} ")


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        ("bin/mdmt-tf", "mdmt-tf "),
        ("mdmt_tf/__main__.py", "python -m mdmt_tf "),
        ("mdmt_tf/train.py", "python -m mdmt_tf."),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_names_it_so(command, called, shown, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [called])
    with pytest.raises(SystemExit) as ended:
        __main__.main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: {shown}{command} ")
    assert ("python -m mdmt_tf." in text) == (shown == "python -m mdmt_tf.")


def test_errors_of_a_command_below_are_those_of_the_command():
    result = run("-m", "mdmt_tf", "train", "training.epochz=3")
    assert result.returncode == 2
    assert "Did you mean 'training.epochs'?" in result.stderr
