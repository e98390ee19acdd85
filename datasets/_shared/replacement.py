"""Replace a prepared dataset when the new one is complete, and never lose the old one.

DATA_DIR/.overwrite-.../lock            held by the process that writes
                        new/            the new one
                        before/         the old one, between two renames
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mdmt_tf import storage

_PREFIX = ".overwrite-"


@contextlib.contextmanager
def written_to(there: Path, data_dir: Path) -> Iterator[Path]:
    """The folder of prepared datasets to write to, for a dataset in the folder `there`.

    It is `data_dir` for a new dataset. One that is there is replaced at the end of the
    block, so that nothing is lost if the new one cannot be completed. What a process
    leaves that is killed in the block is for `recover`.
    """
    if not there.is_dir():
        yield data_dir
        return
    name = there.relative_to(data_dir)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=data_dir) as folder:
        aside = Path(folder)
        with storage.lock(aside / "lock"):
            (aside / "new").mkdir()
            yield aside / "new"
            before = aside / "before" / name
            before.parent.mkdir(parents=True)
            there.rename(before)
            try:
                (aside / "new" / name).rename(there)
            except OSError:
                before.rename(there)
                raise


def recover(data_dir: Path) -> None:
    """Clean up after processes that were killed in `written_to`.

    A dataset that was moved aside when its process was killed is put back.
    """
    for aside in data_dir.glob(f"{_PREFIX}*"):
        if not (aside / "lock").is_file():
            continue
        with contextlib.suppress(OSError), storage.lock(aside / "lock"):
            before = aside / "before"
            for info in before.glob("*/*/*/dataset_info.json"):
                there = data_dir / info.parent.relative_to(before)
                if not there.exists():
                    info.parent.rename(there)
            shutil.rmtree(aside)
