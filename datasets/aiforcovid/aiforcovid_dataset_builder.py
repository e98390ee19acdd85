"""AIforCOVID: 1585 radiographs of six hospitals with the outcome; see README.md."""

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
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.imaging.image_files import image_stem
from mdmt_tf.names import clean

# Image folder -> its spreadsheet, in the order of the releases.
_RELEASES = {
    "imgs": "AIforCOVID.xlsx",
    "imgs_r2": "AIforCOVID_r2.xlsx",
    "imgs_r3": "AIforCOVID_r3.xlsx",
}
_COLUMNS = ("ImageFile", "Hospital", "Prognosis")
_OPTIONAL = ("Death", "Age", "Sex")
_OUTCOMES = {"": -1, "MILD": 0, "SEVERE": 1}

# Images without a usable chest, left out by Ruffini et al., MICCAI 2024.
_UNUSABLE = [
    "P_1_16",
    "P_3_20",
    "P_3_108",
    "P_3_208",
    "P_3_341",
    "P_3_377",
    "P_3_391",
    "P_3_411",
]


class Builder(radiographs.RadiographBuilder):
    """One image per patient; any of the three releases, each with its spreadsheet."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Register at https://aiforcovid.radiomica.it/ or
    https://doi.org/10.5281/zenodo.5760978 to obtain the dataset. Expected, for any of
    the releases, each as DICOM or PNG:

    MANUAL_DIR/
      AIforCOVID/
        imgs/       P_1.dcm ...     AIforCOVID.xlsx      (release 1)
        imgs_r2/    P_2_1.dcm ...   AIforCOVID_r2.xlsx   (release 2)
        imgs_r3/    P_3_1.dcm ...   AIforCOVID_r3.xlsx   (release 3)
    """
    FOLDER = "AIforCOVID"
    REQUIRED = (*_RELEASES, *_RELEASES.values())
    UNUSABLE = frozenset(_UNUSABLE)
    COUNTED = {"prognosis": image_records.Classes(("MILD", "SEVERE"))}
    UNITS = {"age": "years"}

    @classmethod
    def _missing(cls, root):
        """A release may be absent as a whole, but not only its folder or its table."""
        missing = []
        for folder, table in _RELEASES.items():
            has_folder, has_table = (root / folder).is_dir(), (root / table).is_file()
            if has_folder != has_table:
                there, absent = (folder, table) if has_folder else (table, folder)
                missing.append(f"{absent}, though {there} is there")
        return missing

    def _info(self):
        return self.radiograph_info(
            labels={
                "prognosis": tfds.features.Scalar(np.int8),  # 0 MILD, 1 SEVERE
                "death": tfds.features.Scalar(np.int8),
                "age": tfds.features.Scalar(np.float32),
                "sex": tfds.features.Text(),
                "release": tfds.features.Scalar(np.int8),
            },
            homepage="https://aiforcovid.radiomica.it/",
        )

    def _read(self, root):
        folders = [folder for folder in _RELEASES if (root / folder).is_dir()]
        rows = [
            row
            for folder in folders
            for row in tables.read_table(
                root / _RELEASES[folder], columns=_COLUMNS, optional=_OPTIONAL
            ).rows
        ]
        images, names = ImageFiles(root, folders), list(_RELEASES)

        def parse(row):
            path = images.find(row.required("ImageFile"))
            name = clean(image_stem(path.name))
            return image_records.Record(
                image_id=name,
                patient_id=name,
                path=path,
                row=row,
                **image_records.read_fields(
                    labels={"prognosis": (-1, lambda: _outcome(row))},
                    others={
                        "death": (-1, lambda: row.flag_in("Death")),
                        "age": (math.nan, lambda: row.years_in("Age")),
                        "sex": ("", lambda: row.words_in("Sex")),
                        # A later spreadsheet may list the images of earlier releases.
                        "release": (-1, lambda: 1 + names.index(path.parent.name)),
                    },
                    site=lambda: row.words_in("Hospital").upper(),
                ),
            )

        return image_table.ImageTable(rows, images, parse, "ImageFile")


def _outcome(row):
    prognosis = row.text("Prognosis")
    if prognosis.upper() not in _OUTCOMES:
        raise RowError(
            "bad value", f"Prognosis = {prognosis!r}, expected MILD, SEVERE or empty"
        )
    return _OUTCOMES[prognosis.upper()]
