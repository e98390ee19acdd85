"""TensorFlow is loaded without its start-up notes, whoever imports it.

The notes are a dozen lines on standard error that no setting silences. Warnings and
errors are passed on, except that a machine has no GPU.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_NAME = "tensorflow"
# Lines without consequence: information, and what belongs to it.
_NOTES = re.compile(
    r"I\d{4} |\d{4}-\d\d-\d\d [\d:.]+: I |WARNING: All log messages before|"
    r"To enable the following instructions"
)


def load_tensorflow() -> None:
    """Import TensorFlow and let it look for devices, without its start-up notes."""
    with _without_notes():
        import tensorflow as tf

        tf.config.list_physical_devices()


def silence_import() -> None:
    """Let any module of this process import TensorFlow without its notes."""
    if _NAME not in sys.modules:
        sys.meta_path.insert(0, _Finder())


def has_gpu() -> bool:
    """Whether this machine has a GPU by NVIDIA, without loading TensorFlow."""
    return os.path.exists("/dev/nvidiactl")


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as the other finders do, and gives it a loader that is silent.

    Some packages only ask whether TensorFlow is there, so it stays until it is loaded.
    """

    def __init__(self):
        self._is_asking = False

    def find_spec(self, fullname, path, target=None):
        if fullname != _NAME or self._is_asking:
            return None
        self._is_asking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._is_asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        # Others read files of the package through its loader.
        module.__spec__.loader = module.__loader__ = self._loader
        with _without_notes():
            self._loader.exec_module(module)


@contextlib.contextmanager
def _without_notes() -> Iterator[None]:
    """Pass on what is written to standard error meanwhile, without the notes."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            notes.seek(0)
            for line in notes:
                no_gpu = "cuInit" in line and not has_gpu()
                if line.strip() and not _NOTES.match(line) and not no_gpu:
                    sys.stderr.write(line)
