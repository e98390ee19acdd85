"""Words in the names of columns, folders and classes, and what they suggest."""

import itertools
import re
import unicodedata


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


PATIENT = _set(
    "patient patientid patientnumber pid patid subject subjectid subj case caseid "
    "mrn person personid participant individual patients patnr patno pseudonym "
    "patienten patientin patientennummer patientennr fallnummer fallnr fallid "
    "paziente patiente paciente pazienti"
)
SITE = _set(
    "site siteid hospital hospitals center centre institution institute clinic "
    "location facility cohort klinik klinikum krankenhaus spital haus standort "
    "hopital etablissement ospedale sede centro ziekenhuis"
)
# Facts about the patient or the acquisition: for baselines and strata, no outcomes.
FIELDS = _set(
    "age sex gender view viewposition position projection scanner manufacturer "
    "vendor model modality kvp kernel protocol sequence contrast thickness "
    "spacing weight height size bmi ethnicity race smoker smoking device "
    "orientation laterality alter geschlecht eta sesso edad sexo sexe temperature "
    "temp spo2 saturation wbc crp hypertension diabetes comorbidity comorbidities "
    "manufacturermodelname"
)
OUTCOMES = _set(
    "outcome outcomes died death dead deceased survival survived alive mortality "
    "icu intubated intubation ventilated ventilation severe severity prognosis "
    "label target class diagnosis disease finding findings grade stage score "
    "scores global total extent opacity gcs mrs gos los stay malignant malignancy "
    "positive result response recurrence progression pathology category rating "
    "risk event tumor tumour lesion nodule effusion edema oedema pneumonia "
    "fracture hemorrhage haemorrhage bleed bleeding covid cancer infection "
    "relapse readmission readmitted birads pirads volume ejection density "
    "mutated mutation status idh mgmt egfr her2 kras responder os pfs dfs efs "
    "subtype histology pcr complication amputation "
    "verstorben gestorben tod todesfall mortalitat ausgang intensivstation beatmet "
    "beatmung schweregrad befund diagnose rezidiv "
    "decede deces mort mortalite gravite recidive "
    "deceduto decesso morte mortalita gravita esito diagnosi "
    "fallecido fallecimiento muerte exitus gravedad desenlace diagnostico "
    "overleden overlijden sterfte"
)
# Outcomes that a study is about, before those that describe an image.
CHIEF = _set(
    "outcome died death dead deceased mortality survival prognosis label target "
    "class severity severe diagnosis global total score grade "
    "verstorben gestorben tod todesfall mortalitat schweregrad "
    "decede deces mort mortalite gravite deceduto decesso morte mortalita gravita "
    "fallecido fallecimiento muerte exitus gravedad overleden overlijden sterfte"
)
TIMES = _set("date time offset datetime timestamp")
DAYS = _set("day days hours hour")
DIRECTIONS = _set("to since from after before until till")
BOOKKEEPING = _set(
    "url link license licence copyright notes note comment comments remark "
    "remarks folder path directory split fold index row number nr doi source "
    "reader annotator filename file name hash md5 sha256 uid session visit series "
    "timepoint study exam accession scan"
)
MR = _set("mr mri t1 t2 flair dwi adc t1w t2w")
VIEWS = _set("view projection position viewposition")
# Views of the chest: from the front or the back, and from the side.
FRONTAL = frozenset({"ap", "pa", "frontal", "ap supine", "ap erect", "posteroanterior"})
LATERAL = frozenset({"lateral", "lat", "l", "ll", "rl"})
CHEST = _set("chest cxr thorax thoracic lung lungs radiograph cr dx")
HEAD = _set("head brain ich skull cranial cerebral neuro stroke")
# Also as abbreviations of lobes of the lungs.
SIDES = _set(
    "left right side laterality hemisphere lt rt rul rml rll lul lml lll links rechts "
    "gauche droite droit sinistra sinistro destra destro izquierda izquierdo derecha "
    "derecho"
)

NEGATIVE = _set(
    "0 no n false negative neg normal benign alive survived mild absent control "
    "healthy none home low discharged stable never without nein non nee "
    "falsch faux falso onwaar lebend lebt uberlebt vivant vivo vivi levend"
)
POSITIVE = _set(
    "1 yes y true positive pos abnormal malignant dead died deceased severe "
    "present case ill icu high with ja si oui wahr vrai vero verdadero verdadeiro waar "
    "verstorben gestorben tot decede mort deceduto morto fallecido muerto overleden"
)
# Classes with an order, from low to high.
SCALES = (
    ("none", "mild", "moderate", "severe"),
    ("none", "mild", "moderate", "severe", "critical"),
    ("absent", "mild", "moderate", "severe"),
    ("normal", "mild", "moderate", "severe"),
    ("minimal", "mild", "moderate", "severe"),
    ("low", "medium", "high"),
    ("low", "intermediate", "high"),
    ("small", "medium", "large"),
    ("i", "ii", "iii", "iv", "v"),
    ("1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b"),
)


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case.

    Example:
        >>> words_of("icu_admission-offset"), words_of("PatientID")
        (['icu', 'admission', 'offset'], ['patient', 'id'])
    """
    parts = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.findall(r"[^\W_]+", parts)]


def plain_words_of(name: str) -> list[str]:
    """The words of a name without accents, as in the lists of this module.

    Example:
        >>> plain_words_of("Décès"), plain_words_of("Mortalität")
        (['deces'], ['mortalitat'])
    """
    parts = unicodedata.normalize("NFD", name)
    return words_of("".join(c for c in parts if not unicodedata.combining(c)))


def has(name: str, words: frozenset[str]) -> bool:
    """Whether a word of a name is one of `words`, also with an s or a number behind.

    Two words that follow each other also count as one.

    Example:
        >>> has("Patients (n)", PATIENT), has("PAT_ID", PATIENT), has("path", PATIENT)
        (True, True, False)
    """
    single = plain_words_of(name)
    return any(
        word in words or word.rstrip("s0123456789") in words
        for word in (*single, *map("".join, itertools.pairwise(single)))
    )


def key_name(text: str) -> str:
    """A name that a configuration accepts: lower-case letters, digits and `_`.

    Example:
        >>> key_name("S-Global"), key_name("TotalScore"), key_name("3D score")
        ('s_global', 'total_score', 'x3d_score')
    """
    name = "_".join(words_of(text))
    name = re.sub(r"[^a-z0-9]+", "_", name).strip("_") or "x"
    return name if name[0].isalpha() else f"x{name}"
