"""`python -m mdmt_tf.convert`: PyTorch checkpoints to weights of a backbone."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.models.backbones.table import BACKBONES

DESCRIPTION = """\
Convert a PyTorch checkpoint to the weights of a backbone.

  python -m mdmt_tf.convert resnet50 mine.pth mine.weights.h5
  python -m mdmt_tf.train model.backbone=resnet50 model.weights=mine.weights.h5

It reads .safetensors files and files of torch.save, without PyTorch and without
running code in them. The tensors may lie below the keys state_dict, model or
model_state_dict, and their names may begin with module. (DataParallel), model.
(Lightning) or _orig_mod. (torch.compile), in any combination. A classifier is
left out. A manifest next to the result states its source. The network must have
been trained on images normalised like those of the published weights.

With --imagenet instead of two files, the published weights are downloaded to
the cache, where model.weights=imagenet finds them:

  python -m mdmt_tf.convert resnet50 --imagenet
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)

    console.load_tensorflow()
    from mdmt_tf.models.weights import pretrained

    if options.imagenet:
        target = pretrained.provide(options.backbone, console.write)
    else:
        target = options.target
        pretrained.convert(options.backbone, options.checkpoint, target)
    print(f"weights   {target}")
    print(f"manifest  {pretrained.manifest_path(Path(target))}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("convert", DESCRIPTION)
    add = arguments.add_argument
    text = f"one of {', '.join(sorted(BACKBONES))}"
    add("backbone", choices=sorted(BACKBONES), metavar="BACKBONE", help=text)
    text = "a .safetensors file, or one of torch.save"
    add("checkpoint", nargs="?", type=Path, metavar="CHECKPOINT", help=text)
    text = "the new file; its name must end in .weights.h5"
    add("target", nargs="?", type=Path, metavar="NAME.weights.h5", help=text)
    text = "download and convert the published weights"
    add("--imagenet", action="store_true", help=text)
    options = arguments.parse_args(argv)
    if options.imagenet == (options.target is not None):
        arguments.error("give a checkpoint and a target, or --imagenet alone")
    if options.target and not options.target.name.endswith(".weights.h5"):
        arguments.error(f"{options.target}: the target's name must end in .weights.h5")
    return options


if __name__ == "__main__":
    console.run(main)
