"""What is stored of a row of a declared dataset, and what it is made from."""

import contextlib
import functools
import hashlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf import storage
from mdmt_tf.config.declaration import DatasetDeclaration
from mdmt_tf.datasets._shared.declared_cells import (
    NO_NAME,
    Cell,
    ClassLabel,
    EventLabel,
    Marks,
    Number,
    Words,
    check_keep,
    is_numeric,
    plain,
    unmet,
)
from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.declared_tables import DeclaredTables
from mdmt_tf.datasets._shared.image_records import Classes, Record, read_fields
from mdmt_tf.datasets._shared.table_rows import RowError, TableRow, is_error
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.preprocess import VolumePreprocessing
from mdmt_tf.names import clean, folded_site, plain_id

logger = logging.getLogger(__name__)


class Plan:
    """A declaration with its tables: what is stored of a row.

    Attributes:
        declaration: the declaration.
        folder: the folder to which its paths are relative.
        root: the same.
        tables: its tables.
        kinds: field of the dataset -> how its cells are read.
        columns: field of the dataset -> its column.
        without_event: event in a joined table -> the cell that shows that the table
            has rows without the event, too; None for a list of events alone.
    """

    def __init__(self, declaration: DatasetDeclaration, folder: Path, where: str):
        self.declaration, self.folder, self.root = declaration, folder, folder
        # Read once; `open_images` gives others, which know what was asked for.
        self._images = self.open_images()
        self.tables = DeclaredTables(declaration, folder, self._images, where)
        self._marks = Marks(declaration.unknown)
        self.kinds: dict[str, ClassLabel | EventLabel | Number | Words] = {}
        self.columns: dict[str, str] = {}
        self.without_event: dict[str, Cell | None] = {}
        self._keep_marks = {
            column: self._marks_of_condition(column) for column in declaration.keep
        }
        for name, label in declaration.labels.items():
            marks = Marks(declaration.unknown_of(name))
            if label.event is not None:
                self.kinds[name] = self._event(name, label.event, marks)
            elif label.class_of is None:
                self.kinds[name] = Number(marks)
            else:
                self.kinds[name] = ClassLabel(label.class_of, marks)
            self.columns[name] = declaration.column_of(name)
        for column, kind in declaration.field_types.items():
            if kind == "auto":
                kind = self._kind_of(column)
            self.kinds[column] = (Number if kind == "number" else Words)(self._marks)
            self.columns[column] = column

    def _event(self, name: str, names: tuple[str, str], marks: Marks) -> EventLabel:
        """How an event is read: whether rows are missing where it did not happen."""
        column = self.declaration.column_of(name)
        if self.tables.is_joined(column):
            self.without_event[name] = self.tables.row_without(column, marks)
        return EventLabel(names, marks, self.without_event.get(name) is not None)

    def _marks_of_condition(self, column: str) -> Marks:
        """Cells that mean unknown in a condition: those of a label of the column."""
        declaration = self.declaration
        for name, label in declaration.labels.items():
            if declaration.column_of(name) == column and label.unknown is not None:
                return Marks(label.unknown)
        return self._marks

    def _kind_of(self, column: str) -> str:
        """Whether a field is "number" or "text", from all its cells."""
        known = [
            cell
            for cell in self.tables.column_cells(column)
            if not self._marks.has(cell)
        ]
        words = [cell for cell in known if not is_numeric(cell)]
        if known and not words:
            return "number"
        if len(words) < len(known) / 2:
            logger.warning(
                "%s: the field %s is stored as text, because %d of %d known cells are "
                "no numbers, such as %r. To make it a number, declare fields: {%s: "
                "number}, or add them to `unknown`.",
                words[0].place,
                column,
                len(words),
                len(known),
                words[0].text,
                column,
            )
        return "text"

    def counted(self) -> dict[str, Classes]:
        """The classes of the labels, for the counts; numbers are known or unknown."""
        result = {}
        for name, label in self.declaration.labels.items():
            names = label.class_names
            result[name] = Classes(names, names.index) if names else _KNOWN
        return result

    def features(self) -> dict[str, Any]:
        """Features of the labels and fields."""
        return {
            name: tfds.features.Scalar(np.float32)
            if isinstance(kind, Number)
            else tfds.features.Text()
            for name, kind in self.kinds.items()
        }

    def record(self, row: TableRow, images: DeclaredImages) -> Record:
        """The record of a row of the first table.

        Raises: LeftOut for a row that does not meet a condition; RowError for a row
            with a fault.
        """
        missing, path = None, None
        try:
            # First of all, so that the file of a row that is left out counts as listed.
            path = images.find(self._required(row, self.declaration.columns.image))
        except RowError as error:
            missing = error
        for column, keep in self.declaration.keep.items():
            marks = self._keep_marks[column]
            met = functools.partial(unmet, keep, marks)
            check_keep(keep, self.tables.cell(row, column, marks, met), marks)
        if missing is not None:
            raise missing
        image_id = images.id_of(path)
        columns = self.declaration.columns
        patient_id, site = image_id, self.declaration.name
        if columns.patient is not None:
            patient_id = plain_id(self._required(row, columns.patient))
        if columns.site is not None:
            cell = self.tables.cell(row, columns.site, NO_NAME, _site_of)
            known = not (NO_NAME.has(cell) or is_error(cell.text))
            site = clean(plain(cell.text)) if known else ""
        reads = {
            name: (kind.unknown, functools.partial(self._value, row, name))
            for name, kind in self.kinds.items()
        }
        labels = {name: reads.pop(name) for name in self.declaration.labels}
        values = read_fields(labels, reads, independent=True)
        return Record(image_id, patient_id, site, path, row, **values)

    def _value(self, row: TableRow, name: str) -> str | float:
        kind = self.kinds[name]
        column = self.columns[name]
        return kind.value(self.tables.cell(row, column, kind.marks, kind.value))

    def _required(self, row: TableRow, column: str) -> str:
        """The name of an image or a patient."""
        cell = self.tables.cell(row, column, NO_NAME, lambda cell: plain_id(cell.text))
        if not cell.text:
            raise RowError("bad value", f"{column} is empty{cell.where}")
        if NO_NAME.has(cell) or is_error(cell.text):
            raise cell.wrong("a name")
        return cell.text

    def notes(self) -> list[str]:
        """What the declaration leaves to us, for the closing table."""
        notes = []
        if self.declaration.columns.patient is None:
            notes.append("no column of patients: every image counts as a patient")
        if self.declaration.columns.site is None:
            notes.append(
                f"no column of sites: all images are of {self.declaration.name}"
            )
        kinds = {
            column: "number" if isinstance(self.kinds[column], Number) else "text"
            for column in self.declaration.field_types
        }
        for kind in ("number", "text"):
            if names := [name for name, own in kinds.items() if own == kind]:
                notes.append(f"fields stored as {kind}: {', '.join(names)}")
        return notes

    def open_images(self) -> DeclaredImages:
        is_volume = isinstance(self.declaration.preprocessing, VolumePreprocessing)
        return DeclaredImages(self.folder, self.declaration.images, is_volume)

    def digest(self) -> dict[str, Any]:
        """What the prepared dataset is made from."""
        names = sorted(
            f"{self._images.relative(path)} {self._bytes_of(path)}"
            for path in self.image_files()
        )
        return {
            "declaration": _plain(self.declaration),
            "tables": self.tables.digests,
            "images": len(names),
            "images_sha256": hashlib.sha256(json.dumps(names).encode()).hexdigest(),
        }

    def image_files(self) -> Iterable[Path]:
        """The images of the folders, or those that the first table names."""
        if self._images.files:
            return self._images.files
        found = set()
        for row in self.tables.rows:
            with contextlib.suppress(RowError):
                name = self._required(row, self.declaration.columns.image)
                found.add(self._images.find(name))
        return found

    def files_of(self, image: Path) -> list[Path]:
        """The files of an image: of a volume, all slices of its series."""
        return self._images.files_of(image)

    def _bytes_of(self, image: Path) -> int:
        return sum(file.stat().st_size for file in self.files_of(image))


class PreparedPlan:
    """A declaration without the originals, whose dataset is prepared.

    Attributes:
        root: None; the originals are in no known folder.
        error: what is missing.
    """

    root = None

    def __init__(
        self,
        declaration: DatasetDeclaration,
        folder: Path,
        prepared: Path,
        error: DataError,
    ):
        """
        Args:
            declaration: the declaration.
            folder: the folder to which its paths are relative, as far as it is there.
            prepared: the folder of a prepared dataset of this name.
            error: what is missing.
        """
        self._declaration, self._folder = declaration, folder
        self._prepared, self.error = prepared, error

    def counted(self) -> dict[str, Classes]:
        """Nothing is prepared, so nothing is counted."""
        return {}

    def features(self) -> dict[str, Any]:
        """The stored features of the labels and fields."""
        stored = tfds.features.FeaturesDict.from_config(os.fspath(self._prepared))
        names = (*self._declaration.labels, *self._declaration.field_types)
        return {name: stored[name] for name in names if name in stored}

    def digest(self) -> dict[str, Any]:
        """As far as the originals are there: the declaration, and some tables."""
        files = [table.file for table in self._declaration.tables]
        return {
            "declaration": _plain(self._declaration),
            "tables": {
                file: storage.sha256_of(self._folder / file)
                for file in files
                if (self._folder / file).is_file()
            },
            "images": 0,
        }


def _plain(declaration: DatasetDeclaration) -> dict[str, Any]:
    plain = declaration.model_dump(mode="json", by_alias=True)
    del plain["preprocess"]  # it names the folder
    # What may be done with the data changes none of them.
    del plain["licence"], plain["citation"]
    return plain


def _site_of(cell: Cell) -> str:
    return folded_site(plain(cell.text))


_KNOWN = Classes(("known",), lambda value: 0)
