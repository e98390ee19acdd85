"""Limits: what a header claims is compared before anything is decoded."""

import gzip
import os
import socket
import zlib

import pytest

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import limits

MB = 1_000_000


def test_image_at_the_limit_passes_and_one_row_more_does_not():
    limits.check_pixels("a.png", 10_000, 10_000)
    with pytest.raises(DataError, match=r"^a.png: an image of 10001 x 10000 pixels"):
        limits.check_pixels("a.png", 10_001, 10_000)


def test_volume_has_a_limit_of_its_own():
    limits.check_pixels("a", 512, 512, frames=1500)
    with pytest.raises(DataError, match="512 x 512 x 1600 voxels.*max_voxels=NUMBER"):
        limits.check_pixels("a", 512, 512, frames=1600)


def test_samples_and_bytes_count():
    with limits.using(limits.Limits(max_bytes=23)):
        limits.check_pixels("a", 1, 23)
        with pytest.raises(DataError, match="24 bytes.*--limit max_bytes"):
            limits.check_pixels("a", 2, 2, samples=3, bytes_each=2)
    limits.check_pixels("a", 2, 2, samples=3, bytes_each=2)


def test_ratio_counts_above_a_small_size_only():
    limits.check_unpacked("a", limits.SMALL, stored=1)
    limits.check_unpacked("a", 100 * MB, stored=MB)
    with pytest.raises(DataError, match="100 times the bytes of the file"):
        limits.check_unpacked("a", 100 * MB + 1, stored=MB)


def test_inflate_gives_what_was_packed():
    content = os.urandom(3000) * 1000
    packed = gzip.compress(content[:MB]) + gzip.compress(content[MB:])
    assert limits.inflate(packed, "a") == content
    assert limits.inflate(packed, "a", expected=MB + 5) == content[: MB + 5]
    assert limits.inflate(gzip.compress(b"short"), "a", expected=9) == b"short"
    assert limits.start_of_gzip(packed, 348) == content[:348]


def test_inflate_of_raw_deflate():
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = b"abc" * MB
    packed = encoder.compress(content) + encoder.flush()
    assert limits.inflate(packed, "a", raw=True) == content
    with pytest.raises(DataError, match="a: cannot be unpacked"):
        limits.inflate(packed[:-5], "a", raw=True)


@pytest.mark.parametrize("expected", [None, 1000])
def test_inflate_stops_at_the_limit(expected):
    packed = gzip.compress(bytes(70 * MB), 1)
    with pytest.raises(DataError, match=r"^a: .* (too large|damaged)"):
        limits.inflate(packed, "a", expected)


@pytest.mark.parametrize("cut", [5, 30, -3])
def test_damaged_gzip_is_named(cut):
    packed = gzip.compress(os.urandom(100))[:cut]
    with pytest.raises(DataError, match="^a: cannot be unpacked: .*Copy it again"):
        limits.inflate(packed, "a")


def test_only_files_are_read(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"12345")
    assert limits.read_file(tmp_path / "file") == b"12345"
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for name in ("pipe", "socket", "/dev/zero"):
            with pytest.raises(DataError, match=f"^{name}: expected a file"):
                limits.read_file(name)
    with pytest.raises(DataError, match=r"^b: cannot be read: Is a directory"):
        limits.read_file(tmp_path, "b")
    with pytest.raises(DataError, match=r"^gone: cannot be read: No such file"):
        limits.read_file("gone")
    with pytest.raises(DataError, match=r"cannot be read: embedded null"):
        limits.read_file("\0")


def test_size_of_a_file_is_compared_before_it_is_read(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(DataError, match=r"^x: a file of 1000000000000 bytes"):
        limits.read_file(tmp_path / "sparse", "x")
    with pytest.raises(DataError, match=r"^a file .*max_table_bytes"):
        limits.check_file_size(tmp_path / "sparse", "", "max_table_bytes")


def test_options():
    assert limits.parse([]) == limits.DEFAULTS
    parsed = limits.parse(["max_pixels=3e8", "max_ratio = 7"])
    assert (parsed.max_pixels, parsed.max_ratio) == (300_000_000, 7)
    assert parsed.max_bytes == limits.DEFAULTS.max_bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_pixel=3", "Did you mean 'max_pixels'"),
        ("max_pixels", "expected a positive whole number, such as 1e\\+08"),
        ("max_pixels=0", "positive whole"),
        ("max_pixels=nan", "positive whole"),
        ("max_pixels=1e999", "positive whole"),
        ("max_pixels=1.5", "positive whole"),
    ],
)
def test_wrong_options(text, message):
    with pytest.raises(ConfigError, match=message):
        limits.parse([text])
