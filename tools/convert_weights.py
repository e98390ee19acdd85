"""Convert a PyTorch checkpoint to the weights of a backbone.

    python tools/convert_weights.py resnet50 my_chest_xrays.pth my_resnet50.weights.h5
    python -m mdmt_tf.train model.backbone=resnet50 model.weights=my_resnet50.weights.h5

The tool reads .safetensors files and files of `torch.save`, without PyTorch and without
running code in them. A classifier is left out. A manifest next to the result states its
source. The network must have been trained on images normalised like those of the
backbone's published weights.

With --imagenet instead of two files, the tool downloads the published weights to the
cache, where model.weights=imagenet finds them:

    python tools/convert_weights.py resnet50 --imagenet
"""

import argparse
import sys
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.models.backbones.table import BACKBONES


def main(argv=None):
    options = _parse(argv)
    console.load_tensorflow()
    from mdmt_tf.models.weights import pretrained

    if options.imagenet:
        target = pretrained.provide(options.backbone, sys.stdout.write)
    else:
        target = options.target
        pretrained.convert(options.backbone, options.checkpoint, target)
    print(f"weights   {target}")
    print(f"manifest  {pretrained.manifest_path(Path(target))}")


def _parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("backbone", choices=sorted(BACKBONES), metavar="BACKBONE")
    parser.add_argument("checkpoint", nargs="?", type=Path, metavar="CHECKPOINT")
    parser.add_argument("target", nargs="?", type=Path, metavar="NAME.weights.h5")
    parser.add_argument("--imagenet", action="store_true")
    options = parser.parse_args(argv)
    if options.imagenet == (options.target is not None):
        parser.error("give a checkpoint and a target, or --imagenet alone")
    if options.target and not options.target.name.endswith(".weights.h5"):
        parser.error(f"{options.target}: the target's name must end in .weights.h5")
    return options


if __name__ == "__main__":
    console.run(main)
