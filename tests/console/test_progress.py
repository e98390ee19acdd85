"""The progress of a command, on standard error."""

import io
import logging

import pytest

from mdmt_tf import console


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stderr(monkeypatch):
    """Puts a stream in the place of standard error."""

    def put(stream):
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "40")
        return stream

    return put


def test_a_file_has_no_bar_and_all_warnings(stderr):
    stream = stderr(io.StringIO())
    with console.progress_bar("reading") as progress:
        for done in range(20):
            progress(done, 20)
            logging.getLogger("mdmt_tf.a").warning("file %d", done)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["warning: file 0", "warning: file 1"]
    assert lines[9:] == ["warning: file 9", "... and 10 more such messages"]


def test_a_terminal_has_one_line_that_disappears(stderr):
    stream = stderr(Terminal())
    with console.progress_bar("reading images") as progress:
        progress(0, 20)
    assert "reading images" in stream.getvalue()
    assert stream.getvalue().endswith("\r\033[K")
    drawn = stream.getvalue().removesuffix("\r\033[K")
    assert len(drawn.strip("\r").removesuffix("\033[K")) < 40


def test_ctrl_c_removes_the_line(stderr):
    stream = stderr(Terminal())
    with (
        pytest.raises(KeyboardInterrupt),
        console.progress_bar("reading images") as progress,
    ):
        progress(3, 20)
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("\r\033[K")


def test_what_cannot_be_counted_is_shown_on_a_terminal_only(stderr):
    file = stderr(io.StringIO())
    with console.working("tables ..."):
        pass
    assert file.getvalue() == ""
    terminal = stderr(Terminal())
    with console.working("tables ..."):
        assert terminal.getvalue() == "\rtables ...\033[K"
    assert terminal.getvalue().endswith("\r\033[K")
