"""`python -m mdmt_tf.predict`: answers of trained models to image files."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console

DESCRIPTION = """\
Predict image files with finished runs. The images are prepared as those of the
training. Several runs answer with their mean, and the std over them.

  python -m mdmt_tf.predict RUN_DIR film.dcm --out answers.csv
  python -m mdmt_tf.predict RUN_DIR films/ 'more/*.png' --out answers.json
  python -m mdmt_tf.predict runs/fold* films/ --out answers.csv --saliency maps

Folders of runs, or of their SavedModels, are recognised by their files. All
other arguments are files, folders of them, folders of DICOM series, or patterns
in quotes. A file that cannot be read is a row with an error. Images that are
unlike the training images have a warning.

The exit status is 0 if at least one file was answered, 1 if none was, and 2 if
nothing could be started.
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    console.use_limits(options)

    # Wrong names are reported before TensorFlow is loaded, which takes seconds.
    from mdmt_tf.saliency import earlier
    from mdmt_tf.serving import answers
    from mdmt_tf.serving.given import divide

    models, given = divide(options.paths)
    answers.check_output(options.out, options.overwrite)
    if options.saliency is not None:
        earlier.check_folder(options.saliency, options.overwrite)

    console.load_tensorflow()
    from mdmt_tf.saliency.predicted_files import MapsOfFiles
    from mdmt_tf.serving import prediction
    from mdmt_tf.serving.ensemble import open_models

    opened = open_models(models, options.preprocessing, options.statistics_of)
    maps = None if options.saliency is None else MapsOfFiles(options.saliency)
    started = time.perf_counter()
    with console.progress_bar("predicting") as progress:
        counts = prediction.predict_files(
            opened, given, options.out, progress=progress, maps=maps
        )
    seconds = time.perf_counter() - started
    if maps is not None:
        print(maps.zero_text(), end="")
    print(counts.text(seconds, options.out, options.saliency))
    return 0 if counts.answered else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("predict", DESCRIPTION)
    console.add_limit_argument(arguments)
    add = arguments.add_argument
    text = "folders of runs, and files, folders or patterns, in any order"
    add("paths", nargs="+", metavar="RUN_DIR|FILE", help=text)
    text = "file to write: one row per file (.csv), or the same nested (.json)"
    add("--out", required=True, type=Path, metavar="FILE", help=text)
    text = "replace an existing file --out, and maps of an earlier call in --saliency"
    add("--overwrite", action="store_true", help=text)
    text = "also write saliency maps of each file to this new or empty folder; slow"
    add("--saliency", type=Path, metavar="DIR", help=text)
    console.add_preprocessing_argument(arguments)
    console.add_statistics_argument(arguments)
    return arguments.parse_args(argv)


if __name__ == "__main__":
    console.run(main)
