"""Fits on a Ray cluster whose machines share the benchmark's folder."""

import logging
import socket
from pathlib import Path

from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments.executors.fit_process import STOP_SECONDS, Outcome, start
from mdmt_tf.experiments.grid import Folder

logger = logging.getLogger(__name__)

# How often a fit that was lost with its machine is resumed. It continues its run, so no
# training is repeated.
_MOST_LOSSES = 5


class RayExecutor:
    """One Ray task per fit; a fit whose machine is lost continues on another one.

    Every machine needs the package, and the folder and the data at the same paths.

    Args:
        folder: of the benchmark.
        settings: `address`, `cores_per_fit`, `gpus_per_fit`.
    Raises: ConfigError when Ray is not installed, no cluster answers, or no machine has
        the cores and GPUs that a fit needs.
    """

    def __init__(self, folder: Folder, settings: BenchmarkSection):
        self._ray = ray = connect(settings)
        self._folder = Folder(Path(folder.path).resolve())
        self._cores = settings.cores_per_fit
        total = ray.cluster_resources()
        self._gpus = settings.gpus_per_fit if total.get("GPU") else 0
        self._check(settings)
        self._task = ray.remote(max_retries=0)(_train).options(
            num_cpus=self._cores, num_gpus=self._gpus
        )
        self._running: dict[object, str] = {}
        self._losses: dict[str, int] = {}

    @property
    def capacity(self) -> int:
        """Fits that may run at a time; changes as machines join and leave."""
        total = self._ray.cluster_resources()
        count = total.get("CPU", 0) // self._cores
        if self._gpus:
            count = min(count, total.get("GPU", 0) // self._gpus)
        return max(1, int(count))

    def describe(self) -> str:
        machines = sum(node["Alive"] for node in self._ray.nodes())
        return f"Ray, {machines} machines, {self.capacity} at a time"

    def submit(self, fit: str) -> None:
        """Start a fit; Ray chooses the machine."""
        task = self._task.remote(str(self._folder.path), fit, self._cores)
        self._running[task] = fit

    def wait(self, seconds: float) -> list[tuple[str, Outcome]]:
        """Fits that have ended; waits at most `seconds` for one."""
        ray, ended = self._ray, []
        done, _ = ray.wait(list(self._running), timeout=seconds)
        for task in done:
            fit = self._running.pop(task)
            try:
                ended.append((fit, ray.get(task)))
            except ray.exceptions.RayTaskError as error:
                ended.append((fit, Outcome(str(error.cause), None, 0.0)))
            except ray.exceptions.RayError as error:
                self._losses[fit] = self._losses.get(fit, 0) + 1
                if self._losses[fit] < _MOST_LOSSES:
                    self.submit(fit)
                else:
                    text = f"lost {_MOST_LOSSES} times with its machine: {error}"
                    ended.append((fit, Outcome(text, None, 0.0)))
        return ended

    def close(self) -> None:
        """Stop the fits that still run, with a state from which they are resumed.

        Ctrl-C ends the wait for them.
        """
        ray, tasks = self._ray, list(self._running)
        try:
            for task in tasks:
                ray.cancel(task)
            if tasks:
                ray.wait(tasks, num_returns=len(tasks), timeout=STOP_SECONDS)
        finally:
            for task in tasks:
                ray.cancel(task, force=True)
            self._running.clear()
            ray.shutdown()

    def _check(self, settings: BenchmarkSection) -> None:
        largest = {"CPU": 0.0, "GPU": 0.0}
        for node in self._ray.nodes():
            if node["Alive"]:
                for name in largest:
                    value = node["Resources"].get(name, 0.0)
                    largest[name] = max(largest[name], value)
        if largest["CPU"] < self._cores or largest["GPU"] < self._gpus:
            self._ray.shutdown()
            raise ConfigError(
                f"benchmark.cores_per_fit = {self._cores}, gpus_per_fit = "
                f"{settings.gpus_per_fit}: the largest machine of the cluster has "
                f"{largest['CPU']:g} cores and {largest['GPU']:g} GPUs."
            )


def connect(settings: BenchmarkSection):
    """The module `ray`, connected to the cluster at the `address` of the settings.

    Each time it warns that Ray lets everybody in.

    Raises: ConfigError when Ray is not installed or no cluster answers.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "benchmark.executor = ray needs Ray: pip install 'mdmt_tf[cluster]'."
        ) from error
    try:
        _knock(settings.address)
        ray.init(address=settings.address, log_to_driver=False, logging_level=40)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"benchmark.address = {settings.address!r}: no Ray cluster answers "
            f"({error}). Start one with `ray start --head` and join machines with "
            "`ray start --address=HOST:PORT`."
        ) from error
    logger.warning(
        "Ray asks nobody for a password. Whoever reaches %s can run programs as you: "
        "use it in a closed network.",
        settings.address,
    )
    return ray


def _knock(address: str, seconds: float = 10.0) -> None:
    """Make sure that a cluster listens at the address; Ray would wait for minutes.

    Raises: OSError when nothing listens there.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError("expected HOST:PORT")
    socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()


def _train(folder: str, fit: str, cores: int) -> Outcome:
    """Start or resume one fit on a machine of the cluster."""
    process = start(Folder(Path(folder)), fit, cores=cores)
    try:
        return process.join()
    except KeyboardInterrupt:
        # The benchmark is stopped.
        process.stop()
        return process.join()
