"""YAML texts within limits; what is not a configuration is named with its line."""

import os
import time

import pytest

from mdmt_tf import config
from mdmt_tf.config import files, yaml_text
from mdmt_tf.errors import ConfigError


def parse(text):
    return yaml_text.parse(text, "my.yaml")[0]


def message(text):
    with pytest.raises(ConfigError) as raised:
        parse(text)
    return str(raised.value)


def test_values_of_every_kind():
    text = "a: 1\nb: 1e-3\nc: yes\nd: ~\ne: [x, 0x1F, -2.5, .5, 1_000]\nno: {1.0: t}\n"
    values, origins = yaml_text.parse(text, "my.yaml")
    assert values == {
        "a": 1,
        "b": 1e-3,
        "c": True,
        "d": None,
        "e": ["x", 31, -2.5, 0.5, 1000],
        "no": {"1.0": "t"},
    }
    assert origins["no", "1.0"] == "my.yaml:6"


@pytest.mark.parametrize(
    "word",
    ["2001-01-01", "2001-99-99", "007", "12:30", "1:99:99", "=", "0b1", "1:30.5"],
)
def test_what_tables_have_in_their_cells_stays_text(word):
    assert parse(f"a: {word}") == {"a": word}


def test_an_alias_is_a_copy():
    values = parse("a: &x [1]\nb: *x\n")
    assert values == {"a": [1], "b": [1]}
    assert values["a"] is not values["b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", "my.yaml:2: key a appears a second time; the first is in my"),
        ("a: [", "my.yaml:1: not valid YAML: "),
        ("x\n...\ny", "my.yaml:3: not valid YAML: "),
        ("a\nb: \x07", "my.yaml:2: not valid YAML: the character U+0007"),
        ("a: \x85\x8d", "the character U+008D"),
        ('\na: "b\\0"', "my.yaml:2: a: 'b\\x00' has the character U+0000"),
        ('"\\ud800": 1', "has the character U+D800"),
        ('a: "\\UFFFFFFFF"', "my.yaml:1: not valid YAML"),
        ("%YAML 1." + 5000 * "9" + "\n---\na: 1", "my.yaml:1: not valid YAML"),
        ("a: !!int abc", "my.yaml:1: a = 'abc': is no int."),
        ("a: !!bool maybe", "a = 'maybe': is no bool."),
        ("a: !!float x", "a = 'x': is no float."),
        ("a: !!set {b}", "my.yaml:1: a: the tag '!!set' is not supported"),
        ("a: !!binary aGk=", "the tag '!!binary'"),
        ("a: !!timestamp 1", "the tag '!!timestamp'"),
        ("a: !!python/object/apply:os.system [x]", "the tag '!!python/object/apply:os"),
        ("a: !mine [x]", "the tag '!mine'"),
        ("!!omap a: 1", "top level: expected a text as a key. Received: the tag"),
        ("? [1, 2]\n: 3", "my.yaml:1: top level: expected a text as a key"),
        ("a: &x\n  b: *x", "a.b: the alias stands for a value that contains it"),
        ("a: &x [*x]", "a.0: the alias stands for a value that contains it"),
        ("a: " + 30 * "9", "expected a whole number of at most 63 bits"),
        ("a: " + 5000 * "9", "is no int."),
        ("a: 0x" + 5000 * "f", "expected a whole number of at most 63 bits"),
        ("? " + 1001 * "a" + "\n: 1", "expected a key of at most 1000 characters"),
        ("- a", "expected `key: value` lines, received ['a']"),
        (1000 * "x y ", "... "),
    ],
)
def test_what_is_wrong_and_where(text, expected):
    found = message(text)
    assert expected in found
    assert len(found) < 700


BOMBS = {
    "aliases": "a0: &a0 [x, x]\n"
    + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
    "aliases of one": "a: &x [" + 500 * "1," + "]\nb: [" + 500 * "*x," + "]",
    "deep flow": 250_000 * "[",
    "deep block": "".join(" " * n + "k:\n" for n in range(700)),
    "deep lists": 140_000 * "- ",
    "deep keys": 140_000 * "? ",
    "values": "a: [" + 149_000 * "1," + "]",
    "keys": "".join(f"k{n}: 1\n" for n in range(20_000)),
    "characters": 400_000 * "#",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_soon(name):
    started = time.process_time()
    assert "my.yaml" in message(BOMBS[name])
    assert time.process_time() - started < 2


def test_alias_in_a_key_is_not_written_out():
    assert "expected a text as a key" in message("a: &x [1]\n? *x\n: 1\n")


def test_thousands_of_unknown_keys_are_listed_in_part(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text("".join(f"k{n}: 1\n" for n in range(4000)))
    started = time.process_time()
    with pytest.raises(ConfigError, match=r"40\d\d problems(.|\n)* and 39\d\d more$"):
        config.load(str(path))
    assert time.process_time() - started < 2


def test_a_value_of_the_command_line_is_yaml_or_a_text():
    assert yaml_text.parse_value("[1, a]", "line") == [1, "a"]
    assert yaml_text.parse_value("Stage: 1: A", "line") == "Stage: 1: A"
    assert yaml_text.parse_value("", "line") is None
    for text in ("\x07", '"\\0"', "!!int x", "&x [*x]", "9" * 99):
        with pytest.raises(ConfigError, match="^line"):
            yaml_text.parse_value(text, "line")


@pytest.mark.parametrize(
    "assignment", ["a\x00b=1", "a=\ud800", "base=\x00", ".".join(50 * "a") + "=1"]
)
def test_overrides_of_odd_characters_and_depth(assignment):
    with pytest.raises(ConfigError):
        config.load("phantom", [assignment])


def test_only_files_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    for base in ("pipe.yaml", "/dev/zero", "a" * 5000, ".", '""'):
        (tmp_path / "my.yaml").write_text(f"base: {base}\n")
        with pytest.raises(ConfigError, match=r"expected a file|no such|Is a dir"):
            files.read("my.yaml")


def test_a_base_is_recognised_by_any_path(tmp_path):
    (tmp_path / "link.yaml").symlink_to(tmp_path / "my.yaml")
    for base in (f"../{tmp_path.name}/my.yaml", "link.yaml"):
        (tmp_path / "my.yaml").write_text(f"base: {base}\n")
        with pytest.raises(ConfigError, match="is a base of itself"):
            files.read(str(tmp_path / "my.yaml"))


def test_a_chain_of_bases_has_an_end(tmp_path):
    for n in range(120):
        (tmp_path / f"{n}.yaml").write_text(f"base: {n + 1}.yaml\n")
    with pytest.raises(ConfigError, match=r"99.yaml:1: base: expected at most 100"):
        files.read(str(tmp_path / "0.yaml"))
