"""COVID-19 image repository of Hannover Medical School; see README.md."""

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import manual_builder, radiographs, records, tables
from mdmt_tf.datasets._shared.manual_files import Images

_COLUMNS = ("patient_id", "image_id", "icu_admission_offset", "death_offset")
_OFFSETS = (
    "admission_offset",
    "icu_admission_offset",
    "icu_release_offset",
    "death_offset",
)


class Builder(radiographs.RadiographBuilder):
    """One hospital, several images a patient, the course of the disease."""

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
    PARTS = ("data.csv", "png")
    COUNTED = {"severe": records.Classes(("not severe", "severe"))}

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
        rows = tables.read_csv(root / "data.csv", columns=_COLUMNS)
        # Of the whole table: the row with the admission may lack a usable image.
        severe = {row.text("patient_id") for row in rows if _went_badly(row)}
        images = Images(root, ["png"])

        def parse(row):
            image_id = row.required("image_id")
            patient_id = row.required("patient_id")
            return records.Record(
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

        return manual_builder.Table(rows, images, parse, "image_id")


def _went_badly(row):
    """An admission to intensive care, or a death, whenever it was."""
    return bool(row.text("icu_admission_offset") or row.text("death_offset"))
