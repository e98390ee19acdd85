"""Synthetic radiographs with true Brixia scores; see README.md."""

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import (
    brixia_scores,
    image_records,
    image_table,
    manual_files,
    radiographs,
    table_rows,
    tables,
)
from mdmt_tf.imaging.preprocess import LARGEST_SIZE
from mdmt_tf.names import last_part

_TABLE = "labels.csv"
_IMAGES = "images"
_BOX = ("lungs_y0", "lungs_x0", "lungs_y1", "lungs_x1")
_EXTENT = ("extent_right", "extent_left")
_COLUMNS = (
    *("filename", "patient_id", "site", "projection", "sex"),
    *(*brixia_scores.ZONES, "brixia_global", *_BOX),
    *("opacity", *_EXTENT, "effusion"),
)
# A picture may be a little higher than wide.
_LARGEST_SIDE = 2 * LARGEST_SIZE


class Builder(radiographs.RadiographBuilder):
    """Computed radiographs, each with a device of its own; no patient is in them."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Nothing is downloaded: the radiographs are computed. A configuration with
    phantoms.synthetic_cxr_patients draws and prepares them by itself. By hand, with
    `write_phantoms` of mdmt_tf.phantoms.write. Expected:

    MANUAL_DIR/
      SYNTHETIC.json
      labels.csv
      images/
        000000.png
        ...
    """
    FOLDER = "synthetic_cxr"
    REQUIRED = (_TABLE, _IMAGES)
    IS_DRAWN = True
    COUNTED = {"brixia_global": brixia_scores.CATEGORIES}

    @classmethod
    def find_root(cls, manual_dir):
        # Any dataset may have a labels.csv; only this one is marked as it is.
        root = super().find_root(manual_dir)
        if root is None:
            return None
        details = manual_files.synthetic_details(root) or {}
        return root if details.get("dataset") == cls.FOLDER else None

    @classmethod
    def _marks(cls):
        return (_TABLE,)

    def _info(self):
        return self.radiograph_info(
            labels={
                "brixia_scores": brixia_scores.zones_feature(),
                "brixia_global": brixia_scores.global_feature(),
                "projection": tfds.features.Text(),
                "sex": tfds.features.Text(),
                "opacity": tfds.features.Text(),
                "extent": tfds.features.Tensor(shape=(2,), dtype=np.float32),
                "effusion": tfds.features.Text(),
            },
            homepage="",
        )

    def _read(self, root):
        rows = tables.read_table(root / _TABLE, columns=_COLUMNS).rows
        images = manual_files.ImageFiles(root, [_IMAGES])

        def parse(row):
            name = row.required("filename")
            zones = brixia_scores.zones_of(row, brixia_scores.ZONES)
            total = row.integer_in("brixia_global", 0, 18)
            brixia_scores.check_sum(zones, total, "A to F", "brixia_global")
            _lungs(row)
            return image_records.Record(
                image_id=last_part(name),
                patient_id=row.required("patient_id"),
                site=row.text("site"),
                path=images.find(name),
                row=row,
                labels={
                    "brixia_scores": zones,
                    "brixia_global": total,
                    "projection": row.text("projection").lower(),
                    "sex": row.text("sex").lower(),
                    "opacity": row.text("opacity"),
                    "extent": np.array([_fraction(row, c) for c in _EXTENT], "float32"),
                    "effusion": row.text("effusion"),
                },
            )

        return image_table.ImageTable(rows, images, parse, "filename")

    def _known_lungs(self):
        return lambda record: _lungs(record.row)


def _lungs(row):
    """The true box of the lungs: y0, x0, y1, x1, half open.

    Raises:
        RowError: it is missing or empty.
    """
    y0, x0, y1, x1 = (row.integer_in(column, 0, _LARGEST_SIDE) for column in _BOX)
    if not (0 <= y0 < y1 and 0 <= x0 < x1):
        raise table_rows.RowError(
            "bad value",
            f"{', '.join(_BOX)} = {y0}, {x0}, {y1}, {x1}, expected a box of the lungs",
        )
    return y0, x0, y1, x1


def _fraction(row, column):
    """A number from 0 to 1, NaN where it is unknown.

    Raises:
        RowError: it is no number or outside.
    """
    number = row.number_in(column)
    if not np.isnan(number) and not 0.0 <= number <= 1.0:
        raise table_rows.RowError(
            "bad value", f"{column} = {number}, expected a fraction from 0 to 1"
        )
    return number
