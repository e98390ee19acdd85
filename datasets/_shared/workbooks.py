"""The files within .xlsx files: what kind they are, how large, and their names."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import limits

_WORKBOOK = re.compile(r"(.*/)?workbook\d*\.xml")
# "Strict Open XML" has other names for the same things.
_STRICT = b"http://purl.oclc.org/ooxml/"
_NAMESPACES = (
    ("spreadsheetml/main", "spreadsheetml/2006/main"),
    ("officeDocument/relationships", "officeDocument/2006/relationships"),
    ("drawingml/main", "drawingml/2006/main"),
)
_OFFICIAL = "http://schemas.openxmlformats.org/"
# Rows that only have a format. Programs write them by the million, and the reader takes
# 20 microseconds for each.
# Attributes are short; without an end of them, the next row is not far.
_EMPTY_ROW = re.compile(
    rb"""<(?:\w+:)?row(?P<number>\s[^<>]{0,300}?\br=["']\d+["'])?[^<>]{0,300}?"""
    rb"""(?:/>|>\s{0,9}</(?:\w+:)?row>)"""
)
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_MOST_ROWS = 1_048_576  # of a sheet
_MOST_EMPTY = 20_000
# The names of cells differ, so that a sheet is some ten times as large as in the file.
# A part that is larger by far is read for minutes and has nothing in it.
_SMALL = 5_000_000


def transitional(path: Path) -> Any:
    """The file; or its content, if that has other names than the reader knows, or is
    without its empty rows.

    Raises: DataError for another archive, and for one that is too large unpacked.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        _check_kind(path, archive, names)
        size = sum(member.file_size for member in archive.infolist())
        if size > limits.current().max_table_bytes:
            raise DataError(
                f"{path}: {size} bytes, unpacked, are too many: expected at most "
                f"{limits.current().max_table_bytes}. If the file is in order, raise "
                "the limit: --limit max_table_bytes=NUMBER"
            )
        for member in archive.infolist():
            stored = member.compress_size
            what = f"{member.filename} of this spreadsheet"
            limits.check_unpacked(str(path), member.file_size, stored, what, _SMALL)
        texts = [name for name in names if name.endswith((".xml", ".rels"))]
        changed: dict[str, bytes] = {}
        is_strict = _STRICT in workbook_part(archive)
        for name in texts:
            content = archive.read(name)
            if b"<!DOCTYPE" in content[:2000]:
                raise DataError(
                    f"{path}: this spreadsheet defines entities ({name}), which no "
                    "program writes. It is not read."
                )
            new = _without_empty_rows(path, name, content)
            for strict, official in _NAMESPACES if is_strict else ():
                old = _STRICT + strict.encode()
                new = new.replace(old, (_OFFICIAL + official).encode())
            if new is not content:
                changed[name] = new
        if not changed:
            return path
        result = io.BytesIO()
        with zipfile.ZipFile(result, "w") as target:
            for name in names:
                target.writestr(name, changed.get(name) or archive.read(name))
        return result


def _without_empty_rows(path: Path, name: str, content: bytes) -> bytes:
    """A sheet without rows that have no cells, if there are many.

    Raises: DataError for more rows than a sheet can have.
    """
    count = len(_ROW.findall(content)) if b"row" in content else 0
    if count <= _MOST_EMPTY:
        return content
    # Those without a number count for the numbers of others.
    unnumbered = 0

    def without(match: re.Match) -> bytes:
        nonlocal unnumbered
        if match["number"]:
            return b""
        unnumbered += 1
        return match[0]

    if count <= _MOST_ROWS:
        content = _EMPTY_ROW.sub(without, content)
    if count > _MOST_ROWS or unnumbered > _MOST_EMPTY:
        raise DataError(
            f"{path}: the sheet {name} has {count} rows, {unnumbered} of them empty "
            "and without a number, which no program writes. It is not read."
        )
    return content


def workbook_part(archive: zipfile.ZipFile) -> bytes:
    """The XML of the workbook; the name differs between programs."""
    names = filter(_WORKBOOK.fullmatch, archive.namelist())
    return b"".join(map(archive.read, names))


def _check_kind(path: Path, archive: zipfile.ZipFile, names: list[str]) -> None:
    if any(map(_WORKBOOK.fullmatch, names)):
        return
    kind = "a .zip archive; unpack it"
    if "xl/workbook.bin" in names:
        kind = "a binary workbook (.xlsb); save it as .xlsx"
    elif "mimetype" in names and b"opendocument" in archive.read("mimetype"):
        kind = "an OpenDocument file (.ods); save it as .xlsx or .csv"
    elif "Index/Document.iwa" in names:
        kind = "a file of Numbers; export it as .xlsx or .csv"
    elif any(name.startswith(("word/", "ppt/")) for name in names):
        kind = "a document or presentation; save the table as .xlsx or .csv"
    elif any(name.startswith("xl/") for name in names):
        return  # the reader says what is missing
    raise DataError(f"{path}: this spreadsheet cannot be read: it is {kind}.")
