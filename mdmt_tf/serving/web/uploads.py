"""Files of a request, received into memory: nothing of them reaches a disk.

The usual parsers of forms put files of more than a megabyte on the disk. Here each part
is written into a file in memory as it arrives, see `imaging.memory_files`.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mdmt_tf.imaging.memory_files import open_memory_file, path_of
from mdmt_tf.serving.web.bounds import Bounds, Refused

# Its warnings are of what clients send, which is in the answer to them and in no log.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_FORM = b"multipart/form-data"
# What the parser says of forms that are not damaged.
_TOO_LONG = {
    "Boundary length": "the boundary of the form is too long. Expected at most 70 "
    "characters.",
    "Maximum header size": "a header of the form is too long. Expected names of files "
    "of at most 4,000 characters.",
}
_LONGEST_NAME = 300
# What browsers write for characters that would end a name.
_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}


@dataclasses.dataclass(frozen=True, eq=False)
class Upload:
    """A file of a request.

    Attributes:
        name: as the client calls it, cleaned; may have folders before it.
        file: its content.
    """

    name: str
    file: BinaryIO

    @property
    def path(self) -> Path:
        """A path that holds until the file is closed."""
        return path_of(self.file)


def close(uploads: Sequence[Upload]) -> None:
    """Give their memory back."""
    for upload in uploads:
        upload.file.close()


async def receive(
    pieces: AsyncIterator[bytes], content_type: str, bounds: Bounds
) -> list[Upload]:
    """The files of a form, in their order. The caller closes them.

    Args:
        pieces: the body of the request.
        content_type: header of the request.
        bounds: how much is taken; the size of the body has been compared before.
    Raises: Refused for another type, a damaged form, no file or too many, and a client
        that stops sending.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != _FORM or not boundary:
        raise Refused(
            415,
            "expected a form with files (multipart/form-data), as `curl -F "
            "files=@film.dcm` sends it.",
        )
    form = _Form(boundary, bounds.files)
    try:
        async with contextlib.aclosing(pieces) as body:
            while (piece := await _next(body, bounds.seconds)) is not None:
                form.write(piece)
        return form.finish()
    except BaseException:
        close(form.uploads)
        raise


async def _next(pieces: AsyncIterator[bytes], seconds: float) -> bytes | None:
    try:
        return await asyncio.wait_for(anext(pieces, None), seconds)
    except TimeoutError:
        text = f"nothing was received for {seconds:g} s, and the request is not whole."
        raise Refused(408, text) from None


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        of_parser = str(error)
        texts = [text for start, text in _TOO_LONG.items() if start in of_parser]
        raise Refused(400, *texts or ["the form is damaged, or cut off."]) from None


class _Form:
    """A form while it arrives."""

    def __init__(self, boundary: bytes, most: int):
        self.uploads: list[Upload] = []
        self._most = most
        self._headers: dict[bytes, bytes] = {}
        self._field = self._value = b""
        self._is_whole = False
        callbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._add,
            "on_end": self._end,
        }
        with _refusing():
            self._parser = MultipartParser(boundary, callbacks)

    def write(self, piece: bytes) -> None:
        with _refusing():
            self._parser.write(piece)

    def finish(self) -> list[Upload]:
        if not self._is_whole:
            raise Refused(400, "the form is damaged, or cut off.")
        if not self.uploads:
            raise Refused(400, "expected at least one file. Received: none.")
        return self.uploads

    def _begin(self) -> None:
        self._headers = {}

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._headers[b"content-disposition"] = self._value
        self._field = self._value = b""

    def _open(self) -> None:
        text = self._headers.get(b"content-disposition", b"")
        name = parse_options_header(text)[1].get(b"filename")
        if name is None:
            raise Refused(400, "expected files alone. Received: a field without one.")
        if len(self.uploads) == self._most:
            raise Refused(
                413,
                f"expected at most {self._most} files in one request. Received: more. "
                "Send fewer at a time.",
            )
        try:
            file = open_memory_file()
        except OSError:  # as many files are open as the system allows
            text = "too many files are waiting. Send these again in 5 s."
            raise Refused(503, text, retry_after=5) from None
        self.uploads.append(Upload(cleaned(name.decode(errors="replace")), file))

    def _add(self, data: bytes, start: int, end: int) -> None:
        left = memoryview(data)[start:end]
        while left:
            left = left[self.uploads[-1].file.write(left) :]

    def _end(self) -> None:
        self._is_whole = True


def cleaned(name: str) -> str:
    """The name of a file as a text that is safe to show: no path of a computer, short.

    Characters that cannot be seen, such as those that change the direction of the text,
    become "_".

    Example:
        >>> cleaned("C:/films/../a%22.png"), cleaned("../" + chr(0x202E) + "gnp.exe")
        ('films/a".png', '_gnp.exe')
    """
    for escape, character in _ESCAPES.items():
        name = name.replace(escape, character)
    parts = name.split("/")
    if len(parts) > 1 and parts[0].endswith(":"):
        parts = parts[1:]
    name = "/".join(part for part in parts if part not in ("", ".", ".."))
    name = "".join(one if one.isprintable() else "_" for one in name)
    return name[-_LONGEST_NAME:] or "file"
