"""Where a server listens, and under which names it may be addressed."""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Sequence

from mdmt_tf.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def names_of(host: str, is_remote_allowed: bool, more: Sequence[str]) -> list[str]:
    """The names under which browsers may address the server, the most telling first.

    Args:
        host: address to listen at.
        is_remote_allowed: whether it may be another than of this computer alone.
        more: names that are allowed, too.
    Raises: ConfigError for another address that is not allowed, for all networks
        without a name, and for a name that is none.

    Example:
        >>> names_of("127.0.0.1", False, ["films.local"])
        ['127.0.0.1', 'films.local', 'localhost', '::1']
    """
    if not is_loopback(host) and not is_remote_allowed:
        raise ConfigError(
            f"--host {host}: expected an address of this computer alone, such as "
            "127.0.0.1. There is no password and no encryption: whoever reaches the "
            "port can use the model and see answers that are sent. If that is wanted, "
            "add --allow-remote."
        )
    for name in more:
        # An address of version 6 has several colons, a name with its port has one.
        if not name or "/" in name or name.count(":") == 1:
            raise ConfigError(
                f"--allowed-host {name}: expected a name or an address alone, such as "
                "films.local, without http:// and without a port."
            )
    if is_wildcard(host) and not more:
        raise ConfigError(
            f"--host {host} stands for all networks of this computer, and is no name "
            "that a browser can use. Add --allowed-host NAME: the name or address "
            "under which browsers reach this computer, such as films.local."
        )
    first = [] if is_wildcard(host) else [host]
    return list(dict.fromkeys(name.lower() for name in [*first, *more, *LOOPBACK]))


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
    """A socket that listens; `url_of` tells where.

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


def url_of(own: socket.socket, names: Sequence[str] = LOOPBACK) -> str:
    """The address of a socket for a browser, under a name that the server accepts.

    Args:
        names: see `names_of`.

    Example:
        >>> with socket_at("127.0.0.1", 0) as own:
        ...     url_of(own).startswith("http://127.0.0.1:")
        True
    """
    host, port, *_ = own.getsockname()
    host = host if host in names else names[0]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
