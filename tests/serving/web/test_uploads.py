import asyncio
import os
from pathlib import Path

import pytest

from mdmt_tf.serving.web import uploads
from mdmt_tf.serving.web.bounds import Bounds, Refused

FORM = "multipart/form-data; boundary=XX"


def form(*files):
    parts = [
        b"--XX\r\nContent-Disposition: form-data; name=files; "
        b'filename="' + name + b'"\r\n\r\n' + content + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + b"--XX--\r\n"


def received(body, kind=FORM, size=7, bounds=Bounds(), wait=0.0):  # noqa: B008
    async def pieces():
        for start in range(0, len(body), size):
            yield body[start : start + size]
        await asyncio.sleep(wait)

    return asyncio.run(uploads.receive(pieces(), kind, bounds))


def refused(*args, **options):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(Refused) as error:
        received(*args, **options)
    assert os.listdir("/proc/self/fd") == before, "a file was not closed"
    return error.value


@pytest.mark.parametrize("size", [1, 5, 64, 100_000])
def test_files_are_read_from_pieces_of_any_size(size):
    content = bytes(range(256)) * 100 + b"\r\n--X"
    body = form(("é x.dcm".encode(), content), (b"b.png", b""))
    found = received(body, size=size)
    assert [one.name for one in found] == ["é x.dcm", "b.png"]
    assert [one.path.read_bytes() for one in found] == [content, b""]
    uploads.close(found)


def test_files_are_in_memory():
    found = received(form((b"a", b"abc")))
    assert os.readlink(found[0].path).startswith("/memfd:")
    path = found[0].path
    uploads.close(found)
    assert not path.exists()


@pytest.mark.parametrize(
    ("body", "options", "status", "text"),
    [
        (b"a=1", {"kind": "application/x-www-form-urlencoded"}, 415, "expected a form"),
        (b"", {"kind": "multipart/form-data"}, 415, "expected a form"),
        (form((b"a", b"abc"))[:-20], {}, 400, "cut off"),
        (b"XX" * 40, {}, 400, "damaged"),
        (b"--XX--\r\n", {}, 400, ""),
        (form((b"a", b"")).replace(b"filename", b"other"), {}, 400, "files alone"),
        (form((b"a" * 9000, b"")), {}, 400, "names of files of at most 4,000"),
        (form((b"a" * 9000, b"")), {"size": 10_000}, 400, "header of the form is too"),
        (b"", {"kind": FORM + 300 * "X"}, 400, "boundary of the form is too long"),
        (form((b"a", b"1"), (b"b", b"2")), {"bounds": Bounds(files=1)}, 413, "most 1"),
        (b"--XX\r\n", {"bounds": Bounds(seconds=0.01), "wait": 5}, 408, "nothing was"),
    ],
)
def test_other_forms_are_refused_and_their_files_closed(body, options, status, text):
    error = refused(body, **options)
    assert error.status == status and text in str(error)


def test_forms_that_are_damaged_are_in_no_log(caplog):
    caplog.set_level("WARNING")
    refused(form((b"a", b"")).replace(b"filename", b"Jane\x00"), size=1000)
    refused(b"Jane Miller" * 40)
    refused(form((b"a", b"abc")).replace(b"Disposition:", b"Jane Miller\0:"))
    assert not caplog.messages


def test_without_descriptors_the_client_comes_again(monkeypatch):
    def none():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(uploads, "open_memory_file", none)
    error = refused(form((b"a", b"abc")))
    assert (error.status, error.retry_after) == (503, 5)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("film.dcm", "film.dcm"),
        ("ward 1/film.dcm", "ward 1/film.dcm"),
        ("/etc/passwd", "etc/passwd"),
        ("../../x.png", "x.png"),
        ("<b>.png", "<b>.png"),
        ("a\r\nb\0c", "a__b_c"),
        ("a%0D%0Ab", "a__b"),
        ("", "file"),
        ("..", "file"),
    ],
)
def test_cleaned(name, cleaned):
    assert uploads.cleaned(name) == cleaned


def test_long_names_keep_their_end():
    name = uploads.cleaned("a" * 1000 + ".dcm")
    assert len(name) == 300 and name.endswith("a.dcm")
    assert not Path(name).is_absolute()
