"""No text in a configuration ends in a traceback, a hang or a file that is not closed.

Hypothesis makes the texts: see `yaml_texts`. The short run is the same every time; the
large one draws 10,000 others each time.
"""

import contextlib
import io
import os
from pathlib import Path

import hypothesis
import pytest
import yaml_texts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mdmt_tf import benchmark, config, console, prepare, study, train
from mdmt_tf.config import files, shown, yaml_text
from mdmt_tf.errors import ConfigError, DataError

_ALWAYS = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}
SHORT = settings(max_examples=40, derandomize=True, **_ALWAYS)
LARGE = settings(
    max_examples=int(os.environ.get("MDMT_TF_EXAMPLES", "10000")), **_ALWAYS
)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A folder without anything to read, so that a base is rarely there."""
    folder = tmp_path_factory.mktemp("configurations")
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def write(text: str) -> str:
    """The text as a file; lone halves of pairs are bytes that are not UTF-8."""
    path = Path("any.yaml")
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    return str(path)


def load_every_way(text: str, overrides: list[str]) -> None:
    path = write(text)
    with contextlib.suppress(ConfigError):
        loaded = config.load(path, overrides)
        files.write(loaded.to_plain(), "stored.yaml", "A comment.")
        assert config.load_stored("stored.yaml") == loaded
    with contextlib.suppress(ConfigError):
        config.load_declaration(path)
    with contextlib.suppress(ConfigError):
        again = yaml_text.parse(shown.resolve(path), "shown")[0]
        assert repr(again) == repr(files.read(path)[0])  # NaN is not NaN


class _ReachedError(Exception):
    """The settings were taken."""


def _reach(*_arguments, **_options):
    raise _ReachedError


# Each command, and what it calls once the settings are read.
COMMANDS = {
    train: lambda path, words: ["--config", path, *words],
    benchmark: lambda path, words: ["--config", path, "--plan", *words],
    study: lambda path, words: ["--config", path, *words],
    prepare: lambda path, words: [path, "--data-dir", "data"],
}


def run_every_command(text: str, overrides: list[str], monkeypatch) -> None:
    path = write(text)
    monkeypatch.setattr(console, "load_tensorflow", _reach)
    monkeypatch.setattr("mdmt_tf.studies.run.run_study", _reach)
    monkeypatch.setattr("mdmt_tf.experiments.plan.make_plan", _reach)
    for command, words_of in COMMANDS.items():
        # A word that begins with - is an option, about which argparse complains.
        words = [text for text in overrides if not text.startswith("-")]
        streams = contextlib.redirect_stderr(io.StringIO())
        known = (ConfigError, DataError, SystemExit, _ReachedError)
        with contextlib.suppress(*known), streams:
            command.main(words_of(path, words))


@SHORT
@given(yaml_texts.configurations, yaml_texts.overrides)
def test_some_configurations(text, overrides):
    load_every_way(text, overrides)


@pytest.mark.large
@LARGE
@given(yaml_texts.configurations, yaml_texts.overrides)
def test_many_configurations(text, overrides):
    load_every_way(text, overrides)


@pytest.mark.large
@settings(LARGE, max_examples=1000)
@given(st.binary(max_size=300))
def test_bytes(data):
    Path("any.yaml").write_bytes(data)
    for read in (config.load, config.load_declaration):
        with contextlib.suppress(ConfigError):
            read("any.yaml")


@pytest.mark.large
@settings(LARGE, max_examples=1000)
@given(yaml_texts.configurations, yaml_texts.overrides)
def test_command_lines(text, overrides):
    with pytest.MonkeyPatch.context() as monkeypatch:
        run_every_command(text, overrides, monkeypatch)


def test_some_texts_reach_past_the_first_checks():
    reached = hypothesis.find(
        yaml_texts.mutated(),
        _is_loaded,
        settings=settings(SHORT, max_examples=500, phases=[Phase.generate]),
    )
    assert "experiment" in reached


def _is_loaded(text: str) -> bool:
    try:
        config.load(write(text))
    except ConfigError:
        return False
    return True
