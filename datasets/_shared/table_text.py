"""Tables as text files, with any delimiter and encoding."""

import csv
import io
import itertools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mdmt_tf import invisible
from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import limits

DELIMITERS = (",", ";", "\t", "|")
# Rows of a file in which the header is looked for, below titles and notes.
SEARCHED = 50
_MOST_SEARCHED = 20_000  # also of empty rows

# The number of a line, as in an editor, and its cells.
Line = tuple[int, list[str]]

_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_UTF_8_BOM = b"\xef\xbb\xbf"
# Text after a closing quote is an error; blanks before an opening one are none.
_STRICT = {"strict": True, "skipinitialspace": True}
_AS_FORMULA = re.compile(r'="([^"]*)"')
# Delimiters of a row from which on it is unlikely that lines of a text have as many.
_SURE_WIDTH = 4
_LONGEST_ROW = 10_000_000


def _plain(cell: str) -> str:
    """The cell; ="007" is 007, as programs write text that looks like a number."""
    cell = invisible.strip(cell)
    match = _AS_FORMULA.fullmatch(cell) if cell.startswith("=") else None
    return invisible.strip(match[1]) if match else cell


def check_cells(path: Path, count: int) -> None:
    """Raise DataError for a table with more cells than the limits allow."""
    most = limits.current().max_cells
    if count > most:
        raise DataError(
            f"{path}: this table has too many cells: expected at most {most}. If the "
            "file is in order, raise the limit: --limit max_cells=NUMBER"
        )


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
    data = limits.read_file(path, limit="max_table_bytes")
    # Before a row is made of each.
    check_cells(path, max(data.count(b"\n"), data.count(b"\r")))
    text = decode(data, path)
    delimiter, text = _declared_delimiter(text)
    if delimiter is None:
        scores = []
        for delimiter in DELIMITERS:
            head, widest = [], 0
            for line in itertools.islice(_parse(text, delimiter), _MOST_SEARCHED):
                widest = max(widest, len(line[1]))
                if any(line[1]):
                    head.append(line)
                if len(head) == SEARCHED:
                    break
            scores.append((has_header(head), widest))
        delimiter = DELIMITERS[scores.index(max(scores))]
    return _lines(path, text, delimiter), delimiter


def _declared_delimiter(text: str) -> tuple[str | None, str]:
    """The delimiter of a first line such as `sep=;`, and the text with that line empty.

    Spreadsheet programs read and write it.
    """
    match = re.match(r'[\s\ufeff]*"?sep=(.)"?[,;\t]*(?=[\r\n]|$)', text, re.IGNORECASE)
    if not match or match[1] in '"\r\n':
        return None, text
    return match[1], text[match.end() :]


def decode(data: bytes, path: Path) -> str:
    """Text in UTF-8, UTF-16, UTF-32 or, line by line where it is none, Windows-1252.

    Raises: DataError for UTF-16 or UTF-32 that is damaged.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decode_strictly(data, path, encoding)
    start = data[:1000]
    if start.count(0) > len(start) // 4:
        odd = start[1::2].count(0) > start[::2].count(0)
        return _decode_strictly(data, path, "utf-16-le" if odd else "utf-16-be")
    data = data.removeprefix(_UTF_8_BOM)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lines, wrong = [], []
    # At the ends of lines as the reader of cells sees them.
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(_decode_windows(line))
            wrong.append(number)
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    text = (
        f"{path.name}:{wrong[0]}: line {wrong[0]}{more} is not UTF-8 and read as "
        "Windows-1252. Look at letters with accents there; if they are wrong, save the "
        "file as UTF-8."
    )
    warnings.warn(DataWarning(text, kind="lines in Windows-1252"), stacklevel=2)
    return "".join(lines)


def _decode_strictly(data: bytes, path: Path, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].decode(encoding, errors="replace").count("\n")
        raise DataError(
            f"{path}:{line}: this table is {encoding.upper()}, which is damaged or cut "
            f"off at byte {error.start}. Copy it again, or save it as UTF-8."
        ) from error


def _decode_windows(line: bytes) -> str:
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:  # bytes that it does not have must stay different
        return line.decode("latin-1")


def _reader(text: str, delimiter: str) -> Iterator[Line]:
    # Blanks after a closing quote mean nothing, and the strict reader refuses them.
    if '" ' in text:
        ends = rf"{re.escape(delimiter)}\r\n"
        quoted = rf'((?:^|[{ends}]) *"(?:[^"]|"")*") +(?=[{ends}]|$)'
        text = re.sub(quoted, r"\1", text)
    lines = _Lines(text)
    # `_Lines` limits the row. The limit of Python is one for the whole process: it is
    # only ever raised, so that no reader of another thread finds it lower.
    if csv.field_size_limit() < _LONGEST_ROW:
        csv.field_size_limit(_LONGEST_ROW)
    reader = csv.reader(lines, delimiter=delimiter, **_STRICT)
    for cells in reader:
        lines.begin_row()
        yield reader.line_num, cells


class _LongRowError(csv.Error):
    """A row of too many characters; the message says of how many and in which lines."""


class _Lines:
    """The lines of a text, not too many characters for one row of cells."""

    def __init__(self, text: str):
        self._lines = io.StringIO(text, newline="")
        self.begin_row()

    def begin_row(self) -> None:
        """Count from here."""
        self._characters = self._count = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._characters += len(line)
        self._count += 1
        if self._characters > _LONGEST_ROW:
            has = f"this row has more than {_LONGEST_ROW} characters"
            if self._count > 1:
                raise _LongRowError(
                    f"{has} in {self._count} lines. Is a quote never closed?"
                )
            raise _LongRowError(f"{has}. Shorten its longest cell.")
        return line


def _parse(text: str, delimiter: str) -> Iterator[Line]:
    """Lines of cells; the number of a line is that of its end."""
    reader = _reader(text, delimiter)
    try:
        for number, cells in reader:
            yield number, [_plain(cell) for cell in cells]
    except csv.Error:  # `_lines` reports it for the delimiter that is taken
        return


def _lines(path: Path, text: str, delimiter: str) -> list[Line]:
    reader = _reader(text, delimiter)
    result: list[Line] = []
    before = count = 0
    try:
        for number, cells in reader:
            if number > before + 1:
                _check_swallowed(path, before + 1, cells, delimiter)
            before = number
            count += max(1, len(cells))
            check_cells(path, count)
            result.append((before, [_plain(cell) for cell in cells]))
    except csv.Error as error:
        raise _unreadable(path, before + 1, error) from error
    return result


def _unreadable(path: Path, number: int, error: csv.Error) -> DataError:
    """The error for what the strict reader refuses in the row from a line on.

    It names the line and repeats nothing of it: cells of unused columns may be names.
    """
    if "unexpected end" in str(error):
        return DataError(
            f"{path}:{number}: a quote in this line is never closed. Everything below "
            "it would be one cell. Close the quote, or remove it."
        )
    if isinstance(error, _LongRowError):
        return DataError(f"{path}:{number}: {error}")
    text = (
        f"{path}:{number}: this table cannot be read: {error}, in the row that begins "
        "in this line."
    )
    if '"' in str(error):  # such as: ',' expected after '"'
        text += (
            " Is a quote never closed, or text after a closing quote? A quote within a "
            'quoted cell is doubled, "".'
        )
    return DataError(text)


def _check_swallowed(path: Path, number: int, cells: list[str], delimiter: str) -> None:
    """Raise for a cell over several lines that holds rows.

    A quote that is not closed ends at the next one in the same column, and the row
    looks complete. The lines of the cell then have the delimiters of whole rows.
    """
    for index, cell in enumerate(cells):
        lines = re.split(r"\r\n|\r|\n", cell.rstrip("\r\n"))
        if len(lines) < 2:
            continue
        counts = [line.count(delimiter) for line in lines]
        width = len(cells) - 1
        if counts == [width - index, *[width] * (len(lines) - 2), index]:
            is_sure = width >= _SURE_WIDTH
            place = f"{path if is_sure else path.name}:{number}"
            text = (
                f"{place}: cell {index + 1} of this row goes on for {len(lines)} "
                "lines, which look like rows. Is a quote not closed?"
            )
            if is_sure:
                raise DataError(f"{text} Close it, or remove it.")
            warnings.warn(DataWarning(text, kind="long cell"), stacklevel=2)
