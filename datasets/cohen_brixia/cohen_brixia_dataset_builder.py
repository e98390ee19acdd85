"""Radiographs of the Cohen collection with Brixia scores; see README.md."""

import logging

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import (
    brixia_scores,
    manual_builder,
    radiographs,
    records,
    tables,
)
from mdmt_tf.datasets._shared.manual_files import Images, image_stem

logger = logging.getLogger(__name__)

_TABLE = "public-annotations.csv"
_IMAGES = "public-cohen-subset"
_METADATA = "metadata.csv"
_GROUPS = "cohen_patient_groups.csv"
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
      cohen_patient_groups.csv   (optional, here or beside MANUAL_DIR; columns
                                  filename, patient_group: who is the same patient)
    """
    FOLDER = "cohen_brixia"
    PARTS = (_TABLE, _IMAGES)
    COUNTED = {"brixia_global": brixia_scores.CATEGORIES}

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
        rows = tables.read_csv(root / _TABLE, columns=columns)
        about = _read_metadata(root / _METADATA)
        groups = _read_groups(root)
        images = Images(root, [_IMAGES])

        def parse(row):
            name = row.required("filename")
            path = images.find(name)
            original = row.text("original_filename") or name
            metadata = about.get(name) or about.get(original) or _NOTHING
            senior, senior_global = _scores(row, _SENIOR, "S-Global")
            junior, junior_global = _scores(row, _JUNIOR, "J-Global")
            location = metadata.text("location")
            return records.Record(
                image_id=name,
                patient_id=_patient(name, original, metadata, groups),
                site=location,
                path=path,
                row=row,
                labels={
                    "brixia_scores": senior,
                    "brixia_global": senior_global,
                    "junior_scores": junior,
                    "junior_global": junior_global,
                    "view": metadata.text("view"),
                    "sex": metadata.text("sex"),
                    "age": metadata.years_in("age"),
                    "location": location,
                },
            )

        return manual_builder.Table(rows, images, parse, "filename")


# What is known about an image that the metadata do not list.
_NOTHING = tables.Row(_METADATA, 0, {})


def _scores(row, columns, total_column):
    """Zones (6,) and global score of one radiologist."""
    zones = brixia_scores.zones_of(row, columns)
    total = row.integer_in(total_column, 0, 18)
    brixia_scores.check_sum(zones, total, f"{columns[0]} to F", total_column)
    return zones, total


def _read_metadata(path):
    """File name -> row; {} without the file."""
    if not path.exists():
        return {}
    return {
        row.text("filename"): row
        for row in tables.read_csv(path, columns=("filename",))
    }


def _read_groups(root):
    """File name -> group of images of one patient; {} without the file."""
    for path in (root / _GROUPS, root.parent / _GROUPS):
        if path.exists():
            rows = tables.read_csv(path, columns=("filename", "patient_group"))
            return {row.text("filename"): row.text("patient_group") for row in rows}
    logger.warning(
        "cohen_brixia: no %s in %s or beside it, so patients are told apart by the "
        "metadata and the file names. The collection holds the same patient under two "
        "patientids and the same picture under two names: folds made of this may put "
        "one patient on two sides.",
        *(_GROUPS, root),
    )
    return {}


def _patient(name, original, metadata, groups):
    """Group of the same patient, or the best substitute that the files give."""
    if group := groups.get(name) or groups.get(original):
        return group
    if groups:
        logger.warning("cohen_brixia: %s is not in %s", name, _GROUPS)
    if patient := metadata.text("patientid"):
        return f"patient {patient}"
    return image_stem(original)
