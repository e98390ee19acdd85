"""Files that are written whole or not at all, JSON, digests and locks."""

import errno
import hashlib
import json
import math

import pytest

from mdmt_tf import storage
from mdmt_tf.errors import ConfigError, DataError


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    with storage.replacing(path, ".txt") as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert (partial.parent, partial.suffix) == (tmp_path, ".txt")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), storage.replacing(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_line_ends_stay_as_they_are(tmp_path):
    storage.write_text(tmp_path / "a.txt", "one\r\ntwo\nä")
    assert (tmp_path / "a.txt").read_bytes() == b"one\r\ntwo\n\xc3\xa4"


def test_json_has_null_for_what_is_not_finite(tmp_path):
    values = {"a": [1.5, math.nan, (math.inf, 2)], "b": {"c": -math.inf, "d": None}}
    storage.write_json(tmp_path / "a.json", values)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    text = (tmp_path / "a.json").read_text()
    read = json.loads(text, parse_constant=refuse)
    assert read == {"a": [1.5, None, [None, 2]], "b": {"c": None, "d": None}}
    assert math.isnan(values["a"][1])


def test_digests(tmp_path):
    # Longer than the blocks in which it is read.
    content = bytes(range(256)) * 5000
    storage.write_bytes(tmp_path / "a", content)
    assert storage.sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    one = storage.digest_of({"a": 1, "b": [1, 2]})
    assert one == storage.digest_of({"b": [1, 2], "a": 1})
    assert one != storage.digest_of({"a": 1, "b": [2, 1]})


def test_a_lock_is_held_by_one_until_it_is_closed(tmp_path):
    first = storage.lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        storage.lock(tmp_path / "lock")
    first.close()
    storage.lock(tmp_path / "lock").close()


def test_a_removed_lock_is_not_held_by_two(tmp_path):
    """Who waits has the file open that the holder removes; a third makes a new one."""
    path = tmp_path / "lock"
    first = storage.lock(path)
    path.unlink()
    second = storage.lock(path)
    first.close()
    with pytest.raises(BlockingIOError):
        storage.lock(path)
    second.close()


def test_who_waits_for_a_lock_gets_it(tmp_path, monkeypatch):
    path, told = tmp_path / "lock", []
    held = storage.lock(path)
    monkeypatch.setattr(storage.time, "sleep", lambda seconds: held.close())
    with storage.locked(path, "busy", wait=60, waiting=lambda: told.append(1)):
        assert told == [1]
        with (
            pytest.raises(ConfigError, match="busy"),
            storage.locked(path, "busy"),
        ):
            raise AssertionError
    assert path.exists()
    with storage.locked(path, "busy", remove=True):
        pass
    assert not path.exists()


def test_without_locks_a_warning_is_given(tmp_path, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(storage.fcntl, "flock", no_locks)
    storage.lock(tmp_path / "lock").close()
    assert "the file system has no locks" in caplog.text


def test_a_durable_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, order = tmp_path / "a.txt", []
    monkeypatch.setattr(
        storage, "sync", lambda what: order.append((what, path.exists()))
    )
    storage.write_text(path, "new", durable=True)
    (partial, before), (folder, after) = order
    assert (partial.parent, before) == (tmp_path, False)
    assert (folder, after) == (tmp_path, True)
    storage.write_text(tmp_path / "b.txt", "quick")
    assert len(order) == 2


def test_the_replaced_file_is_kept_under_its_new_name(tmp_path):
    path, kept = tmp_path / "a.txt", tmp_path / "before.txt"
    for text in ("1", "2", "3"):
        with storage.replacing(path, keep=kept) as partial:
            partial.write_text(text)
    assert (path.read_text(), kept.read_text()) == ("3", "2")


def test_all_files_of_a_folder_are_synchronised(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("1")
    seen = []
    monkeypatch.setattr(storage, "sync", lambda what: seen.append(str(what)))
    storage.sync_all(tmp_path)
    expected = [tmp_path, tmp_path / "a", tmp_path / "a" / "b.txt"]
    assert sorted(seen) == [str(path) for path in expected]


def test_a_path_that_is_no_folder_of_a_run_says_what_it_is(tmp_path):
    (tmp_path / "data.csv").write_text("")
    said = {}
    for name in ("nothing", "data.csv", ""):
        with pytest.raises(DataError) as error:
            storage.require_folder(tmp_path / name, storage.RUN, storage.BENCHMARK)
        said[name] = str(error.value).partition(": ")[2].partition(". ")[0]
    assert said == {
        "nothing": "no such folder",
        "data.csv": "not a folder",
        "": "not the folder of a run or a benchmark: it has no config.yaml or "
        "benchmark.yaml",
    }
    (tmp_path / "benchmark.yaml").write_text("")
    storage.require_folder(tmp_path, storage.RUN, storage.BENCHMARK)
