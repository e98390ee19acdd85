"""The table that lists the images of a dataset, and the records of its rows."""

import dataclasses
from collections.abc import Callable, Collection, Sequence

from mdmt_tf.datasets._shared import manual_files
from mdmt_tf.datasets._shared.exclusion import Excluded, find_excluded
from mdmt_tf.datasets._shared.image_records import Record, merge_repeats
from mdmt_tf.datasets._shared.record_names import in_one_spelling
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.side_rows import SideRows
from mdmt_tf.datasets._shared.table_rows import LeftOut, RowError, TableRow, check_name


@dataclasses.dataclass(frozen=True)
class Merged:
    """The images of a table.

    Attributes:
        records: one per image.
        repeated: number of rows of images that have one above.
        unmatched: further table -> the numbers of its rows of no image, and of images
            without a row, where there are some.
    """

    records: Sequence[Record]
    repeated: int
    unmatched: dict[str, dict[str, int]]


@dataclasses.dataclass(frozen=True)
class ImageTable:
    """The table that lists the images of a dataset, and their files.

    Attributes:
        rows: rows of the table.
        images: the image files.
        parse: parse(row) returns the record of a row; raises RowError for a bad row.
        image_column: the column that names the image.
        rejections: rejections while reading the tables.
        sides: further tables about the images.
    """

    rows: Sequence[TableRow]
    images: manual_files.ImageFiles
    parse: Callable[[TableRow], Record]
    image_column: str
    rejections: Rejections = dataclasses.field(default_factory=Rejections)
    sides: Sequence[SideRows] = ()

    def merged(self, descriptive: Collection[str]) -> Merged:
        """One record per image; rows that cannot be used are rejected.

        Args:
            descriptive: label fields in which rows of one image may differ.
        """
        rejections, records = self.rejections, []
        for row in self.rows:
            name = row.text(self.image_column)
            try:
                record = self.parse(row)
                check_name(record.patient_id, "patient")
            except RowError as error:
                is_left_out = isinstance(error, LeftOut)
                rejections.add(name, row.place, error.kind, error.detail, is_left_out)
                continue
            records.append(record)
            for error in record.faults[:1]:
                rejections.add(name, row.place, error.kind, error.detail)
            for error in record.doubts if not record.faults else ():
                detail = f"{error.detail}; stored as unknown"
                rejections.warn(name, row.place, error.kind, detail)
        unmatched = {s.name: s.list_unmatched(rejections) for s in self.sides}
        unmatched = {name: n for name, n in unmatched.items() if any(n.values())}
        records = in_one_spelling(records, rejections)
        return Merged(*merge_repeats(records, rejections, descriptive), unmatched)

    def excluded(self, names: Collection[str], records: Sequence[Record]) -> Excluded:
        """What a list of images to leave out stands for."""
        in_table = (row.text(self.image_column) for row in self.rows)
        return find_excluded(names, records, self.images, in_table)
