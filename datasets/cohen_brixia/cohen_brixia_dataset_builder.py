"""Radiographs of the Cohen collection with Brixia scores; see README.md."""

import functools
import logging
import math

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import (
    brixia_scores,
    image_records,
    image_table,
    radiographs,
    table_rows,
    tables,
)
from mdmt_tf.datasets._shared.manual_files import ImageFiles, optional_file
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.side_rows import SideRows
from mdmt_tf.imaging.image_files import image_stem
from mdmt_tf.names import last_part, plain_id

logger = logging.getLogger(__name__)

_TABLE = "public-annotations.csv"
_IMAGES = "public-cohen-subset"
_METADATA = "metadata.csv"
_GROUPS = "cohen_patient_groups.csv"
# What is read of the metadata.
_ABOUT = ("patientid", "sex", "age", "view", "location")
_SENIOR = tuple(f"S-{zone}" for zone in brixia_scores.ZONES)
_JUNIOR = tuple(f"J-{zone}" for zone in brixia_scores.ZONES)


class Builder(radiographs.RadiographBuilder):
    """Figures of publications and web pages, scored by two radiologists."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download https://github.com/BrixIA/Brixia-score-COVID-19 (no registration; scores
    CC BY-NC-SA 4.0, each image under its own licence). Expected:

    MANUAL_DIR/
      public-annotations.csv
      public-cohen-subset/
        0.jpg
        ...
      metadata.csv               (optional, of
                                  https://github.com/ieee8023/covid-chestxray-dataset)
      cohen_patient_groups.csv   (optional, in MANUAL_DIR or its parent folder; columns
                                  filename, patient_group: images of one patient)
    """
    FOLDER = "cohen_brixia"
    REQUIRED = (_TABLE, _IMAGES)
    OPTIONAL = (_METADATA, _GROUPS, f"../{_GROUPS}")
    COUNTED = {"brixia_global": brixia_scores.CATEGORIES}
    UNITS = {"age": "years"}

    def _info(self):
        return self.radiograph_info(
            labels={
                "brixia_scores": brixia_scores.zones_feature(),
                "brixia_global": brixia_scores.global_feature(),
                "junior_scores": brixia_scores.zones_feature(),
                "junior_global": brixia_scores.global_feature(),
                "view": tfds.features.Text(),
                "sex": tfds.features.Text(),
                "age": tfds.features.Scalar(np.float32),
                "location": tfds.features.Text(),
            },
            homepage="https://github.com/BrixIA/Brixia-score-COVID-19",
        )

    def _read(self, root):
        columns = ("filename", *_SENIOR, "S-Global", *_JUNIOR, "J-Global")
        rows = tables.read_table(
            root / _TABLE, columns=columns, optional=("original_filename",)
        ).rows
        rejections = Rejections()
        about, groups = _read_metadata(root), _read_groups(root)
        images = ImageFiles(root, [_IMAGES])

        def parse(row):
            name = last_part(row.required("filename"))
            path = images.find(name)
            original = row.text("original_filename") or name
            found = (side and side.find(name, original) for side in (about, groups))
            metadata, group = (one or _NOTHING for one in found)
            if groups and not group.text("patient_group"):
                detail = f"{name!r} is not in {_GROUPS}"
                rejections.warn(name, row.place, "no group of a patient", detail)
            location = functools.partial(_about, metadata.words_in, "location")
            return image_records.Record(
                image_id=name,
                patient_id=_patient(original, metadata, group),
                path=path,
                row=row,
                **image_records.read_fields(
                    labels={
                        **_scores(row, _SENIOR, "S-Global", "brixia"),
                        **_scores(row, _JUNIOR, "J-Global", "junior"),
                    },
                    others={
                        "view": ("", lambda: _about(metadata.words_in, "view")),
                        "sex": ("", lambda: _about(metadata.words_in, "sex")),
                        "age": (math.nan, lambda: _about(metadata.years_in, "age")),
                        "location": ("", location),
                    },
                    site=location,
                ),
            )

        sides = [side for side in (about, groups) if side]
        return image_table.ImageTable(
            rows, images, parse, "filename", rejections, sides
        )


# The row of images that a table does not list.
_NOTHING = table_rows.TableRow(_METADATA, 0, {})


def _scores(row, columns, total_column, name):
    """How the zones (6,) and the global score of one radiologist are read."""

    def read():
        zones = brixia_scores.zones_of(row, columns)
        total = row.integer_in(total_column, 0, 18)
        brixia_scores.check_sum(zones, total, f"{columns[0]} to F", total_column)
        return zones, total

    return {
        f"{name}_scores": (brixia_scores.UNKNOWN_ZONES, lambda: read()[0]),
        f"{name}_global": (-1, lambda: read()[1]),
    }


def _about(read, column):
    """What the metadata say about an image; errors name their row."""
    try:
        return read(column)
    except table_rows.RowError as error:
        detail = f"{error.detail}, in {read.__self__.place}"
        raise table_rows.RowError(error.kind, detail) from error


def _read_metadata(root):
    """The metadata of the images; None without the file."""
    path = optional_file(root, _METADATA)
    if not path.exists():
        return None
    rows = tables.read_table(path, columns=("filename",), optional=_ABOUT).rows
    return SideRows(path, rows, "filename", _ABOUT)


def _read_groups(root):
    """Which images are of one patient; None without the file."""
    for folder in (root, root.parent):
        path = optional_file(folder, _GROUPS)
        if path.exists():
            rows = tables.read_table(path, columns=("filename", "patient_group")).rows
            return SideRows(path, rows, "filename", ("patient_group",))
    logger.warning(
        "cohen_brixia: no %s in %s or its parent folder, so patients are identified by "
        "the metadata and the file names. The collection has some patients under two "
        "patientids and some pictures under two names: folds of this dataset may put "
        "one patient into two splits.",
        _GROUPS,
        root,
    )
    return None


def _patient(original, metadata, group):
    """Group of the images of one patient, or the best substitute in the files."""
    if name := group.text("patient_group"):
        return name
    if patient := metadata.text("patientid"):
        table_rows.check_name(patient, "patientid")
        return f"patient {plain_id(patient)}"
    return image_stem(original)
