"""ShuffleNetV2 for images (Ma et al. 2018), in torchvision's definition.

Source: https://arxiv.org/abs/1807.11164. Names and order of the layers are those of
torchvision.models.shufflenetv2, so that its checkpoints can be loaded.
"""

from mdmt_tf.models.backbones.blocks import Blocks, uniform_fan_in
from mdmt_tf.models.layers import ChannelInterleave, ChannelSplit

# Table 5 of the paper.
_STEM = 24
_DEPTHS = (4, 8, 4)
_LAST = 1024


def shufflenet_v2_x0_5(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1024); half width."""
    return _shufflenet(images, (48, 96, 192), options)


def shufflenet_v2_x1_0(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1024)."""
    return _shufflenet(images, (116, 232, 464), options)


def _shufflenet(images, widths, options):
    make = Blocks(uniform_fan_in, options)
    x = _conv_norm_relu(images, _STEM, 3, ("conv1", 0), make, stride=2)
    x = make.max_pool(x, 3, 2, "maxpool")
    for stage, (depth, width) in enumerate(zip(_DEPTHS, widths, strict=True), start=2):
        x = _downsampling_unit(x, width, f"stage{stage}.0", make)
        for index in range(1, depth):
            x = _basic_unit(x, width, f"stage{stage}.{index}", make)
    return _conv_norm_relu(x, _LAST, 1, ("conv5", 0), make)


def _basic_unit(x, width, name, make):
    """Pass half of the channels, convolve the other half, and interleave both."""
    kept, x = ChannelSplit(dtype=make.dtype, name=f"{name}.split")(x)
    x = _branch2(x, width // 2, 1, f"{name}.branch2", make)
    return ChannelInterleave(dtype=make.dtype, name=f"{name}.shuffle")([kept, x])


def _downsampling_unit(x, width, name, make):
    """Two branches, both with all channels as input, halve the map."""
    branch1 = f"{name}.branch1"
    kept = _depthwise_norm(x, 2, (branch1, 0), make)
    kept = _conv_norm_relu(kept, width // 2, 1, (branch1, 2), make)
    x = _branch2(x, width // 2, 2, f"{name}.branch2", make)
    return ChannelInterleave(dtype=make.dtype, name=f"{name}.shuffle")([kept, x])


def _branch2(x, filters, stride, name, make):
    x = _conv_norm_relu(x, filters, 1, (name, 0), make)
    x = _depthwise_norm(x, stride, (name, 3), make)
    return _conv_norm_relu(x, filters, 1, (name, 5), make)


def _conv_norm_relu(x, filters, kernel_size, at, make, stride=1):
    """Three consecutive members of a reference Sequential; at = (name, first index)."""
    parent, first = at
    x = make.conv(x, filters, kernel_size, f"{parent}.{first}", stride)
    x = make.norm(x, f"{parent}.{first + 1}")
    return make.relu(x, f"{parent}.{first + 2}")


def _depthwise_norm(x, stride, at, make):
    parent, first = at
    channels = x.shape[-1]
    x = make.conv(x, channels, 3, f"{parent}.{first}", stride, groups=channels)
    return make.norm(x, f"{parent}.{first + 1}")
