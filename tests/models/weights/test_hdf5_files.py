"""Weights in HDF5: arrays larger than the file, and references to other files."""

import h5py
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights import hdf5_files


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.weights.h5"
    with h5py.File(path, "w") as file:
        file["layer/vars/0"] = np.ones((3, 4), np.float32)
        file["layer/vars/1"] = np.ones(4, np.float16)
        file.create_group("empty")
    return path


def announced(file):
    file.create_dataset("big", shape=(10**7, 10**7), chunks=(1, 1), dtype="f4")


def packed(file):
    zeros = np.zeros(20_000_000, np.float32)
    file.create_dataset("big", data=zeros, compression="gzip")


def elsewhere(file):
    file["big"] = h5py.ExternalLink("/etc/passwd", "x")


def stored_elsewhere(file):
    file.create_dataset("big", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("/other.h5", "x", shape=(4,))
    file.create_virtual_dataset("big", layout)


def soft(file):
    file["big"] = h5py.SoftLink("/layer")


def texts(file):
    file.create_dataset("big", data=["a"], dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (announced, "too large.*max_bytes"),
        (packed, "too large.*max_ratio"),
        (elsewhere, "'/big' refers to another file"),
        (stored_elsewhere, "'/big' refers to another file"),
        (virtual, "'/big' refers to another file"),
        (soft, "'/big' is a link"),
        (texts, "'/big' is of the type object"),
    ],
)
def test_what_does_not_belong_there_is_named(path, add, message):
    hdf5_files.check(path)
    with h5py.File(path, "a") as file:
        add(file)
    with pytest.raises(DataError, match=r"net\.weights\.h5: .*" + message):
        hdf5_files.check(path)


def test_a_group_in_itself_is_looked_at_once(path):
    with h5py.File(path, "a") as file:
        file["layer/again"] = file["/"]
    hdf5_files.check(path)


def test_damaged_files_are_named(path):
    content = path.read_bytes()
    for damaged in (b"", content[:100], b"no HDF5" + content, content[:-500]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"net\.weights\.h5: not a file of weights"):
            hdf5_files.check(path)
