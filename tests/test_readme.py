"""What the README tells a reader to type exists and is accepted."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from mdmt_tf import config, prepare
from mdmt_tf.experiments import protocol

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/*.md"))]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = SHELL.findall(TEXT)
COMMANDS = [
    shlex.split(line.partition("mdmt_tf.")[2])
    for page in (TEXT, *DOCS)
    for block in SHELL.findall(page)
    for line in block.splitlines()
    if "python -m mdmt_tf." in line
]


def test_the_first_two_blocks_set_up_and_run():
    job, tests = BLOCKS[:2]
    for block in (job, tests):
        assert block.startswith("python3 -m venv ")
        assert "pip install" in block
    assert "python -m mdmt_tf.train" in job
    assert "python -m pytest" in tests


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_are_accepted(words, monkeypatch, tmp_path):
    """Up to the point where they would begin to work."""
    command, *arguments = words

    class Accepted(Exception):
        pass

    def accept(*_, **__):
        raise Accepted

    arguments = [
        word.replace("data_dir=DATA", f"data_dir={tmp_path}") for word in arguments
    ]
    if command in ("train", "benchmark"):
        real_load = config.load

        def load(name, overrides):
            settings = real_load(name, overrides)
            if command == "train":
                protocol.settings_alone(settings, overrides)
            raise Accepted

        monkeypatch.setattr(config, "load", load)
    elif command == "prepare":
        monkeypatch.setattr(prepare, "load_builder", accept)
    elif command == "report":
        from mdmt_tf.experiments.results import Results

        monkeypatch.setattr(Results, "read", accept)
    else:
        from mdmt_tf.runs.folder import RunFolder

        monkeypatch.setattr(RunFolder, "open", accept)
    main = importlib.import_module(f"mdmt_tf.{command}").main
    with pytest.raises(Accepted):
        main(arguments)


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md"]
    + sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")),
)
def test_links_lead_to_files(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\[[^]]+\]\((?!http|#)([^)\s]+)\)", prose):
        assert (path.parent / target).exists(), target


def test_the_tasks_shown_are_valid(tmp_path):
    import yaml

    (block,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    tasks = yaml.safe_load(block)["tasks"]
    loaded = config.load("mdmt", [f"data_dir={tmp_path}", f"tasks={tasks!r}"])
    assert [task.name for task in loaded.build_tasks()] == ["prognosis", "severity"]
