"""Fits on this machine; its cores, GPUs and memory limit how many run at a time."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence

import psutil

from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments.executors.fit_process import (
    STOP_SECONDS,
    FitProcess,
    Outcome,
    start,
)
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
        each = "1 core" if len(cores) == 1 else f"{len(cores)} cores"
        if devices:
            each += f" and GPU {','.join(devices)}"
        return f"{self.capacity} at a time, {each} each"

    def submit(self, fit: str) -> None:
        """Start a fit; a slot must be free."""
        slot = next(n for n in range(self.capacity) if n not in self._running)
        cores, devices = self._slots[slot]
        self._running[slot] = start(self._folder, fit, cores=cores, gpus=devices)

    def wait(self, seconds: float) -> list[tuple[str, Outcome]]:
        """Fits that have ended; waits at most `seconds` for one."""
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
        """Stop the fits that still run, with a state from which they are resumed.

        Ctrl-C ends the wait for them.
        """
        for fit in self._running.values():
            fit.stop()
        end = time.monotonic() + STOP_SECONDS
        try:
            while self._running and time.monotonic() < end:
                self.wait(1.0)
        finally:
            for fit in self._running.values():
                fit.kill()
            self._running.clear()


def gpus() -> list[str]:
    """Numbers of the GPUs that this process may use, without loading TensorFlow."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    query = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    return query.stdout.split() if query.returncode == 0 else []


def slots(
    cores: Sequence[int],
    devices: Sequence[str],
    memory: int,
    settings: BenchmarkSection,
) -> list[tuple[list[int], list[str]]]:
    """Cores and GPUs of each fit that runs at a time.

    With GPUs, their number determines the slots, and the slots divide the cores.
    Without GPUs, cores and memory limit the slots, with at least one.

    Args:
        cores, devices: numbers of the cores and GPUs that may be used.
        memory: free bytes.
        settings: `processes` overrides the number of slots.
    Raises: ConfigError when a fit needs more GPUs than there are, or when there are
        more slots than cores.
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
    cores_each = (
        len(cores) // count if each else min(settings.cores_per_fit, len(cores))
    )
    cores_each = max(1, min(cores_each, len(cores) // count))
    return [
        (
            list(cores[n * cores_each : (n + 1) * cores_each]) or list(cores),
            list(devices[n * each : (n + 1) * each]),
        )
        for n in range(count)
    ]
