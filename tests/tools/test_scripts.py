"""quickstart.sh and test.sh, with interpreters that only record what they are told."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ("environment.sh", "quickstart.sh", "test.sh")
# What the scripts call; nothing else is on their PATH, least of all a real Python.
PROGRAMS = ("sh", "cat", "cksum", "dirname", "mkdir", "rm", "sed")

# A run is "trained" by making its folder; `-m venv` copies the interpreter.
INTERPRETER = """\
#!/bin/sh
case "$*" in
    *"sys.exit(not (3, 10) <="*) exit {unsuitable} ;;
    *version_info*) echo {version}; exit ;;
    *ensurepip*) exit {without_venv} ;;
esac
printf '%s\\n' "$*" >>"$LOG"
case "$*" in
    "-m venv "*) mkdir -p "$4/bin" && cat "$0" >"$4/bin/python"
        chmod +x "$4/bin/python" && echo >"$4/pyvenv.cfg" ;;
    *mdmt_tf.train*run_dir=*) for word in "$@"; do
            case $word in run_dir=*) folder=${{word#run_dir=}} ;; esac
        done
        mkdir -p "$folder" && echo >"$folder/metrics.json" ;;
esac
"""


class Checkout:
    """A folder with the scripts, and a PATH that holds what a test puts there."""

    def __init__(self, folder: Path):
        self.folder = folder / "a checkout"
        self.path = folder / "bin"
        self.log = folder / "log"
        for name in ("setup.cfg", "pyproject.toml", "mdmt_tf/__init__.py"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        (self.folder / "tools").mkdir()
        for name in SCRIPTS:
            shutil.copy(ROOT / "tools" / name, self.folder / "tools")
        self.path.mkdir()
        for name in (*PROGRAMS, "chmod"):
            (self.path / name).symlink_to(shutil.which(name))

    def add(self, name: str, version: str = "3.11.7", *, without_venv: bool = False):
        minor = int(version.split(".")[1])
        file = self.path / name
        file.write_text(
            INTERPRETER.format(
                version=version,
                unsuitable=int(not 10 <= minor <= 13),
                without_venv=int(without_venv),
            )
        )
        file.chmod(0o755)
        return file

    def run(self, script: str, *arguments: str, **variables: str):
        """Exit status, what was printed, and the commands given to interpreters."""
        self.log.write_text("")
        done = subprocess.run(
            [shutil.which("sh"), f"tools/{script}.sh", *arguments],
            cwd=self.folder,
            env={"PATH": str(self.path), "LOG": str(self.log), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout, self.log.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


PIP = "-m pip install --quiet --disable-pip-version-check -e "
FIRST = [
    "-m venv --clear .venv",
    PIP + ".",
    "-m mdmt_tf.train run_dir=runs/first",
    "-m mdmt_tf.evaluate runs/first",
]


def without_check(commands):
    return [command for command in commands if command != "-m pip --version"]


def test_a_new_checkout_is_set_up_trained_and_evaluated(checkout):
    checkout.add("python3")
    status, text, commands = checkout.run("quickstart")
    assert (status, commands) == (0, FIRST)
    for command in FIRST[1:]:
        assert f"$ .venv/bin/python {command}" in text


def test_what_is_there_is_used_again(checkout):
    checkout.add("python3")
    checkout.run("quickstart")
    _, _, commands = checkout.run("quickstart")
    assert without_check(commands) == FIRST[-1:]


def test_a_changed_checkout_is_installed_again_in_the_same_environment(checkout):
    checkout.add("python3")
    checkout.run("quickstart")
    with (checkout.folder / "setup.cfg").open("a") as file:
        file.write("# another version\n")
    _, _, commands = checkout.run("quickstart")
    assert without_check(commands) == [FIRST[1], FIRST[3]]


def test_an_environment_of_an_unsuitable_python_is_made_anew(checkout):
    checkout.add("python3")
    checkout.run("quickstart")
    old = checkout.add("python3.9", "3.9.2")
    shutil.copy(old, checkout.folder / ".venv/bin/python")
    _, _, commands = checkout.run("quickstart")
    assert without_check(commands) == [*FIRST[:1], FIRST[3]]


def test_an_interrupted_run_goes_on(checkout):
    checkout.add("python3")
    (checkout.folder / "runs/first").mkdir(parents=True)
    _, _, commands = checkout.run("quickstart")
    assert commands[2:] == ["-m mdmt_tf.train --resume runs/first", FIRST[3]]


def test_settings_go_on_to_training(checkout):
    checkout.add("python3")
    _, _, commands = checkout.run("quickstart", "training.epochs=3", "run_dir=a b")
    assert commands[2:] == [
        "-m mdmt_tf.train training.epochs=3 run_dir=a b",
        "-m mdmt_tf.evaluate a b",
    ]


def test_settings_are_refused_for_a_run_that_exists(checkout):
    checkout.add("python3")
    (checkout.folder / "runs/first").mkdir(parents=True)
    status, text, commands = checkout.run("quickstart", "training.epochs=3")
    assert (status, commands) == (2, [])
    assert "runs/first exists" in text and "run_dir=PATH" in text


def test_a_failed_training_is_not_evaluated(checkout):
    file = checkout.add("python3")
    failing = 'case "$*" in *train*) exit 1 ;; esac\n'
    file.write_text(file.read_text() + failing)
    status, _, commands = checkout.run("quickstart")
    assert (status, commands) == (1, FIRST[:3])


def test_a_run_that_cannot_be_evaluated_says_how_to_make_another(checkout):
    file = checkout.add("python3")
    failing = 'case "$*" in *evaluate*) exit 2 ;; esac\n'
    file.write_text(file.read_text() + failing)
    (checkout.folder / "runs/first").mkdir(parents=True)
    (checkout.folder / "runs/first/metrics.json").touch()
    status, text, _ = checkout.run("quickstart")
    assert status == 2
    assert "For a new run: sh tools/quickstart.sh run_dir=PATH" in text


def test_arguments_go_on_to_pytest(checkout):
    checkout.add("python3")
    status, _, commands = checkout.run("test", "-k", "heads")
    assert status == 0
    assert commands == [
        "-m venv --clear .venv-test",
        PIP + ".[test]",
        "-m pytest -n 2 --dist loadfile -k heads",
    ]


@pytest.mark.parametrize("version", ["3.8.10", "3.14.0"])
def test_another_python_in_the_range_is_found(checkout, version):
    checkout.add("python3", version)
    checkout.add("python3.12", "3.12.4")
    status, text, _ = checkout.run("quickstart")
    assert status == 0
    assert "Python 3.12.4" in text


@pytest.mark.parametrize("version", ["2.7.18", "3.8.10", "3.14.0"])
def test_without_a_suitable_python_the_message_says_what_to_install(checkout, version):
    checkout.add("python3", version)
    status, text, commands = checkout.run("quickstart")
    assert (status, commands) == (2, [])
    assert f"expected Python 3.10 to 3.13. Found: python3 is Python {version}" in text
    assert "apt install python3" in text
    assert "PYTHON=/path/to/python3.12 sh tools/quickstart.sh" in text


def test_without_any_python(checkout):
    status, text, _ = checkout.run("test")
    assert status == 2
    assert "Found: none" in text
    assert "sh tools/test.sh" in text


def test_without_venv_the_message_names_the_package(checkout):
    checkout.add("python3", "3.9.2")
    checkout.add("python3.11", without_venv=True)
    status, text, commands = checkout.run("quickstart")
    assert (status, commands) == (2, [])
    assert "sudo apt install python3.11-venv" in text


def test_the_interpreter_can_be_chosen(checkout):
    checkout.add("python3", "3.11.7")
    own = checkout.add("my python", "3.13.1")
    status, text, _ = checkout.run("quickstart", PYTHON=str(own))
    assert status == 0
    assert "Python 3.13.1" in text


def test_a_folder_that_is_no_environment_is_left_alone(checkout):
    checkout.add("python3")
    kept = checkout.folder / ".venv" / "mine.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    status, text, _ = checkout.run("quickstart")
    assert status == 2
    assert ".venv exists and is not an environment" in text
    assert kept.read_text() == "mine"


def test_the_range_is_that_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    minors = re.findall(r"Python :: 3\.(\d+)", setup["metadata"]["classifiers"])
    text = (ROOT / "tools/environment.sh").read_text(encoding="utf-8")
    oldest, newest = re.findall(r"^(?:OLDEST|NEWEST)=(\d+)$", text, re.MULTILINE)
    assert (oldest, newest) == (minors[0], minors[-1])
    assert setup["options"]["python_requires"] == f">=3.{oldest}"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_shellcheck():
    scripts = [f"tools/{name}" for name in SCRIPTS] + [".ci/run", ".ci/nightly"]
    done = subprocess.run(
        ["shellcheck", "--external-sources", *scripts],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
