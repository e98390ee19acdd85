"""Width of what is printed."""

import io
import os
import pty
import struct
from fcntl import ioctl
from termios import TIOCSWINSZ

import pytest
from rich.console import Console

from mdmt_tf.screen import size


@pytest.mark.parametrize("columns", ["40", "200", "", "0", "wide"])
def test_the_width_is_that_of_rich(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    if columns == "0":
        assert size.width() >= 1
    else:
        assert size.width() == Console(file=io.StringIO()).width


def test_the_width_is_that_of_the_terminal(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    parent, child = pty.openpty()
    ioctl(child, TIOCSWINSZ, struct.pack("HHHH", 24, 47, 0, 0))
    real = os.get_terminal_size
    monkeypatch.setattr(os, "get_terminal_size", lambda number: real(child))
    assert size.width() == 47
    monkeypatch.setattr(os, "get_terminal_size", lambda number: real(-1))
    assert size.width() == 80
    os.close(parent)
    os.close(child)


def test_only_a_terminal_that_obeys_rewrites_a_line(monkeypatch):
    parent, child = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(child, "w") as stream:
        assert size.rewrites(stream)
        monkeypatch.setenv("TERM", "dumb")
        assert not size.rewrites(stream)
    os.close(parent)
    assert not size.rewrites(io.StringIO())
