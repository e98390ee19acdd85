"""How much a server takes at a time; what is more waits or is refused."""

import dataclasses
import threading
from collections.abc import Iterable

from mdmt_tf.imaging import limits

MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounds:
    """The most that is taken.

    Attributes:
        files: of a request.
        request_bytes: of a request, with everything around the files.
        waiting_bytes: of all requests that wait or are answered.
        requests: that wait or are answered; the next ones are told to come again.
        seconds: to wait for the next piece of a request that is being received.
    """

    files: int = 100
    request_bytes: int = 300 * MEGABYTE
    waiting_bytes: int = 1000 * MEGABYTE
    requests: int = 128
    seconds: float = 30.0

    def use_limits(self, assignments: Iterable[str] = ()) -> None:
        """Let limits on files hold that are lower than those of the commands.

        The commands read what their user chose; a server reads what it is sent. Several
        images are decoded at a time, which then need some 3 GB at most.

        Args:
            assignments: such as "max_pixels=1e8", see `limits.parse`.
        Raises: ConfigError, see there.
        """
        base = limits.Limits(
            max_pixels=50_000_000,
            max_voxels=200_000_000,
            max_bytes=max(self.request_bytes, 1_000_000_000),
        )
        limits.use(limits.parse(assignments, base))


class Refused(Exception):
    """A request that is not answered; its text is shown to the client.

    Attributes:
        status: of HTTP.
        retry_after: seconds after which the same request may be taken; None: never.
    """

    def __init__(self, status: int, text: str, retry_after: int | None = None):
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class Room:
    """Counts the requests that are in the server, and their bytes."""

    def __init__(self, bounds: Bounds):
        self._bounds = bounds
        self._lock = threading.Lock()
        self._requests = self._bytes = 0

    @property
    def requests(self) -> int:
        return self._requests

    def enter(self, size: int) -> None:
        """Let a request of `size` bytes in.

        Raises: Refused when it is too large, or there is no room for it now.
        """
        most = self._bounds.request_bytes
        if size > most:
            raise Refused(
                413,
                f"expected at most {_megabytes(most)} in one request. Received: "
                f"{_megabytes(size)}. Send fewer files at a time.",
            )
        with self._lock:
            is_full = self._requests >= self._bounds.requests
            # One request is always taken, however small the limit of all.
            bytes_then = self._bytes + size
            is_heavy = self._requests and bytes_then > self._bounds.waiting_bytes
            if is_full or is_heavy:
                # About the time of a few requests; the queue may be long.
                seconds = 1 + self._requests // 20
                text = f"{self._requests} requests are waiting. Send this one again in "
                raise Refused(503, f"{text}{seconds} s.", seconds)
            self._requests += 1
            self._bytes = bytes_then

    def leave(self, size: int) -> None:
        """A request that was let in is done."""
        with self._lock:
            self._requests -= 1
            self._bytes -= size


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.4g} MB"
