"""One process per fit, which starts or resumes `mdmt_tf.train`.

Loading TensorFlow takes a third of the time of a small fit, so they are forked.
"""

import dataclasses
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Sequence

from mdmt_tf import storage
from mdmt_tf.config import files
from mdmt_tf.errors import MdmtError
from mdmt_tf.experiments.executors import forked
from mdmt_tf.experiments.grid import Folder

# How long another process may still hold a run, for example while it is ending.
LOCK_SECONDS = 60.0

# How long fits may take to finish their step and write their state.
STOP_SECONDS = 120.0

# The module that a fit's process runs, as `python -m` does.
PROGRAM = "mdmt_tf.train"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a fit's process ended; `error` is "" when its run is finished."""

    error: str
    exit_status: int | None
    seconds: float


@dataclasses.dataclass
class FitProcess:
    """A running fit."""

    folder: Folder
    fit: str
    process: multiprocessing.process.BaseProcess
    started: float

    def outcome(self) -> Outcome | None:
        """The outcome; None while the fit runs."""
        status = self.process.exitcode
        if status is None:
            return None
        seconds = time.monotonic() - self.started
        if status == 0 and self.folder.run(self.fit).is_finished:
            return Outcome("", status, seconds)
        return Outcome(_reason(self.folder, self.fit, status), status, seconds)

    def join(self) -> Outcome:
        """Wait for the end of the fit."""
        self.process.join()
        return self.outcome()

    def stop(self) -> None:
        """Let the fit finish its step and write its state; it ends some time later."""
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def start(
    folder: Folder,
    fit: str,
    *,
    cores: Sequence[int] | int,
    gpus: Sequence[str] | None = None,
    wait_for_lock: float = LOCK_SECONDS,
) -> FitProcess:
    """Start a fit, or resume it where it was interrupted.

    The process ends with the one that started it, and holds a lock on its run. Two
    processes never train the same run.

    Args:
        folder: of the benchmark, with the fit's settings.
        fit: its name.
        cores: numbers of the cores that it may use, or how many.
        gpus: the GPUs that it sees; None for those that this process sees.
        wait_for_lock: seconds after which a run that another process holds is an error.
    """
    if gpus is None and (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        # The new process has the environment that the server started with.
        gpus = visible.split(",")
    process = forked.context().Process(
        target=_train,
        args=(folder, fit, cores, gpus, wait_for_lock),
        name=fit,
        daemon=True,
    )
    folder.log(fit).parent.mkdir(parents=True, exist_ok=True)
    folder.lock(fit).parent.mkdir(parents=True, exist_ok=True)
    process.start()
    return FitProcess(folder, fit, process, time.monotonic())


def _train(folder, fit, cores, gpus, wait_for_lock) -> None:
    """Train and exit, in the new process."""
    forked.die_with_parent()
    # A terminal sends Ctrl-C to all processes; the one that requested the fit passes it
    # on, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with folder.log(fit).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    count = cores if isinstance(cores, int) else len(cores)
    # Read by TensorFlow when it first computes.
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(count)
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    if not isinstance(cores, int):
        # TensorFlow makes as many threads as it may use cores.
        os.sched_setaffinity(0, cores)

    busy = f"another process is training {fit}."
    try:
        with storage.locked(folder.lock(fit), busy, wait=wait_for_lock):
            sys.argv[1:] = arguments(folder, fit)
            runpy.run_module(PROGRAM, run_name="__main__")
    except MdmtError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(2)


def arguments(folder: Folder, fit: str) -> list[str]:
    """The arguments of `python -m mdmt_tf.train`."""
    run, settings = folder.run(fit), folder.fit_settings(fit)
    if not run.path.is_dir():
        return ["--config", str(settings)]
    # The data may have moved since the run began.
    values, _ = files.read(str(settings))
    elsewhere = [
        files.assignment(f"datasets.{name}.data_dir", section["data_dir"])
        for name, section in values["datasets"].items()
        if section.get("data_dir")
    ]
    return ["--resume", str(run.path), "--data-dir", values["data_dir"], *elsewhere]


def _reason(folder: Folder, fit: str, status: int) -> str:
    """Why a process ended without a finished run, from the end of its log."""
    if status < 0:
        name = signal.Signals(-status).name
        hint = " (out of memory?)" if -status == signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    with folder.log(fit).open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 65536))
        text = log.read().decode("utf-8", errors="replace")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    # The last error of the command line, or the last line of a traceback.
    starts = [n for n, line in enumerate(lines) if line.startswith("error: ")]
    if status == 2 and starts:
        return "\n".join(lines[starts[-1] :]).removeprefix("error: ")
    return lines[-1] if lines else f"exit status {status}"
