"""Head CTs after intracranial haemorrhage, with the outcome; see README.md."""

import collections
import contextlib
import functools
import math

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import (
    image_records,
    image_table,
    table_rows,
    tables,
    volumes,
)
from mdmt_tf.datasets._shared.manual_files import ImageFiles
from mdmt_tf.errors import DataError
from mdmt_tf.names import folded, plain_id

# The classes of Cobo et al. 2024. Glasgow coma scale, points from 3 to 15:
GCS_SEVERE_AT_MOST = 8
GCS_MODERATE_AT_MOST = 12
# Age, years:
OLD_FROM_YEARS = 80

_LARGEST_AGE = 120  # years
_TABLE = "CLINICAL_DATA_ICH.csv"
_FOLDERS = ("GOOD_PROGNOSIS", "POOR_PROGNOSIS")  # poor_prognosis 0 and 1
# Names of the outcome column in different releases.
_OUTCOMES = ("Label (poor_prognosis)", "poor_prognosis", "Label")
# Column -> its field: numbers, with the codes and units of the table.
_COLUMNS = """
    Smoker Alcohol HT DM Dyslipidemia MH_ICH MH_CVD MH_neuro MH_dementia MH_cancer
    MH_hematho MH_others Anticoagulant Antiaggregant Antihypertensive_drugs
    Calcium_antag Alpha_blockers PE_neuro Cause_head_trauma Systolic_AP Dyastolic_AP
    OxSat HR RF Glucose Creatinine Urea Sodium Potassium WBC Hgb Platelets MCV RCDW
    CMHC MPV INR Fibrinogen
"""
_COVARIATES = {name: name.lower() for name in _COLUMNS.split()}
# Names of the temperature column in different encodings.
_DEGREES = ("Tº", "T°", "T\ufffd")


def _gcs_class(gcs):
    return int(gcs <= GCS_MODERATE_AT_MOST) + int(gcs <= GCS_SEVERE_AT_MOST)


def _age_class(years):
    return int(years >= OLD_FROM_YEARS)


class Builder(volumes.VolumeBuilder):
    """One hospital, one volume per patient, with outcome, coma scale and age."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Request access at https://digital.csic.es/handle/10261/275792 (Head-CT 2D/3D images
    with and without ICH prepared for Deep Learning). Expected, without the skull:

    MANUAL_DIR/
      CLINICAL_DATA_ICH.csv
      GOOD_PROGNOSIS/
        <PatientID>_brain.nii.gz
        ...
      POOR_PROGNOSIS/
        <PatientID>_brain.nii.gz
        ...
    """
    FOLDER = "ich_csic"
    REQUIRED = (_TABLE, *_FOLDERS)
    COUNTED = {
        "poor_prognosis": image_records.Classes(("good", "poor")),
        "gcs": image_records.Classes(
            (
                f"mild: more than {GCS_MODERATE_AT_MOST}",
                f"moderate: {GCS_SEVERE_AT_MOST + 1} to {GCS_MODERATE_AT_MOST}",
                f"severe: {GCS_SEVERE_AT_MOST} or less",
            ),
            _gcs_class,
        ),
        "age": image_records.Classes(
            (f"under {OLD_FROM_YEARS} years", f"{OLD_FROM_YEARS} years or more"),
            _age_class,
        ),
    }
    UNITS = {"age": "years"}
    DESCRIPTIVE = frozenset()  # the age is a label here

    def _info(self):
        number = tfds.features.Scalar(np.float32)
        return self.volume_info(
            labels={
                "poor_prognosis": tfds.features.Scalar(np.int8),
                "gcs": tfds.features.Scalar(np.int8),
                "age": number,
                "gender": tfds.features.Text(),
                **dict.fromkeys((*_COVARIATES.values(), "temperature"), number),
            },
            homepage="https://digital.csic.es/handle/10261/275792",
        )

    def _read(self, root):
        rows = tables.read_table(
            root / _TABLE,
            columns=("PatientID", "Age", "GCS"),
            optional=(*_OUTCOMES, *_COVARIATES, *_DEGREES, "Gender"),
        ).rows
        outcomes = [name for name in _OUTCOMES if _has(rows, name)]
        if rows and not outcomes:
            raise DataError(
                f"{root / _TABLE}: expected a column {' or '.join(_OUTCOMES)}. "
                f"Received: {', '.join(rows[0].cells)}"
            )
        covariates = dict(_COVARIATES)
        covariates.update(
            (name, "temperature") for name in _DEGREES if _has(rows, name)
        )
        images = ImageFiles(root, _FOLDERS)
        # Use the whole table: if one row of a patient contradicts the folder, another
        # row that agrees does not make the image usable.
        stated = collections.defaultdict(list)
        for row in rows:
            with contextlib.suppress(table_rows.RowError):  # `parse` reports it
                stated[folded(_patient_id(row))] += _outcomes_in(row, outcomes)
        # Rows of one file are of one patient, however they spell its name.
        name_of = {}

        def parse(row):
            row.required("PatientID")
            patient_id = _patient_id(row)
            # First of all, so that the file of a rejected row counts as listed.
            paths = images.find_spellings(f"{patient_id}_brain")
            folders = sorted({path.parent.name for path in paths})
            if len(folders) > 1:
                raise table_rows.RowError(
                    "contradictory outcome", f"volumes in {' and '.join(folders)}"
                )
            path = images.find(f"{patient_id}_brain")
            poor = _FOLDERS.index(path.parent.name)
            others = stated[folded(patient_id)]
            patient_id = name_of.setdefault(path, patient_id)

            def outcome():
                """That of the folder, with which every row of the patient agrees."""
                for value, where in (*_outcomes_in(row, outcomes), *others):
                    if value not in (-1, poor):
                        raise table_rows.RowError(
                            "contradictory outcome", f"{path.parent.name}, but {where}"
                        )
                return poor

            return image_records.Record(
                image_id=patient_id,
                patient_id=patient_id,
                site="ich_csic",
                path=path,
                row=row,
                **image_records.read_fields(
                    labels={
                        "poor_prognosis": (-1, outcome),
                        "gcs": (-1, lambda: row.integer_in("GCS", 3, 15)),
                        "age": (math.nan, lambda: _age(row)),
                    },
                    others={
                        "gender": ("", lambda: row.words_in("Gender").lower()),
                        "temperature": (math.nan, lambda: math.nan),  # see `covariates`
                        **{
                            field: (math.nan, functools.partial(row.number_in, column))
                            for column, field in covariates.items()
                        },
                    },
                    independent=True,
                ),
            )

        return image_table.ImageTable(rows, images, parse, "PatientID")


def _has(rows, column):
    return any(column in row.cells for row in rows)


def _outcomes_in(row, columns):
    """The outcome in each column: (0, 1 or -1 if empty, the text for messages)."""
    return [
        (row.integer_in(name, 0, 1), f"{row.place} has {name} = {row.text(name)}")
        for name in columns
    ]


def _patient_id(row):
    """The name of the patient's files, as text with its leading zeros."""
    return plain_id(row.text("PatientID"))


def _age(row):
    """Age in years, NaN if unknown. It is a label, so ranges will not do."""
    decimal = row.decimal_of("Age")
    years = table_rows.to_years(row.text("Age"), decimal, ranges=False)
    if years is None:
        years = row.number_in("Age")
    if years < 0 or years > _LARGEST_AGE:
        raise table_rows.RowError(
            "bad value",
            f"Age = {row.text('Age')!r}, expected 0 to {_LARGEST_AGE} years or an "
            "empty cell",
        )
    return years
