"""`python -m mdmt_tf.prepare`: prepare datasets for training."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.imaging.preprocess import DEFAULT, DEFAULT_VOLUME, parse

DESCRIPTION = """\
Prepare a dataset once, for training any number of times.

  python -m mdmt_tf.prepare brixia --manual-dir FILES/BRIXIA --data-dir DATA
  python -m mdmt_tf.prepare all --manual-dir FILES --data-dir DATA
  python -m mdmt_tf.prepare ward.yaml --data-dir DATA

A YAML file declares a dataset of your own; its keys are listed by
`python -m mdmt_tf.config keys dataset`.

Images and rows that cannot be used are left out and listed in rejected.csv. If
no lungs are found, the whole image is kept, and the field box_source of the
example records it.
"""


def main(argv: Sequence[str] | None = None) -> None:
    # Imported late: a checkout that is not installed cannot import the datasets.
    from rich.console import Console

    from mdmt_tf.datasets._shared import choice, prepare, summary

    options = _parse(argv, prepare.dataset_names(), prepare.ALL)
    console.use_limits(options)

    screen = Console(highlight=False)
    exclude = None
    if options.exclude is not None:
        exclude = choice.read_excluded(options.exclude)
    # A wrong name or declaration is reported before any progress bar.
    if _is_declaration(options.name):
        configs = choice.declared(
            options.name, options.manual_dir, options.config, options.data_dir
        )
    else:
        configs, absent = choice.choose(
            options.name, options.manual_dir, options.config
        )
        if absent:
            text = f"not in {options.manual_dir}: {', '.join(absent)}"
            screen.print(text, markup=False)
    by_name = {prepare.load_builder(dataset).name: dataset for dataset in configs}

    def finished(prepared: prepare.PreparedFolder) -> None:
        summary.print_summary(screen, prepared)
        if (file := options.preview) is not None:
            dataset = by_name[prepared.name]
            if options.name == prepare.ALL:
                file = file.with_stem(f"{file.stem}_{prepared.name}")
            config = configs[dataset]
            builder = prepare.open_builder(dataset, options.data_dir, config, exclude)
            prepare.write_preview(builder, options.manual_dir, file)
            screen.print(f"preview: {file}", markup=False, soft_wrap=True)

    prepare.prepare_each(
        configs,
        options.manual_dir,
        options.data_dir,
        bar=console.progress_bar,
        finished=finished,
        exclude=exclude,
        overwrite=options.overwrite,
        before_writing=console.load_tensorflow,
    )


def _parse(
    argv: Sequence[str] | None, names: Sequence[str], every: str
) -> argparse.Namespace:
    arguments = console.parser("prepare", DESCRIPTION)
    console.add_limit_argument(arguments)
    add = arguments.add_argument
    text = f"{', '.join(names)}; or {every}; or a YAML file that declares a dataset"
    add("name", metavar=f"NAME|{every}|FILE.yaml", help=text)
    text = "the dataset as distributed, or the folder around it; for a declared "
    text += "dataset, the folder of its tables and images (default: that of the file)"
    add("--manual-dir", metavar="DIR", help=text)
    text = "folder for prepared datasets"
    add("--data-dir", required=True, metavar="DIR", help=text)
    text = "what to keep of a radiograph: lungs, masked (black outside the lungs) or "
    text += f"full, and the side in pixels (default: {DEFAULT}); of a head CT: head, "
    text += f"and depth x rows x columns in voxels (default: {DEFAULT_VOLUME}), or "
    text += "another window in HU, such as hu_0_80_40x301x301 "
    text += f"(docs/reference/data.md). With {every} the datasets of the "
    text += "other kind have their default"
    add("--config", type=_config_name, metavar="PART_SIZE", help=text)
    text = "text file of images to leave out, one id per line, instead of the "
    text += "dataset's own list; an empty file keeps all"
    add("--exclude", metavar="FILE", help=text)
    text = "draw images at random, with the lungs, the box and the crop, or slice by "
    text += f"slice; with {every} one file per dataset"
    add("--preview", type=console.png_file, metavar="FILE.png", help=text)
    text = "prepare existing datasets again"
    add("--overwrite", action="store_true", help=text)
    options = arguments.parse_args(argv)
    if options.manual_dir is None and not _is_declaration(options.name):
        arguments.error("--manual-dir is required, except for a YAML file")
    return options


def _is_declaration(name: str) -> bool:
    """Whether NAME is a file that declares a dataset."""
    return name.lower().endswith((".yaml", ".yml")) or Path(name).is_file()


def _config_name(text: str) -> str:
    try:
        return parse(text).name
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    console.run(main)
