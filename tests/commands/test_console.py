"""Options and settings on a command line."""

import io

import pytest
from command_lines import run

from mdmt_tf import console
from mdmt_tf.imaging import decoder_messages


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
    assert arguments.parse_intermixed_args([]).overrides == []


def test_own_messages_do_not_go_where_those_of_decoders_go(capfd):
    class Standard:
        encoding = "utf-8"

        def fileno(self):
            return 2

    stream = console._own(Standard())
    calls = []

    def decode():  # while another thread draws a progress bar
        calls.append(1)
        stream.write("3 of 5\n")
        return capfd.readouterr().err

    assert decoder_messages.listen(decode) == ("3 of 5\n", [])
    assert len(calls) == 1
    stream.close()
    assert console._own(memory := io.StringIO()) is memory


# A command that ends in some way.
COMMAND = """
import errno, os, signal, sys
from mdmt_tf import console
from mdmt_tf.errors import Interrupted

def main(argv):
    try:
        {body}
    finally:
        print("cleaned up", flush=True)

console.run(main)
"""


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (
            "raise OSError(errno.ENOSPC, 'No space left on device', 'runs/a.csv')",
            2,
            "error: runs/a.csv: No space left on device. The disk is full: free",
        ),
        ("os.kill(os.getpid(), signal.SIGTERM); signal.pause()", 130, "interrupted\n"),
        ("os.kill(os.getpid(), signal.SIGINT); signal.pause()", 130, "interrupted\n"),
        (
            "raise Interrupted('To go on: python -m mdmt_tf.train --resume a')",
            130,
            "To go on: python -m mdmt_tf.train --resume a\n",
        ),
        ("raise OSError('of another kind')", 1, "Traceback"),
    ],
    ids=["full", "sigterm", "sigint", "interrupted", "bug"],
)
def test_the_end_of_a_command(body, status, message):
    result = run("-c", COMMAND.format(body=body))
    assert (result.returncode, result.stdout) == (status, "cleaned up\n")
    assert result.stderr.startswith(message)
