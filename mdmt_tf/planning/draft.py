"""From tables and a folder to the text of a configuration."""

import dataclasses
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from mdmt_tf import links
from mdmt_tf.config.section import NAME_PATTERN
from mdmt_tf.datasets._shared.decimals import Exact
from mdmt_tf.datasets._shared.declared_cells import NO_NAME, Cell
from mdmt_tf.datasets._shared.prepare import dataset_names
from mdmt_tf.datasets._shared.table_rows import TableRow, is_error
from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import ConfigError, DataError, collected_warnings, nearest
from mdmt_tf.imaging.image_files import image_stem
from mdmt_tf.names import folded, plain_id
from mdmt_tf.planning import plan, writing
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.inspection import Given, Inspection, inspect
from mdmt_tf.planning.joining import Base, like_base, read_base
from mdmt_tf.planning.questions import Ask, ask_about
from mdmt_tf.planning.words import key_name

logger = logging.getLogger(__name__)

# Endings of files that are tables.
_TABLES = (".csv", ".tsv", ".xlsx", ".parquet")


@dataclasses.dataclass(frozen=True)
class Order:
    """What the user wants.

    Attributes:
        name: name of the dataset.
        tables: files; the first has one row per image.
        on: column by which the others are joined; None for a guess.
        images: folder of the images.
        out: file to write.
        join: configuration that the dataset joins, or None.
    """

    name: str
    tables: Sequence[Path]
    on: str | None
    images: Path
    out: Path
    join: str | None = None


@dataclasses.dataclass(frozen=True)
class Draft:
    """What was found and written.

    Attributes:
        n_rows: rows of the first table.
        n_files: images in the folder.
    """

    inspection: Inspection
    data: plan.Data
    n_rows: int
    n_files: int


def order_of_folder(folder: Path, tables: Sequence[Path] | None = None) -> Order:
    """The order of a folder that has one table, and images in it or below.

    The dataset has the name of the folder; so has the file, which is written into the
    working folder.

    Args:
        tables: of the dataset; None: the one in the folder.
    Raises: DataError when the folder has no table or several.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "Ward 3"
        >>> folder.mkdir()
        >>> _ = (folder / "labels.csv").write_text("file,died")
        >>> order = order_of_folder(folder)
        >>> order.name, str(order.out), order.tables[0].name
        ('ward_3', 'ward_3.yaml', 'labels.csv')
    """
    name = key_name(folder.resolve().name)
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _TABLES)
    if not tables and len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(
            f"{folder}: expected one table ({', '.join(_TABLES)}) with a row per "
            f"image. Received: {names}. Name the table with --table."
        )
    return Order(name, tables or found, None, folder, Path(f"{name}.yaml"))


def make(order: Order, given: Given, ask: Ask | None = None) -> Draft:
    """Look at the data, ask if there is someone to answer, and write the file.

    Raises: ConfigError when the file exists or an argument does not fit. DataError when
        the tables or images cannot be used.
    """
    if not re.fullmatch(NAME_PATTERN, order.name):
        raise ConfigError(
            f"{order.name!r}: a dataset's name should have lower-case letters, digits "
            f"and _, a letter first, such as {key_name(order.name)}."
        )
    if order.name in dataset_names():
        raise ConfigError(
            f"{order.name}: is a dataset of the package, see `python -m "
            f"mdmt_tf.prepare --help`. Choose another name, such as my_{order.name}."
        )
    if order.out.exists():
        raise ConfigError(
            f"--out {order.out}: exists, and is not overwritten. Choose another name "
            "or remove it."
        )
    if not order.out.parent.is_dir():
        raise ConfigError(f"--out {order.out}: no folder {order.out.parent}.")
    base = None
    if order.join is not None:
        base = read_base(order.join, order.out, order.name)
    table, declared = read_tables(order.tables, order.on)
    seen = inspect(table, order.images, given)
    if ask is not None:
        seen = inspect(table, order.images, ask_about(seen, given, ask))
    if base is not None:
        _check_kind(base, seen, order.join)
        if given.preprocess is None:
            recipe = like_base(base, seen.preprocess)
            seen = dataclasses.replace(seen, preprocess=recipe)
    if given.weights == "phantoms" and seen.images.is_volume:
        raise ConfigError(
            "--weights phantoms: these weights are of radiographs of the chest. "
            f"{order.images} has volumes, for which no weights are published."
        )
    data = facts_of(seen, given)
    place = order.out.parent
    places = writing.Places(
        path=str(order.out),
        tables=[_relative(entry, place) for entry in declared],
        images=_relative(str(order.images), place),
    )
    text = writing.write(order.name, seen, data, places, base)
    # Two processes may have the same idea.
    with order.out.open("x", encoding="utf-8") as file:
        file.write(text)
    n_rows = len(next(iter(table.values())).cells)
    return Draft(seen, data, n_rows, seen.n_files)


def _check_kind(base: Base, seen: Inspection, name: str) -> None:
    if base.is_volume != seen.images.is_volume:
        kinds = {True: "volumes", False: "images"}
        raise ConfigError(
            f"--join {name}: it is about {kinds[base.is_volume]}, the folder has "
            f"{kinds[seen.images.is_volume]}; one network cannot take both."
        )


def _relative(entry, folder: Path):
    """A path, or the path in a table's declaration, relative to a folder.

    Data far from the file do not move with it, so their path is absolute.
    """
    if isinstance(entry, dict):
        return {**entry, "file": _relative(entry["file"], folder)}
    near = Path(os.path.relpath(entry, folder))
    far = near.parts[:3] == ("..",) * 3
    return (Path(entry).resolve() if far else near).as_posix()


def read_tables(
    paths: Sequence[Path], on: str | None
) -> tuple[dict[str, Column], list]:
    """Read tables and join their columns to the rows of the first.

    Args:
        on: the column by which the others are joined; None for a guess.
    Returns: the columns; and the tables as a declaration names them, with the paths as
        given.
    Raises: DataError for a table that cannot be read or joined.
    """
    first, *others = [read_columns(path) for path in paths]
    table, declared = dict(first), [str(paths[0])]
    for path, other in zip(paths[1:], others, strict=True):
        key = on if on is not None else _common_key(paths[0], table, path, other)
        for shown, columns in ((paths[0], table), (path, other)):
            if key not in columns:
                raise DataError(
                    f"--on {key}: {shown} has no such column."
                    f"{nearest(key, columns)} Its columns: {', '.join(columns)}."
                )
        for name, column in other.items():
            if name != key:
                cells = _joined(table[key], other[key], column)
                if name in table:
                    pairs = zip(table[name].cells, cells, strict=True)
                    cells = tuple(own or new for own, new in pairs)
                    column = table[name]
                table[name] = dataclasses.replace(column, cells=cells)
        declared.append({"file": str(path), "on": key})
    return table, declared


def _joined(keys: Column, others: Column, column: Column) -> tuple[str, ...]:
    """The cell of a further table for each row of the first.

    "" where there is none, or where rows of one key contradict each other.
    """
    found: dict[str, str] = {}
    for key, cell in zip(map(_key, others.cells), column.cells, strict=True):
        if key and cell and found.setdefault(key, cell) != cell:
            found[key] = ""
    return tuple(found.get(key, "") for key in map(_key, keys.cells))


def _key(text: str) -> str:
    """The same text for all spellings of a key, "" for none, as `prepare` joins."""
    if NO_NAME.has(Cell(text, "", "")) or is_error(text):
        return ""
    return folded(image_stem(plain_id(text)))


def read_columns(path: Path) -> dict[str, Column]:
    """The columns of one table as text."""
    links.check(path, path.parent)
    with collected_warnings() as doubts:
        read = read_table(path, columns=())
    for doubt in doubts:
        logger.warning("%s", doubt)
    if not read.rows:
        raise DataError(f"{path}: expected rows below the names of the columns.")
    return {name: _column(name, read.rows) for name in read.columns}


def _column(name: str, rows: Sequence[TableRow]) -> Column:
    cells = [row.cells.get(name, "") for row in rows]
    return Column(
        name,
        tuple(map(str, cells)),
        decimal=rows[0].decimals.get(name, "."),
        exact=frozenset(str(cell) for cell in cells if isinstance(cell, Exact)),
    )


def _common_key(first: Path, table: Mapping, path: Path, other: Mapping) -> str:
    """The column of both tables whose values they share most."""
    shared = {
        name: len(
            set(map(_key, table[name].cells)) & set(map(_key, column.cells)) - {""}
        )
        for name, column in other.items()
        if name in table
    }
    if not shared or not max(shared.values()):
        raise DataError(
            f"{path}: no column has the name and values of one in {first}. Name the "
            f"column of both with --on. Its columns: {', '.join(other)}; there: "
            f"{', '.join(table)}."
        )
    return max(shared, key=shared.get)


def facts_of(inspection: Inspection, given: Given) -> plan.Data:
    """What the training settings follow from, on this machine."""
    seen = inspection
    size = seen.preprocess.size
    spacing = seen.images.median_spacing_mm
    ratio = 1.0
    if spacing and seen.images.is_volume:
        axes = zip(seen.images.median_shape, spacing, size, strict=True)
        step = [n * mm / prepared for n, mm, prepared in axes]
        ratio = step[0] / step[1]
    return plan.as_data(
        seen.used,
        seen.patients,
        size=size,
        memory_gb=psutil.virtual_memory().available / 1e9,
        has_gpu=given.has_gpu,
        is_head=seen.preprocess.is_head,
        slice_spacing=ratio,
        start=given.weights,
        is_chest=seen.preprocess.is_chest,
        sides=seen.sides,
    )
