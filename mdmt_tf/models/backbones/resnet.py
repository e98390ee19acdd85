"""ResNet, Wide ResNet and ResNeXt, in torchvision's definition.

Source: He et al. 2016 (https://arxiv.org/abs/1512.03385), Zagoruyko and Komodakis 2016
(https://arxiv.org/abs/1605.07146), Xie et al. 2017 (https://arxiv.org/abs/1611.05431).
Names and order of the layers are those of torchvision.models.resnet.
"""

from mdmt_tf.models.backbones.blocks import Blocks, he_normal_fan_out

# Residual blocks at 1/4, 1/8, 1/16 and 1/32 of the image's size.
_DEPTHS_18 = (2, 2, 2, 2)
_DEPTHS_34_50 = (3, 4, 6, 3)
_DEPTHS_101 = (3, 4, 23, 3)


def resnet18(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 512)."""
    return _resnet(images, _DEPTHS_18, _basic_block, options)


def resnet18_3d(volumes, options):
    """Volumes (N, D, H, W, C) to the last map (N, d, h, w, 512).

    Kernels and strides are those of the network for images, along all three axes, as in
    Hara et al. 2018 (https://arxiv.org/abs/1711.09577) with shortcut B.
    """
    return _resnet(volumes, _DEPTHS_18, _basic_block, options)


def resnet34(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 512)."""
    return _resnet(images, _DEPTHS_34_50, _basic_block, options)


def resnet50(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 2048)."""
    return _resnet(images, _DEPTHS_34_50, _bottleneck(), options)


def resnet101(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 2048)."""
    return _resnet(images, _DEPTHS_101, _bottleneck(), options)


def wide_resnet50_2(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 2048); wider inner convolutions."""
    return _resnet(images, _DEPTHS_34_50, _bottleneck(widening=2), options)


def resnext50_32x4d(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 2048); 32 groups."""
    block = _bottleneck(widening=2, groups=32)
    return _resnet(images, _DEPTHS_34_50, block, options)


def _resnet(images, depths, block, options):
    make = Blocks(he_normal_fan_out, options)
    x = make.conv(images, 64, 7, "conv1", stride=2)
    x = make.norm(x, "bn1")
    x = make.relu(x, "relu")
    x = make.max_pool(x, 3, 2, "maxpool")
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            stride = 2 if stage > 1 and index == 0 else 1
            x = block(x, 32 * 2**stage, stride, f"layer{stage}.{index}", make)
    return x


def _basic_block(x, filters, stride, name, make):
    shortcut = _shortcut(x, filters, stride, name, make)
    x = make.conv(x, filters, 3, f"{name}.conv1", stride)
    x = make.norm(x, f"{name}.bn1")
    x = make.relu(x, f"{name}.relu1")
    x = make.conv(x, filters, 3, f"{name}.conv2")
    x = make.norm(x, f"{name}.bn2")
    x = make.add(x, shortcut, f"{name}.add")
    return make.relu(x, f"{name}.relu2")


def _bottleneck(widening=1, groups=1):
    """A block whose 3 x 3 convolution has fewer channels, and the stride."""

    def block(x, filters, stride, name, make):
        width, filters = widening * filters, 4 * filters
        shortcut = _shortcut(x, filters, stride, name, make)
        x = make.conv(x, width, 1, f"{name}.conv1")
        x = make.norm(x, f"{name}.bn1")
        x = make.relu(x, f"{name}.relu1")
        x = make.conv(x, width, 3, f"{name}.conv2", stride, groups)
        x = make.norm(x, f"{name}.bn2")
        x = make.relu(x, f"{name}.relu2")
        x = make.conv(x, filters, 1, f"{name}.conv3")
        x = make.norm(x, f"{name}.bn3")
        x = make.add(x, shortcut, f"{name}.add")
        return make.relu(x, f"{name}.relu3")

    return block


def _shortcut(x, filters, stride, name, make):
    if stride == 1 and x.shape[-1] == filters:
        return x
    x = make.conv(x, filters, 1, f"{name}.downsample.0", stride)
    return make.norm(x, f"{name}.downsample.1")
