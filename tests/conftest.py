"""What tests of several folders share."""

import os
import sys
import types
from pathlib import Path

import pytest

# Read when TensorFlow is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def pytest_collection_finish(session):
    # Logical devices must be there before TensorFlow starts, so before the first test.
    if any("two_cpus" in getattr(item, "fixturenames", ()) for item in session.items):
        from mdmt_tf.training.strategy import build_strategy

        build_strategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def two_cpus():
    """Names of two devices, for tests of several replicas."""
    return ["CPU:0", "CPU:1"]


@pytest.fixture(scope="session")
def shared():
    """The folder of reference data beside the checkout; not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("needs the reference data in ../shared, which are not here")
    return SHARED


@pytest.fixture
def tiny_backbone(monkeypatch):
    """A backbone that is traced in a second; returns its name."""
    import keras

    from mdmt_tf.models.backbones import blocks, table
    from mdmt_tf.models.layers import BatchNormalization

    def build(x, *, seed, dtype):
        make = blocks.Blocks(blocks.he_normal_fan_out, seed, dtype)
        x = make.conv(x, 8, 3, "conv", stride=2)
        x = keras.layers.ReLU(name="relu")(BatchNormalization(name="norm")(x))
        return make.global_average(x, "pool")

    module = types.ModuleType("mdmt_tf.models.backbones.tiny")
    module.tiny = build
    monkeypatch.setitem(sys.modules, module.__name__, module)
    row = table.Backbone("tiny", "tiny:tiny", 8, 3 * 3 * 3 * 8 + 16, "none", "none")
    monkeypatch.setitem(table.BACKBONES, "tiny", row)
    return "tiny"
