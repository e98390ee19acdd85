"""Networks small enough to be computed by hand."""

import keras
import numpy as np
import pytest

from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task

TASKS = (
    make_task(name="organ", kind="categorical", classes=("a", "b", "c")),
    make_task(name="bleed", kind="binary", classes=("no", "yes")),
    make_task(name="grade", kind="ordinal", cut_points=(1, 2)),
    make_task(name="age", kind="regression"),
)
CONVOLUTION = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
POOLING = {
    2: keras.layers.GlobalAveragePooling2D,
    3: keras.layers.GlobalAveragePooling3D,
}


def point_network(
    spatial, tasks=TASKS, *, widths=(6,), channels=2, activation=None, heads="linear"
):
    """Convolutions of 1 pixel, each with an activation after it, random weights.

    x (n, *spatial, channels) -> relu(x W1 + b1) -> ... -> A -> mean -> heads.
    """
    activation = activation or (lambda name: keras.layers.ReLU(name=name))
    x = image = keras.Input((*spatial, channels))
    for index, width in enumerate(widths):
        x = CONVOLUTION[len(spatial)](width, 1, name=f"conv{index}")(x)
        x = activation(f"act{index}")(x)
    features = POOLING[len(spatial)](name="pool")(x)
    backbone = keras.Model(image, features, name="points")
    model = build_model(backbone, tasks, heads=heads)
    rng = np.random.default_rng(3)
    values = [rng.normal(size=w.shape) for w in model.get_weights()]
    # Biases small, or everything depends on them.
    model.set_weights([v if v.ndim > 1 else 0.2 * v for v in values])
    return model


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.fixture(params=[(4, 6), (3, 4, 5)], ids=["image", "volume"])
def spatial(request):
    return request.param


@pytest.fixture
def tasks():
    return TASKS


@pytest.fixture(name="point_network")
def point_network_fixture():
    return point_network


@pytest.fixture(name="normal")
def normal_fixture():
    return normal
