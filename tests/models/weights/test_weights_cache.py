"""Downloaded weights: once, whole, and what is said without a network."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.weights import pretrained
from mdmt_tf.models.weights.conversion import reference_state


@pytest.mark.parametrize(
    ("path", "changes"),
    [("/tiny.safetensors", {}), ("/tiny-1.0.whl", {"file": "tiny.safetensors"})],
)
def test_weights_are_downloaded_once(published, cache, path, changes):
    state = published(path, **changes)
    lines = []
    converted = pretrained.provide("tiny", lines.append)
    assert lines[0].startswith("downloading http://127.0.0.1:")
    assert lines[0].endswith(f"{path} (0 MB)\n")
    assert lines[2].endswith(
        f" 8 digits of its sha256 are known; all of them are {published.digest}\n"
    )
    published.stop()
    backbone = build_backbone("tiny", (32, 32, 3), "imagenet")
    for name, array in reference_state(backbone).items():
        np.testing.assert_array_equal(array, state[name])
    assert {p.name for p in cache.iterdir()} == {
        "tiny.safetensors",
        converted.name,
        pretrained.manifest_path(converted).name,
    }


def test_without_a_network_it_is_said_what_to_put_where(published, cache):
    published("/tiny-1.0.whl", file="tiny.safetensors", package="tiny_weights_package")
    published.stop()
    with pytest.raises(DataError) as error:
        pretrained.provide("tiny")
    message = str(error.value)
    assert "Connection refused" in message
    assert "/tiny-1.0.whl\n" in message
    assert "put the file tiny.safetensors of it into" in message
    assert str(cache) in message
    assert "pip install tiny-weights-package" in message
    assert "model.weights=null" in message


def test_a_file_put_there_is_taken_and_watched(published, cache, tmp_path):
    published("/tiny.safetensors")
    published.stop()
    cache.mkdir(parents=True)
    (tmp_path / "server/tiny.safetensors").rename(cache / "tiny.safetensors")
    converted = pretrained.provide("tiny")
    content = bytearray(converted.read_bytes())
    content[-1] ^= 1
    converted.write_bytes(content)
    with pytest.raises(DataError, match="its sha256 is not that of .*Delete both"):
        pretrained.provide("tiny")


@pytest.mark.parametrize(
    ("path", "changes", "message"),
    [
        ("/none.safetensors", {}, "404"),
        ("/cut/tiny.safetensors", {}, r"9 of 1000 bytes|IncompleteRead"),
        ("/tiny.safetensors", {"sha256": "0123abcd"}, "begins with 0123abcd. Received"),
        ("/tiny.safetensors", {"file": "tiny.pth"}, "not a zip file"),
        ("/tiny-1.0.whl", {"file": "tiny.pth"}, r"tiny\.pth is not in tiny-1\.0\.whl"),
    ],
)
def test_a_wrong_download_leaves_nothing(published, cache, path, changes, message):
    published(path, **changes)
    with pytest.raises(DataError, match=message):
        pretrained.provide("tiny")
    assert not list(cache.iterdir())


def test_a_file_that_agrees_in_the_first_digits_only_is_refused(published, cache):
    """Where all digits are known, all must agree."""
    wrong = published.digest[:8] + 56 * "0"
    published("/tiny.safetensors", sha256=wrong)
    with pytest.raises(DataError, match=f"Expected the sha256 {wrong}. Received: "):
        pretrained.provide("tiny")
    published("/tiny.safetensors", sha256=published.digest)
    lines = []
    pretrained.provide("tiny", lines.append)
    assert len(lines) == 2  # all digits are known, so none are shown


def test_a_wrong_file_put_there_is_refused(published, cache):
    published("/tiny.safetensors")
    cache.mkdir(parents=True)
    (cache / "tiny.safetensors").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"tiny\.safetensors: not the published file"):
        pretrained.provide("tiny")
