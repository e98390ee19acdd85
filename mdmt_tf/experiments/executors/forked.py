"""Processes forked from one that has loaded TensorFlow, because loading takes seconds.

That process, the server, computes nothing: a process in which TensorFlow has computed
must not be forked. It ends with the process that started it.
"""

import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext

_PRELOADED = "mdmt_tf.experiments.executors.preloaded"

# How long a program that is stopped may take to remove what it has begun.
_STOP_SECONDS = 10.0


def context() -> ForkServerContext:
    """Processes from it are forked from the server."""
    made = multiprocessing.get_context("forkserver")
    # Read when the server starts, with the first process.
    made.set_forkserver_preload([_PRELOADED])
    return made


def run(program: str, arguments: Sequence[str]) -> int:
    """Run a module as `python -m` does, in a process that ends with this one.

    Returns: its exit status; negative for the number of the signal that killed it.
    """
    process = context().Process(target=_run, args=(program, list(arguments)))
    process.start()
    try:
        process.join()
    except BaseException:
        # A terminal has sent Ctrl-C to it, too.
        process.join(0.25)
        process.terminate()
        process.join(_STOP_SECONDS)
        process.kill()
        raise
    return process.exitcode


def _run(program: str, arguments: list[str]) -> None:
    die_with_parent()
    sys.argv[1:] = arguments
    runpy.run_module(program, run_name="__main__")


def die_with_parent() -> None:
    """End this process when its parent ends, as a thread notices.

    The parent is the process that requested this one, not the server that forked it,
    which lives as long as any of its children.
    """
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGKILL)
