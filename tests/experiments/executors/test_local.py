"""Slots of a machine."""

import pytest

from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments.executors import local
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


def test_fits_without_gpus_see_none(folder, monkeypatch):
    """Or all of them would share the first one."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    given = []
    monkeypatch.setattr(local, "start", lambda *_, gpus, **__: given.append(gpus))
    executor = local.LocalExecutor(folder, section(gpus_per_fit=0, processes=1))
    executor.submit("f")
    assert given == [[]]
