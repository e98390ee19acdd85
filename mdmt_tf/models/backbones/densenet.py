"""DenseNet, in torchvision's definition for images and MONAI's for volumes.

Source: Huang et al. 2017 (https://arxiv.org/abs/1608.06993). Names and order of the
layers are those of torchvision.models.densenet and monai.networks.nets.DenseNet. The
two name the modules of a dense layer differently, and only MONAI has dropout after it.
"""

from mdmt_tf.models.backbones.blocks import Blocks, he_normal_fan_in

_BOTTLENECK = 4  # width of the 1 x 1 convolutions, in growths


def densenet121(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1024)."""
    return _densenet(images, 64, 32, (6, 12, 24, 16), options)


def densenet161(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 2208)."""
    return _densenet(images, 96, 48, (6, 12, 36, 24), options)


def densenet169(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1664)."""
    return _densenet(images, 64, 32, (6, 12, 32, 32), options)


def densenet201(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1920)."""
    return _densenet(images, 64, 32, (6, 12, 48, 32), options)


def densenet121_3d(volumes, options):
    """Volumes (N, D, H, W, C) to the last map (N, d, h, w, 1024)."""
    return _densenet(volumes, 64, 32, (6, 12, 24, 16), options, inner="layers.")


def densenet21_3d(volumes, options):
    """Volumes (N, D, H, W, C) to the last map (N, d, h, w, 128).

    MONAI's DenseNet with two layers per block, block_config=(2, 2, 2, 2), for small
    volumes.
    """
    return _densenet(volumes, 64, 32, (2, 2, 2, 2), options, inner="layers.")


def _densenet(images, width, growth, depths, options, inner=""):
    """`width` channels after the stem, `growth` more after each layer."""
    make = Blocks(he_normal_fan_in, options)
    x = make.conv(images, width, 7, "features.conv0", stride=2)
    x = make.norm(x, "features.norm0")
    x = make.relu(x, "features.relu0")
    x = make.max_pool(x, 3, 2, "features.pool0")
    for block, depth in enumerate(depths, start=1):
        for index in range(1, depth + 1):
            name = f"features.denseblock{block}.denselayer{index}"
            x = _dense_layer(x, growth, name, f"{name}.{inner}", make)
        if block < len(depths):
            x = _transition(x, f"features.transition{block}", make)
    x = make.norm(x, "features.norm5")
    return make.relu(x, "features.relu5")


def _dense_layer(x, growth, name, prefix, make):
    """Concatenate all maps so far with `growth` new ones computed from them."""
    new = make.norm(x, f"{prefix}norm1")
    new = make.relu(new, f"{prefix}relu1")
    new = make.conv(new, _BOTTLENECK * growth, 1, f"{prefix}conv1")
    new = make.norm(new, f"{prefix}norm2")
    new = make.relu(new, f"{prefix}relu2")
    new = make.conv(new, growth, 3, f"{prefix}conv2")
    new = make.dropout(new, f"{prefix}dropout")
    return make.concatenate([x, new], f"{name}.concat")


def _transition(x, name, make):
    """Halve the channels and the side."""
    x = make.norm(x, f"{name}.norm")
    x = make.relu(x, f"{name}.relu")
    x = make.conv(x, x.shape[-1] // 2, 1, f"{name}.conv")
    return make.average_pool(x, 2, f"{name}.pool")
