"""Commands to copy into a shell."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import MODULES

from mdmt_tf.screen import commands

# Paths that a shell would take apart.
ODD = ["my runs/it's 1", 'a"b', "$HOME", "a;b", "-", "café", "a\\b", "*"]


@pytest.mark.parametrize("path", ODD)
def test_a_shell_gives_back_each_argument(path):
    text = commands.command("train", "--resume", path, f"data_dir={path}")
    program, *words = shlex.split(text)
    assert words == ["-m", "mdmt_tf.train", "--resume", path, f"data_dir={path}"]
    show = shlex.join([sys.executable, "-c", "import sys; print(sys.argv[1:])"])
    rest = text.partition("--resume ")[2]
    result = subprocess.run(["sh", "-c", f"{show} {rest}"], capture_output=True)
    assert result.stdout.decode() == f"{[path, f'data_dir={path}']}\n"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("/site/mdmt_tf/train.py", "-m mdmt_tf.evaluate a"),
        ("/site/mdmt_tf/__main__.py", "-m mdmt_tf evaluate a"),
        ("/gone/bin/mdmt-tf", "/gone/bin/mdmt-tf evaluate a"),
        ("/my gone/mdmt-tf", "'/my gone/mdmt-tf' evaluate a"),
    ],
)
def test_it_begins_as_the_one_that_was_given(monkeypatch, argv, expected):
    monkeypatch.setattr(sys, "argv", [argv])
    assert commands.command("evaluate", "a").endswith(expected)


def test_what_the_shell_finds_needs_no_folder(monkeypatch, tmp_path):
    script = tmp_path / "mdmt-tf"
    for path in (script, tmp_path / "python", tmp_path / "board"):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert commands.command("report", "a b") == "mdmt-tf report 'a b'"
    monkeypatch.setattr(sys, "argv", ["/site/mdmt_tf/train.py"])
    assert commands.command("report", "a") == "python -m mdmt_tf.report a"
    assert commands.tool("board", "board.main", "a") == "board a"


def test_what_the_shell_does_not_find_has_a_folder(monkeypatch, tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "executable", f"{python}3")
    monkeypatch.chdir(tmp_path)
    assert commands.tool("board", "board.main") == ".venv/bin/python -m board.main"
    monkeypatch.chdir(python.parent)
    assert commands.tool("board", "board.main") == "./python -m board.main"
    monkeypatch.chdir(Path(os.sep))
    assert commands.tool("board", "b").startswith(str(python)[1:])


def test_the_printed_command_runs():
    text = commands.command("train", "--help")
    result = subprocess.run(["sh", "-c", text], capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout.startswith("usage: ")


def with_values(path):
    """Lines with a text that has one of our commands and, after it, a value."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += part.value
            elif STARTED.search(text):
                yield node.lineno


# A command whose arguments go on, in the same sentence.
STARTED = re.compile(r"mdmt_tf\.[a-z]+ [^.;`]*$")


@pytest.mark.parametrize("name", MODULES)
def test_values_are_put_into_commands_by_this_module_alone(name):
    """It quotes them; a path may have a blank."""
    assert not list(with_values(MODULES[name]))


def test_a_value_that_is_not_quoted_is_found(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        'print(f"go on: python -m mdmt_tf.train "\n    f"--resume {run}")\n'
    )
    assert list(with_values(path)) == [1]
