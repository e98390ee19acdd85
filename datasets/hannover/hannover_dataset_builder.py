"""COVID-19 image repository of Hannover Medical School; see README.md."""

import functools
import math

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import (
    image_records,
    image_table,
    radiographs,
    tables,
)
from mdmt_tf.datasets._shared.manual_files import ImageFiles
from mdmt_tf.datasets._shared.table_rows import BAD_VALUE, RowError
from mdmt_tf.names import image_id, plain_id

_COLUMNS = ("patient_id", "image_id", "icu_admission_offset", "death_offset")
# The offsets that say whether the course was severe, and the others.
_SEVERE = ("icu_admission_offset", "death_offset")
_OTHERS = ("admission_offset", "icu_release_offset")
_OPTIONAL = ("projection", "sex", *_OTHERS)


class Builder(radiographs.RadiographBuilder):
    """One hospital, several images per patient, and the course of the disease."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download https://github.com/ml-workgroup/covid-19-image-repository
    (no registration; CC BY 3.0, doi 10.6084/m9.figshare.12275009). Expected:

    MANUAL_DIR/
      data.csv
      png/
        00870a9c.png
        ...
    """
    FOLDER = "hannover"
    REQUIRED = ("data.csv", "png")
    COUNTED = {"severe": image_records.Classes(("not severe", "severe"))}
    UNITS = dict.fromkeys((*_OTHERS, *_SEVERE), "days")

    def _info(self):
        return self.radiograph_info(
            labels={
                "severe": tfds.features.Scalar(np.int8),  # 0 no, 1 yes
                "projection": tfds.features.Text(),
                "sex": tfds.features.Text(),
                **dict.fromkeys((*_OTHERS, *_SEVERE), tfds.features.Scalar(np.float32)),
            },
            homepage="https://github.com/ml-workgroup/covid-19-image-repository",
        )

    def _read(self, root):
        rows = tables.read_table(
            root / "data.csv", columns=_COLUMNS, optional=_OPTIONAL
        ).rows
        # Use the whole table: the row with the admission may have no usable image.
        severe = _severe_patients(rows)
        images = ImageFiles(root, ["png"])

        def parse(row):
            name = row.required("image_id")
            patient_id = plain_id(row.required("patient_id"))
            return image_records.Record(
                image_id=image_id(name),
                patient_id=patient_id,
                site="hannover",
                path=images.find(name),
                row=row,
                **image_records.read_fields(
                    labels=_numbers(row, _SEVERE),
                    others={
                        "severe": (-1, lambda: _known(severe[patient_id])),
                        "projection": ("", lambda: row.words_in("projection").lower()),
                        "sex": ("", lambda: row.words_in("sex").lower()),
                        **_numbers(row, _OTHERS),
                    },
                ),
            )

        return image_table.ImageTable(rows, images, parse, "image_id")


def _numbers(row, columns):
    return {
        name: (math.nan, functools.partial(row.number_in, name)) for name in columns
    }


def _severe_patients(rows):
    """Patient -> 1 if a row has an admission to intensive care or a death, else 0.

    Only a number is one. If a row has something else, and no row has a number, the
    value is a `RowError` instead: it is unknown.
    """
    severe = {}
    for row in rows:
        patient = plain_id(row.text("patient_id"))
        severe.setdefault(patient, 0)
        for column in _SEVERE:
            try:
                if not math.isnan(row.number_in(column)):
                    severe[patient] = 1
            except RowError as error:
                if severe[patient] == 0:
                    detail = f"severe is unknown, because {row.place} has "
                    severe[patient] = RowError(BAD_VALUE, detail + error.detail)
    return severe


def _known(value):
    if isinstance(value, RowError):
        raise value
    return value
