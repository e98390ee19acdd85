"""`python -m mdmt_tf.prepare`: a dataset as distributed, to images ready for training.

DATA_DIR/<name>/<config>/<version>/       in the format of tensorflow-datasets
                         rejected.csv     what could not be used, and why
"""

import argparse
import dataclasses
import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdmt_tf import console as cli
from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.imaging.preprocess import DEFAULT, DEFAULT_VOLUME, parse

if TYPE_CHECKING:
    from rich.console import Console

    from mdmt_tf.datasets._shared.manual_builder import ManualBuilder

DESCRIPTION = """\
Prepare a dataset once, for training any number of times.

  python -m mdmt_tf.prepare brixia --manual-dir FILES/BRIXIA --data-dir DATA
  python -m mdmt_tf.prepare all --manual-dir FILES --data-dir DATA

Images and rows that cannot be used are left out and listed in rejected.csv.
Where no lungs are made out, the whole image is kept, and the field box_source
of the example says so.
"""

ALL = "all"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A dataset on disk.

    Attributes:
        name: of the dataset.
        path: its folder, with the version.
        metadata: what its builder counted; see `datasets.manual_builder`.
        reused: it was there before.
    """

    name: str
    path: Path
    metadata: dict[str, Any]
    reused: bool


def dataset_names() -> tuple[str, ...]:
    """Names of all datasets that have a builder, in alphabetical order."""
    from mdmt_tf import datasets

    modules = pkgutil.iter_modules(datasets.__path__)
    return tuple(sorted(module.name for module in modules if module.ispkg))


def load_builder(name: str) -> type["ManualBuilder"]:
    """The builder class of a dataset.

    Raises:
        ConfigError: there is none of that name; the nearest is given.
    """
    names = dataset_names()
    if name not in names:
        hint = nearest(name.lower(), (*names, ALL))
        raise ConfigError(
            f"{name!r} is not a dataset.{hint} Known: {', '.join(names)}; or {ALL}."
        )
    module = importlib.import_module(f"mdmt_tf.datasets.{name}.{name}_dataset_builder")
    return module.Builder


def prepare_dataset(
    name: str,
    manual_dir: str | os.PathLike,
    data_dir: str | os.PathLike,
    *,
    config: str | None = None,
    exclude: Collection[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Prepare one dataset, unless it is there already.

    Progress bars of tensorflow-datasets are off from then on, in the whole process.

    Args:
        name: one of `dataset_names()`.
        manual_dir: the dataset's folder as distributed, or the folder around it.
        data_dir: where prepared datasets are kept.
        config: name of a preprocessing, see `mdmt_tf.imaging.preprocess`; None: the
            default of the dataset.
        exclude: ids of images to leave out, in place of the dataset's own list.
        overwrite: delete what is there and prepare again.
        progress: called with (images done, images in all).
    Raises:
        ConfigError: unknown dataset or config, or a config for other images.
        DataError: `manual_dir` is incomplete, nothing in it can be used, `data_dir`
            cannot be written, or holds the dataset prepared from other images: a
            synthetic one where `manual_dir` is not synthetic or is another one, or
            with another list of images to leave out.
    """
    import tensorflow_datasets as tfds

    builder = open_builder(name, data_dir, config, exclude)
    if _is_prepared(builder) and not overwrite:
        _check_origin(builder, manual_dir)
        return _prepared(builder, reused=True)
    # Before anything that is there is deleted.
    root = builder.checked_root(manual_dir)
    builder.progress = progress
    cli.load_tensorflow()  # tfds writes with it
    tfds.disable_progress_bar()
    modes = tfds.download.GenerateMode
    mode = modes.REUSE_CACHE_IF_EXISTS if overwrite else modes.REUSE_DATASET_IF_EXISTS
    try:
        # tfds makes the folder for downloads even if nothing is downloaded.
        with tempfile.TemporaryDirectory() as downloads:
            builder.download_and_prepare(
                download_dir=downloads,
                download_config=tfds.download.DownloadConfig(
                    manual_dir=root,
                    compute_stats=tfds.download.ComputeStatsMode.SKIP,
                    download_mode=mode,
                ),
            )
    except OSError as error:
        builder = open_builder(name, data_dir, config, exclude)
        if overwrite or not _is_prepared(builder):
            raise DataError(
                f"{name} cannot be prepared in {data_dir}: {error}"
            ) from error
        # Another process has finished first, with the same result.
        return _prepared(builder, reused=True)
    return _prepared(builder, reused=False)


def open_builder(
    name: str,
    data_dir: str | os.PathLike,
    config: str | None = None,
    exclude: Collection[str] | None = None,
) -> "ManualBuilder":
    """The builder of a dataset; arguments and errors as `prepare_dataset`."""
    builder_class = load_builder(name)
    try:
        builder = builder_class(
            data_dir=data_dir, config=builder_class.config_for(config)
        )
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error
    if exclude is not None:
        builder.exclude = frozenset(exclude)
    return builder


def _is_prepared(builder: "ManualBuilder") -> bool:
    # builder.is_prepared() says the same, and warns where it is not.
    return (Path(builder.data_dir) / "dataset_info.json").is_file()


def _prepared(builder: "ManualBuilder", *, reused: bool) -> Prepared:
    metadata = dict(builder.info.metadata)
    return Prepared(builder.name, Path(builder.data_dir), metadata, reused)


def _check_origin(builder: "ManualBuilder", manual_dir: str | os.PathLike) -> None:
    """Nobody may take what was prepared earlier for the data that he names now."""
    from mdmt_tf.datasets._shared.manual_files import synthetic_details

    metadata = builder.info.metadata
    if metadata["excluded"] != sorted(builder.exclude):
        raise DataError(
            f"{builder.data_dir} was prepared without the images "
            f"{_listed(metadata['excluded'])}; asked for is it without "
            f"{_listed(builder.exclude)}. {_ELSEWHERE}"
        )
    root = builder.find_root(manual_dir)
    if root is None:  # the originals may be gone
        return
    asked = synthetic_details(root)
    there = metadata["synthetic_details"] if metadata["synthetic"] else None
    if asked != there:
        raise DataError(
            f"{builder.data_dir} was prepared from {_origin(there)}, but {root} holds "
            f"{_origin(asked)}. {_ELSEWHERE}"
        )


_ELSEWHERE = "Give another --data-dir, or --overwrite to replace it."


def _listed(images: Collection[str]) -> str:
    return ", ".join(sorted(images)) or "(none)"


def _origin(details: dict | None) -> str:
    return "real images" if details is None else f"synthetic images {details}"


def main(argv: Sequence[str] | None = None) -> None:
    options = _parse(argv)

    from rich.console import Console

    from mdmt_tf.datasets._shared import summary

    console = Console(highlight=False)
    exclude = None if options.exclude is None else _read_list(options.exclude)
    if options.name == ALL:
        names = _present(options.manual_dir, console)
        configs = _configs_of_all(names, options.config)
    else:
        load_builder(options.name)  # a wrong name is answered before any bar
        names = [options.name]
        configs = {options.name: options.config}
    problems = []
    for name in names:
        try:
            with cli.progress_bar(name) as progress:
                prepared = prepare_dataset(
                    name,
                    options.manual_dir,
                    options.data_dir,
                    config=configs[name],
                    exclude=exclude,
                    overwrite=options.overwrite,
                    progress=progress,
                )
            summary.print_summary(console, prepared)
            if options.preview is not None:
                file = options.preview
                if options.name == ALL:
                    file = file.with_stem(f"{file.stem}_{name}")
                builder = open_builder(name, options.data_dir, configs[name], exclude)
                _write_preview(builder, options.manual_dir, file)
                console.print(f"preview: {file}", markup=False, soft_wrap=True)
        except DataError as error:  # must not cost the other datasets
            problems.append(str(error))
    if problems:
        raise DataError("\n\n".join(problems))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = cli.parser("prepare", DESCRIPTION)
    arguments.add_argument(
        "name", metavar=f"NAME|{ALL}", help=f"{', '.join(dataset_names())}; or {ALL}"
    )
    arguments.add_argument(
        "--manual-dir",
        required=True,
        metavar="DIR",
        help="the dataset as distributed, or the folder around it",
    )
    arguments.add_argument(
        "--data-dir",
        required=True,
        metavar="DIR",
        help="where to keep prepared datasets",
    )
    arguments.add_argument(
        "--config",
        type=_config_name,
        metavar="PART_SIZE",
        help="what to keep of a radiograph: lungs, masked (black outside the lungs) or "
        f"full, and the side in pixels (default: {DEFAULT}); of a head CT: head, and "
        f"depth x rows x columns in voxels (default: {DEFAULT_VOLUME}). With {ALL} the "
        "datasets of the other kind have their default",
    )
    arguments.add_argument(
        "--exclude",
        metavar="FILE",
        help="text file of images to leave out, an id a line, in place of the "
        "dataset's own list; an empty file keeps all",
    )
    arguments.add_argument(
        "--preview",
        type=_png,
        metavar="FILE.png",
        help="draw images at random, with the lungs, the box and the crop, or slice by "
        f"slice; with {ALL} one file a dataset",
    )
    arguments.add_argument(
        "--overwrite", action="store_true", help="prepare again what is there already"
    )
    return arguments.parse_args(argv)


def _config_name(text: str) -> str:
    try:
        return parse(text).name
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _png(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"expected a file .png in a folder that is there, received {text}"
        )
    return path


def _read_list(path: str) -> frozenset[str]:
    """Ids of a text file, one a line; what follows # is a remark."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"--exclude {path}: expected a text file with an image id a line: {error}"
        ) from error
    return frozenset(filter(None, (line.partition("#")[0].strip() for line in lines)))


def _present(manual_dir: str, console: "Console") -> list[str]:
    """The datasets found in or under `manual_dir`; says which are not."""
    found, absent = [], []
    for name in dataset_names():
        builder_class = load_builder(name)
        if builder_class.find_root(manual_dir) is None:
            absent.append(f"{name} (a folder {builder_class.FOLDER})")
        else:
            found.append(name)
    if not found:
        raise DataError(
            f"{manual_dir} holds none of the datasets: {', '.join(absent)}. "
            "`python -m mdmt_tf.prepare NAME ...` says where to obtain one."
        )
    if absent:
        console.print(f"not in {manual_dir}: {', '.join(absent)}", markup=False)
    return found


def _configs_of_all(names: Sequence[str], config: str | None) -> dict[str, str | None]:
    """Name -> `config` for datasets of its kind, None (the default) for the others."""
    form = type(parse(config)) if config else None
    kinds = {name: type(load_builder(name).PREPROCESSINGS[0]) for name in names}
    if form and form not in kinds.values():
        raise ConfigError(
            f"--config {config} is a form of none of the datasets found: "
            f"{', '.join(names)}."
        )
    return {name: config if kinds[name] is form else None for name in names}


def _write_preview(builder: "ManualBuilder", manual_dir: str, file: Path) -> None:
    from mdmt_tf.imaging import contact_sheet

    tiles = builder.sample(manual_dir, contact_sheet.TILES, builder.tile)
    contact_sheet.write(file, tiles)


if __name__ == "__main__":
    cli.run(main)
