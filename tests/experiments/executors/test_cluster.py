"""Ray lets everybody in, which is said wherever its address is set.

`tests/commands/test_benchmark.py` runs fits on a real cluster.
"""

import socket
import sys
import types

import pytest

from mdmt_tf import benchmark
from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.experiments.executors import cluster


@pytest.fixture
def ray(monkeypatch):
    """Stands for the package, which takes seconds to load."""
    module = types.ModuleType("ray")
    module.init = lambda **options: setattr(module, "options", options)
    monkeypatch.setitem(sys.modules, "ray", module)
    return module


def test_a_connection_says_that_nobody_is_asked_for_a_password(ray, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        settings = types.SimpleNamespace(address=address)
        assert cluster.connect(settings) is ray
    assert ray.options["address"] == address
    (message,) = caplog.messages
    assert message.startswith("Ray asks nobody for a password.")
    assert f"Whoever reaches {address} can run programs as you" in message


def test_the_help_and_the_key_say_so_too():
    text = BenchmarkSection.model_fields["address"].description
    for said in (text, benchmark.DESCRIPTION):
        assert "Ray asks nobody for a password" in said
