import pytest

from mdmt_tf.imaging import limits
from mdmt_tf.serving.web.bounds import Bounds, Refused, Room


def refused(room, size):
    with pytest.raises(Refused) as error:
        room.enter(size)
    return error.value


def test_a_request_that_is_too_large_is_never_taken():
    error = refused(Room(Bounds(request_bytes=2_000_000)), 3_000_000)
    assert (error.status, error.retry_after) == (413, None)
    assert "at most 2 MB" in str(error) and "3 MB" in str(error)


def test_the_next_request_is_told_to_come_again():
    room = Room(Bounds(requests=2))
    room.enter(1)
    room.enter(1)
    error = refused(room, 1)
    assert (error.status, error.retry_after) == (503, 1)
    room.leave(1)
    room.enter(1)
    assert room.requests == 2


def test_all_requests_together_have_a_limit_of_bytes():
    room = Room(Bounds(request_bytes=10, waiting_bytes=15))
    room.enter(10)
    assert refused(room, 6).status == 503
    room.enter(5)
    room.leave(10)
    room.enter(10)


def test_one_request_is_always_taken():
    room = Room(Bounds(request_bytes=10, waiting_bytes=5))
    room.enter(10)
    assert refused(room, 1).status == 503


def test_limits_on_files_are_lower_than_those_of_commands():
    with limits.using(limits.DEFAULTS):
        Bounds().use_limits(["max_voxels=7"])
        own = limits.current()
    assert own.max_pixels < limits.DEFAULTS.max_pixels
    assert own.max_bytes < limits.DEFAULTS.max_bytes
    assert own.max_voxels == 7
