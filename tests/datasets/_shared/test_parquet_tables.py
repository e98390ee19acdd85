"""Tables in Parquet files, which may be small and hold gigabytes."""

import builtins

import pytest

from mdmt_tf.datasets._shared.parquet_tables import read_lines
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import limits

arrow = pytest.importorskip("pyarrow")
import pyarrow.parquet  # noqa: E402


@pytest.fixture
def write(tmp_path):
    def write(columns, **options):
        path = tmp_path / "t.parquet"
        pyarrow.parquet.write_table(arrow.table(columns), path, **options)
        return path

    return write


def test_cells_become_text(write):
    path = write(
        {
            "file": ["a", "b", None],
            "score": [1.0, 2.5, None],
            "dead": [True, False, None],
            "zeros": ["001", "0 \u200b", "2"],
            "count": [3, None, 5],
            "raw": [b"x", b"\xff", None],
            "ward": arrow.array(["n", "s", "n"]).dictionary_encode(),
        }
    )
    assert read_lines(path) == [
        (0, ["file", "score", "dead", "zeros", "count", "raw", "ward"]),
        (1, ["a", "1", "1", "001", "3", "x", "n"]),
        (2, ["b", "2.5", "0", "0", "", "\\xff", "s"]),
        (3, ["", "", "", "2", "5", "", "n"]),
    ]


def test_many_batches_and_groups(write):
    numbers = list(range(3000))
    lines = read_lines(write({"a": numbers}, row_group_size=1700))
    assert lines[1:] == [(n + 1, [str(n)]) for n in numbers]


def test_floats_beyond_all_integers_are_not_as_if_they_had_all_digits(write):
    ids = [2**53 - 1, 2**53 + 2]
    lines = read_lines(write({"whole": ids, "float": list(map(float, ids))}))
    assert [cells for _, cells in lines[1:]] == [
        ["9007199254740991", "9007199254740991"],
        ["9007199254740994", "9.007199254740994E+15"],
    ]


def test_no_rows(write):
    assert read_lines(write({"a": arrow.array([], arrow.string())})) == [(0, ["a"])]


def test_columns_of_lists_are_not_decoded(write):
    """They cost nothing, and no label is read from them."""
    path = write({"a": ["x"], "all": arrow.array([[None] * 10**6]), "b": ["y"]})
    (_, header), (_, cells) = read_lines(path)
    assert (header, cells[::2]) == (["a", "all", "b"], ["x", "y"])
    assert cells[1].startswith("list<")


@pytest.mark.parametrize(
    ("rows", "options"),  # functions: each makes 400 MB
    [
        (lambda: ["x" * 20_000] * 20_000, {}),
        (lambda: arrow.array(["x" * 20_000] * 20_000).dictionary_encode(), {}),
        (
            lambda: [f"{'x' * 20_000}{n % 10}" for n in range(20_000)],
            {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
        ),
        (lambda: ["x" * 400_000_000], {"compression": "zstd"}),
    ],
    ids=["dictionary", "stored dictionary", "common starts", "one cell"],
)
@pytest.mark.large
def test_cells_of_many_bytes_in_a_small_file(write, rows, options):
    path = write({"a": rows()}, **options)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match="holds too many bytes.*max_table_bytes="):
        read_lines(path)


def test_bytes_are_counted_as_they_are_decoded(write):
    path = write({"a": ["x" * 1000] * 5000})
    assert path.stat().st_size < 10_000
    assert len(read_lines(path)) == 5001
    few = limits.Limits(max_table_bytes=1_000_000)
    with limits.using(few), pytest.raises(DataError, match="at most 1000000"):
        read_lines(path)


def test_rows_are_counted_before_they_are_decoded(write):
    path = write({"a": arrow.nulls(3_000_000), "b": arrow.nulls(3_000_000)})
    with pytest.raises(DataError, match="too many cells"):
        read_lines(path)


@pytest.mark.parametrize("place", [4, -4, -100])
def test_damaged_files(write, place):
    path = write({"a": list(range(100))}, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[place : place + 3] = b"\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"^.*t\.parquet: this table cannot be read"):
        read_lines(path)


def test_without_pyarrow_says_how_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"pip install 'mdmt_tf\[parquet\]'"):
        read_lines(tmp_path / "t.parquet")
