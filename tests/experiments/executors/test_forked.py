"""Programs in forked processes: their arguments, their status, and their end."""

import os
import signal
import sys
import threading
import time

import pytest

from mdmt_tf.experiments.executors import forked

PROGRAM = """
import os, pathlib, signal, sys, time

def note_and_end(number, frame):
    pathlib.Path(sys.argv[1], "stopped").write_text("")
    sys.exit(1)

signal.signal(signal.SIGTERM, note_and_end)
pathlib.Path(sys.argv[1], "begun").write_text("")
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
while sys.argv[2] == "wait":
    time.sleep(0.01)
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of a module that processes find."""
    (tmp_path / "a_program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("how, status", [("0", 0), ("2", 2), ("kill", -9)])
def test_a_program_runs_as_python_m_does(place, how, status):
    before = list(sys.argv)
    assert forked.run("a_program", [str(place), how]) == status
    assert (place / "begun").exists() and sys.argv == before


def test_what_is_interrupted_stops_its_program(place):
    """By a signal to this process alone."""

    def interrupt():
        end = time.monotonic() + 60
        while not (place / "begun").exists() and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        forked.run("a_program", [str(place), "wait"])
    assert (place / "stopped").exists()
