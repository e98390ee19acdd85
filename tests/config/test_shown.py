"""Configurations to look at and to copy."""

import pytest

from mdmt_tf import config
from mdmt_tf.config import files, shown, yaml_text
from mdmt_tf.errors import ConfigError


@pytest.mark.parametrize("name", files.names())
def test_it_is_shown_with_the_values_of_its_bases(name):
    values, _ = yaml_text.parse(shown.resolve(name), "shown")
    assert values == files.read(name)[0]


def test_comments_stay_with_their_keys(tmp_path):
    (tmp_path / "below.yaml").write_text(
        "# Below.\nseed: 1  # of all\ntraining:\n  # How long.\n  epochs: 3\n"
        "  batch_size: 8    # images\nrun_dir: 'a # b'\n"
    )
    path = tmp_path / "above.yaml"
    path.write_text(
        "# Above.\n#\n# Twice.\nbase: below.yaml\ntraining:\n  batch_size: 16  # more\n"
        f"data_dir: {'x' * 60}  # too long for the line\nphantoms: {{seed: 3}}\n"
        "tasks:\n  a: {classes: [b, c]}\n"
    )
    assert shown.resolve(str(path)) == (
        "# Above.\n#\n# Twice.\n"
        "seed: 1  # of all\n"
        "\ntraining:\n  # How long.\n  epochs: 3\n  batch_size: 16  # more\n"
        "run_dir: 'a # b'\n"
        f"# too long for the line\ndata_dir: {'x' * 60}\n"
        "\nphantoms: {seed: 3}\n"
        "\ntasks:\n  a: {classes: [b, c]}\n"
    )


@pytest.mark.parametrize("name", files.names())
def test_a_copy_is_the_same_and_can_be_loaded(name, tmp_path):
    path = shown.copy(name, str(tmp_path))
    assert path == tmp_path / f"{name}.yaml"
    assert path.read_text(encoding="utf-8") == files.read_text(name)
    overrides = [f"data_dir={tmp_path}"]
    assert config.load(str(path), overrides) == config.load(name, overrides)


def test_a_copy_overwrites_nothing(tmp_path):
    path = tmp_path / "mine.yaml"
    assert shown.copy("paper", str(path)) == path
    path.write_text("mine")
    with pytest.raises(ConfigError, match="mine.yaml: exists and is not overwritten"):
        shown.copy("paper", str(path))
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("paperr", "mine.yaml", "Did you mean 'paper'"),
        ("paper", "mine", "expected a folder that exists, or a file name that ends in"),
        ("paper", "no/such/mine.yaml", "cannot be written: No such file or directory"),
    ],
)
def test_copies_that_cannot_be_made(name, path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        shown.copy(name, path)
    assert not list(tmp_path.iterdir())


def test_keys_are_quoted_where_they_must_be(tmp_path):
    text = 'dataset:\n  fields:\n    "a: b": text\n    no: text\n    "#c": number\n'
    (tmp_path / "my.yaml").write_text(text)
    again, _ = yaml_text.parse(shown.resolve(str(tmp_path / "my.yaml")), "shown")
    assert again["dataset"]["fields"] == {"a: b": "text", "no": "text", "#c": "number"}


@pytest.mark.parametrize("value", ["\u00a0", "\u2003a\u00a0", "", " ", "\t"])
def test_white_space_is_a_value(value, tmp_path):
    path = tmp_path / "my.yaml"
    text = f'plain: {value}\ntext: "{value}"\nlist: ["{value}"]\n'
    path.write_text(text.replace("\t", "\\t"), encoding="utf-8")
    again, _ = yaml_text.parse(shown.resolve(str(path)), "shown")
    assert again == files.read(str(path))[0]
    assert again["text"] == value and again["list"] == [value]
