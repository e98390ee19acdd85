import socket

import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.serving.web import listening

OWN = {"127.0.0.1", "localhost", "::1"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_other_addresses_need_a_word(host):
    with pytest.raises(ConfigError, match="--allow-remote"):
        listening.names_of(host, False, [])
    assert listening.names_of(host, True, []) >= OWN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "LOCALHOST"])
def test_addresses_of_this_computer_need_none(host):
    assert listening.names_of(host, False, ["films"]) == OWN | {host.lower(), "films"}


def test_all_networks_are_no_name():
    assert listening.names_of("0.0.0.0", True, []) == OWN


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
