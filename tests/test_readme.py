"""What the README tells a reader to type exists and is accepted."""

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import yaml
from declared import write_image

import mdmt_tf
from mdmt_tf import config
from mdmt_tf import prepare as command_line
from mdmt_tf.datasets._shared import declared, prepare
from mdmt_tf.experiments import alone
from mdmt_tf.runs.folder import RunFolder

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md"]
PAGES += [
    path.relative_to(ROOT).as_posix()
    for pattern in ("docs/**/*.md", "datasets/*/README.md", "mdmt_tf/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
DOCS = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/**/*.md"))]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = SHELL.findall(TEXT)
# What the two scripts run, spelled out.
PLAIN = [line for block in BLOCKS[2:] for line in block.splitlines() if ".venv" in line]
(MY_YAML,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line.partition("mdmt_tf.")[2])
    for page in (TEXT, *DOCS)
    for block in SHELL.findall(page)
    for line in block.splitlines()
    if "python -m mdmt_tf." in line
]


def test_the_first_two_blocks_are_one_command_each():
    assert BLOCKS[:2] == ["sh tools/quickstart.sh\n", "sh tools/test.sh\n"]


@pytest.mark.parametrize(
    "script, lines", [("quickstart", PLAIN[:4]), ("test", PLAIN[4:])]
)
def test_the_plain_commands_are_those_of_the_scripts(script, lines):
    """Those of tests/tools/test_scripts.py, which see what the scripts run."""
    scripts = "".join(
        (ROOT / f"tools/{name}.sh").read_text(encoding="utf-8")
        for name in (script, "environment")
    )
    environment = re.search(r"make_environment (\S+) \"(.*)\"", scripts).groups()
    folder, extras = environment
    assert lines[0] == f"python3 -m venv {folder}"
    install = shlex.split(lines[1])
    assert install == [
        f"{folder}/bin/python",
        "-m",
        "pip",
        "install",
        "-e",
        f".{extras}",
    ]
    for line in lines[2:]:
        program, *words = shlex.split(line)
        assert program == f"{folder}/bin/python"
        assert " ".join(words[:2]) in scripts


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_are_accepted(words, monkeypatch, tmp_path):
    """Up to the point where they would begin to work."""
    monkeypatch.chdir(tmp_path)
    for word in words:
        if word.endswith(".yaml"):
            (tmp_path / word).write_text(MY_YAML, encoding="utf-8")
    command, *arguments = words

    class Accepted(Exception):
        pass

    def accept(*_, **__):
        raise Accepted

    arguments = [
        word.replace("data_dir=DATA", f"data_dir={tmp_path}") for word in arguments
    ]
    if "--resume" in words:
        monkeypatch.setattr(RunFolder, "open", accept)
    elif command in ("train", "benchmark", "doctor", "study"):
        real_load = config.load

        def load(name, overrides):
            settings = real_load(name, overrides)
            if command == "train":
                alone.parts_of(settings, overrides)
            raise Accepted

        monkeypatch.setattr(config, "load", load)
    elif command == "prepare":
        monkeypatch.setattr(prepare, "load_builder", accept)
        monkeypatch.setattr(declared, "builder_of", accept)
    elif command == "new":
        from mdmt_tf.planning import draft

        monkeypatch.setattr(draft, "make", accept)
    elif command == "report":
        from mdmt_tf.experiments.results import Results

        monkeypatch.setattr(Results, "read", accept)
    elif command == "folds":
        from mdmt_tf.data import sources

        monkeypatch.setattr(sources, "open_datasets", accept)
    elif command == "predict":
        from mdmt_tf.serving import given

        monkeypatch.setattr(given, "divide", accept)
    else:
        monkeypatch.setattr(RunFolder, "open", accept)
    main = importlib.import_module(f"mdmt_tf.{command}").main
    with pytest.raises(Accepted):
        main(arguments)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\[[^]]+\]\((?!http|#)([^)\s#]+)[^)]*\)", prose):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_anchors_are_headings(page):
    path = ROOT / page
    for target, anchor in re.findall(
        r"\]\(([^)\s#]*)#([^)]+)\)", path.read_text("utf-8")
    ):
        text = (path.parent / target if target else path).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        slugs = [
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in headings
        ]
        assert anchor in slugs, f"{target}#{anchor}"


def test_the_tasks_shown_are_valid(tmp_path):
    text = (ROOT / "docs/reference/data.md").read_text(encoding="utf-8")
    text = text.partition("## Declare tasks")[2]
    (block, *_) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    tasks = yaml.safe_load(block)["tasks"]
    loaded = config.load("mdmt", [f"data_dir={tmp_path}", f"tasks={tasks!r}"])
    assert [task.name for task in loaded.build_tasks()] == ["prognosis", "severity"]


def test_your_own_data_as_the_readme_says(
    tmp_path, monkeypatch, prepare, tiny_backbone
):
    """The YAML file, the commands and the Python of the README."""
    monkeypatch.chdir(tmp_path)
    workbook = openpyxl.Workbook()
    workbook.active.append(["file", "pid", "hospital", "died"])
    for number in range(24):
        write_image(tmp_path / "films" / f"{number}.png")
        died = (0, 1, None)[number % 3]
        workbook.active.append([number, f"{number:03d}", "north", died])
    workbook.save("outcomes.xlsx")
    (tmp_path / "my.yaml").write_text(MY_YAML, encoding="utf-8")
    (block,) = [block for block in BLOCKS if "prepare my.yaml" in block]
    command, _ = map(shlex.split, block.splitlines())
    command_line.main(command[3:])
    scores = [
        {
            "image": np.full((32, 32, 1), 10 * number, np.uint8),
            "image_id": f"b{number}",
            "patient_id": f"p{number}",
            "site": "",
            "brixia_global": number % 19,
        }
        for number in range(24)
    ]
    prepare("DATA", "cohen_brixia", scores, config="lungs_256")

    small = {"training.warmup_epochs": 0, "image_size": 32, "split.folds": 3}
    small |= {"model.backbone": tiny_backbone, "model.weights": None}
    settings = yaml.safe_load(MY_YAML)
    for key, value in small.items():
        *sections, name = key.split(".")
        target = settings
        for section in sections:
            target = target.setdefault(section, {})
        target[name] = value
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    run = run_python("README.md", ("training.epochs=50", "training.epochs=1"))["run"]
    metrics = run.read_json(run.metrics)["test"]
    assert set(metrics) == {"outcome", "severity"}
    # 24 patients in three folds; a third of the outcomes is unknown.
    assert metrics["outcome"]["n"] + metrics["severity"]["n"] in range(12, 15)


def run_python(page, *replacements):
    """Run the first Python block of a page; returns its variables."""
    text = (ROOT / page).read_text(encoding="utf-8")
    code = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    for old, new in replacements:
        assert old in code
        code = code.replace(old, new)
    variables = {}
    exec(compile(code, page, "exec"), variables)
    return variables


def test_the_citation_is_that_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == mdmt_tf.__version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert [entry["year"] for entry in citation["references"]] == [2024, 2024]
