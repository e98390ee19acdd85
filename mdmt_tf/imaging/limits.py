"""Limits on what a file may hold, checked before it is decoded.

A file of a kilobyte can claim an image of gigabytes. Sizes are therefore compared with
limits as soon as the header is known. The limits are options: `--limit NAME=NUMBER` of
the commands that read originals, or `use` in Python.
"""

import contextlib
import dataclasses
import gzip
import io
import math
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from mdmt_tf.errors import ConfigError, DataError, nearest

# Contents smaller than this are no danger, however well they are compressed: a black
# image of 8000 x 8000 pixels.
SMALL = 64_000_000
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Limits:
    """The largest file that is read.

    Attributes:
        max_pixels: rows x columns of an image, or of one slice.
        max_voxels: rows x columns x slices of a volume.
        max_bytes: of a file, and of what it holds once it is unpacked.
        max_ratio: bytes unpacked / bytes in the file; contents below `SMALL` have none.
        max_table_bytes: of a table, once it is unpacked.
        max_cells: rows x columns of a table.
    """

    max_pixels: int = 100_000_000
    max_voxels: int = 400_000_000
    max_bytes: int = 4_000_000_000
    max_ratio: int = 100
    max_table_bytes: int = 50_000_000
    max_cells: int = 5_000_000


NAMES = tuple(field.name for field in dataclasses.fields(Limits))
DEFAULTS = Limits()
_current = DEFAULTS


def current() -> Limits:
    """The limits that hold in this process."""
    return _current


def use(limits: Limits) -> None:
    """Let other limits hold in this process, and in the decoders that it starts."""
    global _current
    _current = limits


@contextlib.contextmanager
def using(limits: Limits) -> Iterator[None]:
    """Let other limits hold inside a `with` block."""
    before = current()
    use(limits)
    try:
        yield
    finally:
        use(before)


def parse(assignments: Iterable[str], base: Limits = DEFAULTS) -> Limits:
    """Limits from texts such as "max_pixels=3e8"; the others are those of `base`.

    Raises: ConfigError for an unknown name, or a number that is no positive integer.

    Example:
        >>> parse(["max_pixels=3e8"]).max_pixels
        300000000
    """
    values = {}
    for text in assignments:
        name, _, number = (part.strip() for part in text.partition("="))
        if name not in NAMES:
            raise ConfigError(
                f"--limit {text}: expected one of {', '.join(NAMES)}, followed by = "
                f"and a number.{nearest(name, NAMES)}"
            )
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 1 and value.is_integer()):
            raise ConfigError(
                f"--limit {text}: expected a positive whole number, such as "
                f"{getattr(DEFAULTS, name):.0e}. Received: {number!r}."
            )
        values[name] = int(value)
    return dataclasses.replace(base, **values)


def check_pixels(
    name: str,
    rows: int,
    columns: int,
    frames: int = 1,
    samples: int = 1,
    bytes_each: int = 1,
    *,
    stored: int | None = None,
) -> None:
    """Compare the size in a header with the limits, before anything is decoded.

    Args:
        name: the file, for messages; "" where the caller adds it.
        rows, columns: of an image or a slice.
        frames: number of slices of a volume, or of frames.
        samples: numbers per pixel, 3 for RGB.
        bytes_each: bytes of a number; 1 for less.
        stored: bytes of the compressed image; None: it is not compressed.
    Raises: DataError.
    """
    size = f"{rows} x {columns}"
    if rows * columns > current().max_pixels:
        raise _too_large(name, f"an image of {size} pixels", "max_pixels")
    if frames > 1:
        size += f" x {frames}"
        if rows * columns * frames > current().max_voxels:
            raise _too_large(name, f"a volume of {size} voxels", "max_voxels")
    decoded = rows * columns * frames * samples * bytes_each
    what = f"{size} pixels, {samples} x {bytes_each} bytes each"
    check_unpacked(name, decoded, stored, what)


def check_unpacked(
    name: str,
    unpacked: int,
    stored: int | None,
    what: str = "contents",
    small: int = SMALL,
) -> None:
    """Compare the bytes that a file holds once it is unpacked with the limits.

    Args:
        name: the file, for messages; "" where the caller adds it.
        unpacked: bytes.
        stored: bytes in the file; None: they are not compressed.
        what: that is unpacked, for messages.
        small: unpacked bytes up to which any ratio will do.
    Raises: DataError.
    """
    if unpacked > current().max_bytes:
        raise _too_large(name, f"{what}, {unpacked} bytes", "max_bytes")
    if stored is not None and unpacked > max(small, current().max_ratio * stored):
        text = f"{what}, {unpacked} bytes in a file of {stored}"
        raise _too_large(name, text, "max_ratio", "times the bytes of the file")


def check_file_size(
    path: str | os.PathLike,
    name: str | None = None,
    limit: str = "max_bytes",
    *,
    most: int | None = None,
) -> int:
    """The size of a file in bytes, if it is one that can be read.

    Args:
        path: the file.
        name: of the file in messages; None: the path; "" where the caller adds it.
        limit: the name of the limit that holds for it.
        most: bytes; a fixed limit that holds instead.
    Raises: DataError for a device, a pipe or a socket, which may never end, for a
        folder, for a file that is too large, and when there is no such file.
    """
    name = os.fspath(path) if name is None else name
    try:
        status = os.stat(path)
    except OSError as error:
        raise DataError(_said(name, f"cannot be read: {error.strerror}")) from error
    except ValueError as error:  # a zero byte in the name
        raise DataError(_said(name, f"cannot be read: {error}")) from error
    if stat.S_ISDIR(status.st_mode):
        raise DataError(_said(name, "cannot be read: Is a directory"))
    if not stat.S_ISREG(status.st_mode):
        raise DataError(
            _said(name, "expected a file. Received: a device, a pipe or a socket")
        )
    if most is not None and status.st_size > most:
        text = f"expected at most {most} bytes. Received: {status.st_size}"
        raise DataError(_said(name, text))
    if most is None and status.st_size > getattr(current(), limit):
        raise _too_large(name, f"a file of {status.st_size} bytes", limit)
    return status.st_size


def read_file(
    path: str | os.PathLike, name: str | None = None, limit: str = "max_bytes"
) -> bytes:
    """The bytes of a file; arguments and errors as `check_file_size`."""
    size = check_file_size(path, name, limit)
    try:
        with Path(path).open("rb") as file:
            return file.read(size)
    except OSError as error:
        name = os.fspath(path) if name is None else name
        raise DataError(_said(name, f"cannot be read: {error.strerror}")) from error


def inflate(
    data: bytes,
    name: str,
    expected: int | None = None,
    *,
    raw: bool = False,
    keep: bool = True,
) -> bytes:
    """Unpack gzip or raw deflate, up to the limits.

    Args:
        data: the compressed bytes; gzip may have several members.
        name: the file, for messages; "" where the caller adds it.
        expected: the bytes that are wanted; None: all. What follows is unpacked too, so
            that the checksum is verified, but not kept.
        raw: whether it is deflate without a header, as in DICOM.
        keep: whether the bytes are wanted at all; False to check the limits.
    Returns: the unpacked bytes, at most `expected`; fewer, if there are no more.
    Raises: DataError when a limit is exceeded, or the data are damaged or truncated.
    """
    if expected is not None:
        check_unpacked(name, expected, len(data))
    unpacked = io.BytesIO()
    total = 0
    try:
        for chunk in _raw_chunks(data) if raw else _chunks(_gzip(data)):
            total += len(chunk)
            check_unpacked(name, total, len(data))
            if expected is None:
                unpacked.write(chunk if keep else b"")
                continue
            unpacked.write(chunk[: max(0, expected - unpacked.tell())])
            if total > expected + SMALL:
                text = f"at least {total} bytes, where the header announces {expected}"
                raise DataError(_said(name, f"{text}. The file is damaged"))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            _said(name, f"cannot be unpacked: {error}. Copy it again")
        ) from error
    return unpacked.getvalue()  # without a copy


def start_of_gzip(data: bytes, count: int) -> bytes:
    """The first bytes of gzip data; fewer, where it is damaged or truncated."""
    with contextlib.suppress(OSError, EOFError, zlib.error):
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, count)
    return b""


def _gzip(data: bytes) -> BinaryIO:
    return gzip.GzipFile(fileobj=io.BytesIO(data))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _raw_chunks(data: bytes) -> Iterator[bytes]:
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    chunk = decoder.decompress(data, _CHUNK)
    while chunk or decoder.unconsumed_tail:
        yield chunk
        chunk = decoder.decompress(decoder.unconsumed_tail, _CHUNK)
    if not decoder.eof:
        raise EOFError("the compressed data end before their end marker")


def _too_large(name: str, what: str, limit: str, unit: str = "") -> DataError:
    most = f"{getattr(current(), limit)} {unit}".strip()
    return DataError(
        _said(
            name,
            f"{what}, is too large: expected at most {most}. If the file is in order, "
            f"raise the limit: --limit {limit}=NUMBER",
        )
    )


def _said(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text
