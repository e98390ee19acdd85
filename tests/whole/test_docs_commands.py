"""Tutorials and how-to pages: what they tell a reader to type works on phantoms."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

# `.ci/nightly` runs it; it takes many minutes.
pytestmark = pytest.mark.large

DOCS = Path(__file__).parents[2] / "docs"
# In this order: later pages use what the first run has left.
PAGES = [
    "tutorials/first_run.md",
    "tutorials/two_papers.md",
    "how_to/examine_data.md",
    "how_to/split_files.md",
    "how_to/compare_experiments.md",
    "how_to/several_gpus.md",
    "how_to/resume.md",
    "how_to/calibration.md",
    "how_to/saliency.md",
    "how_to/derived_answers.md",
    "how_to/pretraining.md",
    "how_to/external_data.md",
    "how_to/model_card.md",
    "explanation/masked_loss.md",
]
# A word of a command -> why it is not run here. All others are.
NOT_RUN = {
    "DATA": "needs data that are given out on request",
    "DOWNLOADS": "needs data that are given out on request",
    "benchmarks/paper": "needs data that are given out on request",
    "benchmarks/ich": "needs data that are given out on request, or half an hour",
    "benchmark --config ich_phantom": "half an hour",
    "venv": "installs the package",
    "pip install": "likewise",
    "ward": "data of the reader",
    "fold0": "runs of the reader",
    "convert": "ten minutes; tests/experiments/test_phantom_start.py runs it",
}
FEW = ["phantoms.aiforcovid_patients=60", "phantoms.brixia_patients=40"]
FEW += ["phantoms.matrix=256", "image_size=32"]
SHORT = ["training.epochs=2", "training.warmup_epochs=0"]
SMALL = ["model.backbone=shufflenet_v2_x0_5"]
GRID = [*FEW, *SHORT, "backbones=[shufflenet_v2_x0_5]", "split.folds=3"]
GRID += ["benchmark.cross_validation={cv: {kind: kfold, folds: 3}}"]
TWO = "mdmt_direct: {tasks: [prognosis, severity]}, "
TWO += "stl_matched: {tasks: [prognosis], match: mdmt_direct}"
# Two of the experiments, because each fit starts a process.
PAIR = [f"experiments={{{TWO}}}", "candidate=mdmt_direct", "baselines={}"]
PAIR += ["comparisons=[[mdmt_direct, stl_matched]]"]
ZONES = ["phantoms.synthetic_cxr_patients=80", "image_size=32"]
# What makes a configuration short.
QUICK = {
    "phantom": [*FEW, *SHORT, *SMALL],
    "ich_phantom": ["phantoms.ich_csic_patients=20", *SHORT, "split.folds=3"],
    "replication_phantom": [*GRID, *PAIR],
    "mine.yaml": [*GRID, *PAIR],
    "question.yaml": GRID,
    "zones.yaml": [*ZONES, *SHORT],
    "start.yaml": [*ZONES, *SHORT],
}
RESUMED = {"training.epochs=20": "training.epochs=3"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reader")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work(page, folder):
    """One after another, in the folder of a reader who has gone through the others."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ran = 0
    for language, block in blocks:
        if language == "yaml" and (named := re.match(r"# (\S+\.yaml)\n", block)):
            (folder / named[1]).write_text(block, encoding="utf-8")
        elif language == "python":
            ran += run(folder, [sys.executable, "-c", block], block)
        elif language == "sh":
            for line in block.splitlines():
                ran += run_line(folder, line)
    assert ran


def run_line(folder, line):
    """Run a line in its short form; returns 1 if it was run."""
    words = shlex.split(line, comments=True)
    if any(word in line for word in NOT_RUN):
        return 0
    assert words[:2] == ["python", "-m"], f"no command of the package: {line}"
    command = [sys.executable, *words[1:]]
    name = words[2].removeprefix("mdmt_tf.")
    if "--resume" in words:
        command = [RESUMED.get(word, word) for word in command]
    elif name in ("train", "benchmark", "doctor"):
        at = words.index("--config") + 1 if "--config" in words else None
        quick = QUICK[words[at] if at else "phantom"]
        # What the page says itself comes last, except for what QUICK makes short.
        given = {word.partition("=")[0] for word in command}
        command += [word for word in quick if word.partition("=")[0] not in given]
    return run(folder, command, line)


def run(folder, command, shown):
    cache = {"XDG_CACHE_HOME": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **cache},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    said = f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == 0, f"{shown}\n{said}"
    return 1


def test_every_page_with_steps_is_run():
    pages = {
        path.relative_to(DOCS).as_posix()
        for room in ("tutorials", "how_to", "explanation")
        for path in (DOCS / room).glob("*.md")
    }
    elsewhere = {
        "tutorials/own_data.md",  # test_own_data_tutorial.py
        "tutorials/read_the_report.md",  # reads what two_papers.md has made
        "tutorials/serve.md",  # the server is tested in tests/serving/web
        "how_to/tensorboard.md",  # shows no command of the package
        "explanation/evidence.md",  # likewise
        "how_to/ray_cluster.md",  # tests/experiments/executors
    }
    assert pages == set(PAGES) | elsewhere
