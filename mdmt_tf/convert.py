"""`python -m mdmt_tf.convert`: weights of a backbone, from others or from phantoms."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.screen import size

DESCRIPTION = """\
Convert a PyTorch checkpoint to the weights of a backbone, or train them.

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

With --phantoms, a backbone is trained on synthetic radiographs, by the settings
of the configuration phantom_start. The file goes to the cache, where
model.weights=phantoms finds it. An interrupted training goes on. Where there is
a file, --again trains anew and says what differs:

  python -m mdmt_tf.convert resnet18 --phantoms
  python -m mdmt_tf.convert resnet18 --phantoms --again

With --run, the file is made of a finished run of phantom_start:

  python -m mdmt_tf.convert resnet18 --phantoms --run runs/mine
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    if options.phantoms:
        return _of_phantoms(options)

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


def _of_phantoms(options: argparse.Namespace) -> int:
    from mdmt_tf.experiments import phantom_start
    from mdmt_tf.models.weights import half_precision

    # A wrong backbone is reported before TensorFlow is loaded.
    phantom_start.settings_of(options.backbone)
    console.load_tensorflow()
    if options.run:
        path = phantom_start.make_from_run(options.run, options.backbone, console.write)
    else:
        path = phantom_start.make(
            options.backbone,
            console.write,
            console.progress_bar,
            again=options.again,
            is_terminal=size.rewrites(sys.stdout),
        )
    facts = half_precision.read(path)[1]
    print(f"weights   {path}, {path.stat().st_size / 1e6:.1f} MB")
    print(f"sha256    {facts['sha256']}")
    print(f"made of   {facts['source']}; phantoms {facts['phantoms_version']}")
    print("on held-out phantoms")
    width = max(map(len, facts["metrics"]))
    for task, metrics in facts["metrics"].items():
        shown = [f"{name} {value:g}" for name, value in metrics.items()]
        print(f"  {task:<{width}}  {', '.join(shown)}")
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
    text = "train on synthetic radiographs, unless there is a file already"
    add("--phantoms", action="store_true", help=text)
    text = "with --phantoms: train anew, and compare with the file that there is"
    add("--again", action="store_true", help=text)
    text = "with --phantoms: take a finished run instead of training"
    add("--run", type=Path, metavar="RUN_DIR", help=text)
    options = arguments.parse_args(argv)
    ways = [options.target is not None, options.imagenet, options.phantoms]
    if sum(ways) != 1 or (options.checkpoint and not options.target):
        arguments.error(
            "give a checkpoint and a target, or --imagenet alone, or --phantoms"
        )
    if (options.again or options.run) and not options.phantoms:
        arguments.error("--again and --run are for --phantoms")
    if options.again and options.run:
        arguments.error("--again trains, --run takes a run: give one of them")
    if options.target and not options.target.name.endswith(".weights.h5"):
        arguments.error(f"{options.target}: the target's name must end in .weights.h5")
    return options


if __name__ == "__main__":
    console.run(main)
