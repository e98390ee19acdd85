"""Files that are written whole or not at all, JSON, digests and locks."""

import hashlib
import json
import math

import pytest

from mdmt_tf import storage


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
