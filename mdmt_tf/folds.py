"""`python -m mdmt_tf.folds`: published fold lists to files for `split.file`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.errors import ConfigError, LeakageError
from mdmt_tf.imaging.preprocess import DEFAULT
from mdmt_tf.metrics.text import plural
from mdmt_tf.splits import published

DESCRIPTION = """\
Convert published fold lists to files for split.file, one for each fold.

  python -m mdmt_tf.folds aiforcovid=AFC/5 brixia=BX/5 --out folds
  python -m mdmt_tf.benchmark --config MINE data_dir=DATA

where MINE has, below benchmark.cross_validation:

  cv: {kind: file, file: "folds/{fold}.json"}

A folder holds the folders 0, 1, 2, ... of the folds, each with train.txt,
val.txt and test.txt, as in data/processed of the code of Ruffini et al.
(MICCAI 2024). It may also be the folder of a single fold, which is then used
with each fold of the other datasets.

A file all.txt in the folder or above it names all images; those on no list of
a fold are excluded from it. With --data-dir the lists are compared with the
prepared images instead: what is not prepared is left out, what is on no list
is excluded, and a patient in several splits is an error.
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    tables: dict = {}
    if options.data_dir is not None:
        from mdmt_tf.data.sources import open_datasets

        versions = dict.fromkeys(options.folders, (options.config, None))
        opened = open_datasets(options.data_dir, versions)
        tables = {dataset.name: dataset.table for dataset in opened}

    folds_of = {}
    for name, folder in options.folders.items():
        table = tables.get(name)
        read = published.read_folds(folder)
        folds, found = published.check(read, table, published.read_all(folder))
        for line in found.lines():
            print(f"{name:<12}{line}")
        if found.leaking:
            if not options.exclude_leaking:
                fold, patient = found.leaking[0]
                raise LeakageError(
                    f"{folder}: patient {patient!r} of dataset {name!r} is in several "
                    f"splits of fold {fold}; {len(found.leaking)} such cases. All "
                    "images of a patient must be in one split. --exclude-leaking "
                    "excludes their training and validation images."
                )
            folds = published.without_leaks(folds, table)
        folds_of[name] = folds

    from mdmt_tf.splits.split import Split

    options.out.mkdir(parents=True, exist_ok=True)
    combined = published.combine(folds_of, options.combine)
    beyond = options.out / f"{len(combined)}.json"
    if beyond.exists():
        raise ConfigError(
            f"--out {options.out}: expected no lists of more than {len(combined)} "
            f"folds. Received a folder with {beyond.name}, which would count as one "
            "more fold. Remove the earlier lists, or choose another folder."
        )
    for fold, lists in enumerate(combined):
        split = Split(kind="file", fold=fold, datasets=lists)
        split.write(options.out / f"{fold}.json")
    print(f"{plural(len(combined), 'file')}: {options.out}/{{fold}}.json")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("folds", DESCRIPTION)
    add = arguments.add_argument
    text = "a prepared dataset and the folder of its lists"
    add("folders", nargs="+", type=_pair, metavar="NAME=DIR", help=text)
    text = "folder to write 0.json, 1.json, ... to"
    add("--out", required=True, type=Path, metavar="DIR", help=text)
    text = "folder with the prepared datasets, to compare the lists with"
    add("--data-dir", metavar="DIR", help=text)
    text = "preprocessing of the prepared datasets (default: %(default)s)"
    add("--config", default=DEFAULT, metavar="NAME", help=text)
    text = "cycle: fold k of each dataset together, and those of a dataset with fewer "
    text += "folds repeat; product: every combination (default: %(default)s)"
    add("--combine", choices=("cycle", "product"), default="cycle", help=text)
    text = "exclude the training and validation images of patients in several splits"
    add("--exclude-leaking", action="store_true", help=text)
    options = arguments.parse_args(argv)
    names = [name for name, _ in options.folders]
    if len(set(names)) < len(names):
        arguments.error(f"a dataset is named twice: {', '.join(names)}")
    options.folders = dict(options.folders)
    if options.exclude_leaking and options.data_dir is None:
        raise ConfigError("--exclude-leaking needs --data-dir, which has the patients.")
    return options


def _pair(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not name or not equals or not folder:
        raise argparse.ArgumentTypeError(
            f"expected NAME=DIR, such as brixia=BX/5. Received: {text!r}"
        )
    return name, Path(folder)


if __name__ == "__main__":
    console.run(main)
