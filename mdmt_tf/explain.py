"""`python -m mdmt_tf.explain`: saliency maps for a finished run."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.metrics.text import plural
from mdmt_tf.splits.files import SPLITS

DESCRIPTION = """\
Make saliency maps for each answer of a finished run: Grad-CAM, guided
backpropagation, guided Grad-CAM. They explain some images of its test split,
named images, or files that are not part of its data. Writes pictures, NIfTI
files of volumes on the voxels of the original, and saliency.csv.

  python -m mdmt_tf.explain RUN_DIR --most 4 --sanity
  python -m mdmt_tf.explain RUN_DIR scan.nii.gz --tasks severity --out maps
  python -m mdmt_tf.explain RUN_DIR films/ 'more/*.dcm' --out maps
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    console.use_limits(options)

    from mdmt_tf.runs.folder import RunFolder

    run = RunFolder.open(options.run_dir)
    run.require_finished()

    console.load_tensorflow()
    from mdmt_tf.saliency import explanation, summary

    with console.progress_bar("explaining") as progress:
        explained = explanation.explain_finished(
            run,
            explanation.Chosen(
                files=options.files,
                preprocessing=options.preprocessing,
                images=options.images,
                split=options.split,
                most=options.most,
            ),
            explanation.Options(
                answers=options.tasks,
                methods=options.methods or None,
                layer=options.layer,
                masks=options.masks,
                with_sanity=options.sanity,
            ),
            folder=options.out,
            data_dir=options.data_dir,
            progress=progress,
        )
    summary.print_summary(explained)
    maps = plural(len(explained.rows), "map")
    print(f"\n{maps} of {plural(explained.n_images, 'image')}: {explained.folder}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("explain", DESCRIPTION)
    console.add_limit_argument(arguments)
    add, words = arguments.add_argument, console.words
    add("run_dir", metavar="RUN_DIR", help="folder of the run")
    text = "NIfTI files, DICOM series, or radiographs; folders; patterns in quotes"
    add("files", nargs="*", metavar="FILE", help=text)
    text = "folder to write to (default: RUN_DIR/saliency)"
    add("--out", metavar="DIR", type=Path, help=text)
    text = "split to take images from (default: test)"
    add("--split", "--part", choices=SPLITS, default="test", help=text)
    text = "largest number of images, spread over the split (default: 8)"
    add("--most", type=console.positive, default=8, metavar="N", help=text)
    text = "ids of images to explain instead, of any split"
    add("--images", type=words, default=[], metavar="IMAGE,...", help=text)
    text = "tasks and derived answers to explain (default: all)"
    add("--tasks", type=words, default=[], metavar="TASK,...", help=text)
    text = "grad_cam, guided_backpropagation, guided_grad_cam (default: all possible)"
    add("--methods", type=words, default=[], metavar="METHOD,...", help=text)
    text = "layer of the backbone whose map Grad-CAM uses (default: the last map with "
    text += "at least 2 positions along each axis and 4 along the longest)"
    add("--layer", metavar="NAME", help=text)
    text = "also compare with maps of randomised weights (sanity.csv)"
    add("--sanity", action="store_true", help=text)
    text = (
        "folder of IMAGE_lesion.nii.gz, to measure how much of a map is in the lesion"
    )
    add("--masks", metavar="DIR", type=Path, help=text)
    add("--preprocessing", metavar="NAME", help="preprocessing of the FILEs")
    text = "folder of the prepared data (default: the folder used in training)"
    add("--data-dir", metavar="DIR", help=text)
    options = arguments.parse_args(argv)
    if options.files and options.images:
        arguments.error("give FILEs or --images, not both")
    return options


if __name__ == "__main__":
    console.run(main)
