"""One fit, one process: `python -m mdmt_tf.train`, begun or gone on with."""

import ctypes
import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection

from mdmt_tf.experiments.grid import Folder

# Of Linux: the signal that a process gets when the one that began it dies.
_PR_SET_PDEATHSIG = 1

# How long another process may still hold a run, one that is about to die, say.
LOCK_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a fit's process ended; `error` is "" when its run is finished."""

    error: str
    exit_status: int | None
    seconds: float


class Busy(Exception):
    """Another process is training the same run."""


@dataclasses.dataclass
class FitProcess:
    """A running fit."""

    folder: Folder
    fit: str
    process: subprocess.Popen
    started: float

    def outcome(self) -> Outcome | None:
        """None while it runs."""
        status = self.process.poll()
        if status is None:
            return None
        seconds = time.monotonic() - self.started
        if status == 0 and self.folder.run(self.fit).is_finished:
            return Outcome("", status, seconds)
        return Outcome(_reason(self.folder, self.fit, status), status, seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def start(
    folder: Folder,
    fit: str,
    *,
    cores: Collection[int] | int,
    gpus: Collection[str] | None = None,
    wait_for_lock: float = LOCK_SECONDS,
) -> FitProcess:
    """Begin a fit, or go on with it where it was interrupted.

    The process dies with the one that began it, and holds a lock on its run: whatever
    happens, no run is trained by two.

    Args:
        folder: of the benchmark, with the fit's settings.
        fit: its name.
        cores: numbers of those that it may use, or how many.
        gpus: those that it sees; None for what this process sees.
        wait_for_lock: seconds.
    Raises: Busy.
    """
    run = folder.run(fit)
    if run.path.is_dir():
        arguments = ["--resume", str(run.path)]
    else:
        arguments = ["--config", str(folder.fit_settings(fit))]
    environment = dict(os.environ)
    count = cores if isinstance(cores, int) else len(cores)
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        environment[name] = str(count)
    if gpus is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    lock = _lock(folder, fit, wait_for_lock)
    parent = os.getpid()

    def prepare_child():
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # It has died before.
        if not isinstance(cores, int):
            # TensorFlow makes as many threads as it may use cores.
            os.sched_setaffinity(0, cores)

    folder.log(fit).parent.mkdir(parents=True, exist_ok=True)
    try:
        with folder.log(fit).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mdmt_tf.train", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(lock,),
                preexec_fn=prepare_child,
            )
    finally:
        os.close(lock)  # The child has its own copy, and so the lock while it lives.
    return FitProcess(folder, fit, process, time.monotonic())


def _lock(folder: Folder, fit: str, wait: float) -> int:
    path = folder.lock(fit)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    end = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(descriptor)
                raise Busy(f"another process is training {fit}") from None
            time.sleep(0.1)


def _reason(folder: Folder, fit: str, status: int) -> str:
    """Why a process ended without a finished run, from its last words."""
    if status < 0:
        name = signal.Signals(-status).name
        hint = " (out of memory?)" if -status == signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    with folder.log(fit).open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 65536))
        text = log.read().decode("utf-8", errors="replace")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    # What the command line says itself, from there on; else the exception's last line.
    starts = [n for n, line in enumerate(lines) if line.startswith("error: ")]
    if status == 2 and starts:
        return "\n".join(lines[starts[-1] :]).removeprefix("error: ")
    return lines[-1] if lines else f"exit status {status}"
