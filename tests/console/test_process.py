"""The end of a command, and where its messages go."""

import io

import pytest
from command_lines import run

from mdmt_tf.console import process
from mdmt_tf.imaging import decoder_messages


def test_own_messages_do_not_go_where_those_of_decoders_go(capfd):
    class Standard:
        encoding = "utf-8"

        def fileno(self):
            return 2

    stream = process._own(Standard())
    calls = []

    def decode():  # while another thread draws a progress bar
        calls.append(1)
        stream.write("3 of 5\n")
        return capfd.readouterr().err

    assert decoder_messages.listen(decode) == ("3 of 5\n", [])
    assert len(calls) == 1
    stream.close()
    assert process._own(memory := io.StringIO()) is memory


# A command that ends in some way.
COMMAND = """
import errno, os, signal, sys, time
from mdmt_tf import console
from mdmt_tf.errors import Interrupted

def wait():
    while True:  # another thread may take the signal: a pause would not end
        time.sleep(0.01)

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
        ("os.kill(os.getpid(), signal.SIGTERM); wait()", 130, "interrupted\n"),
        ("os.kill(os.getpid(), signal.SIGINT); wait()", 130, "interrupted\n"),
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


# The folds of the same patients, of whom too few are of a class, one after another.
FOLDS = """
import numpy as np
from mdmt_tf import console
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import make_split
from mdmt_tf.tasks import make_task

names = np.array([f"i{k}" for k in range(20)])

def main(argv):
    for dataset in ("ward", "clinic"):
        icu = make_task(kind="binary", name="icu", sources={dataset: "icu"})
        table = {"image_id": names, "patient_id": names, "icu": np.arange(20) < 3}
        table["icu"] = table["icu"].astype(int)
        for fold in range(5):
            make_split({dataset: table}, [icu], SplitSettings(folds=5, fold=fold))

console.run(main)
"""


def test_a_command_warns_once_of_the_same_data():
    result = run("-c", FOLDS)
    assert result.returncode == 0, result.stderr
    named = [
        line.partition(": fewer patients")[0] for line in result.stderr.split("\n")
    ]
    assert named == ["WARNING: dataset 'ward'", "WARNING: dataset 'clinic'", ""]
