import socket
from urllib.parse import urlsplit

import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.serving.web import listening

OWN = {"127.0.0.1", "localhost", "::1"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_other_addresses_need_a_word(host):
    with pytest.raises(ConfigError, match="--allow-remote"):
        listening.names_of(host, False, [])
    assert {*listening.names_of(host, True, ["films.local"])} > OWN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "LOCALHOST"])
def test_addresses_of_this_computer_need_none(host):
    found = listening.names_of(host, False, ["films"])
    assert {*found} == OWN | {host.lower(), "films"} and found[0] == host.lower()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_all_networks_are_no_name(host):
    with pytest.raises(ConfigError, match=f"--host {host} .*--allowed-host NAME"):
        listening.names_of(host, True, [])
    found = listening.names_of(host, True, ["Films.local"])
    assert {*found} == OWN | {"films.local"} and found[0] == "films.local"


@pytest.mark.parametrize("name", ["http://films.local", "films.local:80", "a/b", ""])
def test_an_address_is_no_name(name):
    with pytest.raises(ConfigError, match=f"--allowed-host {name}: expected a name"):
        listening.names_of("127.0.0.1", False, [name])


@pytest.mark.parametrize(
    ("host", "listens", "more", "shown"),
    [
        ("0.0.0.0", "0.0.0.0", ["films.local", "b"], "http://films.local:80"),
        ("::", "::", ["fd00::5"], "http://[fd00::5]:80"),
        ("films.local", "192.168.1.5", [], "http://films.local:80"),
        ("192.168.1.5", "192.168.1.5", ["films.local"], "http://192.168.1.5:80"),
        ("localhost", "127.0.0.1", [], "http://127.0.0.1:80"),
    ],
)
def test_the_address_that_is_shown_is_answered(host, listens, more, shown):
    class Own:
        def getsockname(self):
            return listens, 80

    names = listening.names_of(host, True, more)
    assert listening.url_of(Own(), names) == shown
    assert urlsplit(shown).hostname in names


def test_a_port_that_is_taken_is_named():
    with listening.socket_at("127.0.0.1", 0) as own:
        own.listen()
        port = own.getsockname()[1]
        assert listening.url_of(own) == f"http://127.0.0.1:{port}"
        with (
            pytest.raises(ConfigError, match=f"--port {port}: .*--port 0"),
            listening.socket_at("127.0.0.1", port),
        ):
            pass


def test_a_host_that_is_not_known():
    with (
        pytest.raises(ConfigError, match=r"--host no\.such\.host\.invalid"),
        listening.socket_at("no.such.host.invalid", 0),
    ):
        pass


def test_an_address_of_version_6():
    class Own:
        def getsockname(self):
            return "::1", 80, 0, 0

    assert listening.url_of(Own()) == "http://[::1]:80"
    assert socket.has_ipv6
