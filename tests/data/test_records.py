"""Random access to TFRecord files, against TensorFlow's own writer."""

import numpy as np
import pytest

from mdmt_tf.data.records import Records
from mdmt_tf.errors import DataError

CONTENTS = [[b"", b"one", b"x" * 5000], [], [b"\0\1\2", b"last"]]


@pytest.fixture
def paths(tmp_path):
    import tensorflow as tf

    paths = []
    for number, contents in enumerate(CONTENTS):
        paths.append(tmp_path / f"file-{number}")
        with tf.io.TFRecordWriter(str(paths[-1])) as writer:
            for record in contents:
                writer.write(record)
    return paths


def test_records_come_in_any_order(paths):
    records = Records(paths)
    expected = sum(CONTENTS, [])
    assert len(records) == 5
    assert records.length.tolist() == [len(record) for record in expected]
    order = [4, 0, 2, 2, 3, 1]
    assert records.read(order) == [expected[row] for row in order]
    assert records.read(np.array([1])) == [b"one"]


def test_no_files_no_records():
    assert len(Records([])) == 0


@pytest.mark.parametrize("lost", [1, 4, 10, 5000])
def test_file_that_ends_early(paths, lost):
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole[:-lost])
    with pytest.raises(DataError, match=r"file-0: record 2 at byte 35 goes beyond"):
        Records(paths)


def test_file_of_something_else(tmp_path):
    (tmp_path / "file").write_bytes(b"\xff" * 100)
    with pytest.raises(DataError, match="not a TFRecord file"):
        Records([tmp_path / "file"])


def test_file_that_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"gone: cannot be read \(No such file"):
        Records([tmp_path / "gone"])


def test_files_are_closed(paths):
    import gc
    import os

    def is_open(descriptor):
        try:
            os.fstat(descriptor)
        except OSError:
            return False
        return True

    records = Records(paths)
    descriptors = list(records._descriptors)
    assert all(map(is_open, descriptors))
    del records
    gc.collect()
    assert not any(map(is_open, descriptors))
