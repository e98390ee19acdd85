"""A dataset of one's own: its images, tables, labels and preprocessing."""

import math
import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from mdmt_tf.config.section import Name, Problem, Section, rule
from mdmt_tf.errors import nearest
from mdmt_tf.imaging import preprocess

# What an empty or missing value is written as in most tables, in any case.
UNKNOWN = ("", "nan", "na", "n/a", "none", "null", "?")

# Fields that every prepared dataset has, and those that only some have.
RESERVED = (
    "image",
    "volume",
    "image_id",
    "patient_id",
    "site",
    "box",
    "box_source",
    "original_shape",
    "affine",
    "original_affine",
)


def as_cell(value: Any) -> str:
    """A value of YAML as the text of a table's cell; 1.0 is "1".

    Raises: ValueError for anything but text and numbers.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        raise ValueError(
            "is a truth value in YAML; write the text of the cell in quotes, such as "
            '"yes" or "no"'
        )
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (int, str)):
        return str(value).strip()
    raise ValueError("should be a text or a number; write it in quotes")


def _same_number(text: str) -> str:
    """The text of a cell; 1.00 is "1", and 01 is another text."""
    if re.fullmatch(r"[-+]?(0|[1-9]\d*)(\.\d+)?", text):
        return str(float(text) + 0.0)
    return unicodedata.normalize("NFC", text)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


# Truth values of spreadsheets as they are shown in several languages, and how they are
# read; in lower case. English, German, French, Italian, Spanish, Portuguese, Dutch.
_TRUE = ("true", "wahr", "vrai", "vero", "verdadero", "verdadeiro", "waar")
_FALSE = ("false", "falsch", "faux", "falso", "onwaar")
TRUTH = dict.fromkeys(_TRUE, "1") | dict.fromkeys(_FALSE, "0")
# The text of a cell, and a name that the tables or the user give.
Cell = Annotated[str, pydantic.BeforeValidator(as_cell)]
Text = Annotated[str, pydantic.BeforeValidator(as_cell), Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], pydantic.BeforeValidator(_as_list)]


class TableSection(Section):
    """A table of the dataset; the name of the file alone will do."""

    file: Text = Field(
        description="CSV, TSV, XLSX or Parquet, relative to the folder of the "
        "declaration. Delimiter, encoding and decimal comma are told from the file."
    )
    on: Text | dict[Text, Text] | None = Field(
        None,
        description="Column by which the rows are joined to those of the tables before "
        "it. {film: name}: column film of the tables before it and column name of this "
        "one. null: for the first table only.",
    )
    sheet: Text | None = Field(
        None,
        description="XLSX: name of the sheet; null: the first visible sheet that has "
        "the columns.",
    )

    @classmethod
    def expand(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, str) else value

    @property
    def keys(self) -> dict[str, str]:
        """Column of the tables before -> column of this table."""
        return {self.on: self.on} if isinstance(self.on, str) else dict(self.on or {})


class ColumnsSection(Section):
    """The columns that say whose image a row is about."""

    image: Text = Field(
        description="Column with the image: a file's name or path, with or without its "
        "suffix; for volumes also a folder with one DICOM series."
    )
    patient: Text | None = Field(
        None,
        description="Column with the patient. Images of one patient are never split "
        "between training and test. null: every image is a patient of its own.",
    )
    site: Text | None = Field(
        None,
        description="Column with the hospital, scanner or place, for leave-one-site-"
        "out. null: the name of the dataset.",
    )


class LabelSection(Section):
    """A label: the text of a class, or a number."""

    column: Text | None = Field(
        None, description="Column of the label; null: the one with the label's name."
    )
    classes: dict[Cell, Text] | tuple[Text, ...] | None = Field(
        None,
        description="Classes in their order. A mapping from the text of a cell to the "
        "name of its class (several texts may have the same); or a list of names, if "
        "the cells have them. null: the label is a number.",
    )
    event: tuple[Text, Text] | None = Field(
        None,
        description="Names of two classes for a column that is filled only where "
        "something happened, such as the date of a death: [alive, died] for an unknown "
        "cell, and for one with a date, a time, a number other than 0, or yes. Of a "
        "joined table, a row that is missing is unknown "
        "if the table has rows without the event, too.",
    )
    unit: Text | None = Field(
        None,
        description="Unit of a number, such as days. Reports show it; datasets of one "
        "task must have the same. null: not stated, and compared with nothing.",
    )
    unknown: tuple[Cell, ...] | None = Field(
        None,
        description="Cells of this column that mean unknown, instead of `unknown` of "
        "the dataset. An empty cell always does.",
    )

    @property
    def class_of(self) -> dict[str, str] | None:
        """Text of a cell -> name of its class; None for a number."""
        if self.classes is None or isinstance(self.classes, dict):
            return self.classes
        return {name: name for name in self.classes}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in their order; () for a number."""
        if self.event is not None:
            return self.event
        return tuple(dict.fromkeys((self.class_of or {}).values()))

    @rule("classes")
    def _there_are_two_classes(self) -> Iterator[Problem]:
        if self.classes is not None and len(self.class_names) < 2:
            yield (
                ("classes",),
                f": expected two or more classes. Received: "
                f"{', '.join(self.class_names) or 'none'}.",
            )

    @rule("classes", "event", "unit")
    def _is_class_or_event_or_number(self) -> Iterator[Problem]:
        if self.event is None:
            return
        if self.event[0] == self.event[1]:
            yield ("event",), f" = {list(self.event)}: expected two different names."
        for key in ("classes", "unit"):
            if getattr(self, key) is not None:
                yield (
                    (key,),
                    ": a label of an event has its two classes and no unit; leave out "
                    f"{key} or event.",
                )

    @rule("classes", "unit")
    def _is_class_or_number(self) -> Iterator[Problem]:
        if self.classes is not None and self.unit is not None:
            yield (
                ("unit",),
                f" = {self.unit!r}: a label with classes has no unit; leave out one of "
                "them.",
            )

    @rule("classes")
    def _a_cell_has_one_class(self) -> Iterator[Problem]:
        found: dict[str, tuple[str, str]] = {}
        for cell, name in (self.class_of or {}).items():
            key = _same_number(TRUTH.get(cell.casefold(), cell))
            other, its_name = found.setdefault(key, (cell, name))
            if its_name != name:
                yield (
                    ("classes",),
                    f": {other!r} and {cell!r} are the same in a table, but "
                    f"{its_name} and {name}; leave out one of them.",
                )

    @rule("classes", "unknown")
    def _no_class_is_unknown(self) -> Iterator[Problem]:
        marks = {mark.casefold() for mark in self.unknown or ()} | {""}
        for cell in self.class_of or {}:
            if cell.casefold() in marks:
                yield (
                    ("classes",),
                    f": {cell!r} is a class and means unknown; leave out one of them.",
                )


class KeepSection(Section):
    """A condition on a column. Rows that do not meet it are left out and counted."""

    min: float | None = Field(None, description="Smallest number to keep.")
    max: float | None = Field(None, description="Largest number to keep.")
    within: tuple[Cell, ...] | None = Field(
        None,
        alias="in",
        description="Cells to keep, in any case; all others are left out.",
    )
    not_in: tuple[Cell, ...] = Field(
        (),
        description="Cells to leave out, in any case; all others are kept, also "
        "unknown ones.",
    )
    known: bool | None = Field(
        None,
        description="true: the cell must be known; false: it must be unknown. min, max "
        "and in leave out unknown cells in any case.",
    )

    @rule()
    def _says_something(self) -> Iterator[Problem]:
        if self == KeepSection.model_construct():
            yield (), ": is no condition. Expected min, max, in, not_in or known."

    @rule("min", "max")
    def _is_a_range(self) -> Iterator[Problem]:
        if None not in (self.min, self.max) and self.min > self.max:
            yield ("min",), f" = {self.min:g}: is above max = {self.max:g}."


class DatasetDeclaration(Section):
    """A dataset that `mdmt_tf.prepare FILE.yaml` makes from images and tables."""

    name: Name = Field(description="Name of the dataset, and of its folder.")
    images: Texts | None = Field(
        None,
        description="Folder or folders of the images, relative to the folder of the "
        "declaration; folders below them count. null: the column of the image has "
        "paths, relative to the folder of the declaration.",
    )
    tables: Annotated[
        tuple[TableSection, ...],
        pydantic.BeforeValidator(_as_list),
        Field(min_length=1),
    ] = Field(
        description="Table or tables. The first has one row per image; others are "
        "joined to it."
    )
    columns: ColumnsSection = Field(description="Columns of image, patient and site.")
    unknown: tuple[Cell, ...] = Field(
        UNKNOWN,
        description="Cells of labels, fields and conditions that mean unknown, in any "
        "case. An empty cell always does.",
    )
    keep: dict[Text, KeepSection] = Field(
        {},
        description="For a column, the condition of the rows to keep.",
    )
    labels: dict[Name, LabelSection] = Field(
        min_length=1, description="Labels under names of your own, for `from` of tasks."
    )
    fields: tuple[Text, ...] | dict[Text, Literal["auto", "text", "number"]] = Field(
        (),
        description="Other columns to store, for baselines and strata: a list, or a "
        "mapping from column to its type. auto, and a list: a number if every known "
        "cell is one, else text.",
    )
    preprocess: str | dict[str, Any] = Field(
        preprocess.DEFAULT,
        description="Preprocessing of the images: a name such as lungs_256, full_512, "
        "masked_256, lungs_256_clip_2_98_grow_5 or head_40x301x301; or a mapping with "
        "size for images, shape for volumes, and window_hu, percentile or z_score: "
        "{window_hu: [-100, 300], shape: [40, 256, 256]}.",
    )

    licence: Text | None = Field(
        None, description="Licence or terms of the data, for model cards."
    )
    citation: Text | None = Field(
        None, description="Where the data come from, for model cards."
    )

    @property
    def preprocessing(self):
        """The preprocessing, with its name."""
        return preprocess.parse_declared(self.preprocess)

    @property
    def field_types(self) -> dict[str, str]:
        """Column -> auto, text or number."""
        if isinstance(self.fields, dict):
            return dict(self.fields)
        return dict.fromkeys(self.fields, "auto")

    def unknown_of(self, label: str) -> tuple[str, ...]:
        """Cells of a label that mean unknown."""
        own = self.labels[label].unknown
        return self.unknown if own is None else own

    def column_of(self, label: str) -> str:
        return self.labels[label].column or label

    @rule("preprocess")
    def _preprocessing_exists(self) -> Iterator[Problem]:
        try:
            preprocess.parse_declared(self.preprocess)
        except ValueError as error:
            yield ("preprocess",), f": {str(error).rstrip('.')}."

    @rule("tables")
    def _tables_are_joined(self) -> Iterator[Problem]:
        first, *others = self.tables
        if first.on is not None:
            yield (
                ("tables",),
                f": `on` of the first table, {first.file}, joins it to nothing. The "
                "others are joined to the first; put it after the table with one row "
                "per image.",
            )
        for table in others:
            if not table.keys:
                yield (
                    ("tables",),
                    f": {table.file} needs `on`, the column by which its rows are "
                    f"joined: {{file: {table.file}, on: COLUMN}}.",
                )

    @rule("labels", "fields")
    def _fields_have_their_own_names(self) -> Iterator[Problem]:
        for label in self.labels:
            if label in RESERVED:
                yield ("labels", label), f": {_TAKEN} Choose another name."
        for column in self.field_types:
            if column in RESERVED:
                yield ("fields",), f": {column}: {_TAKEN} Leave it out."
            elif column in self.labels:
                yield ("fields",), f": {column} is a label already; leave it out."
            elif not re.fullmatch(r"[^/\x00-\x1f]+", column):
                yield ("fields",), f": {column!r}: a name should have no /."
        if len(self.field_types) < len(self.fields):
            yield ("fields",), f" = {list(self.fields)}: one of them appears twice."

    @rule("labels", "unknown")
    def _no_class_is_unknown(self) -> Iterator[Problem]:
        marks = {mark.casefold() for mark in self.unknown}
        for name, label in self.labels.items():
            for cell in (label.class_of or {}) if label.unknown is None else ():
                if cell.casefold() in marks:
                    yield (
                        ("labels", name, "classes"),
                        f": {cell!r} is a class, but `unknown` of the dataset has it. "
                        f"Give labels.{name}.unknown, for this label alone.",
                    )

    def problem_of_source(self, field: str) -> str | None:
        """What is wrong with a task's label field; None if the dataset has it."""
        known = [*self.labels, *self.field_types]
        if field in known:
            return None
        return (
            f" = {field!r}: the dataset declares no such label."
            f"{nearest(field, known)} Declared: {', '.join(known)}."
        )


_TAKEN = "every prepared dataset has a field of this name."
