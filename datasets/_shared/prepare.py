"""Find the builders of datasets, and run them to prepare distributed files.

DATA_DIR/<name>/<config>/<version>/       in the format of tensorflow-datasets
                         rejected.csv     what could not be used, and why
                         warnings.csv     what is doubtful, if anything is
"""

import contextlib
import dataclasses
import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdmt_tf import disk
from mdmt_tf.datasets._shared import exclusion, replacement
from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.names import folded

if TYPE_CHECKING:
    from mdmt_tf.datasets._shared.manual_builder import ManualBuilder

# The name that stands for every dataset that is found.
ALL = "all"

# Opens a progress bar with a name; yields a function of (images done, all images).
Bar = Callable[[str], contextlib.AbstractContextManager[Callable[[int, int], Any]]]


@dataclasses.dataclass(frozen=True)
class PreparedFolder:
    """A prepared dataset on disk.

    Attributes:
        name: name of the dataset.
        path: its folder, with the version.
        metadata: the counts of its builder, see `manual_builder`.
        reused: whether it existed before.
        compared: whether it was made from the originals, or compared with them.
        note: why it was not compared, for the user.
    """

    name: str
    path: Path
    metadata: dict[str, Any]
    reused: bool
    compared: bool = True
    note: str = ""


def dataset_names() -> tuple[str, ...]:
    """Names of all datasets that have a builder, in alphabetical order."""
    from mdmt_tf import datasets

    modules = pkgutil.iter_modules(datasets.__path__)
    names = (module.name for module in modules if module.ispkg)
    return tuple(sorted(name for name in names if not name.startswith("_")))


def load_builder(name: "str | type[ManualBuilder]") -> type["ManualBuilder"]:
    """The builder class of a dataset.

    Args:
        name: one of `dataset_names()`; or a builder class, such as one of a declared
            dataset, which is returned.
    Raises:
        ConfigError: there is no dataset of that name; the message names the nearest.
    """
    if isinstance(name, type):
        return name
    names = dataset_names()
    if name not in names:
        hint = nearest(name, (*names, ALL))
        raise ConfigError(
            f"{name!r} is not a dataset.{hint} Known: {', '.join(names)}; or {ALL}."
        )
    module = importlib.import_module(f"mdmt_tf.datasets.{name}.{name}_dataset_builder")
    return module.Builder


def prepare_dataset(
    name: "str | type[ManualBuilder]",
    manual_dir: str | os.PathLike | None,
    data_dir: str | os.PathLike,
    *,
    config: str | None = None,
    exclude: Collection[str] | None = None,
    overwrite: bool = False,
    checks_exclude: bool = True,
    progress: Callable[[int, int], object] | None = None,
    before_writing: Callable[[], object] = lambda: None,
) -> PreparedFolder:
    """Prepare one dataset, unless it exists already.

    Disables the progress bars of tensorflow-datasets in the whole process.

    Args:
        name: one of `dataset_names()`, or a builder class.
        manual_dir: the dataset's folder as distributed, or the folder around it; None
            for a declared dataset, whose builder knows it.
        data_dir: folder of prepared datasets.
        config: name of a preprocessing, see `mdmt_tf.imaging.preprocess`; None: the
            default of the dataset.
        exclude: names of images to leave out, instead of the dataset's own list; a name
            of no image is an error.
        overwrite: whether to prepare an existing dataset again. It is replaced when the
            new one is complete.
        checks_exclude: False: a name of no image is no error.
        progress: called with (images done, all images).
        before_writing: called before TensorFlow is loaded, if there is something to
            write.
    Raises:
        ConfigError: unknown dataset or config, or a config for other images.
        DataError: `manual_dir` is incomplete or has no usable image, `data_dir` cannot
            be written, or `data_dir` holds the dataset prepared from other files, such
            as a table that was changed since, or with another list of images to leave
            out.
    """
    import tensorflow_datasets as tfds

    replacement.recover(Path(data_dir))
    builder = open_builder(name, data_dir, config, exclude)
    shown = builder.name
    if _is_prepared(builder) and not overwrite:
        note = _check_origin(builder, manual_dir)
        found = _prepared(builder, reused=True)
        return dataclasses.replace(found, compared=not note, note=note)
    # Before anything is written.
    root = builder.checked_root(manual_dir)
    builder.checks_exclude &= checks_exclude
    if overwrite:
        excluded = builder.excluded_in(manual_dir)  # reads all tables
        if builder.checks_exclude:
            exclusion.check(builder.name, excluded)
    before_writing()
    tfds.disable_progress_bar()
    there = Path(builder.data_dir)
    try:
        with replacement.written_to(there, Path(data_dir)) as folder:
            if folder != Path(data_dir):
                checks = builder.checks_exclude
                builder = open_builder(name, folder, config, exclude)
                builder.checks_exclude = checks
            builder.progress = progress
            _write(builder, root)
    except Exception as error:
        refused = disk.in_words(error)  # also what TensorFlow's files are refused
        if refused is None and not isinstance(error, OSError):
            raise
        builder = open_builder(name, data_dir, config, exclude)
        if overwrite or not _is_prepared(builder):
            raise DataError(
                f"{shown} cannot be prepared in {data_dir}: {refused or error}"
            ) from error
        # Another process has finished first, with the same result.
        return _prepared(builder, reused=True)
    return _prepared(open_builder(name, data_dir, config, exclude), reused=False)


def _write(builder: "ManualBuilder", root: Path) -> None:
    """Prepare the dataset of a builder from the files in `root`."""
    import tensorflow_datasets as tfds

    # tfds makes a folder for downloads even if nothing is downloaded.
    with tempfile.TemporaryDirectory() as downloads:
        builder.download_and_prepare(
            download_dir=downloads,
            download_config=tfds.download.DownloadConfig(
                manual_dir=root,
                compute_stats=tfds.download.ComputeStatsMode.SKIP,
                download_mode=tfds.download.GenerateMode.REUSE_DATASET_IF_EXISTS,
            ),
        )


def open_builder(
    name: "str | type[ManualBuilder]",
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
        raise ConfigError(f"{builder_class.name}: {error}") from error
    if exclude is not None:
        builder.exclude, builder.checks_exclude = frozenset(exclude), True
    return builder


def prepare_each(
    configs: "Mapping[str | type[ManualBuilder], str | None]",
    manual_dir: str | os.PathLike,
    data_dir: str | os.PathLike,
    *,
    bar: Bar,
    finished: Callable[[PreparedFolder], object],
    exclude: Collection[str] | None = None,
    **options,
) -> None:
    """Prepare datasets one after another; an error in one does not stop the others.

    Args:
        configs: dataset or builder class -> its config, as for `prepare_dataset`.
        manual_dir, data_dir, options: as for `prepare_dataset`.
        bar: opens the progress bar of a dataset.
        finished: called with each dataset when it is ready.
        exclude: as for `prepare_dataset`; each name is of an image of one dataset.
    Raises: DataError with the messages of all datasets that could not be prepared.
    """
    problems = []
    if exclude and len(configs) > 1:
        _check_excluded(configs, manual_dir, data_dir, exclude)
    for name, config in configs.items():
        try:
            with bar(load_builder(name).name) as progress:
                prepared = prepare_dataset(
                    name,
                    manual_dir,
                    data_dir,
                    config=config,
                    progress=progress,
                    exclude=exclude,
                    checks_exclude=len(configs) == 1,
                    **options,
                )
            finished(prepared)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n\n".join(problems))


def _check_excluded(configs, manual_dir, data_dir, exclude: Collection[str]) -> None:
    """Raise for names of no image of any dataset, before one is prepared."""
    found = []
    for name, config in configs.items():
        try:
            builder = open_builder(name, data_dir, config, exclude)
            found.append(builder.excluded_in(manual_dir))
        except DataError:
            return  # it is reported when the dataset is prepared
    exclusion.check_in_any(found)


def write_preview(
    builder: "ManualBuilder", manual_dir: str | os.PathLike, file: Path
) -> None:
    """Draw random images of a dataset, original and prepared."""
    from mdmt_tf.imaging import contact_sheet

    builder.checks_exclude = False  # it was checked while it was prepared
    tiles = builder.sample(manual_dir, contact_sheet.TILES, builder.tile)
    contact_sheet.write(file, tiles)


def _is_prepared(builder: "ManualBuilder") -> bool:
    # builder.is_prepared() is equivalent, but warns if the dataset does not exist.
    return (Path(builder.data_dir) / "dataset_info.json").is_file()


def _prepared(builder: "ManualBuilder", *, reused: bool) -> PreparedFolder:
    metadata = dict(builder.info.metadata)
    return PreparedFolder(builder.name, Path(builder.data_dir), metadata, reused)


def _check_origin(
    builder: "ManualBuilder", manual_dir: str | os.PathLike | None
) -> str:
    """Make sure that the data prepared earlier are those requested now.

    Returns: "", or why the originals cannot be compared.
    """
    metadata = builder.info.metadata or {}
    root = builder.find_root(manual_dir)
    there = metadata["synthetic_details"] if metadata.get("synthetic") else None
    if root is not None and (requested := builder.synthetic_details(root)) != there:
        raise DataError(
            f"{builder.data_dir} was prepared from {_origin(there)}, but {root} holds "
            f"{_origin(requested)}. {_ELSEWHERE}"
        )
    if changes := builder.changes(root):
        raise DataError(
            f"{builder.data_dir} was prepared from something else; changed since: "
            f"{', '.join(changes)}. {_ELSEWHERE}"
        )
    if not _same_names(metadata["excluded"], builder.exclude):
        raise DataError(
            f"{builder.data_dir} was prepared without the images "
            f"{_listed(metadata['excluded'])}; requested is it without "
            f"{_listed(builder.exclude)}. {_ELSEWHERE}"
        )
    if root is None:  # the originals may be gone
        return "not compared with its originals, which are not all there"
    if "originals" not in metadata:
        return (
            "not compared with its originals, because an earlier version has prepared "
            "it; --overwrite does it again"
        )
    return ""


def _same_names(ones: Collection[str], others: Collection[str]) -> bool:
    return set(map(folded, ones)) == set(map(folded, others))


_ELSEWHERE = "Give another --data-dir, or --overwrite of mdmt_tf.prepare to replace it."


def _listed(images: Collection[str]) -> str:
    return ", ".join(sorted(images)) or "(none)"


def _origin(details: dict | None) -> str:
    return "real images" if details is None else f"synthetic images {details}"
