"""The line of progress, on a terminal that is played here and in a file."""

import io
import logging
import threading

import pytest

from mdmt_tf.screen import line as lines
from mdmt_tf.screen.line import Count, Line


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


def on_screen(text, width):
    """The rows of a terminal after a text: `\\r`, `\\n` and `ESC[K` are obeyed."""
    rows, row, column = [""], 0, 0
    text = text.replace("\033[K", "\0")
    for letter in text:
        if letter == "\r":
            column = 0
        elif letter == "\n":
            rows.append("")
            row, column = row + 1, 0
        elif letter == "\0":
            rows[row] = rows[row][:column]
        else:
            if column == width:
                rows.append("")
                row, column = row + 1, 0
            rows[row] = rows[row][:column].ljust(column) + letter
            column += 1
    return rows


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_rewritten_line_leaves_nothing_behind(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    written, clock = [], Clock()
    line = Line(written.append, is_terminal=True, clock=clock)
    for step in range(1, 4):
        clock.now += 1
        line.show(
            f"16/16  step {step}/3, at most 2 h 10 min left of the training" * step
        )
    line.write("16/16 ends\n")
    assert on_screen("".join(written), width) == ["16/16 ends", ""]


def test_the_line_is_not_drawn_more_often_than_it_can_be_read():
    written, clock = [], Clock()
    line = Line(written.append, is_terminal=True, clock=clock)
    for number in range(1000):
        clock.now = 0.001 * number  # a second in all
        line.show(str(number))
    assert len(written) <= 11
    line.show("done", at_once=True)
    assert "done" in written[-1]


def test_a_file_has_whole_lines_and_few_of_them():
    written, clock = [], Clock()
    line = Line(written.append, is_terminal=False, every=60, clock=clock)
    for second in range(300):
        clock.now = second
        line.show(f"step {second}")
        if second == 100:
            line.write("an epoch ends\n")
    text = "".join(written)
    assert "\r" not in text and "\033" not in text
    assert text.splitlines() == [
        "step 60",
        "an epoch ends",
        "step 160",
        "step 220",
        "step 280",
    ]


def test_a_writer_that_removes_lines_first_leaves_the_one_that_it_writes():
    written = []

    def write(text):
        lines.erase_all()
        written.append(text)

    line = Line(write, is_terminal=True)
    for step in range(3):
        line.show(f"step {step}", at_once=True)
    line.write("an epoch ends\n")
    write("done")
    assert on_screen("".join(written), 80) == ["an epoch ends", "done"]


def test_messages_stand_above_the_line(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    line = Line(stream.write, is_terminal=True)
    line.show("step 1/5")
    record = logging.LogRecord("a", logging.WARNING, "", 0, "beware", (), None)
    lines.Messages().emit(record)
    line.show("step 2/5", at_once=True)
    assert on_screen(stream.getvalue(), 80) == ["beware", "step 2/5"]
    line.erase()
    assert on_screen(stream.getvalue(), 80) == ["beware", ""]
    assert not lines._shown


def test_a_text_is_written_while_another_one_is_held_up():
    """As by a terminal that is stopped; the other thread is that of Ctrl-C."""
    held, go_on, written = threading.Event(), threading.Event(), []

    def write(text):
        written.append(text)
        if text == "held":
            held.set()
            go_on.wait(30)

    line = Line(write, is_terminal=False)
    thread = threading.Thread(target=line.write, args=("held",))
    thread.start()
    held.wait(30)
    line.write("interrupted")
    go_on.set()
    thread.join()
    assert written == ["held", "interrupted"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_count_fits(width):
    clock = Clock()
    count = Count("preparing synthetic_radiographs", clock=clock)
    clock.now = 10.0
    text = count.text(250, 10_000, width)  # 0.04 s an image, 9750 to come
    assert len(text) <= max(width, len(" 250/10000 images, 6 min left"))
    assert text.endswith(" 250/10000 images, 6 min left")
    assert (".." in text) == (width >= 80)
