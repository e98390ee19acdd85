"""Slots of a machine, and one fit in a process of its own."""

import fcntl
import multiprocessing
import os
import subprocess
import sys
import time

import psutil
import pytest

from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments.executors import fit_process, local
from mdmt_tf.experiments.grid import Folder

GIB = 2**30


def section(**settings):
    return BenchmarkSection(
        backbones=("resnet18",),
        cross_validation={"cv": {}},
        experiments={"a": {"tasks": ("t",)}},
        **settings,
    )


def slots(cores, gpus=(), memory=64 * GIB, **settings):
    return local.slots(range(cores), gpus, memory, section(**settings))


def test_cores_are_shared_out():
    assert slots(4) == [([0, 1], []), ([2, 3], [])]
    assert slots(5, cores_per_fit=1, processes=2) == [([0], []), ([1], [])]
    assert slots(1, cores_per_fit=8) == [([0], [])]


def test_memory_limits_the_fits_at_a_time():
    assert len(slots(64, cores_per_fit=1)) == 32
    assert len(slots(64, memory=7 * GIB)) == 3
    assert len(slots(64, memory=GIB)) == 1


def test_gpus_go_round_once():
    received = slots(8, ["0", "1", "3"])
    assert [devices for _, devices in received] == [["0"], ["1"], ["3"]]
    assert [cores for cores, _ in received] == [[0, 1], [2, 3], [4, 5]]
    pairs = slots(8, ["0", "1", "2", "3"], gpus_per_fit=2)
    assert [devices for _, devices in pairs] == [["0", "1"], ["2", "3"]]


def test_a_machine_with_gpus_may_leave_them():
    assert slots(4, ["0"], gpus_per_fit=0) == [([0, 1], []), ([2, 3], [])]


@pytest.mark.parametrize(
    "cores, gpus, settings, message",
    [
        (4, ["0"], {"gpus_per_fit": 2}, "this machine has 1 GPUs"),
        (4, (), {"processes": 5}, "4 cores are enough for 4 at a time"),
        (8, ["0", "1"], {"processes": 3}, "2 GPUs are enough for 2 at a time"),
    ],
)
def test_what_a_machine_does_not_have(cores, gpus, settings, message):
    with pytest.raises(ConfigError, match=message):
        slots(cores, gpus, **settings)


def test_gpus_are_asked_for_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local.gpus() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    assert local.gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    assert local.gpus() == ["1", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert local.gpus() == []


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
    """In the place of multiprocessing: remembers what a process is begun with."""

    def get_context(self, method):
        return self

    def set_forkserver_preload(self, modules):
        pass

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
    monkeypatch.setattr(fit_process, "multiprocessing", recorded)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    fit_process.start(folder, "f", cores=1, gpus=gpus)
    assert recorded.gpus == expected


def test_fits_without_gpus_see_none(folder, monkeypatch):
    """Or all of them would share the first one."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    given = []
    monkeypatch.setattr(local, "start", lambda *_, gpus, **__: given.append(gpus))
    executor = local.LocalExecutor(folder, section(gpus_per_fit=0, processes=1))
    executor.submit("f")
    assert given == [[]]


def test_what_was_begun_is_gone_on_with(folder):
    assert fit_process.arguments(folder, "f")[0] == "--config"
    folder.run("f").path.mkdir(parents=True)
    assert fit_process.arguments(folder, "f") == ["--resume", str(folder.run("f").path)]


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
