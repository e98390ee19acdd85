"""safetensors files by hand: what is in them is read right, or named."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights.safetensors_files import read_arrays, read_header


@pytest.fixture
def write(tmp_path):
    def write(header, content=b"", length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        length = len(text) if length is None else length
        path = tmp_path / "net.safetensors"
        path.write_bytes(length.to_bytes(8, "little") + text + content)
        return path

    return write


def one(**changes):
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


def test_arrays_of_the_library_are_read(tmp_path):
    kinds = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
    arrays = {kind: np.arange(6).reshape(2, 3).astype(kind) for kind in kinds}
    arrays |= {"scalar": np.array(3.0), "empty": np.zeros((0, 3), np.float32)}
    save_file(arrays, tmp_path / "net.safetensors", {"note": "text"})
    found = read_arrays(tmp_path / "net.safetensors")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_bfloat16_is_the_upper_half_of_float32(write):
    exact = np.array([1.5, -2.0, 96.0], np.float32)
    upper = (exact.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = {"a": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}
    np.testing.assert_array_equal(read_arrays(write(header, upper))["a"], exact)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (one(dtype="F8_E4M3"), "'a' is of the type 'F8_E4M3', which numpy does not"),
        (one(dtype=["F32"]), "is of the type"),
        (one(shape=[-2]), "has the shape"),
        (one(shape=[True]), "has the shape"),
        (one(shape=[2.0]), "has the shape"),
        (one(shape=[10**12, 10**12]), "needs 4000000000000000000000000 bytes"),
        (one(shape=17 * [1]), "has the shape"),
        (one(shape=[4]), "needs 16 bytes; it has those from 0 to 8"),
        (one(data_offsets=[0, 99]), "needs 8 bytes; it has those from 0 to 99"),
        (one(data_offsets=[8, 16]), "needs 8 bytes; it has those from 8 to 16 of 8"),
        (one(data_offsets=[8, 0]), "needs 8 bytes"),
        (one(data_offsets=[0]), "no shape or place"),
        ({"a": {}}, "no type, shape or place"),
        ({"a": 3}, "no type, shape or place"),
        (one() | {"b": one()["a"]}, "'b' overlaps another array"),
        (b'{"a": 1, "a": 1}', "'a' is there twice"),
        ([], "the header is no mapping"),
        (b"{{{{", "not a safetensors file"),
        (b"\xff\xfe", "not a safetensors file"),
        (100_000 * b"[", "not a safetensors file"),
        (b'{"a": ' + 5000 * b"9" + b"}", "not a safetensors file"),
    ],
)
def test_wrong_headers_are_named(write, header, message):
    path = write(header, bytes(8))
    for read in (read_header, read_arrays):
        with pytest.raises(DataError, match=r"net\.safetensors: ") as raised:
            read(path)
        assert message in str(raised.value)
        assert len(str(raised.value)) < 700


@pytest.mark.parametrize("length", [0, 3, 10**6, 2**63, 2**64 - 1])
def test_the_length_of_the_header_is_checked(write, length):
    with pytest.raises(DataError, match="not a safetensors file"):
        read_header(write(one(), bytes(8), length))


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "short").write_bytes(b"\1\0")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**13)
    for name in ("pipe", "short", "sparse", "gone", ""):
        with pytest.raises(DataError, match=str(tmp_path)):
            read_arrays(tmp_path / name)
