"""A benchmark in its folder: what stands there until the plan does, and who is let in.

Whole benchmarks are in `tests/commands/test_benchmark.py`.
"""

import pytest

from mdmt_tf import benchmark, config
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import run
from mdmt_tf.experiments.grid import Folder


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "b # 1: x")
    made.path.mkdir()
    return made


@pytest.fixture
def commands(monkeypatch):
    """The commands of plans, none of which succeeds."""
    seen = []

    def fail(program, arguments):
        seen.append([program, *arguments])
        return 2

    monkeypatch.setattr(run.forked, "run", fail)
    return seen


def begin(folder):
    settings = config.load("paper", ["data_dir=."])
    return run.run_benchmark(settings, folder, lambda text: None)


def test_settings_whose_plan_fails_do_not_replace_those_of_the_results(
    folder, commands
):
    folder.settings.write_text("experiment: before\n")
    assert begin(folder) == 2
    assert folder.settings.read_text() == "experiment: before\n"
    assert sorted(path.name for path in folder.path.iterdir()) == [
        ".lock",
        "benchmark.yaml",
    ]


def test_a_plan_is_made_in_the_folder_whatever_its_name_is(folder, commands):
    """Read as YAML, the name would end before the first #."""
    begin(folder)
    (command,) = commands
    assert command[0] == "mdmt_tf.benchmark"
    assert command[-2:] == ["--plan-in", str(folder.path)]
    assert str(folder.pending) in command


def test_nobody_plans_in_a_folder_whose_benchmark_is_running(folder, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    words = ["--config", "paper", f"data_dir={tmp_path}", f"run_dir={place}"]
    with (
        run.locked(Folder(place)),
        pytest.raises(ConfigError, match="place: a benchmark is running there"),
    ):
        benchmark.main(["--plan", *words])
    assert [path.name for path in place.iterdir()] == [".lock"]
