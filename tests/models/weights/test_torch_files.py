"""PyTorch files are read; files that could run code, or are damaged, are refused."""

import io
import pathlib
import pickle
import random
import sys
import time
import types
import zipfile

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights.torch_files import read_torch_file

FILES = pathlib.Path(__file__).parent / "torch_files"
FORMATS = ["archive", "stream"]

RAMP = np.arange(24, dtype="float32").reshape(2, 3, 4)
CONTENT = {
    "ramp": RAMP,
    "second": RAMP[1],
    "transposed": RAMP[0].T,
    "parameter": np.array([0.5, -1.5], "float32"),
    "double": np.array([0, 1, 100], "float64"),
    "half": np.array([0, 1, 100], "float16"),
    "bfloat16": np.array([1.5, -2.0, 96.0], "float32"),
    "long": np.array([0, 1, 100], "int64"),
    "int": np.array([0, 1, 100], "int32"),
    "short": np.array([0, 1, 100], "int16"),
    "char": np.array([0, 1, -100], "int8"),
    "byte": np.array([0, 1, 200], "uint8"),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 3), "float32"),
    "scalar": np.array(7, "float32"),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_what_pytorch_wrote_is_read(kind):
    stored = read_torch_file(FILES / f"{kind}.pth")
    assert stored["epoch"] == 3
    assert stored["name"] == "net"
    tensors = stored["state_dict"]
    assert list(tensors) == list(CONTENT)
    for name, expected in CONTENT.items():
        assert tensors[name].dtype == expected.dtype, name
        assert tensors[name].shape == expected.shape, name
        np.testing.assert_array_equal(tensors[name], expected)


def test_arrays_are_the_reader_s_own():
    tensors = read_torch_file(FILES / "archive.pth")["state_dict"]
    tensors["ramp"][:] = 0
    np.testing.assert_array_equal(tensors["second"], RAMP[1])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_file_is_refused(kind, tmp_path):
    content = (FILES / f"{kind}.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for length in [*range(200), *range(200, len(content), 37)]:
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut\.pth: "):
            read_torch_file(path)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_file_gives_a_message_or_numbers(kind, tmp_path):
    content = (FILES / f"{kind}.pth").read_bytes()
    path = tmp_path / "damaged.pth"
    rng = random.Random(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            read_torch_file(path)
        except DataError:
            refused += 1
    assert refused > 50


# Files with contents that PyTorch would not write. PyTorch's names exist only while
# they are pickled.


class Tensor:
    """Pickled like a tensor of PyTorch; storage "0" by default."""

    def __init__(self, offset=0, shape=(2, 3), strides=(3, 1), **storage):
        self.view = offset, shape, strides
        self.storage = {"type": "FloatStorage", "key": "0", "size": 6, **storage}


class Storage:
    def __init__(self, facts):
        self.facts = facts


def pickled(content, monkeypatch):
    torch = types.ModuleType("torch")
    utils = types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError("never called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in ("FloatStorage", "ComplexFloatStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                facts = value.facts
                kind = getattr(torch, facts["type"])
                return ("storage", kind, facts["key"], "cpu", facts["size"])
            return None

        def reducer_override(self, value):
            if isinstance(value, Tensor):
                arguments = (Storage(value.storage), *value.view, False, None)
                return _rebuild_tensor_v2, arguments
            return NotImplemented

    stream = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        Pickler(stream, protocol=2).dump(content)
    return stream.getvalue()


def write_archive(path, content, storage=None):
    storage = np.arange(6, dtype="<f4").tobytes() if storage is None else storage
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", content)
        archive.writestr("net/data/0", storage)


def write_stream(path, content):
    header = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    pickles = [pickle.dumps(value, protocol=2) for value in header]
    path.write_bytes(b"".join([*pickles, content, pickle.dumps([], protocol=2)]))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pth"


def test_the_files_made_here_are_like_pytorch_s(path, monkeypatch):
    write_archive(path, pickled({"w": Tensor()}, monkeypatch))
    np.testing.assert_array_equal(read_torch_file(path)["w"], [[0, 1, 2], [3, 4, 5]])


class Attack:
    """Calls `function(*arguments)` when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("write", [write_archive, write_stream])
@pytest.mark.parametrize("function", [exec, eval, print, pathlib.Path, bytearray])
def test_no_code_is_run(write, function, path, tmp_path, monkeypatch):
    marker = tmp_path / "was_run"
    attack = Attack(function, f"open({str(marker)!r}, 'w')")
    write(path, pickled({"w": Tensor(), "x": attack}, monkeypatch))
    with pytest.raises(DataError, match=rf"contains .*{function.__name__}, which is n"):
        read_torch_file(path)
    assert not marker.exists()


def test_the_reader_s_own_parts_cannot_be_changed(path, monkeypatch):
    """A pickle may set attributes of its objects, here of the tensor's function."""
    content = (
        b"\x80\x02}("  # a dict
        b"X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"
        b"N}(X\x08\x00\x00\x00__call__K\x01u\x86b"  # BUILD with attributes to set
        b"u."
    )
    write_archive(path, content)
    with pytest.raises(DataError, match=r"net\.pth: "):
        read_torch_file(path)
    test_the_files_made_here_are_like_pytorch_s(path, monkeypatch)


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor(shape=(2, 4), strides=(4, 1)),
        Tensor(offset=1),
        Tensor(offset=6, shape=(1,), strides=(1,)),
        Tensor(strides=(4, 1)),
        Tensor(shape=(10**6, 10**6), strides=(0, 0)),  # few bytes, many numbers
        Tensor(size=3),
        Tensor(shape=(7,), strides=(1,), size=7),
        Tensor(shape=(-1,), strides=(1,)),
        Tensor(offset=-1),
        Tensor(strides=(-3, 1)),
        Tensor(strides=(3,)),
        Tensor(shape=(2.0, 3)),
    ],
    ids=lambda tensor: f"{tensor.view}{tensor.storage['size']}",
)
def test_a_tensor_stays_inside_its_storage(tensor, path, monkeypatch):
    write_archive(path, pickled({"w": tensor}, monkeypatch))
    with pytest.raises(
        DataError, match=r"reaches beyond its storage|impossible|repeat each other"
    ):
        read_torch_file(path)


def test_an_unknown_type_of_number_is_named(path, monkeypatch):
    tensor = Tensor(type="ComplexFloatStorage")
    write_archive(path, pickled({"w": tensor}, monkeypatch))
    with pytest.raises(DataError, match=r"contains torch\.ComplexFloatStorage, which"):
        read_torch_file(path)


def test_a_storage_that_is_missing_is_named(path, monkeypatch):
    write_archive(path, pickled({"w": Tensor(key="1")}, monkeypatch))
    with pytest.raises(DataError, match="net/data/1"):
        read_torch_file(path)


def test_other_files_are_refused(path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(DataError, match="not a file of tensors from `torch.save`"):
        read_torch_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    with pytest.raises(DataError, match=r"a ZIP with 0 files data\.pkl"):
        read_torch_file(path)
    path.write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(DataError, match="does not begin like a file of torch.save"):
        read_torch_file(path)
    path.unlink()
    with pytest.raises(DataError, match=r"net\.pth: (?i:.*no such file)"):
        read_torch_file(path)
    with pytest.raises(DataError, match=r"Is a directory"):
        read_torch_file(path.parent)


def write_pickle(path, code):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", code)


def doubled(times):
    """A tuple of two equal tuples of two equal tuples ..., in some bytes each."""
    return b"\x80\x02N" + times * b"2\x86"


@pytest.mark.parametrize(
    "code",
    [
        doubled(5000) + b".",
        b"\x80\x02}" + doubled(60)[2:] + b"Ns.",  # as a key, to be hashed
        b"\x80\x02}(" + doubled(60)[2:] + b"Nu.",
        b"\x80\x02(" + doubled(60)[2:] + b"Nd.",
        b"\x80\x04\x8f(" + doubled(60)[2:] + b"\x90.",  # in a set
        b"\x80\x02ccollections\nOrderedDict\n" + doubled(60)[2:] + b"\x85R.",
        b"\x80\x02]q\0h\0a.",  # a list in itself
        b"\x80\x02}q\0K\1h\0s.",  # a dict in itself
        b"\x80\x02" + 500 * b"(" + 500 * b"l" + b".",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",  # a number of 2 GB
        b"\x80\x05\x96" + (2**31).to_bytes(8, "little") + b".",  # a bytearray of 2 GB
        b"\x80\x04\x95" + (2**60).to_bytes(8, "little") + b"N.",  # a frame
        b"\x80\x02" + 1_100_000 * b"N" + b".",
    ],
)
def test_pickles_that_grow_are_refused(path, code):
    write_pickle(path, code)
    started = time.process_time()
    with pytest.raises(DataError, match=r"net\.pth: "):
        read_torch_file(path)
    assert time.process_time() - started < 4


def test_what_is_shared_is_read_once(path):
    write_pickle(path, doubled(60) + b".")
    found = read_torch_file(path)
    assert found[0] is found[1]


def test_tensors_that_repeat_a_storage_are_refused(path, monkeypatch):
    tensors = {
        str(n): Tensor(shape=(500_000,), strides=(1,), size=500_000) for n in range(40)
    }
    content = np.zeros(500_000, np.float32).tobytes()
    write_archive(path, pickled(tensors, monkeypatch), content)
    with pytest.raises(DataError, match=r"tensors of 80000000 bytes in a file of 20"):
        read_torch_file(path)


def test_compressed_members_are_refused(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", bytes(50_000_000))
    with pytest.raises(DataError, match="its members are larger than the file"):
        read_torch_file(path)
