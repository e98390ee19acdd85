"""YAML with comments."""

import pytest
import yaml

from mdmt_tf.planning.lines import Lines, flow, one_line

VALUES = [
    "no",
    "0",
    "1e3",
    "a: b",
    "#x",
    "",
    "it's",
    '"q"',
    "ä",
    "null",
    "- x",
    "\ttab",
]


@pytest.mark.parametrize("text", VALUES)
def test_text_comes_back_as_text(text):
    lines = Lines()
    lines.key(0, text, {text: [text]}, "why\nand how")
    assert yaml.safe_load(str(lines)) == {text: {text: [text]}}


@pytest.mark.parametrize("value", [None, True, 1, 0.5, 3e-4, [1, 2], {"a": None}])
def test_values_come_back(value):
    assert yaml.safe_load(flow(value)) == value


@pytest.mark.parametrize("length", [1, 30, 70, 100, 300])
def test_long_values_and_comments_take_several_lines(length):
    words = " ".join(["word"] * (length // 5 + 1))
    value = {f"key{n}": words[:40] for n in range(length // 20 + 1)}
    lines = Lines()
    lines.key(2, "key", value, words)
    lines.key(2, "list", [words[:40]] * (length // 20 + 1), words)
    lines.comment(2, words)
    text = str(lines)
    assert max(map(len, text.splitlines())) <= 88
    assert yaml.safe_load(text) == {
        "key": value,
        "list": [words[:40]] * (length // 20 + 1),
    }


def test_a_comment_cannot_end_early():
    assert one_line("a\nb\r\u2028c\x00") == "a b  c "
