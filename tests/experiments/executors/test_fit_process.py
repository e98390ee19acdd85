"""One fit in a process of its own."""

import fcntl
import multiprocessing
import os
import subprocess
import sys
import time

import psutil
import pytest

from mdmt_tf.config import files
from mdmt_tf.experiments.executors import fit_process
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.runs import changes


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path)
    folder.fit_settings("f").parent.mkdir()
    return folder


WRONG = "base: phantom\nimage_size: 1\n"


def test_the_words_of_a_wrong_configuration_are_the_error(folder):
    folder.fit_settings("f").write_text(WRONG)
    outcome = fit_process.start(folder, "f", cores=1).join()
    assert outcome.exit_status == 2
    assert outcome.error.startswith("1 problem in configuration")
    assert "image_size = 1" in outcome.error


def test_a_killed_process_is_called_so(folder):
    folder.lock("f").parent.mkdir()
    with folder.lock("f").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # It waits for this.
        process = fit_process.start(folder, "f", cores=1)
        assert process.outcome() is None
        process.kill()
    assert process.outcome().error == "killed by SIGKILL (out of memory?)"


def test_no_run_is_trained_by_two(folder):
    folder.fit_settings("f").write_text(WRONG)
    folder.lock("f").parent.mkdir()
    with folder.lock("f").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = fit_process.start(folder, "f", cores=1, wait_for_lock=0.2).join()
        assert outcome.error == "another process is training f."
        waiting = fit_process.start(folder, "f", cores=1)
    # The lock ends with its holder.
    assert "image_size = 1" in waiting.join().error


def test_folders_of_the_user_are_no_modules_for_fits(tmp_path):
    (tmp_path / "no_module").mkdir()
    code = (
        "import importlib.util, sys\n"
        "sys.modules['mdmt_tf.training.trainer'] = sys  # what takes time\n"
        "import mdmt_tf.experiments.executors.preloaded\n"
        "print(importlib.util.find_spec('no_module'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "None\n", done.stderr


def test_a_fit_has_its_cores_and_gpus_alone(folder):
    """As a process of its own finds them before TensorFlow looks."""
    core = min(os.sched_getaffinity(0))
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe()
    context.Process(target=found_by, args=(folder, core, sender)).start()
    assert receiver.recv() == ("1", "2", {core})


def found_by(folder, core, sender):
    """Runs in the process of a fit, whose training is a program that does nothing."""
    (folder.path / "program.py").write_text("")
    sys.path.insert(0, str(folder.path))
    fit_process.PROGRAM = "program"
    folder.log("f").parent.mkdir()
    folder.lock("f").parent.mkdir()
    fit_process._train(folder, "f", [core], ["2"], 1.0)
    names = "TF_NUM_INTRAOP_THREADS", "CUDA_VISIBLE_DEVICES"
    sender.send((*(os.environ[n] for n in names), os.sched_getaffinity(0)))


class Recorded:
    """In the place of the context: remembers what a process is begun with."""

    def Process(self, *, args, **options):
        self.gpus = args[3]
        return self

    def start(self):
        pass


@pytest.mark.parametrize(
    "gpus, visible, expected",
    [
        (["2"], "0,1", ["2"]),
        ([], "0,1", []),
        (None, "0,1", ["0", "1"]),
        (None, None, None),
    ],
)
def test_gpus_are_those_of_now(folder, monkeypatch, gpus, visible, expected):
    """A process has the environment of the server that forks it, which is older."""
    recorded = Recorded()
    monkeypatch.setattr(fit_process.forked, "context", lambda: recorded)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    fit_process.start(folder, "f", cores=1, gpus=gpus)
    assert recorded.gpus == expected


def test_what_was_begun_is_gone_on_with(folder):
    assert fit_process.arguments(folder, "f")[0] == "--config"
    folder.run("f").path.mkdir(parents=True)
    # Where the data are now, whatever the names of their folders are.
    values = {"data_dir": "now # 1", "datasets": {"a": {"data_dir": "there: #"}}}
    values["datasets"]["b"] = {"data_dir": None}
    files.write(values, folder.fit_settings("f"))
    resume, run, of_data, data_dir, *others = fit_process.arguments(folder, "f")
    assert [resume, run] == ["--resume", str(folder.run("f").path)]
    assert [of_data, data_dir] == ["--data-dir", "now # 1"]
    read = {}
    for text in others:
        files.override(read, {}, text)
    assert read == {"datasets": {"a": {"data_dir": "there: #"}}}
    changes.check_keys(others)


PARENT = """
import sys, time
from pathlib import Path
from mdmt_tf.experiments.executors import fit_process
from mdmt_tf.experiments.grid import Folder

if __name__ == "__main__":
    fits = [fit_process.start(Folder(Path(sys.argv[1])), f, cores=1) for f in "fg"]
    print(*(fit.process.pid for fit in fits), flush=True)
    time.sleep(600)
"""


@pytest.mark.large
def test_fits_die_with_the_process_that_began_them(folder):
    """They would wait for the lock for a minute."""
    folder.lock("f").parent.mkdir()
    program = folder.path / "parent.py"
    program.write_text(PARENT)
    with folder.lock("f").open("w") as one, folder.lock("g").open("w") as other:
        for lock in (one, other):
            fcntl.flock(lock, fcntl.LOCK_EX)
        parent = subprocess.Popen(
            [sys.executable, str(program), str(folder.path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        fits = [psutil.Process(int(p)) for p in parent.stdout.readline().split()]
        time.sleep(1.0)
        assert len(fits) == 2 and all(fit.is_running() for fit in fits)
        parent.kill()
        parent.wait()
        assert not psutil.wait_procs(fits, timeout=10)[1]
