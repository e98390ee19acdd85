"""Studies of the synthetic datasets, one record per radiograph; nothing is rendered.

Every patient's draws come from a generator seeded with (seed, dataset, patient, use).
A patient therefore depends neither on the number of patients nor on the order in which
workers render them.
"""

import dataclasses
import hashlib

import numpy as np

from mdmt_tf.phantoms.chest import detector
from mdmt_tf.phantoms.chest.labels import (
    DEFAULT_OUTCOME,
    DEFAULT_SCORES,
    OutcomeModel,
    draw_labels,
)

# The position of a name seeds the draws of its patients: new names come last.
DATASETS = ("AIforCOVID", "BRIXIA", "hannover", "cohen_brixia", "synthetic_cxr")
# Names that users of AIforCOVID drop as unusable; no phantom may have them.
UNUSABLE = frozenset(
    {"P_1_16", "P_3_20", "P_3_108", "P_3_208"}
    | {"P_3_341", "P_3_377", "P_3_391", "P_3_411"}
)
# AIforCOVID's releases hold 820, 283 and 482 patients.
RELEASE_FRACTIONS = (820 / 1585, 283 / 1585)
# Hospital F is the largest. The cycle is fixed, so ten patients come from all six.
HOSPITAL_CYCLE = "FAFBFCFDFE"
MANUFACTURER_CYCLE = (
    "Siemens", "Agfa", "Carestream Health", "Villa Sistemi Medicali", "Agfa",
    "Agfa-Gevaert", "Siemens", "Kodak", "Carestream Health", "Fujifilm Corporation",
    "Agfa", "Siemens", "Digitec", "Agfa-Gevaert", "Villa Sistemi Medicali",
    "Carestream Health",
)  # fmt: skip
# One Brixia subject in this many has a study in the consensus set.
CONSENSUS_EVERY = 8
# Uses of a patient's draws, each with a generator of its own.
LABELS, _RENDER, _RECORD, _COURSE, LOOK = range(5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conditions:
    """What the datasets have in common, and what is wrong with them.

    correlation: of the outcome's finding with the score, see `labels.OutcomeModel`.
    shift: "sites", devices of six hospitals in the datasets with outcomes and of eight
        manufacturers in those with scores; "none", one device; "detector", one device
        in the datasets with outcomes and another one in those with scores.
    shortcut: fraction of the patients in datasets with outcomes whose projection is
        that of their outcome, AP if severe and PA if not.
    label_noise: fraction of the patients whose recorded outcome is wrong.
    """

    correlation: float = 1.0
    shift: str = "sites"
    shortcut: float = 0.0
    label_noise: float = 0.0

    @property
    def outcome(self):
        if self.correlation == 1.0:
            return DEFAULT_OUTCOME
        return OutcomeModel(correlation=self.correlation)

    def device(self, appearance, scores=False):
        """The device of a site; `scores`: of a dataset with scores."""
        if self.shift == "sites":
            return appearance
        other = scores and self.shift == "detector"
        made = detector.OTHER_DEVICE if other else detector.ONE_DEVICE
        return dataclasses.replace(made, bits=min(made.bits, appearance.bits))


AS_ALWAYS = Conditions()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChestStudy:
    """One radiograph of a synthetic patient.

    dataset: one of `DATASETS`.
    patient, number: indices from 0.
    path: file below the root of the phantoms.
    patient_id, site: as in the dataset.
    grades: true grades of the picture.
    routine: grades in the dataset's table; another reader may differ from `grades`.
    probability, image_probability: of `labels.OutcomeModel` for these grades.
    severe: the patient's outcome.
    recorded: the outcome in the dataset's table; it differs with label noise.
    heart: size of the heart in std from the mean; None: drawn with the picture.
    inverted: stored as MONOCHROME1.
    compressed: stored as RLE.
    """

    seed: int
    dataset: str
    patient: int
    number: int
    path: str
    patient_id: str
    site: str
    appearance: detector.Appearance
    grades: tuple[int, ...]
    routine: tuple[int, ...]
    consensus: bool = False
    male: bool
    age: int
    ap: bool
    day: int
    probability: float
    image_probability: float
    severe: bool
    recorded: bool
    heart: float | None = None
    inverted: bool
    compressed: bool

    @property
    def key(self):
        """Text that identifies the study; UIDs are derived from it."""
        return f"{self.seed} {self.dataset} {self.patient} {self.number}"

    @property
    def stem(self):
        """File name without folder and ending."""
        return self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]

    def render_rng(self):
        """The generator of this study's picture."""
        return patient_rng(self.seed, self.dataset, self.patient, _RENDER, self.number)

    def record_rng(self):
        """The generator of the clinical columns of this study's row."""
        return patient_rng(self.seed, self.dataset, self.patient, _RECORD, self.number)

    def course_rng(self):
        """The generator of the values that are the same in all rows of a patient."""
        return patient_rng(self.seed, self.dataset, self.patient, _COURSE)


def patient_rng(seed, dataset, patient, *use):
    """Generator seeded by (seed, dataset, patient, use)."""
    entropy = [seed, DATASETS.index(dataset), patient, *use]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def hexadecimal(*values):
    """Eight hexadecimal digits that depend on `values` only."""
    return hashlib.sha256(" ".join(map(str, values)).encode()).hexdigest()[:8]


def first_study(rng, site, appearance, conditions, scores=False):
    """Labels and technique of a patient's first study, and the extent of the disease.

    Args:
        scores: whether the dataset has scores, so that no technique follows the
            outcome.
    Returns: fields of `ChestStudy`, and the disease from which later studies start.
    """
    drawn = draw_labels(rng, 1, outcome=conditions.outcome)
    fields = {
        "grades": tuple(drawn.zones[0].tolist()),
        "male": bool(drawn.male[0]),
        "age": int(drawn.age[0]),
        "probability": float(drawn.probability[0]),
        "image_probability": float(drawn.image_probability[0]),
        "severe": bool(drawn.severe[0]),
    }
    fields["routine"] = fields["grades"]
    if conditions.correlation != 1.0:
        fields["heart"] = float(drawn.heart[0])
    # A generator of its own: all other draws are the same under any conditions.
    wrong = rng.spawn(1)[0].random() < conditions.label_noise
    fields["recorded"] = fields["severe"] != bool(wrong)
    tied = None if scores else (conditions.shortcut, fields["severe"])
    fields |= _technique(rng, site, appearance, tied)
    return fields, float(drawn.disease[0])


def _technique(rng, site, appearance, tied=None):
    """Site and technique of a radiograph.

    tied: (fraction, AP): with this probability, the projection is given; otherwise it
        is independent of the patient.
    """
    draws = rng.random(3)
    ap = bool(draws[0] < appearance.ap)
    if tied is not None and rng.spawn(1)[0].random() < tied[0]:
        ap = tied[1]
    return {
        "site": site,
        "appearance": appearance,
        "ap": ap,
        "inverted": bool(draws[1] < appearance.monochrome1),
        "compressed": bool(draws[2] < appearance.compressed),
        "day": int(rng.integers(0, 28)),
    }


def _follow_up(rng, fields, disease, site, appearance, conditions, scores=False):
    """A later study of the same patient, whose disease has changed a little."""
    disease = 0.85 * disease + 0.53 * float(rng.standard_normal())
    grades = DEFAULT_SCORES.draw(rng, [disease])
    total = grades.sum(axis=1)
    outcome, heart = conditions.outcome, fields.get("heart", 0.0)
    tied = None if scores else (conditions.shortcut, fields["severe"])
    fields = fields | _technique(rng, site, appearance, tied)
    fields["grades"] = fields["routine"] = tuple(grades[0].tolist())
    fields["probability"] = float(outcome.probability(total, fields["age"], heart)[0])
    fields["image_probability"] = float(outcome.image_probability(total, heart)[0])
    return fields, disease


def _another_reader(rng, grades, disagreement):
    """Grades of a second reader, which differ by one in some zones."""
    step = rng.choice([-1, 1], len(grades)) * (rng.random(len(grades)) < disagreement)
    return tuple(np.clip(np.array(grades) + step, 0, 3).tolist())


def aiforcovid(seed, patients, conditions=AS_ALWAYS):
    """Studies of AIforCOVID: one per patient, in three releases."""
    studies = []
    first = round(RELEASE_FRACTIONS[0] * patients)
    second = first + round(RELEASE_FRACTIONS[1] * patients)
    count = {1: 0, 2: 0, 3: 0}
    for patient in range(patients):
        release = 1 + (patient >= first) + (patient >= second)
        count[release] += 1
        while f"P_{release}_{count[release]}" in UNUSABLE:
            count[release] += 1
        name = f"P_{release}_{count[release]}"
        site = HOSPITAL_CYCLE[patient % len(HOSPITAL_CYCLE)]
        rng = patient_rng(seed, "AIforCOVID", patient, LABELS)
        look = conditions.device(detector.HOSPITALS[site])
        fields, _ = first_study(rng, site, look, conditions)
        # In release 3 some images are PNG.
        ending = "png" if release == 3 and count[3] % 3 == 0 else "dcm"
        folder = "imgs" if release == 1 else f"imgs_r{release}"
        studies.append(
            ChestStudy(
                seed=seed,
                dataset="AIforCOVID",
                patient=patient,
                number=0,
                path=f"AIforCOVID/{folder}/{name}.{ending}",
                patient_id=name,
                **fields,
            )
        )
    return studies


def brixia(seed, patients, conditions=AS_ALWAYS):
    """Studies of BRIXIA: one to four per subject, from eight manufacturers."""
    studies = []
    for patient in range(patients):
        rng = patient_rng(seed, "BRIXIA", patient, LABELS)
        total = 1 + int(rng.choice(4, p=[0.45, 0.3, 0.15, 0.1]))
        fields, disease = None, None
        for number in range(total):
            site = MANUFACTURER_CYCLE[(3 * patient + number) % len(MANUFACTURER_CYCLE)]
            look = conditions.device(detector.MANUFACTURERS[site], scores=True)
            if number == 0:
                fields, disease = first_study(rng, site, look, conditions, scores=True)
            else:
                fields, disease = _follow_up(
                    rng, fields, disease, site, look, conditions, scores=True
                )
            consensus = number == 0 and patient % CONSENSUS_EVERY == 3
            if consensus:
                # The table has the routine grades, the consensus set the true ones.
                fields["routine"] = _another_reader(rng, fields["grades"], 0.15)
            name = 4_000_000_000 + 10_007 * patient + 1_009 * number
            studies.append(
                ChestStudy(
                    seed=seed,
                    dataset="BRIXIA",
                    patient=patient,
                    number=number,
                    path=f"BRIXIA/dicom_clean/{name}.dcm",
                    patient_id=str(1000 + patient),
                    consensus=consensus,
                    **fields,
                )
            )
    return studies


def hannover(seed, patients, conditions=AS_ALWAYS):
    """Studies of Hannover: one to five per patient, from one hospital."""
    look = dataclasses.replace(
        conditions.device(detector.HOSPITALS["D"]),
        monochrome1=0.0,
        bits=8,
        aspect=0.82,
    )
    studies = []
    for patient in range(patients):
        rng = patient_rng(seed, "hannover", patient, LABELS)
        fields, disease = None, None
        for number in range(int(rng.integers(1, 6))):
            if number == 0:
                fields, disease = first_study(rng, "hannover", look, conditions)
            else:
                fields, disease = _follow_up(
                    rng, fields, disease, "hannover", look, conditions
                )
            image = hexadecimal(seed, "image", patient, number)
            studies.append(
                ChestStudy(
                    seed=seed,
                    dataset="hannover",
                    patient=patient,
                    number=number,
                    path=f"hannover/png/{image}.png",
                    patient_id=hexadecimal(seed, "patient", patient),
                    **fields,
                )
            )
    return studies


def cohen_brixia(seed, patients, conditions=AS_ALWAYS):
    """Studies of Cohen/Brixia: one or two per patient, from many sources."""
    studies = []
    looks = list(detector.MANUFACTURERS.values())
    for patient in range(patients):
        rng = patient_rng(seed, "cohen_brixia", patient, LABELS)
        fields, disease = None, None
        for number in range(1 + int(rng.random() < 0.4)):
            look = looks[int(rng.integers(len(looks)))]
            look = dataclasses.replace(conditions.device(look, scores=True), bits=8)
            site = ("Italy", "Spain", "Australia", "")[patient % 4]
            if number == 0:
                fields, disease = first_study(rng, site, look, conditions, scores=True)
            else:
                fields, disease = _follow_up(
                    rng, fields, disease, site, look, conditions, scores=True
                )
            ending = ("jpg", "png", "jpeg")[(patient + number) % 3]
            name = f"synthetic-{patient:04d}-{'ab'[number]}.{ending}"
            studies.append(
                ChestStudy(
                    seed=seed,
                    dataset="cohen_brixia",
                    patient=patient,
                    number=number,
                    path=f"cohen_brixia/public-cohen-subset/{name}",
                    patient_id=str(patient),
                    **fields,
                )
            )
    return studies
