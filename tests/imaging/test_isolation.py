"""Functions in other processes: results, errors, warnings, crashes."""

import concurrent.futures
import importlib
import os
import resource
import signal
import sys
import time
import warnings

import numpy as np
import pytest

from mdmt_tf.errors import DataError, collected_warnings
from mdmt_tf.imaging import isolation, limits
from mdmt_tf.imaging.isolation import isolated


def test_results_are_those_of_the_function():
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = isolated("a", np.transpose, image)
    np.testing.assert_array_equal(found, image.T)
    assert found.dtype == np.float32
    assert isolated("a", os.getpid) == isolated("a", os.getpid) != os.getpid()


def test_folders_of_the_user_are_no_modules_there(tmp_path, monkeypatch):
    """The decoder gdcm, for one, looks for a module `dl` that need not exist."""
    (tmp_path / "no_module").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_module"):
        isolated("a", importlib.import_module, "no_module")


@pytest.mark.parametrize(
    ("crash", "reason"),
    [
        ((os.abort,), "SIGABRT"),
        ((signal.raise_signal, signal.SIGSEGV), "SIGSEGV"),
        ((signal.raise_signal, signal.SIGKILL), "SIGKILL"),
        ((os._exit, 3), "exit status 3"),
    ],
)
def test_a_crash_is_an_error_of_the_file_and_the_next_file_is_read(crash, reason):
    with pytest.raises(DataError, match=f"^a.dcm: the decoder crashed .{reason}"):
        isolated("a.dcm", *crash)
    assert isolated("b.dcm", len, b"abc") == 3


def test_a_function_that_crashes_once_is_called_again(tmp_path):
    """Its process may have been ended because of another one, by lack of memory."""
    mark = tmp_path / "mark"
    code = f"""
import os
if not os.path.exists({str(mark)!r}):
    open({str(mark)!r}, "w").close()
    os.kill(os.getpid(), 9)
"""
    assert isolated("x", exec, code) is None
    assert mark.exists()


def test_what_was_written_before_a_crash_is_told():
    code = "import os; os.write(2, b'bad marker'); os.abort()"
    with pytest.raises(DataError, match=r"\(SIGABRT: bad marker\)"):
        isolated("a", exec, code)


def test_errors_are_raised_here():
    with pytest.raises(DataError, match="^gone: cannot be read"):
        isolated("gone", limits.check_file_size, "gone")
    with pytest.raises(ZeroDivisionError):
        isolated("a", divmod, 1, 0)
    with pytest.raises(DataError, match=r"^a: cannot be read: SystemExit: 3"):
        isolated("a", sys.exit, 3)


def test_too_little_memory_is_an_error_of_the_file():
    with pytest.raises(DataError, match="^a: needs more memory than there is"):
        isolated("a", bytearray, 2**62)


def test_memory_may_have_a_limit():
    code = (
        "from mdmt_tf.imaging import isolation\n"
        "with isolation.at_most(50_000_000):\n"
        "    bytearray(20_000_000)\n"
        "    bytearray({})"
    )
    assert isolated("a", exec, code.format(20_000_000)) is None
    with pytest.raises(DataError, match="^a: needs more memory than there is"):
        isolated("a", exec, code.format(90_000_000))
    assert isolated("a", exec, "bytearray(90_000_000)") is None  # it has ended


def test_limits_hold_there_too():
    with limits.using(limits.Limits(max_pixels=3)):
        assert isolated("a", limits.current).max_pixels == 3
    assert isolated("a", limits.current) == limits.DEFAULTS


def test_paths_are_relative_to_the_present_working_folder(tmp_path, monkeypatch):
    isolated("x", os.getcwd)  # its process may be kept
    monkeypatch.chdir(tmp_path)
    assert isolated("x", os.getcwd) == os.getcwd()


def test_warnings_are_given_here():
    code = (
        "import warnings; from mdmt_tf.errors import DataWarning\n"
        "warnings.warn(DataWarning('a: dark', 'doubtful depth'))"
    )
    with warnings.catch_warnings(), collected_warnings() as found:
        warnings.simplefilter("ignore")
        isolated("a", exec, code)
    assert [(str(doubt), doubt.kind) for doubt in found] == [
        ("a: dark", "doubtful depth")
    ]


def test_threads_have_processes_of_their_own():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        started = time.monotonic()
        calls = [pool.submit(isolated, "a", time.sleep, 0.5) for _ in range(2)]
        pids = [pool.submit(isolated, "a", os.getpid).result() for _ in range(2)]
        assert [call.result() for call in calls] == [None, None]
    assert time.monotonic() - started < 5
    assert os.getpid() not in pids


@pytest.mark.parametrize("kept", [1, 2])
def test_processes_that_wait_are_ended_except_those_to_keep(kept, monkeypatch):
    monkeypatch.setattr(isolation, "_workers", isolation._Workers())
    monkeypatch.setattr(isolation, "_kept", 0)
    isolation.keep(kept)
    workers = [isolation._workers.take() for _ in range(3)]
    for worker in workers:
        isolation._workers.give_back(worker)
    isolation.trim()
    assert sum(worker._process.poll() is None for worker in workers) == kept
    isolation._workers.stop()
    assert all(worker._process.poll() is not None for worker in workers)


def test_a_child_does_not_use_the_processes_of_its_parent():
    before = isolated("a", os.getpid)
    there, here = os.pipe()
    child = os.fork()
    if not child:
        os.write(here, str(isolated("a", os.getpid)).encode())
        isolation._workers.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(there, 20)) != before
    assert isolated("a", os.getpid) == before


def test_it_has_no_core_file_and_goes_first():
    assert isolated("a", resource.getrlimit, resource.RLIMIT_CORE) == (0, 0)
