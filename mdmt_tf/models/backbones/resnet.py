"""ResNet for images (He et al. 2016), in torchvision's definition.

Source: https://arxiv.org/abs/1512.03385; names and order of the layers as in
torchvision.models.resnet, so that its checkpoints can be loaded.
"""

import keras

from mdmt_tf.models.backbones.blocks import Blocks, he_normal_fan_out


def resnet18(images, seed, dtype):
    """ResNet-18: images (N, H, W, 3) to features (N, 512)."""
    return _resnet(images, (2, 2, 2, 2), Blocks(he_normal_fan_out, seed, dtype))


def _resnet(images, depths, make):
    x = make.conv(images, 64, 7, "conv1", stride=2)
    x = make.norm(x, "bn1")
    x = make.relu(x, "relu")
    x = make.max_pool(x, 3, 2, "maxpool")
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            stride = 2 if stage > 1 and index == 0 else 1
            x = _basic_block(x, 32 * 2**stage, stride, f"layer{stage}.{index}", make)
    return make.global_average(x, "avgpool")


def _basic_block(x, filters, stride, name, make):
    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = make.conv(x, filters, 1, f"{name}.downsample.0", stride)
        shortcut = make.norm(shortcut, f"{name}.downsample.1")
    x = make.conv(x, filters, 3, f"{name}.conv1", stride)
    x = make.norm(x, f"{name}.bn1")
    x = make.relu(x, f"{name}.relu1")
    x = make.conv(x, filters, 3, f"{name}.conv2")
    x = make.norm(x, f"{name}.bn2")
    x = keras.layers.Add(dtype=make.dtype, name=f"{name}.add")([x, shortcut])
    return make.relu(x, f"{name}.relu2")
