"""Lines on standard error, against a reader of the file descriptor."""

import logging
import os
import subprocess
import sys
import threading

import pytest

from mdmt_tf.imaging.decoder_messages import listen, quiet_loggers


def printing(text, result=7):
    """A decoder in native code, which writes to the file descriptor."""

    def decode():
        os.write(2, text.encode())
        return result

    return decode


def test_lines_are_returned_and_not_shown(capfd):
    assert listen(printing("Corrupt data\n\nat 5\n")) == (7, ["Corrupt data", "at 5"])
    assert listen(lambda: 3) == (3, [])
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"


def test_the_lines_of_an_exception_are_dropped(capfd):
    def decode():
        os.write(2, b"thread '<unnamed>' panicked at 0x7f3\n")
        raise ValueError("out of bounds")

    with pytest.raises(ValueError, match="out of bounds"):
        listen(decode)
    assert listen(lambda: 3) == (3, [])
    assert capfd.readouterr().err == ""


def test_a_decoder_inside_of_another(capfd):
    assert listen(lambda: listen(printing("inner\n"))[0]) == (7, ["inner"])
    assert capfd.readouterr().err == ""


def test_lines_of_others_are_passed_on(capfd):
    calls = []

    def decode():
        calls.append(1)
        if len(calls) == 1:  # another thread, at another time than the second run
            os.write(2, b"epoch 3\n")
        os.write(2, b"[ WARN:0@%d.5] bad tag\n" % len(calls))

    assert listen(decode)[1] == ["[ WARN:0@2.5] bad tag"]
    assert capfd.readouterr().err == "epoch 3\n"


def test_threads_get_the_lines_of_their_own_files(capfd):
    start = threading.Barrier(4)
    lines = {}

    def work(number):
        start.wait()
        for _ in range(20):
            decode = printing(f"{'odd ' * number}\n") if number % 2 else lambda: 7
            found = lines.setdefault(number, set())
            found.add(tuple(listen(decode)[1]))

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert lines == {0: {()}, 1: {("odd ",)}, 2: {()}, 3: {("odd odd odd ",)}}
    assert capfd.readouterr().err == ""


def test_a_process_without_standard_error():
    code = (
        "import os, sys; sys.path.insert(0, '.'); os.close(2)\n"
        "from mdmt_tf.imaging.decoder_messages import listen\n"
        "assert listen(lambda: 3) == (3, [])"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_forked_child_writes_where_its_parent_did(capfd):
    def decode():
        if (child := os.fork()) == 0:
            os.write(2, b"child\n")
            os._exit(0)
        os.waitpid(child, 0)

    assert listen(decode) == (None, [])
    assert capfd.readouterr().err == "child\n"


def test_loggers_of_libraries_are_quiet_in_this_thread_only(caplog):
    log = logging.getLogger("pydicom")
    with quiet_loggers():
        log.error("End of file reached")
        other = threading.Thread(target=log.error, args=["of another thread"])
        other.start()
        other.join()
    log.error("afterwards")
    assert caplog.messages == ["of another thread", "afterwards"]
