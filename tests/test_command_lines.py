"""The command lines from outside: speed of --help, exit statuses, messages."""

import shutil
import time
from pathlib import Path

import pytest
from command_lines import COMMANDS, run, run_several, without_tensorflow

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_and_loads_no_tensorflow(command):
    shortest = 9.0
    for _ in range(3):  # others may be using the machine
        start = time.perf_counter()
        result = run("-c", without_tensorflow(f"mdmt_tf.{command}", "--help"))
        shortest = min(shortest, time.perf_counter() - start)
        assert result.returncode == 0, result.stderr
        if shortest < 1.0:
            break
    assert f"python -m mdmt_tf.{command}" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert shortest < 1.0


def test_import_is_quick_and_loads_no_tensorflow():
    code = "import mdmt_tf, sys; assert 'tensorflow' not in sys.modules"
    start = time.perf_counter()
    assert run("-c", code).returncode == 0
    assert time.perf_counter() - start < 1.0


MISTAKES = [
    (["train", "training.epochz=3"], "training.epochz: unknown key. Did you mean"),
    (["train", "--config", "phantm"], "Did you mean 'phantom'?"),
    (["train", "--config", "mdmt"], "data_dir: missing"),
    (["train", "epochs=3"], "epochs: unknown key. Did you mean 'training.epochs'?"),
    (["config", "show", "paperr"], "Did you mean 'paper'?"),
    (["config", "keys", "lr"], "Did you mean 'training.learning_rate'?"),
    (
        ["train", "--config", "ich_phantom", "experiment=modle_b"],
        "is not one of the experiments of the benchmark. Did you mean 'model_b'?",
    ),
    (["train", "--resume", "nowhere"], "nowhere: no such folder. Expected one"),
    (["evaluate", "nowhere"], "nowhere: no such folder. Expected one"),
    (["explain", "nowhere"], "nowhere: no such folder. Expected one"),
    (
        ["report", "nowhere"],
        "nowhere: no such folder. Expected one that `python -m mdmt_tf.benchmark` "
        "or `python -m mdmt_tf.train` made.",
    ),
    (["serve", "nowhere"], "nowhere: no such folder; expected the folder of a fin"),
    (["predict", "x.dcm", "--out", "a.csv"], "no model: expected the folder of a"),
    (["benchmark", "--config", "phantom"], "has no section `benchmark`"),
    (["benchmark", "--config", "paper"], "data_dir: missing"),
    (["doctor", "--config", "open_cxr"], "data_dir: missing"),
]


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory):
    """A working folder, and how the commands with a mistake end in it."""
    folder = tmp_path_factory.mktemp("empty")
    calls = [[f"mdmt_tf.{command}", *rest] for (command, *rest), _ in MISTAKES]
    return folder, run_several(calls, folder)


@pytest.mark.parametrize(
    "number", range(len(MISTAKES)), ids=[" ".join(words) for words, _ in MISTAKES]
)
def test_mistakes_end_with_status_2_and_no_traceback(number, mistakes):
    folder, ended = mistakes
    result, (_, message) = ended[number], MISTAKES[number]
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.heavy
    assert not list(folder.iterdir())


@pytest.mark.parametrize("command", ["mdmt_tf", "mdmt_tf.train", "mdmt_tf.config"])
def test_files_of_the_user_are_not_imported_as_modules(command, tmp_path):
    for name in ("argparse", "random", "tempfile", "yaml", "pydantic"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the user')")
    result = run("-m", command, "--help", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: python -m mdmt_tf")


def test_only_commands_of_the_package_leave_the_current_folder(tmp_path):
    (tmp_path / "mine.py").write_text("import mdmt_tf, other")
    (tmp_path / "other.py").write_text("print('the file of the user')")
    assert run("-m", "mine", cwd=tmp_path).stdout == "the file of the user\n"


MODULES = [*(f"mdmt_tf.{name}" for name in COMMANDS), "mdmt_tf"]


@pytest.fixture(scope="module")
def not_installed(tmp_path_factory):
    """A checkout that is not installed, and how each command ends there."""
    folder = tmp_path_factory.mktemp("checkout")
    leave_out = shutil.ignore_patterns("__pycache__", "*.npz")
    shutil.copytree(ROOT / "mdmt_tf", folder / "mdmt_tf", ignore=leave_out)
    # An installation that leads to this checkout is found by a finder of its own.
    prepare = (
        "sys.meta_path = [\n"
        "    f for f in sys.meta_path\n"
        "    if 'editable' not in getattr(f, '__module__', '').lower()\n"
        "]\n"
    )
    calls = [[module, "train"] for module in MODULES]
    return folder, dict(zip(MODULES, run_several(calls, folder, prepare), strict=True))


@pytest.mark.parametrize("module", MODULES)
def test_a_checkout_that_is_not_installed_says_how_to_install(module, not_installed):
    folder, ended = not_installed
    result = ended[module]
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(
        "error: this checkout of mdmt_tf is not installed. Run: "
    )
    assert result.stderr.rstrip().endswith(f"-m pip install -e {folder}")
    assert len(result.stderr.splitlines()) == 1 and not result.stdout
