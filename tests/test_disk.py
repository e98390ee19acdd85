"""Errors of the operating system in words."""

import errno

import pytest

from mdmt_tf import disk


def test_the_path_and_the_remedy_are_named():
    error = OSError(errno.EROFS, "Read-only file system", "runs/a")
    text = disk.in_words(error)
    assert text.startswith(
        "runs/a: Read-only file system. Nothing can be written there"
    )


def test_a_cause_is_found():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("export failed") from error
    except RuntimeError as error:
        assert disk.in_words(error).startswith("No space left on device. The disk is")


class ResourceExhaustedError(Exception):
    """As TensorFlow has it."""

    __module__ = "tensorflow.python.framework.errors_impl"


@pytest.mark.parametrize(
    ("error", "beginning"),
    [
        (
            ResourceExhaustedError("/data/x.tfrecord; No space left on device"),
            "/data/x.tfrecord: No space left on device. The disk is full",
        ),
        (
            OSError("Can't write data (errno = 28, 'No space left on device')"),
            "No space left on device. The disk is full",
        ),
    ],
)
def test_texts_of_native_code_are_understood(error, beginning):
    assert disk.in_words(error).startswith(beginning)


@pytest.mark.parametrize("error", [ValueError("No space left on device"), OSError(3)])
def test_other_errors_are_not_of_the_disk(error):
    assert disk.in_words(error) is None
