"""Small files that claim, or unpack to, gigabytes; and files that never end.

Each function writes one file below a folder and returns its path. `BOMBS` has them by
kind of reader, see `bomb_trials`.
"""

import gzip
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

GIGABYTE = 1_000_000_000
Maker = Callable[[Path], Path]
BOMBS: dict[str, dict[str, Maker]] = {}
# Names of files that may be read, within the limits: what is large in them is not used.
HARMLESS: set[str] = set()


def bomb(
    reader: str, name: str, *, harmless: bool = False
) -> Callable[[Callable], Callable]:
    """Add a function that returns the content of a file, or None for one it made."""
    if harmless:
        HARMLESS.add(name)

    def add(content: Callable[..., bytes | None]) -> Callable:
        def make(folder: Path) -> Path:
            path = folder / name
            if (data := content(path)) is not None:
                path.write_bytes(data)
            return path

        BOMBS.setdefault(reader, {})[name] = make
        return content

    return add


_BLOCK = 100_000_000


def _zero_blocks(count: int) -> bytes:
    """`count` zeros as deflate, at least; the same blocks again and again."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = packer.compress(bytes(_BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    return -(-count // _BLOCK) * block + b"\x03\0"


def zeros_as_zlib(count: int) -> bytes:
    """`count` zeros, at least, with the checksum of zlib."""
    count = -(-count // _BLOCK) * _BLOCK
    checksum = (count % 65521 << 16) + 1  # Adler-32 of zeros
    return b"\x78\xda" + _zero_blocks(count) + checksum.to_bytes(4, "big")


def zeros_as_gzip(count: int) -> bytes:
    """`count` zeros, at least, as many members."""
    return -(-count // _BLOCK) * gzip.compress(bytes(_BLOCK))


# Images.


def _jpeg(side: int = 64, **options) -> bytes:
    ramp = np.add.outer(np.arange(side), np.arange(side)).astype(np.uint8)
    flags = [flag for pair in options.items() for flag in pair]
    return cv2.imencode(".jpg", ramp, flags)[1].tobytes()


def _claiming(jpeg: bytes, rows: int, columns: int) -> bytes:
    at = next(jpeg.find(mark) for mark in (b"\xff\xc0", b"\xff\xc2") if mark in jpeg)
    return jpeg[: at + 5] + struct.pack(">HH", rows, columns) + jpeg[at + 9 :]


@bomb("image", "jpeg-30000-in-1kB.jpg")
def _(_path) -> bytes:
    return _claiming(_jpeg(), 30_000, 30_000)


@bomb("image", "jpeg-9000-in-1kB.jpg")
def _(_path) -> bytes:
    return _claiming(_jpeg(), 9_000, 9_000)


@bomb("image", "jpeg-of-1000-scans.jpg")
def _(_path) -> bytes:
    ok, data = cv2.imencode(
        ".jpg", np.zeros((6000, 6000), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    )
    assert ok
    data = data.tobytes()
    last = data.rfind(b"\xff\xda")
    return data[:last] + 1000 * data[last:-2] + data[-2:]


def _png(rows: int, columns: int, bits: int = 8, colour: int = 0, more=b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    samples = {0: 1, 2: 3, 6: 4}[colour]
    row = 1 + columns * samples * bits // 8
    head = struct.pack(">IIBBBBB", columns, rows, bits, colour, 0, 0, 0)
    body = zlib.compress(bytes(rows * row), 9)
    extra = chunk(*more) if more else b""
    ends = chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + ends


@bomb("image", "png-20000.png")
def _(_path) -> bytes:
    return _png(20_000, 20_000)


@bomb("image", "png-9500-rgba-16.png")
def _(_path) -> bytes:
    return _png(9_500, 9_500, 16, 6)


@bomb("image", "png-8000.png")
def _(_path) -> bytes:
    return _png(8_000, 8_000)


@bomb("image", "png-text-of-1GB.png")
def _(_path) -> bytes:
    packed = zeros_as_zlib(GIGABYTE)
    return _png(64, 64, more=(b"zTXt", b"note\0\0" + packed))


@bomb("image", "png-profile-of-1GB.png")
def _(_path) -> bytes:
    packed = zeros_as_zlib(GIGABYTE)
    return _png(64, 64, more=(b"iCCP", b"note\0\0" + packed))


def _tiff(rows: int, columns: int, strip: bytes, compression: int) -> bytes:
    tags = [(256, columns), (257, rows), (258, 8), (259, compression), (262, 1)]
    tags += [(273, 8), (277, 1), (278, rows), (279, len(strip))]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    page = 8 + len(strip)
    head = struct.pack("<2sHI", b"II", 42, page)
    return head + strip + struct.pack("<H", len(tags)) + body + bytes(4)


@bomb("image", "tiff-60000-in-200B.tif")
def _(_path) -> bytes:
    return _tiff(60_000, 60_000, bytes(20), 1)


@bomb("image", "tiff-9900-deflate.tif")
def _(_path) -> bytes:
    return _tiff(9_900, 9_900, zlib.compress(bytes(9_900**2), 9), 8)


@bomb("image", "sparse-1TB.png")
def _(path) -> None:
    with path.open("wb") as file:
        file.write(_png(64, 64)[:30])
        file.truncate(1000 * GIGABYTE)


@bomb("image", "pipe.png")
def _(path) -> None:
    os.mkfifo(path)


@bomb("image", "device.png")
def _(path) -> None:
    path.symlink_to("/dev/zero")


# DICOM.


def _dicom(syntax=ExplicitVRLittleEndian, pixels=bytes(64 * 64), **tags) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Rows = dataset.Columns = 64
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    for name, value in tags.items():
        setattr(dataset, name, value)
    if pixels is not None:
        dataset.add_new("PixelData", "OB", pixels)
        dataset["PixelData"].is_undefined_length = syntax.is_encapsulated
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


@bomb("image", "dicom-65535-claimed.dcm")
def _(_path) -> bytes:
    return _dicom(Rows=65_535, Columns=65_535)


@bomb("image", "dicom-deflated-4GB.dcm")
def _(_path) -> bytes:
    whole = _dicom(DeflatedExplicitVRLittleEndian, Rows=20_000, Columns=20_000)
    head = 144 + int.from_bytes(whole[140:144], "little")
    return whole[:head] + _zero_blocks(4 * GIGABYTE)


@bomb("image", "dicom-jpeg-30000-in-64.dcm")
def _(_path) -> bytes:
    fragment = _claiming(_jpeg(), 30_000, 30_000)
    return _dicom(JPEGBaseline8Bit, encapsulate([fragment]))


@bomb("image", "dicom-j2k-60000-in-64.dcm")
def _(_path) -> bytes:
    ramp = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    data = bytearray(cv2.imencode(".jp2", ramp)[1].tobytes())
    start = data.find(b"\xff\x4f\xff\x51")
    data = data[start:]
    struct.pack_into(">II", data, 8, 60_000, 60_000)
    struct.pack_into(">II", data, 24, 60_000, 60_000)
    return _dicom(JPEG2000Lossless, encapsulate([bytes(data)]))


@bomb("image", "dicom-rle-9000.dcm")
def _(_path) -> bytes:
    segment = struct.pack("<16I", 1, 64, *(14 * [0])) + b"\x81\0" * (9000**2 // 128)
    return _dicom(RLELossless, encapsulate([segment]), Rows=9000, Columns=9000)


@bomb("image", "dicom-10000-deep.dcm")
def _(_path) -> bytes:
    begin = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    return _dicom(pixels=None)[:-32] + 10_000 * begin


@bomb("volume", "dicom-1000000-frames.dcm")
def _(_path) -> bytes:
    return _dicom(NumberOfFrames=1_000_000)


# NIfTI.


def _nifti(shape: tuple[int, ...], code: int = 16, offset: float = 352) -> bytes:
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    dims = [len(shape), *shape, *(7 - len(shape)) * [1]]
    struct.pack_into("<8h", head, 40, *dims)
    bits = {2: 8, 4: 16, 16: 32, 64: 64}[code]
    struct.pack_into("<hh", head, 70, code, bits)
    struct.pack_into("<8f", head, 76, *(8 * [1.0]))
    struct.pack_into("<f", head, 108, offset)
    struct.pack_into("<h", head, 254, 1)
    struct.pack_into("<12f", head, 280, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    head[344:348] = b"n+1\0"
    return bytes(head)


@bomb("volume", "nifti-5GB.nii.gz")
def _(_path) -> bytes:
    return gzip.compress(_nifti((1100, 1100, 1000))) + zeros_as_gzip(
        48 * GIGABYTE // 10
    )


@bomb("volume", "nifti-400MB-and-5GB-more.nii.gz")
def _(_path) -> bytes:
    return gzip.compress(_nifti((100, 100, 100))) + zeros_as_gzip(5 * GIGABYTE)


@bomb("volume", "nifti-32767-claimed.nii")
def _(_path) -> bytes:
    return _nifti((32_767, 32_767, 32_767), 64) + bytes(1000)


@bomb("volume", "nifti-sparse-1TB.nii")
def _(path) -> None:
    with path.open("wb") as file:
        file.write(_nifti((100, 100, 100)))
        file.truncate(1000 * GIGABYTE)


@bomb("volume", "nifti-offset-of-3GB.nii.gz")
def _(_path) -> bytes:
    head = _nifti((100, 100, 100), offset=3e9)
    return gzip.compress(head) + zeros_as_gzip(31 * GIGABYTE // 10)


# Tables.

# Just below the limit of a table, so that its size alone is no reason.
_ALLOWED = 49_000_000
_SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


_STRINGS = """<Override PartName="/xl/sharedStrings.xml" ContentType="application/\
vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>"""


def _xlsx(path: Path, sheet, strings=None) -> None:
    """A workbook; `sheet` and `strings` are XML, or functions that write it."""
    import openpyxl

    workbook = openpyxl.Workbook()
    workbook.active.append(["a", "b"])
    buffer = io.BytesIO()
    workbook.save(buffer)
    packed = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 9}
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", **packed) as new:
        parts = {name: old.read(name) for name in old.namelist()}
        parts["xl/worksheets/sheet1.xml"] = sheet
        if strings is not None:
            types = parts["[Content_Types].xml"].decode()
            parts["[Content_Types].xml"] = types.replace("</Types>", _STRINGS)
            parts["xl/sharedStrings.xml"] = strings
        for name, content in parts.items():
            if isinstance(content, (str, bytes)):
                new.writestr(name, content)
                continue
            with new.open(name, "w", force_zip64=True) as part:
                for piece in content():
                    part.write(piece.encode())


def _row(number: int, cells: str) -> str:
    return f'<row r="{number}">{cells}</row>'


_TEXT = '<c r="{}" t="inlineStr"><is><t>{}</t></is></c>'
_HEAD = _row(1, _TEXT.format("A1", "a") + _TEXT.format("B1", "b"))
_END = "</sheetData></worksheet>"


@bomb("table", "cell-at-XFD1048576.xlsx")
def _(path) -> None:
    far = _row(1_048_576, '<c r="XFD1048576"><v>1</v></c>')
    size = '<dimension ref="A1:XFD1048576"/>'
    _xlsx(path, f"{_SHEET}{size}<sheetData>{_HEAD}{far}{_END}")


@bomb("table", "cells-at-XFD.xlsx")
def _(path) -> None:
    def sheet():
        yield f"{_SHEET}<sheetData>{_HEAD}"
        for number in range(2, 100_000):
            yield _row(number, f'<c r="XFD{number}"><v>1</v></c>')
        yield _END

    _xlsx(path, sheet)


@bomb("table", "sheet-of-1GB.xlsx")
def _(path) -> None:
    def sheet():
        yield f"{_SHEET}<sheetData>{_HEAD}"
        for _ in range(1000):
            yield 1_000_000 * " "
        yield _END

    _xlsx(path, sheet)


@bomb("table", "sheet-of-empty-rows.xlsx")
def _(path) -> None:
    def sheet():
        yield f"{_SHEET}<sheetData>{_HEAD}"
        for _ in range(_ALLOWED // 6 // 1000):
            yield 1000 * "<row/>"
        yield _END

    _xlsx(path, sheet)


@bomb("table", "strings-of-1GB.xlsx")
def _(path) -> None:
    def strings():
        yield '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        for _ in range(1000):
            yield 50_000 * "<si><t>a</t></si>   "
        yield "</sst>"

    _xlsx(path, f"{_SHEET}<sheetData>{_HEAD}{_END}", strings)


@bomb("table", "strings-of-49MB.xlsx")
def _(path) -> None:
    def strings():
        yield '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        for _ in range(_ALLOWED // 21 // 1000):
            yield 1000 * "<si><t>a</t></si>    "
        yield "</sst>"

    rows = "".join(_row(n, f'<c r="C{n}" t="s"><v>0</v></c>') for n in range(2, 9))
    _xlsx(path, f"{_SHEET}<sheetData>{_HEAD}{rows}{_END}", strings)


@bomb("table", "merged-everything.xlsx", harmless=True)
def _(path) -> None:
    merged = '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    rows = "".join(_row(n, f'<c r="A{n}"><v>1</v></c>') for n in range(2, 3000))
    end = f"</sheetData>{merged}</worksheet>"
    _xlsx(path, f"{_SHEET}<sheetData>{_HEAD}{rows}{end}")


@bomb("table", "entities.xlsx")
def _(path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{10 * f"&a{n - 1};"}">' for n in range(1, 12))
    doctype = f'<!DOCTYPE x [<!ENTITY a0 "lol">{entities}]>'
    cell = _row(2, '<c r="A2" t="inlineStr"><is><t>&a11;</t></is></c>')
    space = 3000 * " "
    _xlsx(path, f"{space}{doctype}{_SHEET}<sheetData>{_HEAD}{cell}{_END}".strip())


@bomb("table", "entities-after-a-comment.xlsx")
def _(path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{10 * f"&a{n - 1};"}">' for n in range(1, 12))
    doctype = f'<!DOCTYPE x [<!ENTITY a0 "lol">{entities}]>'
    cell = _row(2, '<c r="A2" t="inlineStr"><is><t>&a11;</t></is></c>')
    note = f"<!-- {3000 * ' '} -->"
    _xlsx(path, f"{note}{doctype}{_SHEET}<sheetData>{_HEAD}{cell}{_END}")


@bomb("table", "line-of-49MB.csv")
def _(_path) -> bytes:
    return b"a,b\n1,2\n" + _ALLOWED * b","


@bomb("table", "cell-of-49MB.csv")
def _(_path) -> bytes:
    return b'a,b\n1,"' + _ALLOWED * b"x" + b'"\n'


@bomb("table", "cell-of-49MB-of-lines.csv")
def _(_path) -> bytes:
    return b'a,b\n1,"' + _ALLOWED // 2 * b"x\n" + b'"\n'


@bomb("table", "quoted-cells-over-lines.csv")
def _(_path) -> bytes:
    return b"a,b\n" + _ALLOWED // 4 * b'"\n",'


@bomb("table", "rows-of-nothing.csv")
def _(_path) -> bytes:
    return b"a,b\n1,2\n" + _ALLOWED * b"\n"


@bomb("table", "rows-of-one-letter.csv")
def _(_path) -> bytes:
    return b"a,b\n1,2\n" + _ALLOWED // 2 * b"x\n"


@bomb("table", "zeros.csv")
def _(path) -> None:
    with path.open("wb") as file:
        file.write(b"a,b\n")
        file.truncate(_ALLOWED)


@bomb("table", "line-of-5GB.csv")
def _(path) -> None:
    with path.open("wb") as file:
        file.write(b"a,b\n")
        file.truncate(5 * GIGABYTE)


@bomb("table", "pipe.csv")
def _(path) -> None:
    os.mkfifo(path)


def _parquet(path: Path, column, **options) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"a": column, "b": column})
    pyarrow.parquet.write_table(table, path, **options)


@bomb("table", "rows-20000000.parquet")
def _(path) -> None:
    import pyarrow

    _parquet(path, pyarrow.nulls(20_000_000), compression="gzip")


@bomb("table", "dictionary-of-one-text.parquet")
def _(path) -> None:
    """25 GB: 2.4 million references to 5 kB."""
    import pyarrow

    places = pyarrow.array(np.zeros(2_400_000, np.int32))
    texts = pyarrow.DictionaryArray.from_arrays(places, ["x" * 5000])
    _parquet(path, texts)


@bomb("table", "common-starts.parquet")
def _(path) -> None:
    """2 GB: each text is stored as the end in which it differs from the one before."""
    texts = [f"{'x' * 50_000}{number % 10}" for number in range(20_000)]
    options = {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"}
    _parquet(path, texts, **options)


@bomb("table", "cell-of-1GB.parquet")
def _(path) -> None:
    _parquet(path, ["x" * (GIGABYTE // 2)], compression="zstd", use_dictionary=False)


@bomb("table", "list-of-100000000.parquet", harmless=True)
def _(path) -> None:
    import pyarrow

    offsets = pyarrow.array([0, 50_000_000], pyarrow.int32())
    column = pyarrow.ListArray.from_arrays(offsets, pyarrow.nulls(50_000_000))
    _parquet(path, column.cast(pyarrow.list_(pyarrow.int8())))


# Configurations.


@bomb("configuration", "aliases.yaml")
def _(_path) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 10):
        inner = ", ".join(9 * [f"*a{number - 1}"])
        lines.append(f"a{number}: &a{number} [{inner}]")
    return "\n".join(lines).encode()


@bomb("configuration", "base-is-a-device.yaml")
def _(_path) -> bytes:
    return b"base: /dev/zero\n"


@bomb("configuration", "brackets.yaml")
def _(_path) -> bytes:
    return 290_000 * b"["


@bomb("configuration", "of-itself.yaml")
def _(_path) -> bytes:
    return b"base: phantom\ntasks: &x\n  a: *x\n"


@bomb("configuration", "keys.yaml")
def _(_path) -> bytes:
    return b"".join(b"k%d: 1\n" % number for number in range(4900))


@bomb("configuration", "one-text.yaml")
def _(_path) -> bytes:
    return b"base: phantom\nexperiment: " + 99_000 * b"ab "


@bomb("configuration", "pipe.yaml")
def _(path) -> None:
    os.mkfifo(path)


# Weights.


@bomb("weights", "header-of-exabytes.safetensors")
def _(_path) -> bytes:
    return (2**62).to_bytes(8, "little") + b"{}"


@bomb("weights", "array-of-terabytes.safetensors")
def _(_path) -> bytes:
    entry = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    text = json.dumps({"a": entry}).encode()
    return len(text).to_bytes(8, "little") + text


@bomb("weights", "header-nested.safetensors")
def _(_path) -> bytes:
    return (10**6).to_bytes(8, "little") + 10**6 * b"["


@bomb("weights", "compressed.pth")
def _(path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", bytes(GIGABYTE))


@bomb("weights", "pickle-of-pairs.pth")
def _(path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}N" + 60 * b"2\x86" + b"Ns.")


@bomb("weights", "pickle-of-2GB.pth")
def _(path) -> None:
    announced = b"\x80\x05\x96" + (2**31).to_bytes(8, "little") + b"."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", announced)


@bomb("h5", "array-of-terabytes.weights.h5")
def _(path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        shape = (10**6, 10**6)
        file.create_dataset("layers/conv/vars/0", shape, "f4", chunks=(1, 1))


@bomb("h5", "array-packed.weights.h5")
def _(path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset(
            "layers/conv/vars/0", (10**9,), "f4", compression="gzip", chunks=(10**6,)
        )[:1] = 1
