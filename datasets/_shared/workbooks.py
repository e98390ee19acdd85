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


def transitional(path: Path) -> Any:
    """The file, or its content if that has other names than the reader knows.

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
        limits.check_unpacked(str(path), size, path.stat().st_size)
        texts = [name for name in names if name.endswith((".xml", ".rels"))]
        for name in texts:
            with archive.open(name) as part:
                if b"<!DOCTYPE" in part.read(2000):
                    raise DataError(
                        f"{path}: this spreadsheet defines entities ({name}), which "
                        "no program writes. It is not read."
                    )
        if _STRICT not in workbook_part(archive):
            return path
        result = io.BytesIO()
        with zipfile.ZipFile(result, "w") as target:
            for name in names:
                content = archive.read(name)
                if name in texts:
                    for strict, official in _NAMESPACES:
                        name_there = _STRICT + strict.encode()
                        content = content.replace(
                            name_there, (_OFFICIAL + official).encode()
                        )
                target.writestr(name, content)
        return result


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
