"""`python -m mdmt_tf.prepare`: a dataset as distributed, to images ready for training.

DATA_DIR/<name>/full_<size>/<version>/    in the format of tensorflow-datasets
                            rejected.csv  what could not be used, and why
"""

import argparse
import dataclasses
import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdmt_tf import cli
from mdmt_tf.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from mdmt_tf.datasets.radiographs import RadiographBuilder

DESCRIPTION = """\
Prepare a dataset once, for training any number of times.

  python -m mdmt_tf.prepare brixia --manual-dir FILES/BRIXIA --data-dir DATA
  python -m mdmt_tf.prepare all --manual-dir FILES --data-dir DATA

Images and rows that cannot be used are left out and listed in rejected.csv.
"""

ALL = "all"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A dataset on disk.

    Attributes:
        name: of the dataset.
        path: its folder, with the version.
        metadata: what its builder counted; see `datasets.radiographs`.
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


def load_builder(name: str) -> type["RadiographBuilder"]:
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
    size: int = 256,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Prepare one dataset, unless it is there already.

    Progress bars of tensorflow-datasets are off from then on, in the whole process.

    Args:
        name: one of `dataset_names()`.
        manual_dir: the dataset's folder as distributed, or the folder around it.
        data_dir: where prepared datasets are kept.
        size: side of the prepared images in pixels.
        overwrite: delete what is there and prepare again.
        progress: called with (images done, images in all).
    Raises:
        ConfigError: unknown dataset.
        DataError: `manual_dir` is incomplete, nothing in it can be used, `data_dir`
            cannot be written, or holds a synthetic dataset where `manual_dir` is not
            synthetic or is another one.
    """
    import tensorflow_datasets as tfds

    builder_class = load_builder(name)
    config = builder_class.config_for(size)
    builder = builder_class(data_dir=data_dir, config=config)
    if _is_prepared(builder) and not overwrite:
        _check_origin(builder, manual_dir)
        return _prepared(builder, reused=True)
    # Before anything that is there is deleted.
    root = builder_class.checked_root(manual_dir)
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
        builder = builder_class(data_dir=data_dir, config=config)
        if overwrite or not _is_prepared(builder):
            raise DataError(
                f"{name} cannot be prepared in {data_dir}: {error}"
            ) from error
        # Another process has finished first, with the same result.
        return _prepared(builder, reused=True)
    return _prepared(builder, reused=False)


def _is_prepared(builder: "RadiographBuilder") -> bool:
    # builder.is_prepared() says the same, and warns where it is not.
    return (Path(builder.data_dir) / "dataset_info.json").is_file()


def _prepared(builder: "RadiographBuilder", *, reused: bool) -> Prepared:
    metadata = dict(builder.info.metadata)
    return Prepared(builder.name, Path(builder.data_dir), metadata, reused)


def _check_origin(builder: "RadiographBuilder", manual_dir: str | os.PathLike) -> None:
    """Nobody may take phantoms prepared earlier for the data that he names now."""
    from mdmt_tf.datasets.manual_files import synthetic_details

    root = builder.find_root(manual_dir)
    if root is None:  # the originals may be gone
        return
    asked = synthetic_details(root)
    metadata = builder.info.metadata
    there = metadata["synthetic_details"] if metadata["synthetic"] else None
    if asked != there:
        raise DataError(
            f"{builder.data_dir} was prepared from {_origin(there)}, but {root} holds "
            f"{_origin(asked)}. Give another --data-dir, or --overwrite to replace it."
        )


def _origin(details: dict | None) -> str:
    return "real images" if details is None else f"synthetic images {details}"


def main(argv: Sequence[str] | None = None) -> None:
    options = _parse(argv)

    from rich.console import Console

    console = Console(highlight=False)
    if options.name == ALL:
        names = _present(options.manual_dir, console)
    else:
        load_builder(options.name)  # a wrong name is answered before any bar
        names = [options.name]
    problems = []
    for name in names:
        try:
            with cli.progress_bar(name) as progress:
                prepared = prepare_dataset(
                    name,
                    options.manual_dir,
                    options.data_dir,
                    size=options.size,
                    overwrite=options.overwrite,
                    progress=progress,
                )
            _print_summary(console, prepared)
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
        "--size",
        type=_side,
        default=256,
        metavar="PIXELS",
        help="side of the prepared images (default: %(default)s)",
    )
    arguments.add_argument(
        "--overwrite", action="store_true", help="prepare again what is there already"
    )
    return arguments.parse_args(argv)


def _side(text: str) -> int:
    side = int(text)
    if not 1 <= side <= 4096:
        raise argparse.ArgumentTypeError(f"expected 1 to 4096 pixels, received {side}")
    return side


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


def _print_summary(console: "Console", prepared: Prepared) -> None:
    """What was read, what was left out and why, classes and sites, and where it is."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    metadata = prepared.metadata
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(escape(prepared.name), min_width=40)
    table.add_column("images", justify="right")
    table.add_column("patients", justify="right")
    table.add_row("prepared", str(metadata["prepared"]), str(metadata["patients"]))
    for field, classes in metadata["labels"].items():
        table.add_row(escape(field))
        for name, counts in classes.items():
            if name != "unknown" or counts["images"]:
                numbers = str(counts["images"]), str(counts["patients"])
                table.add_row(escape(f"  {name}"), *numbers)
    table.add_row("site")
    for site, images in _largest(metadata["sites"]):
        table.add_row(escape(f"  {site}"), str(images))
    table.add_row("rows of the tables", str(metadata["rows_read"]))
    if metadata["rows_repeated"]:
        table.add_row("  that repeat another", str(metadata["rows_repeated"]))
    table.add_row("rejected", str(metadata["rejected"]))
    for kind, images in metadata["rejected_by_reason"].items():
        table.add_row(f"  {kind}", str(images))
    console.print(table)
    if metadata["synthetic"]:
        console.print(f"[bold]{prepared.name} is SYNTHETIC[/]: phantoms, not patients")
    # Not in the table: a path is to be copied whole.
    plain = {"markup": False, "soft_wrap": True}
    done = "was already prepared in" if prepared.reused else "prepared in"
    console.print(f"{prepared.name} {done} {prepared.path}", **plain)
    if metadata["rejected"]:
        console.print(f"rejected: {prepared.path / 'rejected.csv'}", **plain)


def _largest(sites: dict[str, int], limit: int = 8) -> list[tuple[str, int]]:
    """The sites with most images, and the others as one."""
    ordered = sorted(sites.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) <= limit + 1:
        return sorted(ordered)
    others = ordered[limit:]
    total = sum(images for _, images in others)
    return [*ordered[:limit], (f"{len(others)} others", total)]


if __name__ == "__main__":
    cli.run(main)
