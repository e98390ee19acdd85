"""Signals while a model is trained."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from mdmt_tf.training.interruption import STATUS, Interruption

# Computes for a minute in native code, as one long step.
BUSY = """
import hashlib, sys
from mdmt_tf.training.interruption import Interruption

with Interruption(lambda text: print(text.strip(), flush=True)):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 200_000_000)
"""


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.large), signal.SIGTERM]
)
def test_the_first_signal_is_a_request_and_the_handlers_come_back(number):
    before, lines = signal.getsignal(number), []
    with Interruption(lines.append) as interruption:
        assert not interruption.requested
        os.kill(os.getpid(), number)
        assert interruption.wait(10)
    assert interruption.requested and len(lines) == 1
    assert signal.getsignal(number) is before


def test_two_sigterm_at_once_are_one_request():
    lines = []
    with Interruption(lines.append) as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)
    assert len(lines) == 1


def test_a_second_one_leaves_in_the_middle_of_native_code():
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline().startswith("interrupted: this step is finished")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == STATUS


def test_elsewhere_than_in_the_main_thread_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with Interruption() as interruption:
            seen.append((signal.getsignal(signal.SIGINT), interruption.requested))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, False)]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interruption.wait(0.1)
    finally:
        signal.signal(signal.SIGINT, before)
