"""A small network whose weights are published on a server of this machine."""

import functools
import http.server
import threading
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from mdmt_tf.models.backbones import build_backbone, table
from mdmt_tf.models.weights import weights_cache
from mdmt_tf.models.weights.conversion import reference_state


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; returns the folder of weights in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return weights_cache.weights_folder()


class Server:
    """Serves a folder on this machine."""

    def __init__(self, folder):
        handler = functools.partial(Quiet, directory=folder)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/cut/"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"too short")
        else:
            super().do_GET()


@pytest.fixture
def published(tiny_backbone, tmp_path, monkeypatch, cache):
    """Returns publish(path, **changes): the small network's weights are at `path`."""
    folder = tmp_path / "server"
    folder.mkdir()
    state = reference_state(build_backbone(tiny_backbone, (64, 64, 3), seed=5))
    tensors = {**state, "fc.weight": np.zeros((10, 8), "float32")}
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    safetensors.numpy.save_file(tensors, folder / "tiny.safetensors")
    with zipfile.ZipFile(folder / "tiny-1.0.whl", "w") as wheel:
        wheel.write(folder / "tiny.safetensors", "tiny/models/tiny.safetensors")
    server = Server(folder)
    digest = weights_cache.sha256_of(folder / "tiny.safetensors")

    def publish(path, **changes):
        facts = {"source": "us", "licence": "none", "sha256": digest[:8], **changes}
        weights = table.PublishedWeights(url=server.url + path, **facts)
        monkeypatch.setattr(server, "weights", weights, raising=False)
        row = table.BACKBONES["tiny"]
        changed = table.dataclasses.replace(row, weights=weights)
        monkeypatch.setitem(table.BACKBONES, "tiny", changed)
        return state

    publish.stop = server.stop
    publish.digest = digest
    yield publish
    server.stop()
