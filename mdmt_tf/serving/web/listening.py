"""Where a server listens, and under which names it may be addressed."""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Sequence

from mdmt_tf.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def names_of(host: str, is_remote_allowed: bool, more: Sequence[str]) -> set[str]:
    """The names under which browsers may address the server.

    Args:
        host: address to listen at.
        is_remote_allowed: whether it may be another than of this computer alone.
        more: names that are allowed, too.
    Raises: ConfigError for another address that is not allowed.

    Example:
        >>> sorted(names_of("127.0.0.1", False, ["films.local"]))
        ['127.0.0.1', '::1', 'films.local', 'localhost']
    """
    if not is_loopback(host) and not is_remote_allowed:
        raise ConfigError(
            f"--host {host}: expected an address of this computer alone, such as "
            "127.0.0.1. There is no password and no encryption: whoever reaches the "
            "port can use the model and see answers that are sent. If that is wanted, "
            "add --allow-remote."
        )
    names = {*LOOPBACK, *more}
    return names if is_wildcard(host) else names | {host.lower()}


def is_loopback(host: str) -> bool:
    """Whether an address is one of this computer alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    """Whether an address stands for all networks of this computer."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


@contextlib.contextmanager
def socket_at(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; `address_of` tells where.

    Raises: ConfigError when the address is not there, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        own = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"--host {host}: {error.strerror}.") from error
    with own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind(address)
        except OSError as error:
            raise ConfigError(
                f"--host {host} --port {port}: {error.strerror}. Choose another port, "
                "or --port 0 for any that is free."
            ) from error
        yield own


def url_of(own: socket.socket) -> str:
    """The address of a socket for a browser.

    Example:
        >>> with socket_at("127.0.0.1", 0) as own:
        ...     url_of(own).startswith("http://127.0.0.1:")
        True
    """
    host, port, *_ = own.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
