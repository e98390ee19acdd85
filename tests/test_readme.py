"""What the README tells a reader to type exists and is accepted."""

import configparser
import importlib.metadata
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import yaml
from declared import write_image

import mdmt_tf.__main__
from mdmt_tf import config, console
from mdmt_tf import prepare as command_line
from mdmt_tf.config import files
from mdmt_tf.datasets._shared import declared
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
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = SHELL.findall(TEXT)
# What the two scripts run, spelled out.
PLAIN = [line for block in BLOCKS[2:] for line in block.splitlines() if ".venv" in line]
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
(MY_YAML,) = YAML.findall(TEXT)
COMMANDS = {
    line.partition("mdmt_tf.")[2]: page
    for page in PAGES
    for block in SHELL.findall((ROOT / page).read_text(encoding="utf-8"))
    for line in block.splitlines()
    if "python -m mdmt_tf." in line
}


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


class Accepted(Exception):
    """The arguments of a command were accepted."""


def accept(*_, **__):
    raise Accepted


# Where a command begins to work, once its arguments are accepted; others open a run.
BEGINNINGS = {
    "prepare": ["mdmt_tf.datasets._shared.prepare.load_builder"],
    "new": ["mdmt_tf.planning.draft.make"],
    "report": ["mdmt_tf.storage.require_folder"],
    "folds": ["mdmt_tf.data.sources.open_datasets"],
    "predict": ["mdmt_tf.serving.given.divide"],
    "card": ["mdmt_tf.reporting.model_card.write_pages"],
    "serve": ["mdmt_tf.serving.given.models_among"],
    "convert": [
        "mdmt_tf.experiments.phantom_start.settings_of",
        "mdmt_tf.models.weights.pretrained.convert",
        "mdmt_tf.models.weights.pretrained.provide",
    ],
}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_accepted(line, monkeypatch, tmp_path):
    """Up to the point where they would begin to work."""
    monkeypatch.chdir(tmp_path)
    command, *arguments = shlex.split(line, comments=True)
    files_of_the_page(COMMANDS[line], arguments)
    arguments = [
        word.replace("data_dir=DATA", f"data_dir={tmp_path}") for word in arguments
    ]
    if command in ("train", "benchmark", "doctor", "study"):
        real_load = config.load

        def load(name, overrides):
            settings = real_load(name, overrides)
            if command == "train":
                alone.parts_of(settings, overrides)
            raise Accepted

        monkeypatch.setattr(config, "load", load)
    monkeypatch.setattr(declared, "builder_of", accept)
    monkeypatch.setattr(RunFolder, "open", accept)
    for name in BEGINNINGS.get(command, ()):
        monkeypatch.setattr(name, accept)
    if command == "config":
        importlib.import_module("mdmt_tf.config.__main__").main(arguments)
        return
    main = importlib.import_module(f"mdmt_tf.{command}").main
    with pytest.raises(Accepted):
        main(arguments)


# Settings in the text of pages, outside of blocks.
SETTINGS = [
    (page, tuple(found))
    for page in PAGES
    if re.match(r"README|docs/(configuration|tutorials/|how_to/)", page)
    for code in re.findall(r"`([^`\n]+)`", (ROOT / page).read_text(encoding="utf-8"))
    if (found := re.findall(r"(?<!\S)[a-z_]+\.[\w.]+=(?:\{.*\}|\S+)", code))
]


@pytest.mark.parametrize(("page", "settings"), SETTINGS)
def test_settings_in_a_text_are_accepted_by_the_default_configuration(page, settings):
    config.load("phantom", list(settings))


@pytest.mark.parametrize("name", files.names())
def test_the_example_of_a_setting_is_accepted_by_every_configuration(name, tmp_path):
    parser = console.parser("train", "Train.")
    console.add_config_arguments(parser)
    (example,) = re.findall(r"e\.g\.\s+(\S+);", parser.format_help())
    config.load(name, [f"data_dir={tmp_path}", example])


def test_the_page_on_limits_names_the_commands_that_take_them():
    text = (ROOT / "docs/reference/data.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"decoded\. (.*) take\n`--limit ", text)
    sources = {name: ROOT / f"mdmt_tf/{name}.py" for name in mdmt_tf.__main__.COMMANDS}
    assert re.findall(r"`(\w+)`", named) == [
        name
        for name, path in sources.items()
        if path.is_file() and "add_limit_argument(" in path.read_text(encoding="utf-8")
    ]


def files_of_the_page(page, arguments):
    """Write the files that a command names: those that its page shows, or others."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {re.match("# (\\S+)|", block)[1]: block for block in YAML.findall(text)}
    for name, copy in re.findall(r"mdmt_tf\.config copy (\w+) (\S+\.yaml)", text):
        named[copy] = (ROOT / f"configs/{name}.yaml").read_text(encoding="utf-8")
    Path("ward").mkdir()
    Path("ward/outcomes.csv").write_text("file,score\n0001.png,7\n", encoding="utf-8")
    write_image(Path("ward/films/0001.png"))
    for word in arguments:
        name = word.partition("=")[2] or word
        if name.endswith(".yaml") and "copy" not in arguments:
            Path(name).write_text(named.get(name, MY_YAML), encoding="utf-8")
        elif name.endswith((".json", ".csv", ".pth", ".h5")):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()


@pytest.mark.parametrize("page", PAGES)
def test_code_is_complete(page):
    """Python compiles, YAML is parsed, and commands stand in blocks of their own."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for code in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        compile(code, page, "exec")
    for block in YAML.findall(text):
        yaml.safe_load(block)
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^ +([\w./]*python|pip|sh) ", outside, re.MULTILINE)


def test_code_imports_what_an_installation_brings():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].splitlines()
    brought = {re.match(r"[\w-]*", line)[0].lower() for line in lines} | {"mdmt-tf"}
    owners = importlib.metadata.packages_distributions()
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        code = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^(?:import|from) (\w+)", "".join(code), re.MULTILINE):
            if name not in sys.stdlib_module_names:
                found = {owner.lower().replace("_", "-") for owner in owners[name]}
                assert found & brought, f"{page}: {name}"


def test_pages_name_the_images_that_the_first_run_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_python("docs/tutorials/first_run.md", ("matrix=384", "matrix=64"))
    named = {
        word.removeprefix("files=@")
        for page in PAGES
        for block in SHELL.findall((ROOT / page).read_text(encoding="utf-8"))
        for word in block.split()
        if "new/AIforCOVID" in word
    }
    drawn = {path.name for path in Path("new").rglob("*.dcm")}
    assert len(drawn) == 5
    for name in named:
        found = {file.name for path in Path().glob(name) for file in each(path)}
        assert found == ({Path(name).name} if name.endswith("1.dcm") else drawn), name


def each(path):
    return path.rglob("*.dcm") if path.is_dir() else [path]


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
    own, of_others, _ = map(shlex.split, block.splitlines())
    command_line.main(own[3:])
    # Here, its images are made. See test_docs_commands for the command.
    assert of_others[2:4] == ["mdmt_tf.prepare", "cohen_brixia"]
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
    small |= {"training.saved_model": False, "training.tensorboard": False}
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
