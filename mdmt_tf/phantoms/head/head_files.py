"""Files of the synthetic head CT dataset: volumes as NIfTI, clinical data as CSV.

The same study gives the same bytes. nibabel's writer would stamp the time on the
compressed file, so only the header is nibabel's.
"""

import gzip

import numpy as np

from mdmt_tf.phantoms.chest.dataset_tables import csv_bytes
from mdmt_tf.phantoms.head import head_ct

SYNTHETIC = "SYNTHETIC PHANTOM"
CLINICAL = "CLINICAL_DATA_ICH.csv"
_OFFSET = 352  # bytes before the voxels of a single-file NIfTI
_UNSIGNED_INTERCEPT = -1024
# column: (mean of good outcomes, mean of poor outcomes, std, fraction missing)
_MEASURED = {"Glucose": (128, 158, 38, 0.08), "Systolic_AP": (162, 176, 26, 0.04)}
# column: (fraction at 40 years, at 80 years, excess in poor outcomes, fraction missing)
_CONDITIONS = {
    "HT": (0.30, 0.70, 0.05, 0.03),
    "DM": (0.06, 0.22, 0.06, 0.03),
    "Anticoagulant": (0.03, 0.20, 0.10, 0.06),
}


def write_head(folder, plan, study):
    """Render one study and write its volume, and its lesion mask if planned."""
    head = head_ct.render(study, plan.head_matrix)
    _write(folder / study.path, head.hu, head.affine, unsigned=head.unsigned)
    if plan.lesion_masks:
        _write(folder / study.lesion_path, head.lesion, head.affine)


def _write(path, values, affine, *, unsigned=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(values, affine, unsigned=unsigned))


def encode(values, affine, *, unsigned=False):
    """A gzipped NIfTI-1 file, bytes.

    Args:
        values: integer array (columns, rows, slices).
        affine: float (4, 4), voxel indices -> RAS mm.
        unsigned: store as uint16 with an intercept of -1024.
    """
    import nibabel  # takes half a second to load; radiographs do not need it

    intercept = 0
    if unsigned:
        intercept = _UNSIGNED_INTERCEPT
        values = (values - np.int16(intercept)).astype(np.uint16)
    header = nibabel.Nifti1Header(endianness="<")
    header.set_data_dtype(values.dtype)
    header.set_data_shape(values.shape)
    header.set_qform(affine, code="scanner")
    header.set_sform(affine, code="scanner")
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(1, intercept)
    header.set_data_offset(_OFFSET)
    header["descrip"] = SYNTHETIC
    stored = values.astype(values.dtype.newbyteorder("<"), copy=False)
    content = header.binaryblock + bytes(4) + stored.tobytes(order="F")
    # A higher level takes longer and hardly compresses noise any better.
    return gzip.compress(content, compresslevel=3, mtime=0)


def clinical_tables(studies):
    """The clinical table, {path: bytes}; a cell is empty where nothing is known.

    Gender is 1 for a man, Label 1 for a poor outcome. HT (hypertension), DM (diabetes)
    and Anticoagulant: 0 no, 1 yes. Systolic_AP (arterial pressure) in mmHg, Glucose in
    mg/dl.
    """
    rows = [_clinical_row(study) for study in studies]
    return {f"{studies[0].dataset}/{CLINICAL}": csv_bytes(rows)}


def _clinical_row(study):
    rng = study.record_rng()
    poor = int(study.poor_prognosis)
    row = {
        "PatientID": study.patient_id,
        "Age": study.age if study.age_known else "",
        "GCS": study.gcs if study.gcs_known else "",
        "Label": poor,
        "Gender": int(study.male),
    }
    for column, (young, old, more, missing) in _CONDITIONS.items():
        fraction = np.interp(study.age, (40, 80), (young, old)) + more * poor
        value = int(rng.random() < fraction)
        row[column] = "" if rng.random() < missing else value
    for column, (*means, std, missing) in _MEASURED.items():
        value = round(max(float(rng.normal(means[poor], std)), 60.0))
        row[column] = "" if rng.random() < missing else value
    return row


def truth_table(studies):
    """True values of every head CT, including those the clinical table lacks."""
    return csv_bytes(
        [
            {
                "file": study.path,
                "patient": study.patient_id,
                "volume_ml": f"{study.volume_ml:.3f}",
                "place": study.place,
                "side": study.side,
                "intraventricular": int(study.intraventricular),
                "gcs": study.gcs,
                "age": study.age,
                "probability": f"{study.probability:.6f}",
                "poor_prognosis": int(study.poor_prognosis),
            }
            for study in studies
        ]
    )
