"""The patients of the synthetic head CT dataset, one record each; nothing is rendered.

As in `chest.studies`, every patient's draws come from a generator seeded with (seed,
dataset, patient, use). A patient does not depend on the number of patients.
"""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.head import labels

ICH_CSIC = "ICH_CSIC"
_LABELS, _RENDER, _RECORD = range(3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadStudy:
    """The head CT of a synthetic patient with an intracerebral haemorrhage.

    patient: index from 0.
    path: file below the root of the phantoms.
    place: key of `labels.PLACES`.
    side: "left" or "right", the patient's.
    volume_ml: of the haemorrhage in the tissue, without blood in the ventricles.
    intraventricular: whether there is blood in the ventricles.
    probability: of a poor outcome, given volume, GCS, age and ventricular blood.
    """

    seed: int
    dataset: str = ICH_CSIC
    patient: int
    path: str
    patient_id: str
    age: int
    male: bool
    volume_ml: float
    place: str
    side: str
    intraventricular: bool
    gcs: int
    gcs_known: bool
    age_known: bool
    probability: float
    poor_prognosis: bool

    @property
    def deep(self):
        """Whether the haemorrhage is in one of the deep nuclei."""
        return labels.PLACES[self.place].deep

    @property
    def lesion_path(self):
        """File of the true haemorrhage below the root of the phantoms."""
        return f"lesion_masks/{self.dataset}/{self.patient_id}_lesion.nii.gz"

    def render_rng(self):
        """The generator of this patient's picture."""
        return _patient_rng(self.seed, self.patient, _RENDER)

    def record_rng(self):
        """The generator of the clinical columns of this patient's row."""
        return _patient_rng(self.seed, self.patient, _RECORD)


def _patient_rng(seed, patient, use):
    # The name as a number: far from the indices of `chest.studies.DATASETS`.
    entropy = [seed, int.from_bytes(ICH_CSIC.encode(), "big"), patient, use]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def ich_csic(seed, patients):
    """Studies of ICH_CSIC, one per patient, each in the folder of its outcome."""
    return [_study(seed, patient) for patient in range(patients)]


def _study(seed, patient):
    rng = _patient_rng(seed, patient, _LABELS)
    drawn = labels.draw_labels(rng, 1)
    values = {name: value[0].item() for name, value in vars(drawn).items()}
    place = list(labels.PLACES)[values.pop("place")]
    side = "left" if values.pop("left") else "right"
    name = str(1001 + patient)
    folder = "POOR_PROGNOSIS" if values["poor_prognosis"] else "GOOD_PROGNOSIS"
    return HeadStudy(
        seed=seed,
        patient=patient,
        path=f"{ICH_CSIC}/{folder}/{name}_brain.nii.gz",
        patient_id=name,
        place=place,
        side=side,
        **values,
    )
