"""Draw and prepare the embedded synthetic datasets of a configuration.

DATA_DIR/originals/    files in the formats of the real datasets
DATA_DIR/<dataset>/    datasets that their own builders have prepared from them
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.datasets._shared import prepare


def provide(
    config: Config,
    write: Callable[[str], object],
    bar: prepare.Bar = lambda name: contextlib.nullcontext(lambda done, total: None),
) -> Config:
    """Settings whose `data_dir` holds the phantoms that they request.

    Settings without `phantoms` are returned unchanged. Without `data_dir`, a folder in
    the user's cache is used, one for each plan. Existing datasets are not made again.

    Args:
        config: resolved settings.
        write: receives a line with the folder.
        bar: opens a progress bar, see `prepare.Bar`.
    Raises: DataError when the folder holds other data or cannot be written.
    """
    if config.phantoms is None:
        return config
    # Loads OpenCV and pydicom, which --help does not need.
    from mdmt_tf.phantoms import write as phantom_files

    plan = phantom_files.PhantomPlan(**config.phantoms.model_dump())
    folder = Path(config.data_dir or _cache_folder(plan.version, plan))
    originals = folder / "originals"
    write(f"synthetic images in {folder}\n")
    with bar("drawing synthetic images") as progress:
        phantom_files.write_phantoms(
            originals, plan, workers=os.cpu_count() or 1, progress=progress
        )
    for name, section in config.split_datasets.items():
        with bar(f"preparing {name}") as progress:
            prepare.prepare_dataset(
                name,
                originals,
                folder,
                config=section.config,
                progress=progress,
            )
    return config.model_copy(update={"data_dir": str(folder)})


def _cache_folder(version, plan) -> Path:
    import platformdirs

    key = storage.digest_of([version, plan.described()])[:12]
    return platformdirs.user_cache_path("mdmt_tf") / "phantoms" / key
