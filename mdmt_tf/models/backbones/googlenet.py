"""GoogLeNet with batch normalisation, in torchvision's definition.

Source: Szegedy et al. 2015 (https://arxiv.org/abs/1409.4842). Names and order of the
layers are those of torchvision.models.googlenet. As in torchvision, the third branch of
an inception block convolves with 3 x 3, instead of 5 x 5 as in the paper. The two
auxiliary classifiers of ImageNet's classes are left out.
"""

import keras

from mdmt_tf.models.backbones.blocks import Blocks, normal_0_01

# Widths of an inception block's branches: 1 x 1; 1 x 1, 3 x 3; 1 x 1, 3 x 3; after
# pooling.
_BLOCKS_3 = {
    "inception3a": (64, (96, 128), (16, 32), 32),
    "inception3b": (128, (128, 192), (32, 96), 64),
}
_BLOCKS_4 = {
    "inception4a": (192, (96, 208), (16, 48), 64),
    "inception4b": (160, (112, 224), (24, 64), 64),
    "inception4c": (128, (128, 256), (24, 64), 64),
    "inception4d": (112, (144, 288), (32, 64), 64),
    "inception4e": (256, (160, 320), (32, 128), 128),
}
_BLOCKS_5 = {
    "inception5a": (256, (160, 320), (32, 128), 128),
    "inception5b": (384, (192, 384), (48, 128), 128),
}


def googlenet(images, options):
    """Images (N, H, W, C) to the last map (N, h, w, 1024)."""
    make = Blocks(normal_0_01, options, epsilon=1e-3)
    x = _conv_norm_relu(images, 64, 7, "conv1", make, stride=2)
    x = _max_pool(x, 3, "maxpool1", make)
    x = _conv_norm_relu(x, 64, 1, "conv2", make)
    x = _conv_norm_relu(x, 192, 3, "conv3", make)
    x = _max_pool(x, 3, "maxpool2", make)
    x = _inceptions(x, _BLOCKS_3, make)
    x = _max_pool(x, 3, "maxpool3", make)
    x = _inceptions(x, _BLOCKS_4, make)
    x = _max_pool(x, 2, "maxpool4", make)
    return _inceptions(x, _BLOCKS_5, make)


def _inceptions(x, blocks, make):
    for name, (width1, widths2, widths3, width4) in blocks.items():
        branch1 = _conv_norm_relu(x, width1, 1, f"{name}.branch1", make)
        branch2 = _two_convs(x, widths2, f"{name}.branch2", make)
        branch3 = _two_convs(x, widths3, f"{name}.branch3", make)
        branch4 = make.max_pool(x, 3, 1, f"{name}.branch4.0")
        branch4 = _conv_norm_relu(branch4, width4, 1, f"{name}.branch4.1", make)
        branches = [branch1, branch2, branch3, branch4]
        x = make.concatenate(branches, f"{name}.concat")
    return x


def _two_convs(x, widths, name, make):
    x = _conv_norm_relu(x, widths[0], 1, f"{name}.0", make)
    return _conv_norm_relu(x, widths[1], 3, f"{name}.1", make)


def _conv_norm_relu(x, filters, kernel_size, name, make, stride=1):
    x = make.conv(x, filters, kernel_size, f"{name}.conv", stride)
    x = make.norm(x, f"{name}.bn")
    return make.relu(x, f"{name}.relu")


def _max_pool(x, size, name, make):
    """Max pooling of x >= 0 by 2; the last window may exceed the map (`ceil_mode`)."""
    # PyTorch adds a window that begins inside the map; pad the pixels that it lacks.
    missing = [-(length - size) % 2 for length in x.shape[1:3]]
    if any(missing):
        x = keras.layers.ZeroPadding2D(
            ((0, missing[0]), (0, missing[1])), dtype=make.dtype, name=f"{name}.pad"
        )(x)
    return keras.layers.MaxPooling2D(size, strides=2, dtype=make.dtype, name=name)(x)
