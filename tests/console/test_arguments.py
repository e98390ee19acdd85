"""Options and settings on a command line."""

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
