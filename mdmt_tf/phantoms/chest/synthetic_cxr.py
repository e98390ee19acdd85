"""The dataset of synthetic radiographs: studies, table and files.

It imitates no real dataset. Every image is of another patient and another device, and
the table has what is known of each picture, also the true box of the lungs.

    synthetic_cxr/labels.csv
    synthetic_cxr/images/000000.png     8-bit grey values
"""

from mdmt_tf.imaging.crop import smallest_box, whole_box
from mdmt_tf.phantoms.chest import radiograph_files
from mdmt_tf.phantoms.chest.dataset_tables import csv_bytes
from mdmt_tf.phantoms.chest.labels import ZONES
from mdmt_tf.phantoms.chest.looks import draw_appearance
from mdmt_tf.phantoms.chest.studies import (
    AS_ALWAYS,
    LABELS,
    LOOK,
    ChestStudy,
    first_study,
    patient_rng,
)

NAME = "synthetic_cxr"
BOX = ("lungs_y0", "lungs_x0", "lungs_y1", "lungs_x1")


def studies(seed, patients, conditions=AS_ALWAYS):
    """Studies of the dataset: one per patient. Study k is the same for any number.

    Args:
        seed: of the dataset.
        patients: number of patients.
        conditions: under which images are taken, see `Conditions`.
    Returns: list of `ChestStudy`.

    Example:
        >>> [study.path for study in studies(0, 2)]
        ['synthetic_cxr/images/000000.png', 'synthetic_cxr/images/000001.png']
    """
    made = []
    for patient in range(patients):
        drawn = draw_appearance(patient_rng(seed, NAME, patient, LOOK))
        look = conditions.device(drawn, scores=True)
        rng = patient_rng(seed, NAME, patient, LABELS)
        fields, _ = first_study(rng, look.modality, look, conditions, scores=True)
        made.append(
            ChestStudy(
                seed=seed,
                dataset=NAME,
                patient=patient,
                number=0,
                path=f"{NAME}/images/{patient:06d}.png",
                patient_id=f"synthetic-{patient:06d}",
                **fields,
            )
        )
    return made


def write_image(folder, plan, study):
    """Render one study and write its picture.

    Args:
        folder: `Path` of the phantoms.
        plan: `PhantomPlan` that the study belongs to.
        study: one of `studies`.
    Returns: what its row states of the picture: the box of the lungs in pixels, `BOX`;
        type and extent of the opacities; and all else that is drawn.
    """
    radiograph = radiograph_files.rendered(plan, study)
    path = folder / study.path
    path.parent.mkdir(parents=True, exist_ok=True)
    radiograph_files.write_picture(path, radiograph.pixels, bits=8)
    radiograph_files.write_mask(folder, plan, study, radiograph)
    lungs = radiograph.lungs
    box = smallest_box(lungs) if lungs.any() else whole_box(lungs.shape)
    return dict(zip(BOX, box, strict=True)) | _findings(radiograph)


def _findings(radiograph):
    """Columns for what is drawn: type and extent of the opacities, and all else."""
    disease, others = radiograph.disease, list(radiograph.findings)
    sides = [side for side in ("right", "left") if f"effusion_{side}" in others]
    return {
        "opacity": disease.kind or "clear",
        "extent_right": round(disease.extent[0], 3),
        "extent_left": round(disease.extent[1], 3),
        "effusion": "both" if len(sides) == 2 else "".join(sides) or "absent",
        "findings": ";".join(o for o in others if not o.startswith("effusion")),
    }


def tables(made, facts):
    """The table of the dataset, {path: bytes}.

    Args:
        made: the studies.
        facts: for each study, further columns, as `write_image` returns them.
    """
    rows = [
        {
            "filename": study.path.rsplit("/", 1)[-1],
            "patient_id": study.patient_id,
            "site": study.site,
            "projection": "AP" if study.ap else "PA",
            "sex": "M" if study.male else "F",
            **dict(zip(ZONES, study.grades, strict=True)),
            "brixia_global": sum(study.grades),
            **stated,
        }
        for study, stated in zip(made, facts, strict=True)
    ]
    return {f"{NAME}/labels.csv": csv_bytes(rows)}
