"""EfficientNet: B0, B1 pruned, EdgeTPU small, Lite0, in timm's definition.

Source: Tan and Le 2019 (https://arxiv.org/abs/1905.11946). EdgeTPU: Gupta and Tan 2019
(fused blocks, no squeeze-and-excitation, ReLU). Lite: TensorFlow's efficientnet/lite
(no squeeze-and-excitation, ReLU6). Pruning: Aflalo et al. 2020
(https://arxiv.org/abs/2002.08258). Names and order of the layers are those of
timm.models.efficientnet.

There is no stochastic depth, as by default in timm, so nothing here is random.
"""

import dataclasses

import keras

from mdmt_tf.models.backbones.blocks import Blocks, he_normal_fan_out_of_group

_STEM = 32
_HEAD = 1280
_TENSORFLOW = {"padding": "tensorflow", "epsilon": 1e-3}


@dataclasses.dataclass(frozen=True)
class _Stage:
    """Blocks of one resolution. `stride` is that of the first block."""

    kind: str  # "separable", "inverted" or "fused"
    depth: int
    kernel_size: int
    stride: int
    expansion: int
    width: int


@dataclasses.dataclass(frozen=True)
class _Block:
    name: str
    kind: str
    kernel_size: int
    stride: int
    inner: int  # channels inside
    squeezed: int  # channels of the squeeze-and-excitation; 0: no such layer
    width: int  # channels of the result


# Table 1 of the paper; B0, and Lite0 without squeeze-and-excitation.
_B0 = (
    _Stage("separable", 1, 3, 1, 1, 16),
    _Stage("inverted", 2, 3, 2, 6, 24),
    _Stage("inverted", 2, 5, 2, 6, 40),
    _Stage("inverted", 3, 3, 2, 6, 80),
    _Stage("inverted", 3, 5, 1, 6, 112),
    _Stage("inverted", 4, 5, 2, 6, 192),
    _Stage("inverted", 1, 3, 1, 6, 320),
)
_EDGE_SMALL = (
    _Stage("fused", 1, 3, 1, 3, 24),  # 96 inside: 3 x the stem's 32, or 4 x these 24
    _Stage("fused", 2, 3, 2, 8, 32),
    _Stage("fused", 4, 3, 2, 8, 48),
    _Stage("inverted", 5, 5, 2, 8, 96),
    _Stage("inverted", 4, 5, 1, 8, 144),
    _Stage("inverted", 2, 5, 2, 8, 192),
)
# The pruned B1: (inner, squeezed, width) of each block.
_B1_PRUNED = (
    ((32, 8, 16), (16, 4, 16)),
    ((48, 4, 12), (62, 6, 12), (48, 6, 12)),
    ((70, 6, 35), (61, 10, 35), (51, 10, 35)),
    ((175, 10, 74), (188, 20, 74), (137, 20, 74), (164, 20, 74)),
    ((399, 20, 67), (201, 28, 67), (160, 28, 67), (213, 28, 67)),
    (
        (637, 27, 192),
        (806, 48, 192),
        (798, 48, 192),
        (891, 48, 192),
        (990, 48, 192),
    ),
    ((1152, 48, 320), (1912, 80, 320)),
)


def efficientnet_b0(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1280)."""
    make = Blocks(he_normal_fan_out_of_group, options)
    return _efficientnet(images, _blocks(_B0, squeezes=True), make.silu, make)


def efficientnet_b1_pruned(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1280)."""
    make = Blocks(he_normal_fan_out_of_group, options, **_TENSORFLOW)
    blocks = [
        _Block(
            name=f"blocks.{number}.{index}",
            kind=stage.kind,
            kernel_size=stage.kernel_size,
            stride=stage.stride if index == 0 else 1,
            inner=inner,
            squeezed=squeezed,
            width=width,
        )
        for number, (stage, left) in enumerate(zip(_B0, _B1_PRUNED, strict=True))
        for index, (inner, squeezed, width) in enumerate(left)
    ]
    return _efficientnet(images, blocks, make.silu, make)


def efficientnet_es(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1280).

    es_pruned has the same architecture: its pruned weights are zeros.
    """
    make = Blocks(he_normal_fan_out_of_group, options)
    return _efficientnet(images, _blocks(_EDGE_SMALL), make.relu, make)


def efficientnet_lite0(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1280)."""
    make = Blocks(he_normal_fan_out_of_group, options)
    return _efficientnet(images, _blocks(_B0), make.relu6, make)


def tf_efficientnet_lite0(images, options):
    """Lite0 with TensorFlow's padding and epsilon 1e-3, as trained there."""
    make = Blocks(he_normal_fan_out_of_group, options, **_TENSORFLOW)
    return _efficientnet(images, _blocks(_B0), make.relu6, make)


def _blocks(stages, squeezes=False):
    before = _STEM
    for number, stage in enumerate(stages):
        for index in range(stage.depth):
            yield _Block(
                name=f"blocks.{number}.{index}",
                kind=stage.kind,
                kernel_size=stage.kernel_size,
                stride=stage.stride if index == 0 else 1,
                inner=stage.expansion * before,
                squeezed=before // 4 if squeezes else 0,
                width=stage.width,
            )
            before = stage.width


def _efficientnet(images, blocks, activation, make):
    x = make.conv(images, _STEM, 3, "conv_stem", stride=2)
    x = make.norm(x, "bn1")
    x = activation(x, "act1")
    for block in blocks:
        shortcut = x
        x = _BUILD[block.kind](x, block, activation, make)
        if block.stride == 1 and shortcut.shape[-1] == block.width:
            x = make.add(x, shortcut, f"{block.name}.add")
    x = make.conv(x, _HEAD, 1, "conv_head")
    x = make.norm(x, "bn2")
    return activation(x, "act2")


def _separable(x, block, activation, make):
    """Depthwise convolution, then a 1 x 1 convolution."""
    x = _depthwise(x, block, "bn1", activation, make)
    x = make.conv(x, block.width, 1, f"{block.name}.conv_pw")
    return make.norm(x, f"{block.name}.bn2")


def _inverted(x, block, activation, make):
    """Widen, convolve depthwise, narrow."""
    x = make.conv(x, block.inner, 1, f"{block.name}.conv_pw")
    x = make.norm(x, f"{block.name}.bn1")
    x = activation(x, f"{block.name}.act1")
    x = _depthwise(x, block, "bn2", activation, make)
    x = make.conv(x, block.width, 1, f"{block.name}.conv_pwl")
    return make.norm(x, f"{block.name}.bn3")


def _fused(x, block, activation, make):
    """Widen by a full convolution, which is faster for few channels, then narrow."""
    name = f"{block.name}.conv_exp"
    x = make.conv(x, block.inner, block.kernel_size, name, block.stride)
    x = make.norm(x, f"{block.name}.bn1")
    x = activation(x, f"{block.name}.act1")
    x = make.conv(x, block.width, 1, f"{block.name}.conv_pwl")
    return make.norm(x, f"{block.name}.bn2")


_BUILD = {"separable": _separable, "inverted": _inverted, "fused": _fused}


def _depthwise(x, block, norm, activation, make):
    name = f"{block.name}.conv_dw"
    x = make.conv(x, block.inner, block.kernel_size, name, block.stride, block.inner)
    x = make.norm(x, f"{block.name}.{norm}")
    x = activation(x, f"{name}.act")
    if block.squeezed:
        x = _squeeze_and_excite(x, block, activation, make)
    return x


def _squeeze_and_excite(x, block, activation, make):
    """Weight each channel by a function of the means of all channels.

    Source: Hu et al. 2018 (https://arxiv.org/abs/1709.01507).
    """
    name = f"{block.name}.se"
    gate = keras.layers.GlobalAveragePooling2D(
        keepdims=True, dtype=make.dtype, name=f"{name}.mean"
    )(x)
    gate = make.conv(gate, block.squeezed, 1, f"{name}.conv_reduce", bias=True)
    gate = activation(gate, f"{name}.act1")
    gate = make.conv(gate, block.inner, 1, f"{name}.conv_expand", bias=True)
    gate = keras.layers.Activation("sigmoid", dtype=make.dtype, name=f"{name}.gate")(
        gate
    )
    return keras.layers.Multiply(dtype=make.dtype, name=f"{name}.scale")([x, gate])
