"""Tables as text files, with any delimiter, encoding and decimal sign."""

import csv
import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mdmt_tf.errors import DataError

logger = logging.getLogger(__name__)

DELIMITERS = (",", ";", "\t", "|")
# Rows of a file in which the header is looked for, below titles and notes.
SEARCHED = 50

# The number of a line, as in an editor, and its cells.
Line = tuple[int, list[str]]

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# A blank of this kind in a cell cannot be seen, and makes two equal names differ.
_BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
_INVISIBLE = _BLANKS + "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_END = "\x00end of the table\x00"


def clean(cell: str) -> str:
    """The cell without blanks and invisible characters at its ends."""
    return cell.strip(_INVISIBLE)


def read_lines(
    path: Path, has_header: Callable[[Iterable[Line]], float]
) -> tuple[list[Line], str]:
    """Cells of a text file, and its delimiter.

    Args:
        path: the file.
        has_header: how well lines have the header that is looked for; the delimiter
            with the largest number is taken, and among equal ones that with the most
            cells.
    Raises: DataError when the file cannot be read, or a quote is never closed.
    """
    try:
        text = decode(path.read_bytes(), path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: this table cannot be read: {reason}") from error
    scores = []
    for delimiter in DELIMITERS:
        head, widest = [], 0
        for line in _parse(text, delimiter):
            widest = max(widest, len(line[1]))
            if any(line[1]):
                head.append(line)
            if len(head) == SEARCHED:
                break
        scores.append((has_header(head), widest))
    delimiter = DELIMITERS[scores.index(max(scores))]
    return _lines(path, text, delimiter), delimiter


def decode(data: bytes, path: Path) -> str:
    """Text in UTF-8, UTF-16 or, line by line where it is neither, Windows-1252."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    start = data[:1000]
    if start.count(0) > len(start) // 4:
        odd = start[1::2].count(0) > start[::2].count(0)
        return data.decode("utf-16-le" if odd else "utf-16-be", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lines, wrong = [], []
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("cp1252", errors="replace"))
            wrong.append(number)
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    logger.warning(
        "%s:%d: line %d%s is not UTF-8 and read as Windows-1252: %r. Save the file as "
        "UTF-8 if that is wrong.",
        path.name,
        wrong[0],
        wrong[0],
        more,
        lines[wrong[0] - 1].strip()[:60],
    )
    return "".join(lines)


def has_decimal_comma(lines: Iterable[Line], delimiter: str) -> bool:
    """Whether numbers are written as 79,5: some must be, and none as 79.5.

    1,100 alone is no sign, because it may be eleven hundred. A file with commas as
    delimiters has none.
    """
    if delimiter == ",":
        return False
    found = False
    for _, cells in lines:
        for cell in cells:
            if re.fullmatch(r"[-+]?\d+\.\d+", cell):
                return False
            if re.fullmatch(r"[-+]?\d+,(\d{1,2}|\d{4,})|[-+]?0,\d+", cell):
                found = True
    return found


def _parse(text: str, delimiter: str) -> Iterator[Line]:
    """Lines of cells; the number of a line is that of its end."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, [clean(cell) for cell in cells]
    except csv.Error:  # `_lines` reports it for the delimiter that is taken
        return


def _lines(path: Path, text: str, delimiter: str) -> list[Line]:
    # A quote that is never closed swallows the last line, too.
    lines = io.StringIO(f"{text}\n{_END}", newline="")
    reader = csv.reader(lines, delimiter=delimiter)
    result: list[Line] = []
    before = 0
    try:
        for cells in reader:
            if cells == [_END]:
                return result
            if any(_END in cell for cell in cells):
                raise _open_quote(path, before + 1, cells)
            before = reader.line_num
            result.append((before, [clean(cell) for cell in cells]))
    except csv.Error as error:
        raise DataError(
            f"{path}:{before + 1}: this table cannot be read: {error}. Is a quote "
            "never closed?"
        ) from error
    return result


def _open_quote(path: Path, number: int, cells: Sequence[str]) -> DataError:
    opened = next(cell for cell in cells if _END in cell).splitlines()[0]
    return DataError(
        f"{path}:{number}: a quote in this line is never closed, at {opened[:40]!r}. "
        "Everything below it would be one cell. Close the quote, or remove it."
    )
