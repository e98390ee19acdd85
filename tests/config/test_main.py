"""`python -m mdmt_tf.config`."""

import importlib

import pytest

from mdmt_tf.config import files, reference
from mdmt_tf.config.keys import all_keys
from mdmt_tf.errors import ConfigError


@pytest.fixture
def run(capsys, monkeypatch):
    """Call with arguments; returns what is printed on 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    main = importlib.import_module("mdmt_tf.config.__main__").main

    def run(*arguments):
        main(list(arguments))
        return capsys.readouterr().out

    return run


def words(text):
    return " ".join(text.split())


def test_list_names_every_configuration_and_says_what_it_is(run):
    text = run("list")
    assert max(map(len, text.splitlines())) <= 80
    for name in files.names():
        assert f"\n{name} " in f"\n{text}"
    assert "Two synthetic datasets, two tasks, one model" in words(text)


def test_show(run):
    text = run("show", "paper_code")
    assert "patience: 65" in text and "image_size: 256" in text


def test_copy_says_how_to_use_it(run, tmp_path):
    path = tmp_path / "mine.yaml"
    assert f"--config {path}" in run("copy", "mdmt", str(path))
    assert path.read_text() == files.read_text("mdmt")


def test_all_keys(run):
    text = run("keys")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    for key in all_keys():
        assert any(line.startswith(key.name) for line in lines), key.full
    assert "benchmark.cross_validation.NAME The keys of split." in words(text)


def test_keys_of_a_word_in_names_and_meanings(run):
    text = run("keys", "Learning_Rate")
    assert "learning_rate number above 0, Step size" in words(text)
    assert "min_learning_rate" in text and "batch_size" not in text
    assert "zoom_fraction" in run("keys", "factor from 0.9 to 1.1")


def test_a_word_that_no_key_has_to_do_with(run):
    with pytest.raises(
        ConfigError, match="'lr'.*Did you mean 'training.learning_rate'"
    ):
        run("keys", "lr")


def test_the_reference_page(run):
    assert run("keys", "--markdown") == reference.markdown()
