"""BRIXIA: 4700 radiographs of one hospital with Brixia scores; see README.md."""

import contextlib
import math
import re

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import (
    brixia_scores,
    image_records,
    image_table,
    radiographs,
    tables,
)
from mdmt_tf.datasets._shared.manual_files import ImageFiles, optional_file
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.side_rows import SideRows
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.names import image_id

_TABLE = "metadata_global_v2.csv"
_CONSENSUS = "metadata_consensus_v1.csv"
_MODES = tuple(f"Mode{zone}" for zone in brixia_scores.ZONES)
_AGE = "AgeAtStudyDateFiveYear"
_OPTIONAL = ("ConsensusTestset", "Manufacturer", "Sex", "Modality", _AGE)

# Lower-case names of companies that have several; other names are kept.
_COMPANIES = {"agfa-gevaert": "Agfa", "agfa": "Agfa"}


class Builder(radiographs.RadiographBuilder):
    """Several studies per patient; the site is the maker of the X-ray machine."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Register at https://brixia.github.io/ to obtain the dataset. Expected:

    MANUAL_DIR/
      BRIXIA/
        dicom_clean/
          <Filename>.dcm
          ...
        metadata_global_v2.csv
        metadata_consensus_v1.csv   (optional)
    """
    FOLDER = "BRIXIA"
    REQUIRED = ("dicom_clean", _TABLE)
    OPTIONAL = (_CONSENSUS,)
    COUNTED = {"brixia_global": brixia_scores.CATEGORIES}
    UNITS = {"age_five_year": "years"}

    def _info(self):
        return self.radiograph_info(
            labels={
                "brixia_scores": brixia_scores.zones_feature(),
                "brixia_global": brixia_scores.global_feature(),
                "consensus_test": tfds.features.Scalar(np.int8),
                "consensus_scores": brixia_scores.zones_feature(),
                "sex": tfds.features.Text(),
                "age_five_year": tfds.features.Scalar(np.float32),
                "manufacturer": tfds.features.Text(),
                "modality": tfds.features.Text(),
            },
            homepage="https://brixia.github.io/",
        )

    def _read(self, root):
        columns = ("Filename", "BrixiaScore", "BrixiaScoreGlobal", "Subject")
        rows = tables.read_table(
            root / _TABLE, columns=columns, optional=_OPTIONAL
        ).rows
        rejections = Rejections()
        consensus = _read_consensus(root, rejections)
        images = ImageFiles(root, ["dicom_clean"])
        unknown = brixia_scores.UNKNOWN_ZONES

        def parse(row):
            name = row.required("Filename")
            path = images.find(name)
            agreed = consensus and consensus.find(name)
            return image_records.Record(
                image_id=image_id(name),
                patient_id=row.required("Subject"),
                path=path,
                row=row,
                **image_records.read_fields(
                    labels=_scores(row),
                    others={
                        "consensus_test": (-1, lambda: row.flag_in("ConsensusTestset")),
                        "consensus_scores": (unknown, lambda: _consensus(agreed)),
                        "sex": ("", lambda: row.words_in("Sex")),
                        "age_five_year": (math.nan, lambda: row.years_in(_AGE)),
                        "manufacturer": ("", lambda: row.words_in("Manufacturer")),
                        "modality": ("", lambda: row.words_in("Modality")),
                    },
                    site=lambda: _company(row.words_in("Manufacturer")),
                ),
            )

        sides = [consensus] if consensus else []
        return image_table.ImageTable(
            rows, images, parse, "Filename", rejections, sides
        )


def _company(manufacturer):
    return _COMPANIES.get(manufacturer.lower(), manufacturer)


def _scores(row):
    """How the zones and the global score are read, which must agree."""

    def read():
        zones = _zones(row)
        total = row.integer_in("BrixiaScoreGlobal", 0, 18)
        brixia_scores.check_sum(zones, total, "BrixiaScore", "BrixiaScoreGlobal")
        return zones, total

    return {
        "brixia_scores": (brixia_scores.UNKNOWN_ZONES, lambda: read()[0]),
        "brixia_global": (-1, lambda: read()[1]),
    }


def _zones(row):
    """Six digits, zones A to F. Spreadsheets drop leading zeros: "12" is 000012.

    Returns: int8 (6,), all -1 if the cell is empty.
    """
    score = row.text("BrixiaScore")
    if not score:
        return brixia_scores.UNKNOWN_ZONES
    sign = re.escape(row.decimal_of("BrixiaScore"))
    digits = re.sub(rf"{sign}0+$", "", score).zfill(6)
    if not re.fullmatch("[0-3]{6}", digits):
        raise RowError(
            "bad value",
            f"BrixiaScore = {score!r}, expected six digits from 0 to 3 (leading zeros "
            "may be missing)",
        )
    return np.array([int(digit) for digit in digits], np.int8)


def _read_consensus(root, rejections):
    """The scores of several radiologists; None without the file."""
    path = optional_file(root, _CONSENSUS)
    if not path.exists():
        return None
    rows = tables.read_table(path, columns=("Filename", *_MODES)).rows
    for row in rows:
        try:
            row.required("Filename")
            brixia_scores.zones_of(row, _MODES)
        except RowError as error:
            rejections.add(row.text("Filename"), row.place, error.kind, error.detail)
    return SideRows(path, rows, "Filename", _MODES, has_all=False)


def _consensus(row):
    """Their scores of the six zones; few images have some."""
    with contextlib.suppress(RowError):  # its row is listed
        if row:
            return brixia_scores.zones_of(row, _MODES)
    return brixia_scores.UNKNOWN_ZONES
