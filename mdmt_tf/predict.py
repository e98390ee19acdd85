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

    console.load_tensorflow()
    from mdmt_tf.serving import prediction

    return 0
