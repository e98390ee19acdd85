"""COVID-19 image repository of Hannover Medical School; see README.md."""

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import (
    image_records,
    manual_builder,
    radiographs,
    tables,
)
from mdmt_tf.datasets._shared.manual_files import ImageFiles

_COLUMNS = ("patient_id", "image_id", "icu_admission_offset", "death_offset")
_OFFSETS = (
    "admission_offset",
    "icu_admission_offset",
    "icu_release_offset",
    "death_offset",
)


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

    def _info(self):
        return self.radiograph_info(
            labels={
                "severe": tfds.features.Scalar(np.int8),  # 0 no, 1 yes
                "projection": tfds.features.Text(),
                "sex": tfds.features.Text(),
                **{name: tfds.features.Scalar(np.float32) for name in _OFFSETS},
            },
            homepage="https://github.com/ml-workgroup/covid-19-image-repository",
        )

    def _read(self, root):
        rows = tables.read_table(root / "data.csv", columns=_COLUMNS).rows
        # Use the whole table: the row with the admission may have no usable image.
        severe = {row.text("patient_id") for row in rows if _is_severe(row)}
        images = ImageFiles(root, ["png"])

        def parse(row):
            image_id = row.required("image_id")
            patient_id = row.required("patient_id")
            return image_records.Record(
                image_id=image_id,
                patient_id=patient_id,
                site="hannover",
                path=images.find(image_id),
                row=row,
                labels={
                    "severe": int(patient_id in severe),
                    "projection": row.text("projection").lower(),
                    "sex": row.text("sex").lower(),
                    **{name: row.number_in(name) for name in _OFFSETS},
                },
            )

        return manual_builder.ImageTable(rows, images, parse, "image_id")


def _is_severe(row):
    """Whether the row has an admission to intensive care or a death, at any time."""
    return bool(row.text("icu_admission_offset") or row.text("death_offset"))
