"""Fits on this machine, as many at a time as its cores, GPUs and memory allow."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence

import psutil

from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments.executors.fit_process import FitProcess, Outcome, start
from mdmt_tf.experiments.grid import Folder

# TensorFlow with a small network and its images; large ones need `processes`.
_BYTES_PER_FIT = 2 * 2**30
_POLL_SECONDS = 0.05


class LocalExecutor:
    """A pool of slots, each with cores and perhaps GPUs of its own.

    Args:
        folder: of the benchmark.
        settings: `processes`, `cores_per_fit`, `gpus_per_fit`.
    Raises: ConfigError when the machine cannot hold one fit.
    """

    def __init__(self, folder: Folder, settings: BenchmarkSection):
        self._folder = folder
        self._slots = slots(
            sorted(os.sched_getaffinity(0)),
            gpus(),
            psutil.virtual_memory().available,
            settings,
        )
        self._running: dict[int, FitProcess] = {}

    @property
    def capacity(self) -> int:
        """Fits that may run at a time."""
        return len(self._slots)

    def describe(self) -> str:
        cores, devices = self._slots[0]
        each = f"{len(cores)} core{'s'[: len(cores) != 1]}"
        if devices:
            each += f" and GPU {','.join(devices)}"
        return f"{self.capacity} at a time, {each} each"

    def submit(self, fit: str) -> None:
        """Begin a fit; there must be room."""
        slot = next(n for n in range(self.capacity) if n not in self._running)
        cores, devices = self._slots[slot]
        self._running[slot] = start(self._folder, fit, cores=cores, gpus=devices)

    def wait(self, seconds: float) -> list[tuple[str, Outcome]]:
        """Fits that have ended; waits for one at most so long."""
        end = time.monotonic() + seconds
        while True:
            ended = []
            for slot, process in list(self._running.items()):
                outcome = process.outcome()
                if outcome is not None:
                    ended.append((process.fit, outcome))
                    del self._running[slot]
            if ended or time.monotonic() >= end:
                return ended
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """End what still runs; it can be gone on with."""
        for process in self._running.values():
            process.kill()
        self._running.clear()


def gpus() -> list[str]:
    """Numbers of the GPUs that this process may use, without loading TensorFlow."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    asked = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.split() if asked.returncode == 0 else []


def slots(
    cores: Sequence[int],
    devices: Sequence[str],
    memory: int,
    settings: BenchmarkSection,
) -> list[tuple[list[int], list[str]]]:
    """Cores and GPUs of each fit that runs at a time.

    With GPUs there are as many slots as these make, and the cores are shared among
    them. Without, as many as cores and memory allow, one at least.

    Args:
        cores, devices: numbers of those that may be used.
        memory: free bytes.
        settings: `processes` overrides the number of slots.
    Raises: ConfigError for more GPUs a fit than there are, or more slots than cores.
    """
    each = settings.gpus_per_fit if devices else 0
    if each > len(devices):
        raise ConfigError(
            f"benchmark.gpus_per_fit = {each}: this machine has {len(devices)} GPUs."
        )
    if each:
        count = settings.processes or len(devices) // each
    else:
        by_memory = max(1, memory // _BYTES_PER_FIT)
        by_cores = max(1, len(cores) // settings.cores_per_fit)
        count = settings.processes or min(by_cores, by_memory)
    most = len(devices) // each if each else len(cores)
    if count > most:
        what = f"{len(devices)} GPUs" if each else f"{len(cores)} cores"
        raise ConfigError(
            f"benchmark.processes = {count}: {what} are enough for {most} at a time."
        )
    share = len(cores) // count if each else min(settings.cores_per_fit, len(cores))
    share = max(1, min(share, len(cores) // count))
    return [
        (
            list(cores[n * share : (n + 1) * share]) or list(cores),
            list(devices[n * each : (n + 1) * each]),
        )
        for n in range(count)
    ]
