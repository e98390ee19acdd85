"""Draw and prepare the synthetic datasets of a configuration.

FOLDER/originals/    files in the formats of the real datasets
FOLDER/<dataset>/    datasets that their own builders have prepared from them

FOLDER is `data_dir` where all datasets are synthetic, unless real ones have been
prepared there. Beside real datasets, it is a folder in the user's cache, one for each
plan, or `datasets.NAME.data_dir`.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.data.sources import prepared_configs, prepared_datasets
from mdmt_tf.datasets._shared import prepare

logger = logging.getLogger(__name__)


def no_bar(name: str):
    """A progress bar that shows nothing, see `prepare.Bar`."""
    return contextlib.nullcontext(lambda done, total: None)


def provide(
    config: Config, write: Callable[[str], object], bar: prepare.Bar = no_bar
) -> Config:
    """Settings whose folders hold the phantoms that they request.

    Settings without `phantoms`, or whose datasets are all real, are returned unchanged.
    Existing datasets are not made again. Where all datasets are synthetic, `data_dir`
    becomes their folder; otherwise `data_dir` of each synthetic one does.

    Args:
        config: resolved settings.
        write: receives a line with the folder.
        bar: opens a progress bar, see `prepare.Bar`.
    Raises: DataError when the folder holds other data or cannot be written.
    """
    if not config.drawn_datasets:
        return config
    # Loads OpenCV and pydicom, which --help does not need.
    from mdmt_tf.phantoms import write as phantom_files

    plan = phantom_files.PhantomPlan(**config.phantoms.model_dump())
    provided, folders = _folders(config, plan)
    for folder in dict.fromkeys(folders.values()):
        write(f"synthetic images in {folder}\n")
        with bar("drawing synthetic") as progress:
            phantom_files.write_phantoms(
                folder / "originals",
                plan,
                workers=os.cpu_count() or 1,
                progress=progress,
            )
    for name, folder in folders.items():
        with bar(f"preparing {name}") as progress:
            prepare.prepare_dataset(
                name,
                folder / "originals",
                folder,
                config=config.split_datasets[name].config,
                progress=progress,
            )
    return provided


def provide_without_writing(
    config: Config,
    scratch: Path,
    write: Callable[[str], object],
    bar: prepare.Bar = no_bar,
) -> Config:
    """As `provide`, but phantoms that are not there yet go to a folder for the moment.

    Args:
        scratch: an empty folder, for the caller to remove.
    """
    if not config.drawn_datasets:
        return config
    from mdmt_tf.phantoms.plan import PhantomPlan

    provided, folders = _folders(config, PhantomPlan(**config.phantoms.model_dump()))
    wanted = {name: config.split_datasets[name].config or "" for name in folders}
    if all(wanted[n] in prepared_configs(f, n) for n, f in folders.items()):
        return provided
    return provide(config.in_folders(dict.fromkeys(folders, str(scratch))), write, bar)


def provide_again(config: Config) -> Config:
    """Settings of a run whose synthetic datasets are there, drawn again if need be.

    The folders in the cache may have been removed since. Folders that the user has
    named, `data_dir`, are not touched.

    Raises: DataError as `provide`.
    """
    gone = {
        name: config.split_datasets[name].data_dir
        for name in config.drawn_datasets
        if (own := config.split_datasets[name].data_dir) and not Path(own).is_dir()
    }
    if not gone:
        return config
    logger.warning(
        "the synthetic images of the run are gone (%s); they are drawn again.",
        ", ".join(dict.fromkeys(gone.values())),
    )
    return provide(config, lambda text: None)


def _folders(config: Config, plan) -> tuple[Config, dict[str, Path]]:
    """The settings with the folders of the phantoms; dataset -> its folder."""
    drawn = config.drawn_datasets
    cache = _cache_folder(plan.version, plan)
    own = {name: config.split_datasets[name].data_dir for name in drawn}
    is_alone = len(drawn) == len(config.split_datasets) and not any(own.values())
    if is_alone and _may_hold_phantoms(config.data_dir):
        folder = Path(config.data_dir or cache)
        provided = config.model_copy(update={"data_dir": str(folder)})
        return provided, dict.fromkeys(drawn, folder)
    folders = {name: Path(own[name] or cache) for name in drawn}
    return config.in_folders({n: str(f) for n, f in folders.items()}), folders


def _may_hold_phantoms(data_dir: str | None) -> bool:
    """Whether phantoms may be put into `data_dir`: no other dataset is there."""
    if data_dir is None or (Path(data_dir) / "originals").is_dir():
        return True
    return not prepared_datasets(data_dir)


def _cache_folder(version, plan) -> Path:
    import platformdirs

    key = storage.digest_of([version, plan.described()])[:12]
    return platformdirs.user_cache_path("mdmt_tf") / "phantoms" / key
