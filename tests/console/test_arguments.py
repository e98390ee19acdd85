"""Options and settings on a command line."""

import importlib

import pytest
from command_lines import run

from mdmt_tf import console


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "3"], "--epochs: settings are written without --: training.epoc"),
        (["--epochs=3"], "without --: training.epochs=3"),
        (["--training.epochs=3"], "without --: training.epochs=3"),
        (["seed=1", "--batch-size", "16"], "without --: training.batch_size=16"),
        (["--lr"], "without --: training.learning_rate=VALUE"),
        (["--epochs", "--resume"], "without --: training.epochs=VALUE"),
        (["--verbose"], "--verbose: unknown option. `--help` lists the options."),
    ],
)
def test_a_setting_is_no_option(arguments, message):
    result = run("-m", "mdmt_tf.train", *arguments)
    assert result.returncode == 2
    assert message in result.stderr


def test_options_are_still_options_and_may_be_shortened():
    result = run("-m", "mdmt_tf.train", "--conf", "phantm")
    assert result.returncode == 2
    assert "--config phantm: no such configuration" in result.stderr


def test_no_arguments_are_no_mistake():
    arguments = console.parser("train", "Train.")
    console.add_config_arguments(arguments)
    assert arguments.parse_args([]).overrides == []


def test_options_may_stand_among_the_other_arguments():
    arguments = console.parser("serve", "Serve.")
    arguments.add_argument("models", nargs="+")
    arguments.add_argument("--port", type=int)
    found = arguments.parse_args(["first", "--port", "0", "second"])
    assert (found.models, found.port) == (["first", "second"], 0)


@pytest.mark.parametrize("command", ["evaluate", "predict", "serve"])
def test_commands_say_what_images_of_no_dataset_get_by_default(command, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(f"mdmt_tf.{command}").main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "per_dataset (default: as model.unseen_dataset says)" in text


@pytest.fixture
def predict():
    """A parser of files with options among them."""
    arguments = console.parser("predict", "Predict.")
    arguments.add_argument("paths", nargs="+")
    arguments.add_argument("--out", required=True)
    return arguments


@pytest.mark.parametrize(
    "given",
    [
        ["--out", "q.csv", "--", "run", "-1.png", "--out.png", "-h"],
        ["run", "--out", "q.csv", "--", "-1.png", "--out.png", "-h"],
    ],
)
def test_what_follows_two_dashes_is_no_option(predict, given):
    found = predict.parse_args(given)
    assert found.paths == ["run", "-1.png", "--out.png", "-h"]
    assert {type(path) for path in found.paths} == {str} and found.out == "q.csv"


def test_two_dashes_end_settings_too():
    arguments = console.parser("train", "Train.")
    console.add_config_arguments(arguments)
    assert arguments.parse_args(["a=1", "--", "--b=2"]).overrides == ["a=1", "--b=2"]


def test_two_dashes_are_no_value_of_an_option(predict, capsys):
    with pytest.raises(SystemExit):
        predict.parse_args(["run", "--out", "--", "q.csv"])
    assert "--out: expected one argument" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["-1.png", "-h.png", "--out.png"])
def test_a_file_that_looks_like_an_option_is_named(
    predict, name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    given = ["run", "a.png", name, "-2.png", "--out", "q.csv"]
    (tmp_path / name).touch()
    (tmp_path / "--out").touch()  # an option remains one
    with pytest.raises(SystemExit) as error:
        predict.parse_args(given)
    assert error.value.code == 2
    assert f"{name}: a name that begins with -" in (text := capsys.readouterr().err)
    assert f"Write ./{name}, or all files at the end, after --" in text


def test_an_option_that_is_no_file_is_unrecognized(predict, capsys):
    with pytest.raises(SystemExit):
        predict.parse_args(["run", "-1.png", "--out", "q.csv"])
    assert "unrecognized arguments: -1.png" in capsys.readouterr().err
