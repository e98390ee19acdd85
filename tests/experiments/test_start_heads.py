"""Heads that cannot start from those of another experiment are found before any fit."""

import pytest

from mdmt_tf import benchmark, config
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import alone, protocol

# The phantoms are not drawn.
SETTINGS = """
base: phantom
experiment: second
benchmark:
  backbones: [resnet18]
  cross_validation: {cv: {folds: 3}}
  experiments:
    first: {tasks: [severity]}
    second:
      tasks: [prognosis, severity]
      start: {first: 1}
      set: {model.start_heads: true}
"""


@pytest.fixture
def load(tmp_path):
    def load(*overrides):
        (tmp_path / "my.yaml").write_text(SETTINGS)
        second = [f"benchmark.experiments.second.{text}" for text in overrides]
        return config.load(str(tmp_path / "my.yaml"), second)

    return load


@pytest.mark.parametrize(
    "overrides, message",
    [
        (
            ["set={model.start_heads: true, model.heads: linear}"],
            r"experiments.second \(resnet18\): .*: expected for 'severity' the head "
            r"that it has in 'first', .*: mlp of severity \(categorical: .* Received: "
            "linear of severity",
        ),
        (
            ["set={model.start_heads: true, tasks.severity.head: relu_linear}"],
            "Received: relu_linear of .* tasks.severity.head and .* as there",
        ),
        (
            ["set={model.start_heads: true, tasks.severity.kind: ordinal}"],
            r"mlp of severity \(categorical: .* Received: mlp of severity \(ordinal: ",
        ),
        (
            ["tasks=[prognosis]"],
            "expected a task of 'first', .* trains severity. Received: prognosis",
        ),
        (
            [
                "tasks=[severity, prognosis]",
                "set={model.start_heads: true, model.heads: serial}",
            ],
            "Received: mlp of severity .* that sees those of prognosis",
        ),
    ],
)
def test_other_heads_and_other_tasks(load, overrides, message):
    made = load(*overrides)
    with pytest.raises(ConfigError, match=message):
        protocol.check_experiments(made)
    with pytest.raises(ConfigError, match=message):
        protocol.settings_of_all(made.model_copy(update={"data_dir": "."}))
    with pytest.raises(ConfigError, match=message):
        alone.parts_of(made)
    assert alone.parts_of(made, ["model.start_heads=false"])


@pytest.mark.parametrize("form", ["mlp", "serial"])
def test_heads_of_tasks_that_the_other_does_not_have_need_no_start(load, form):
    made = load(f"set={{model.start_heads: true, model.heads: {form}}}")
    protocol.check_experiments(made)
    assert list(alone.parts_of(made)) == ["first", "second"]


def test_the_command_finds_them_before_it_makes_a_folder(load, tmp_path):
    load()
    folder = tmp_path / "grid"
    wrong = "benchmark.experiments.second.tasks=[prognosis]"
    with pytest.raises(ConfigError, match="expected a task of 'first'"):
        benchmark.main(
            ["--config", str(tmp_path / "my.yaml"), wrong, f"run_dir={folder}"]
        )
    assert not folder.exists()
