"""Saliency maps that an earlier call wrote to a folder. No TensorFlow."""

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path

from mdmt_tf.errors import ConfigError
from mdmt_tf.saliency.methods import TABLE

# Columns by which a table of maps is known, and those that name files.
_OWN = {"image_id", "task", "method", "file"}
_FILES = ("file", "volume")
_SUFFIXES = (".png", ".nii.gz")


def check_folder(folder: Path, overwrite: bool) -> None:
    """Make sure that maps can be written to a folder.

    Args:
        overwrite: whether maps of an earlier call may be in it.
    Raises: ConfigError for a file, a folder that is not empty, and with `overwrite` for
        a table that is not of maps.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(
            f"--saliency {folder}: expected a folder. Received: a file. Choose another "
            "name."
        )
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            f"--saliency {folder}: expected an empty folder, or none. Received: one "
            "with files. Choose another name, or add --overwrite, which replaces the "
            "maps of an earlier call and keeps all other files."
        )
    for table in _tables(folder):
        _rows(table)


def remove_maps(folder: Path) -> None:
    """Remove the maps that the tables of a folder list, and these tables.

    Other files remain, and files that a table names outside its folder.

    Raises: ConfigError for a table that is not of maps.
    """
    for table in _tables(folder):
        own = table.parent
        for row in _rows(table):
            for name in filter(None, (row.get(column) for column in _FILES)):
                path = own / name
                # The table may have been edited since.
                is_inside = path.resolve().parent.parent == own.resolve()
                if is_inside and name.endswith(_SUFFIXES):
                    path.unlink(missing_ok=True)
                    _remove_empty(path.parent)
        table.unlink()
        if own != folder:
            _remove_empty(own)


def _tables(folder: Path) -> Iterator[Path]:
    """Tables of a folder of one model, or of those of several, `model_1`, ..."""
    for own in (folder, *sorted(folder.glob("model_[0-9]*"))):
        if (own / TABLE).is_file():
            yield own / TABLE


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if _OWN - {*(reader.fieldnames or ())}:
        raise ConfigError(
            f"--saliency: {table} is not a table of saliency maps, and is not "
            f"replaced. Expected the columns {', '.join(sorted(_OWN))}. Choose another "
            "folder."
        )
    return rows


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it has other files
        folder.rmdir()
