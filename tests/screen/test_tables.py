"""Tables of any content in terminals of any width."""

import ast
import random
import re

import pytest
from rich.console import Console
from source_tree import MODULES

from mdmt_tf.screen.tables import print_table


def printed(capsys, width, title, headings, rows):
    print_table(Console(width=width), title, headings, rows)
    return capsys.readouterr().out.splitlines()


def letters(texts):
    return sorted("".join(re.sub(r"[\s─]", "", text) for text in texts))


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_cut_and_no_line_is_too_long(capsys, width, seed):
    draw = random.Random(seed)

    def text(most):
        word = draw.choice(["mdmt_direct", "3 of 5 folds", "[0.1, 0.9]", "–", "±"])
        return " ".join([word] * draw.randint(1, most))[: draw.randint(1, 60)].strip()

    headings = ["experiment", *(text(2) for _ in range(draw.randint(0, 9)))]
    rows = [
        [f"{text(4)} {index}", *(text(3) for _ in headings[1:])] for index in range(5)
    ]
    lines = printed(capsys, width, "a title of some words", headings, rows)
    assert max(map(len, lines)) <= width
    blocks = len([line for line in lines if line.strip(" ") and set(line) <= {*" ─"}])
    names = [headings[0], *(row[0] for row in rows)] * blocks
    texts = [text for row in (headings, *rows) for text in row[1:]]
    assert letters(lines) == letters(["a title of some words", *names, *texts])


def test_columns_without_room_go_into_a_block_below(capsys):
    headings = ["experiment", "accuracy (%)", "F1 (%)", "AUC"]
    row = ["stl_prognosis_matched", "3 of 5 folds", "3 of 5 folds", "0.812"]
    wide = printed(capsys, 80, "prognosis", headings, [row])
    assert [line.split() for line in wide if "stl" in line] == [" ".join(row).split()]
    narrow = printed(capsys, 45, "prognosis", headings, [row])
    own = [line.split() for line in narrow if "stl" in line]
    assert own == [[row[0], *row[1].split()], [row[0], *row[2].split(), row[3]]]
    assert sum("prognosis" in line.split() for line in narrow) == 1


def test_a_table_without_rows(capsys):
    lines = printed(capsys, 80, "severity", ["experiment", "fits"], [])
    assert "severity" in lines[0] and "experiment" in lines[2]


def test_no_table_of_the_package_cuts_off_a_word():
    """The default of `rich` is to replace the end of a word by dots."""
    checked = 0
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "add_column" in ast.unparse(node.func):
                how = {own.arg: ast.unparse(own.value) for own in node.keywords}
                where = f"{module}, line {node.lineno}"
                assert how.get("overflow") == repr("fold"), where
                checked += 1
    assert checked >= 8
