"""Files of the synthetic radiographs: DICOM, PNG or JPEG, as in the real dataset."""

import cv2
import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.phantoms.chest import dicom_writer
from mdmt_tf.phantoms.chest.dataset_tables import study_date
from mdmt_tf.phantoms.chest.radiograph import render


def rendered(plan, study):
    """The picture of a study, a `Radiograph`."""
    return render(
        study.render_rng(),
        study.grades,
        male=study.male,
        appearance=study.appearance,
        matrix=plan.matrix,
        ap=study.ap,
        heart=study.heart,
        without=plan.without,
    )


def write_radiograph(folder, plan, study):
    """Render one study and write its file, and its lung mask if planned."""
    radiograph = rendered(plan, study)
    path = folder / study.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".dcm":
        header = dicom_writer.DicomHeader(
            key=study.key,
            patient_id=study.patient_id,
            sex="M" if study.male else "F",
            age=study.age,
            date=study_date(study),
            manufacturer=_manufacturer(study),
            institution=f"{dicom_writer.SYNTHETIC} {study.site}",
            view="AP" if study.ap else "PA",
            cm_per_px=radiograph.cm_per_px,
        )
        dicom_writer.write_dicom(
            path,
            radiograph.pixels,
            study.appearance,
            header,
            inverted=study.inverted,
            compressed=study.compressed,
        )
    else:
        write_picture(path, radiograph.pixels, study.appearance.bits)
    write_mask(folder, plan, study, radiograph)


def write_mask(folder, plan, study, radiograph):
    """Write the true lungs of a study, if they are planned."""
    if plan.lung_masks:
        mask = (folder / "lung_masks" / study.path).with_suffix(".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        _write_encoded(mask, radiograph.lungs)


def _manufacturer(study):
    return study.site if study.dataset == "BRIXIA" else dicom_writer.SYNTHETIC


def write_picture(path, pixels, bits):
    """Write the display window as JPEG or PNG (16-bit if `bits` is more than 8)."""
    deep = bits > 8 and path.suffix == ".png"
    full = 65535 if deep else 255
    values = np.rint(np.clip(pixels, 0.0, 1.0) * np.float32(full))
    _write_encoded(path, values.astype(np.uint16 if deep else np.uint8))


def _write_encoded(path, values):
    done, encoded = cv2.imencode(path.suffix, values)
    if not done:
        raise DataError(f"{path}: OpenCV cannot encode a {path.suffix} file.")
    path.write_bytes(encoded.tobytes())
