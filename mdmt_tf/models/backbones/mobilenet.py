"""MobileNetV2, in torchvision's definition.

Source: Sandler et al. 2018 (https://arxiv.org/abs/1801.04381). Names and order of the
layers are those of torchvision.models.mobilenetv2.
"""

from mdmt_tf.models.backbones.blocks import Blocks, he_normal_fan_out

# Expansion, channels, number of blocks, stride of the first: table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1280)."""
    make = Blocks(he_normal_fan_out, options)
    x = _conv_norm_relu6(images, 32, 3, "features.0", make, stride=2)
    number = 1
    for expansion, filters, depth, stride in _STAGES:
        for index in range(depth):
            name = f"features.{number}"
            first_stride = stride if index == 0 else 1
            x = _inverted_residual(x, expansion, filters, first_stride, name, make)
            number += 1
    return _conv_norm_relu6(x, 1280, 1, f"features.{number}", make)


def _inverted_residual(x, expansion, filters, stride, name, make):
    shortcut = x
    width = expansion * x.shape[-1]
    index = 0  # in the reference's Sequential
    if expansion > 1:
        x = _conv_norm_relu6(x, width, 1, f"{name}.conv.{index}", make)
        index += 1
    x = _conv_norm_relu6(
        x, width, 3, f"{name}.conv.{index}", make, stride=stride, groups=width
    )
    x = make.conv(x, filters, 1, f"{name}.conv.{index + 1}")
    x = make.norm(x, f"{name}.conv.{index + 2}")
    if stride == 1 and shortcut.shape[-1] == filters:
        x = make.add(x, shortcut, f"{name}.add")
    return x


def _conv_norm_relu6(x, filters, kernel_size, name, make, stride=1, groups=1):
    x = make.conv(x, filters, kernel_size, f"{name}.0", stride, groups)
    x = make.norm(x, f"{name}.1")
    return make.relu6(x, f"{name}.2")
