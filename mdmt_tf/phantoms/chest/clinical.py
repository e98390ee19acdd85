"""The clinical columns of AIforCOVID for synthetic patients.

Measured values and breathlessness depend on the outcome, with wide overlap, so they add
information to image and age. Death determines the outcome, as in the real data.
Chronic conditions depend on the age only.
"""

import numpy as np

COLUMNS = (
    "ImageFile",
    "Hospital",
    "Age",
    "Sex",
    "PositivityAtAdmission",
    "Temp_C",
    "DaysFever",
    "Cough",
    "DifficultyInBreathing",
    "WBC",
    "RBC",
    "CRP",
    "Fibrinogen",
    "Glucose",
    "PCT",
    "LDH",
    "INR",
    "D_dimer",
    "Ox_percentage",
    "PaO2",
    "SaO2",
    "PaCO2",
    "pH",
    "CardiovascularDisease",
    "IschemicHeartDisease",
    "AtrialFibrillation",
    "HeartFailure",
    "Ictus",
    "HighBloodPressure",
    "Diabetes",
    "Dementia",
    "BPCO",
    "Cancer",
    "ChronicKidneyDisease",
    "RespiratoryFailure",
    "Obesity",
    "Position",
    "Prognosis",
    "Death",
)
# column: (mean of mild patients, mean of severe, std, decimals, fraction missing)
_MEASURED = {
    "Temp_C": (37.5, 37.8, 0.8, 1, 0.1),
    "DaysFever": (4.0, 5.0, 2.5, 0, 0.2),
    "WBC": (6.3, 7.6, 2.4, 2, 0.02),
    "RBC": (4.7, 4.5, 0.5, 2, 0.02),
    "CRP": (4.5, 10.5, 4.5, 2, 0.05),
    "Fibrinogen": (520, 600, 130, 0, 0.7),
    "Glucose": (112, 132, 32, 0, 0.2),
    "PCT": (0.2, 0.8, 0.4, 2, 0.7),
    "LDH": (290, 420, 110, 0, 0.25),
    "INR": (1.1, 1.2, 0.15, 2, 0.3),
    "D_dimer": (900, 1700, 800, 0, 0.75),
    "Ox_percentage": (92, 86, 6, 0, 0.75),
    "PaO2": (74, 63, 13, 1, 0.3),
    "SaO2": (95, 90, 4, 1, 0.5),
    "PaCO2": (34.5, 33.5, 5, 1, 0.3),
    "pH": (7.46, 7.45, 0.04, 2, 0.3),
}
# column: (fraction at 40 years, at 80 years)
_CONDITIONS = {
    "CardiovascularDisease": (0.10, 0.55),
    "IschemicHeartDisease": (0.03, 0.25),
    "AtrialFibrillation": (0.01, 0.18),
    "HeartFailure": (0.01, 0.10),
    "Ictus": (0.01, 0.08),
    "HighBloodPressure": (0.20, 0.65),
    "Diabetes": (0.06, 0.22),
    "Dementia": (0.0, 0.14),
    "BPCO": (0.03, 0.14),
    "Cancer": (0.03, 0.14),
    "ChronicKidneyDisease": (0.01, 0.12),
    "RespiratoryFailure": (0.01, 0.03),
    "Obesity": (0.12, 0.10),
}


def row(study):
    """One row of the spreadsheet, a dict of `COLUMNS`; None where a value is missing.

    Sex (1 female), Position (1 upright), conditions and symptoms are coded 0 and 1.

    Args:
        study: `ChestStudy`.
    """
    rng = study.record_rng()
    severe = int(study.severe)
    values = {
        "ImageFile": study.stem,
        "Hospital": study.site,
        "Age": study.age,
        "Sex": int(not study.male),
        "PositivityAtAdmission": int(rng.random() < 0.9),
        "Cough": int(rng.random() < 0.5),
        "DifficultyInBreathing": int(rng.random() < (0.65 if severe else 0.4)),
        "Position": int(not study.ap),
        "Prognosis": "SEVERE" if study.recorded else "MILD",
    }
    for column, (*mean, std, decimals, missing) in _MEASURED.items():
        value = abs(float(rng.normal(mean[severe], std)))
        value = min(value, 100.0) if column in ("SaO2", "Ox_percentage") else value
        value = round(value, decimals) if decimals else round(value)
        values[column] = None if rng.random() < missing else value
    for column, fractions in _CONDITIONS.items():
        values[column] = int(rng.random() < np.interp(study.age, (40, 80), fractions))
    values["Death"] = int(rng.random() < 0.35 * study.recorded)
    return values
