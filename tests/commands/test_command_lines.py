"""The command lines from outside: speed of --help, exit statuses, messages."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mdmt_tf

COMMANDS = [
    "train",
    "evaluate",
    "explain",
    "prepare",
    "benchmark",
    "report",
    "convert",
    "config",
]
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=cwd
    )


def without_tensorflow(module, *arguments):
    """Code that runs a module as `python -m` does and fails if TensorFlow is loaded."""
    return (
        f"import runpy, sys; sys.argv = {[module, *arguments]!r}\n"
        "try:\n"
        f"    runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as done:\n"
        "    status = done.code\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "sys.exit(status)"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_and_loads_no_tensorflow(command):
    shortest = 9.0
    for _ in range(3):  # the quickest of three: others may be using the machine
        start = time.perf_counter()
        result = run("-c", without_tensorflow(f"mdmt_tf.{command}", "--help"))
        shortest = min(shortest, time.perf_counter() - start)
        assert result.returncode == 0, result.stderr
    assert f"python -m mdmt_tf.{command}" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert shortest < 1.0


def test_import_is_quick_and_loads_no_tensorflow():
    code = "import mdmt_tf, sys; assert 'tensorflow' not in sys.modules"
    start = time.perf_counter()
    assert run("-c", code).returncode == 0
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
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
        (
            ["train", "--config", "replication_phantom", "experiment=ft"],
            "experiment = 'ft': starts from the backbones of stl_severity",
        ),
        (["train", "--resume", "nowhere"], "nowhere: not the folder of a run"),
        (["evaluate", "nowhere"], "nowhere: not the folder of a run"),
        (["explain", "nowhere"], "nowhere: not the folder of a run"),
        (["benchmark", "--config", "phantom"], "has no section `benchmark`"),
        (["benchmark", "--config", "paper"], "data_dir: missing"),
    ],
)
def test_mistakes_end_with_status_2_and_no_traceback(arguments, message, tmp_path):
    command, *rest = arguments
    result = run("-c", without_tensorflow(f"mdmt_tf.{command}", *rest), cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "3"], "--epochs: settings are written without --: training.epoc"),
        (["--epochs=3"], "without --: training.epochs=3"),
        (["--training.epochs=3"], "without --: training.epochs=3"),
        (["seed=1", "--batch-size", "16"], "without --: training.batch_size=16"),
        (["--lr"], "without --: training.learning_rate=VALUE"),
        (["--epochs", "--resume"], "without --: training.epochs=VALUE"),
        (["--verbose"], "--verbose: unknown option. `--help` lists the options."),
    ],
)
def test_a_setting_is_no_option(arguments, message):
    result = run("-m", "mdmt_tf.train", *arguments)
    assert result.returncode == 2
    assert message in result.stderr


def test_options_are_still_options_and_may_be_shortened():
    result = run("-m", "mdmt_tf.train", "--conf", "phantm")
    assert result.returncode == 2
    assert "--config phantm: no such configuration" in result.stderr


def test_one_command_for_all():
    code = without_tensorflow("mdmt_tf.__main__", "--help")
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for command in COMMANDS:
        assert any(line.startswith(f"  {command} ") for line in lines), command


def test_the_version():
    result = run("-m", "mdmt_tf", "--version")
    assert result.stdout == f"mdmt_tf {mdmt_tf.__version__}\n"


def test_a_command_that_is_none_gets_the_nearest():
    result = run("-m", "mdmt_tf", "trian")
    assert result.returncode == 2
    assert "Did you mean 'train'?" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_names_the_command_as_it_was_called(command, tmp_path):
    # Where pip puts the console command there is a script of this name.
    script = tmp_path / "mdmt-tf"
    script.write_text("from mdmt_tf.__main__ import command\ncommand()\n")
    for called, shown in (
        ([str(script)], "mdmt-tf "),
        (["-m", "mdmt_tf"], "python -m mdmt_tf "),
    ):
        result = run(*called, command, "--help")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"usage: {shown}{command} ")
        assert "python -m mdmt_tf." not in result.stdout
    result = run("-m", f"mdmt_tf.{command}", "--help")
    assert result.stdout.startswith(f"usage: python -m mdmt_tf.{command} ")


def test_errors_of_a_command_below_are_those_of_the_command():
    result = run("-m", "mdmt_tf", "train", "training.epochz=3")
    assert result.returncode == 2
    assert "Did you mean 'training.epochs'?" in result.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The package's own folder alone, as in a checkout that is not installed."""
    folder = tmp_path_factory.mktemp("checkout")
    leave_out = shutil.ignore_patterns("__pycache__", "*.npz")
    shutil.copytree(ROOT / "mdmt_tf", folder / "mdmt_tf", ignore=leave_out)
    return folder


@pytest.mark.parametrize(
    "module", [*(f"mdmt_tf.{name}" for name in COMMANDS), "mdmt_tf"]
)
def test_a_checkout_that_is_not_installed_says_how_to_install(module, checkout):
    # An installation that leads to this checkout is found by a finder of its own.
    code = (
        "import runpy, sys\n"
        "sys.meta_path = [\n"
        "    f for f in sys.meta_path\n"
        "    if 'editable' not in getattr(f, '__module__', '').lower()\n"
        "]\n"
        f"sys.argv = [{module!r}, 'train']\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    result = run("-c", code, cwd=checkout)
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(
        "error: this checkout of mdmt_tf is not installed. Run: "
    )
    assert result.stderr.rstrip().endswith(f"-m pip install -e {checkout}")
    assert len(result.stderr.splitlines()) == 1 and not result.stdout


def test_resume_refuses_other_settings(tmp_path):
    result = run("-m", "mdmt_tf.train", "--resume", "x", "seed=1")
    assert result.returncode == 2
    assert "--resume takes the settings of the run" in result.stderr


def test_an_existing_run_folder_is_refused_before_anything_is_loaded(tmp_path):
    code = without_tensorflow("mdmt_tf.train", f"run_dir={tmp_path}")
    result = run("-c", code)
    assert result.returncode == 2
    assert "exists and is not overwritten" in result.stderr
    assert f"--resume {tmp_path}" in result.stderr


def test_an_unfinished_run_cannot_be_evaluated(tmp_path):
    (tmp_path / "config.yaml").write_text("experiment: x\n")
    result = run("-m", "mdmt_tf.evaluate", str(tmp_path))
    assert result.returncode == 2
    assert "the run is not finished" in result.stderr


def test_phantoms_are_prepared_without_fixing_the_devices(tmp_path):
    """Finding lungs starts TensorFlow, which then keeps the devices it has."""
    script = (
        "import sys\n"
        "import tensorflow as tf\n"
        "from mdmt_tf import train\n"
        "from mdmt_tf.training import trainer\n"
        "def stop(*_, **__):\n"
        "    sys.exit(len(tf.config.list_logical_devices('CPU')))\n"
        "trainer.train = stop\n"
        "train.main(sys.argv[1:])\n"
    )
    phantoms = "{aiforcovid_patients: 4, brixia_patients: 2, matrix: 96}"
    settings = [f"phantoms={phantoms}", f"data_dir={tmp_path}"]
    result = run("-c", script, *settings, "training.devices=[CPU:0, CPU:1]")
    assert result.returncode == 2, result.stderr
