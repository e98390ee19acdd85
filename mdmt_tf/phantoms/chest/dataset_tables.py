"""Tables of the synthetic datasets: spreadsheets and CSV files, as published.

Columns, separators, byte order marks and lost leading zeros are those of the real
datasets. Every value is drawn.
"""

import csv
import datetime
import io
import re
import zipfile

import numpy as np

from mdmt_tf.phantoms.chest import clinical, detector
from mdmt_tf.phantoms.chest.labels import ZONES

_EPOCH = datetime.date(2020, 3, 4)
_WORKBOOK_DATE = datetime.datetime(2020, 3, 4)

# A release may lack columns, so readers must not rely on them.
_MISSING = {1: (), 2: ("Obesity", "Ictus"), 3: ("Fibrinogen", "PCT", "Death")}


def release_of(study):
    """Release 1, 2 or 3 of an AIforCOVID study."""
    return int(study.patient_id.split("_")[1])


def aiforcovid_tables(studies):
    """The spreadsheets of the three releases, {path: bytes}, if they have patients."""
    tables = {}
    for release in (1, 2, 3):
        columns = [c for c in clinical.COLUMNS if c not in _MISSING[release]]
        rows = [clinical.row(s) for s in studies if release_of(s) == release]
        # Only release 2 writes the extension of the file.
        for row in rows if release == 2 else ():
            row["ImageFile"] += ".dcm"
        name = "AIforCOVID.xlsx" if release == 1 else f"AIforCOVID_r{release}.xlsx"
        if rows:
            values = [[row[c] for c in columns] for row in rows]
            tables[f"AIforCOVID/{name}"] = _workbook(columns, values)
    return tables


def _workbook(columns, rows):
    """An xlsx file with one sheet; the same content gives the same bytes."""
    import openpyxl

    book = openpyxl.Workbook()
    book.properties.title = "SYNTHETIC PHANTOM"
    book.properties.creator = "mdmt_tf.phantoms.chest.radiograph"
    sheet = book.active
    sheet.title = "Foglio1"
    for row in (columns, *rows):
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    # openpyxl stamps the current time on the workbook and on each file of the archive.
    fixed = io.BytesIO()
    stamp = rb"(<dcterms:(created|modified)[^>]*>)[^<]*"
    with (
        zipfile.ZipFile(written) as source,
        zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                date = f"{_WORKBOOK_DATE.isoformat()}Z".encode()
                content = re.sub(stamp, rb"\g<1>" + date, content)
            entry = zipfile.ZipInfo(name, _WORKBOOK_DATE.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, content)
    return fixed.getvalue()


def study_date(study):
    """Date of a study as YYYYMMDD, in the pandemic's first spring, as in BRIXIA."""
    days = study.day + (3 * study.number if study.dataset == "BRIXIA" else 0)
    return (_EPOCH + datetime.timedelta(days=days)).strftime("%Y%m%d")


def brixia_tables(studies, matrix):
    """The two files of BRIXIA, {path: bytes}.

    The score is written as a number and loses leading zeros, as in the real file. The
    age is the number of the five-year group.
    """
    rows, consensus = [], []
    for study in studies:
        score = int("".join(map(str, study.routine)))
        film = detector.film_shape(study.appearance, matrix)
        rows.append(
            {
                "Filename": f"{study.stem}.dcm",
                "StudyDate": study_date(study),
                "Modality": study.appearance.modality,
                "StudyId": 100_000 + 10 * study.patient + study.number,
                "Manufacturer": study.site,
                "PhotometricInterpretation": f"MONOCHROME{1 if study.inverted else 2}",
                "Rows": film[0],
                "Columns": film[1],
                "BrixiaScore": score,
                "BrixiaScoreGlobal": sum(study.routine),
                "ConsensusTestset": int(study.consensus),
                "Subject": study.patient_id,
                "Sex": "M" if study.male else "F",
                "AgeAtStudyDateFiveYear": study.age // 5,
            }
        )
        if study.consensus:
            modes = dict(zip((f"Mode{z}" for z in ZONES), study.grades, strict=True))
            total = {"ModeGlobal": sum(study.grades)}
            consensus.append({"Filename": f"{study.stem}.dcm"} | modes | total)
    columns = ["Filename", *(f"Mode{z}" for z in ZONES), "ModeGlobal"]
    return {
        "BRIXIA/metadata_global_v2.csv": csv_bytes(rows, delimiter=";", mark=True),
        "BRIXIA/metadata_consensus_v1.csv": csv_bytes(consensus, columns),
    }


_HANNOVER_VALUES = ("crp", "d-dimer", "factor_xii", "ldh", "lymphocytes")
_HANNOVER_VALUES += ("neutrophils", "pco2", "po2")
_HANNOVER_MEANS = {
    "crp": (40, 130), "d-dimer": (0.8, 4.0), "factor_xii": (85, 60),
    "ldh": (250, 400), "lymphocytes": (1.6, 1.0), "neutrophils": (4.0, 8.0),
    "pco2": (35, 42), "po2": (75, 80),
}  # fmt: skip


def hannover_tables(studies):
    """`data.csv` of the Hannover repository, {path: bytes}.

    A patient with an admission to intensive care or a death in any row is severe.
    """
    rows = []
    for study in studies:
        rng = study.record_rng()
        # A patient has one course; each row counts days from its own image.
        course = study.course_rng()
        days = 4 * study.number
        admitted = int(course.integers(0, 4))
        intensive = admitted + int(course.integers(0, 5))
        released, death = intensive + int(course.integers(4, 20)), None
        if study.recorded and course.random() < 0.3:
            death = released
        row = {
            "patient_id": study.patient_id,
            "image_id": study.stem,
            "sex": "m" if study.male else "f",
            "age": "",
            "size": "",
            "weight": "",
            "admission_offset": -admitted - days,
            "icu_admission_offset": _offset(
                intensive - days if study.recorded else None
            ),
            "icu_release_offset": _offset(released - days if study.recorded else None),
            "death_offset": _offset(None if death is None else death - days),
            "modality": study.appearance.modality,
            "projection": "ap" if study.ap else "pa",
        }
        for name in _HANNOVER_VALUES:
            mean = _HANNOVER_MEANS[name][int(study.severe)]
            value = round(abs(mean * (1 + 0.4 * float(rng.standard_normal()))), 1)
            known = rng.random() < 0.7
            row[f"{name}_offset"] = "0.0" if known else ""
            row[f"{name}_val"] = value if known else ""
        rows.append(row)
    return {"hannover/data.csv": csv_bytes(rows)}


def _offset(days):
    return "" if days is None else f"{days:.1f}"


def cohen_brixia_tables(studies):
    """Annotations, metadata and patient groups of Cohen/Brixia, {path: bytes}."""
    annotations, metadata, groups = [], [], []
    for study in studies:
        rng = study.record_rng()
        name = study.path.rsplit("/", 1)[-1]
        step = rng.choice([-1, 0, 0, 0, 1], len(ZONES))
        junior = np.clip(np.array(study.grades) + step, 0, 3).tolist()
        row = {"filename": name}
        for reader, grades in (("S", study.grades), ("J", junior)):
            row |= {f"{reader}-{z}": g for z, g in zip(ZONES, grades, strict=True)}
            row[f"{reader}-Global"] = sum(grades)
        annotations.append(row | {"original_filename": name})
        described = study.patient % 10 != 9  # some images have no metadata
        group = f"g{study.patient:03d}"
        known = rng.random(3) < 0.4
        if described:
            metadata.append(
                {
                    "patientid": study.patient_id,
                    "offset": 4 * study.number,
                    "sex": "M" if study.male else "F",
                    "age": study.age,
                    "finding": "COVID-19",
                    "survival": "" if not known[0] else "NY"[not study.recorded],
                    "intubated": "" if not known[1] else "NY"[study.recorded],
                    "went_icu": "" if not known[2] else "NY"[study.recorded],
                    "view": "AP" if study.ap else "PA",
                    "modality": "X-ray",
                    "location": study.site,
                    "filename": name,
                    "license": "",
                    "url": "",
                    "original_filename": name,
                    "patient_group": group,
                }
            )
        groups.append(
            {
                "filename": name,
                "original_filename": name,
                "folder": "cohen_brixia/public-cohen-subset",
                "patient_group": group,
                "in_metadata": described,
                "reencoded": False,
                "taken_from": "SYNTHETIC PHANTOM",
            }
        )
    return {
        "cohen_brixia/public-annotations.csv": csv_bytes(
            annotations, mark=True, crlf=True
        ),
        "cohen_brixia/metadata.csv": csv_bytes(metadata),
        "cohen_patient_groups.csv": csv_bytes(groups),
    }


def truth_table(studies):
    """True labels of every picture, and the exact probabilities of the outcome.

    `probability` is P(severe | score, age), `image_probability` P(severe | score), both
    for this study's grades. `severe` is drawn once per patient, at the first study.
    Where the outcome depends on the heart, there is its size, too; where labels are
    wrong, also the outcome that the tables record.
    """
    rows = []
    with_heart = any(study.heart is not None for study in studies)
    wrong = any(study.recorded != study.severe for study in studies)
    for study in studies:
        rows.append(
            {
                "dataset": study.dataset,
                "file": study.path,
                "patient_id": study.patient_id,
                "site": study.site,
                "projection": "AP" if study.ap else "PA",
                "age": study.age,
                "sex": "M" if study.male else "F",
                **dict(zip(ZONES, study.grades, strict=True)),
                "brixia_global": sum(study.grades),
                "probability": f"{study.probability:.6f}",
                "image_probability": f"{study.image_probability:.6f}",
                "severe": int(study.severe),
            }
        )
        if with_heart:
            rows[-1]["heart"] = f"{study.heart:.6f}"
        if wrong:
            rows[-1]["recorded"] = int(study.recorded)
    return csv_bytes(rows)


def csv_bytes(rows, columns=None, *, delimiter=",", mark=False, crlf=False):
    """The bytes of a CSV file of `rows` (dicts); `mark` adds a byte order mark."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text,
        columns or list(rows[0]),
        delimiter=delimiter,
        lineterminator="\r\n" if crlf else "\n",
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig" if mark else "utf-8")
