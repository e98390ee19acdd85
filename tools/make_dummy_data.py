"""Write datasets/<name>/dummy_data: small files with the traps of the real datasets.

    python tools/make_dummy_data.py [FOLDER]

The tool writes <name>/dummy_data for each dataset to FOLDER, by default `datasets` of
this checkout. Nothing in the files comes from a patient: pictures are blurred noise.
Comments name the traps, and tests/datasets checks how the builders handle them.
"""

import argparse
import csv
import json
import shutil
from pathlib import Path

import cv2
import nibabel
import numpy as np
import openpyxl
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

DATASETS = Path(__file__).resolve().parent.parent / "datasets"
HEIGHT, WIDTH = 40, 32


def picture(seed: int, white: int = 255) -> np.ndarray:
    """Blurred noise from 0 to `white`: float64 (HEIGHT, WIDTH)."""
    coarse = np.random.default_rng(seed).random((5, 4))
    smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.rint(np.clip(smooth, 0, 1) * white)


def write_raster(path: Path, pixels: np.ndarray) -> None:
    success, code = cv2.imencode(path.suffix, pixels)
    assert success
    path.write_bytes(code.tobytes())


def write_dicom(
    path: Path, seed: int, photometric: str = "MONOCHROME2", syntax: str | None = None
) -> None:
    """Write a 12-bit radiograph with a window, compressed if a syntax is given."""
    pixels = picture(seed, 4095).astype("<u2")
    if photometric == "MONOCHROME1":
        pixels = 4095 - pixels
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{seed + 1}"
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = f"2.25.{seed + 1}"
    dataset.Modality = "CR"
    dataset.PatientID = "phantom"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    if syntax:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def write_table(path: Path, rows, *, delimiter: str = ",", mark: bool = False) -> None:
    """Write a CSV file, with a byte order mark if `mark` is set."""
    encoding = "utf-8-sig" if mark else "utf-8"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def write_spreadsheet(path: Path, rows) -> None:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(path)


def write_volume(path: Path, seed: int, order: str) -> None:
    """Write a head of 14 x 12 x 5 voxels in HU; `order` of the axes is, e.g., "RAS"."""
    noise = np.random.default_rng(seed).random((3, 4, 4))
    planes = [cv2.resize(plane, (12, 14)) for plane in noise[[0, 0, 1, 2, 2]]]
    affine = np.diag([9.0, 10.0, 30.0, 1.0])
    affine[:3, 3] = (-58, -55, -60)
    head = nibabel.Nifti1Image(120 * np.stack(planes, axis=-1), affine)
    axes = nibabel.orientations.axcodes2ornt(tuple(order))
    turn = nibabel.orientations.ornt_transform([[0, 1], [1, 1], [2, 1]], axes)
    head = head.as_reoriented(turn)
    head.set_data_dtype(np.int16)  # therefore nibabel writes slope and intercept
    nibabel.save(head, path)


def truncate(path: Path) -> None:
    """Keep the first half, like an interrupted download."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def make_aiforcovid(folder: Path) -> None:
    root = folder / "AIforCOVID"
    for name in ("imgs", "imgs_r2", "imgs_r3"):
        (root / name).mkdir(parents=True)
    first = root / "imgs"
    write_dicom(first / "P_1_1.dcm", 1)
    write_dicom(first / "P_1_2.dcm", 2, "MONOCHROME1")
    # 12 bits in a 16-bit file
    write_raster(first / "P_1_3.png", picture(3, 4095).astype(np.uint16))
    write_dicom(first / "P_1_4.png", 4)  # DICOM by content
    write_dicom(first / "P_1_5.dcm", 5)
    truncate(first / "P_1_5.dcm")
    write_dicom(first / "P_1_6.dcm", 6)  # in no table; and P_1_7 has no image
    write_dicom(first / "P_1_8.dcm", 8)
    write_dicom(first / "P_1_9.dcm", 9)
    write_dicom(first / "P_1_16.dcm", 16)  # listed as unusable
    header = ["ImageFile", "Hospital", "Age", "Sex", "Temp_C", "Prognosis", "Death"]
    rows = [
        ["P_1_1", "A", 61, 0, 37.5, "MILD", 0],
        ["P_1_2", "B", 75.0, 1, None, "SEVERE", 1],
        ["P_1_3", "C", None, None, None, "SEVERE", None],
        ["P_1_4", "D", 48, 1, 38, None, 0],
        ["P_1_5", "E", 50, 0, 38, "MILD", 0],
        ["P_1_7", "F", 51, 0, 38, "MILD", 0],
        ["P_1_8", "F", 52, 0, 38, "MODERATE", 0],  # no such outcome
        ["P_1_9", "F", 53, 0, 38, "MILD", 0],  # SEVERE in release 2
        ["P_1_16", "F", 54, 0, 38, "MILD", 0],
    ]
    write_spreadsheet(root / "AIforCOVID.xlsx", [header, *rows])
    # Release 2 repeats release 1, names the files in full and lacks columns.
    write_dicom(root / "imgs_r2" / "P_2_1.dcm", 21)
    write_raster(root / "imgs_r2" / "P_2_2.png", picture(22).astype(np.uint8))
    rows = [
        ["P_1_1.dcm", "A", "MILD"],
        ["P_1_9.dcm", "F", "SEVERE"],
        ["P_2_1.dcm", "F", "MILD"],
        ["P_2_2.png", "F", "SEVERE"],
    ]
    table = [["ImageFile", "Hospital", "Prognosis"], *rows]
    write_spreadsheet(root / "AIforCOVID_r2.xlsx", table)
    write_dicom(root / "imgs_r3" / "P_3_1.dcm", 31, syntax=JPEG2000Lossless)
    rows = [["P_3_1", "B", 80, "M", "MILD", 0]]
    table = [["ImageFile", "Hospital", "Age", "Sex", "Prognosis", "Death"], *rows]
    write_spreadsheet(root / "AIforCOVID_r3.xlsx", table)


def make_brixia(folder: Path) -> None:
    root = folder / "BRIXIA"
    images = root / "dicom_clean"
    images.mkdir(parents=True)
    for seed in (101, 102, 104, 105, 106, 107):
        write_dicom(images / f"{seed}.dcm", seed)
    write_dicom(images / "103.dcm", 103, "MONOCHROME1", RLELossless)
    (images / "108.dcm").write_bytes(b"")
    write_dicom(images / "109.dcm", 109)  # in no table
    (images / ".DS_Store").write_bytes(b"\0")
    header = [
        "Filename",
        "BrixiaScore",
        "BrixiaScoreGlobal",
        "ConsensusTestset",
        "Subject",
        "StudyId",
        "Modality",
        "Manufacturer",
        "Sex",
        "AgeAtStudyDateFiveYear",
    ]
    rows = [
        ["101.dcm", "123321", 12, 1, "S1", 1, "CR", "Agfa", "F", 13],
        ["102.dcm", "1101", 3, 0, "S1", 2, "DX", "Agfa-Gevaert", "F", 13],  # 001101
        ["103", "0", 0, 0, "S2", 3, "DX", "SIEMENS", "M", ""],
        ["104.dcm", "333333", 18, 0, "S3", 4, "CR", "", "", "14"],
        ["105.dcm", "111111", 7, 0, "S4", 5, "CR", "Kodak", "M", 40],  # adds up to 6
        ["106.dcm", "000412", 7, 0, "S5", 6, "CR", "Kodak", "M", 40],  # a 4
        ["107.dcm", "222000", 6, 0, "S6", 7, "CR", "Kodak", "M", 40],
        ["107.dcm", "222000", 6, 0, "S6", 7, "CR", "Kodak", "M", 40],  # again
        ["108.dcm", "000000", 0, 0, "S7", 8, "CR", "Kodak", "M", 40],
        ["110.dcm", "000000", 0, 0, "S8", 9, "CR", "Kodak", "M", 40],  # no file
    ]
    write_table(
        root / "metadata_global_v2.csv", [header, *rows], delimiter=";", mark=True
    )
    header = ["Filename", *(f"Mode{zone}" for zone in "ABCDEF")]
    rows = [["101.dcm", 1, 2, 3, 3, 2, 2], ["102.dcm", 0, 0, 1, 9, 0, 1]]
    write_table(root / "metadata_consensus_v1.csv", [header, *rows])


def make_hannover(folder: Path) -> None:
    (folder / "png").mkdir(parents=True)
    for seed, name in enumerate(("a1", "a2", "b1", "c1", "d1")):
        write_raster(folder / "png" / f"{name}.png", picture(seed).astype(np.uint8))
    truncate(folder / "png" / "d1.png")
    header = [
        "patient_id",
        "image_id",
        "sex",
        "age",
        "admission_offset",
        "icu_admission_offset",
        "icu_release_offset",
        "death_offset",
        "modality",
        "projection",
    ]
    rows = [
        # The only row with intensive care has no image.
        ["pa", "a0", "f", "", -1, 0.0, 9.0, "", "CR", "ap"],
        ["pa", "a1", "f", "", -3, "", "", "", "CR", "pa"],
        ["pa", "a2", "f", "", -5, "", "", "", "CR", "ap"],
        ["pb", "b1", "m", "", 2, "", "", "", "DX", "pa"],
        ["pc", "c1", "m", "", 0, "", "", 0.0, "DX", "ap"],
        ["pd", "d1", "m", "", 0, "", "", "", "DX", "ap"],
    ]
    write_table(folder / "data.csv", [header, *rows])


def make_cohen_brixia(folder: Path) -> None:
    images = folder / "public-cohen-subset"
    images.mkdir(parents=True)
    grey = picture(1).astype(np.uint8)
    write_raster(images / "fig1-a.day1.jpeg", np.dstack([grey] * 3))
    # left half transparent
    opacity = np.full_like(grey, 255)
    opacity[:, : WIDTH // 2] = 0
    write_raster(images / "scan 2.png", np.dstack([grey] * 3 + [opacity]))
    write_raster(images / "3.jpg", picture(3).astype(np.uint8))
    write_raster(images / "4.jpg", picture(4).astype(np.uint8))
    write_raster(images / "5.jpg", picture(5).astype(np.uint8))
    truncate(images / "5.jpg")
    scores = [f"{who}-{zone}" for who in "SJ" for zone in (*"ABCDEF", "Global")]
    rows = [
        ["fig1-a.day1.jpeg", 1, 1, 1, 1, 0, 0, 4, 1, 1, 1, 1, 1, 0, 5],
        ["scan 2.png", 3, 3, 3, 3, 3, 3, 18, "", "", "", "", "", "", ""],
        ["3.jpg", 0, 1, 2, 0, 1, 1, 5, 0, 1, 2, 0, 1, 0, 4],
        ["4.jpg", 1, 1, 1, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 6],  # adds up to 6
        ["5.jpg", 1, 1, 1, 1, 1, 1, 6, 1, 1, 1, 1, 1, 1, 6],
    ]
    # The metadata list 3.jpg under its former name, three.png.
    originals = ["fig1-a.day1.jpeg", "scan 2.png", "three.png", "4.jpg", "5.jpg"]
    rows = [[*row, name] for row, name in zip(rows, originals, strict=True)]
    header = ["filename", *scores, "original_filename"]
    write_table(folder / "public-annotations.csv", [header, *rows], mark=True)
    header = ["patientid", "sex", "age", "view", "location", "filename"]
    rows = [
        [4, "F", 52, "PA", "Hanoi, Vietnam ", "fig1-a.day1.jpeg"],
        [7, "M", "", "AP Supine", "", "three.png"],
    ]
    write_table(folder / "metadata.csv", [header, *rows])
    rows = [["fig1-a.day1.jpeg", "g1"], ["scan 2.png", "g1"], ["3.jpg", "g2"]]
    header = ["filename", "patient_group"]
    write_table(folder / "cohen_patient_groups.csv", [header, *rows])


def make_ich_csic(folder: Path) -> None:
    good, poor = folder / "GOOD_PROGNOSIS", folder / "POOR_PROGNOSIS"
    good.mkdir(parents=True)
    poor.mkdir()
    for place, names in ((good, "1 2 007 4 5 8 9"), (poor, "3 5 6 10 11")):
        for name in names.split():
            order = {"2": "LPS", "007": "LAS", "3": "ASR", "11": "PIR"}.get(name, "RAS")
            write_volume(place / f"{name}_brain.nii.gz", int(name), order)
    truncate(good / "8_brain.nii.gz")
    # These have no fault; with five of the above they are enough for ten folds.
    ordinary = range(21, 31)
    for patient in ordinary:
        folder_of = poor if patient % 2 else good
        write_volume(folder_of / f"{patient}_brain.nii.gz", patient, "RAS")
    header = ["PatientID", "Age", "Gender", "GCS", "HT", "Tº", "Glucose", "Urea"]
    rows = [
        [1, 79, 1, 15, 0, 36.5, 100, 31, 0],
        [2, 80, 0, 12, 1, "", 140, "", ""],  # only its folder states the outcome
        ["007", "", "", "", "", "", "", "", 0],
        [3, 91, 1, 3, 1, 35, 210, 40, 1],
        [4, 60, 1, 8, 1, 37, 120, 50, 1],  # in the folder of good prognosis
        [5, 61, 1, 8, 1, 37, 120, 50, 1],  # in both folders
        [6, 62, 1, 16, 1, 37, 120, 50, 1],
        [8, 63, 1, 9, 1, 37, 120, 50, 0],
        [10, 64, 1, 9, 1, 37, 120, 50, 1],
        [10, 84, 1, 9, 1, 37, 120, 50, 1],  # two ages, below and above 80 years
        [11, 65, 0, 8, 1, 37, 120, "", 1],
        ["11.0", 65, 0, 8, 1, 37, "", 50, 1],  # has the value that the other lacks
        [12, 66, 1, 9, 1, 37, 120, 50, 1],  # no volume
        *([n, 4 * n - 30, 0, n - 16, 0, 37, 90 + n, n, n % 2] for n in ordinary),
    ]
    table = [[*header, "Label (poor_prognosis)"], *rows]
    write_table(folder / "CLINICAL_DATA_ICH.csv", table)


def make_synthetic_cxr(folder: Path) -> None:
    images = folder / "images"
    images.mkdir(parents=True)
    for seed in range(4):
        pixels = picture(seed).astype(np.uint8)
        write_raster(images / f"{seed:06d}.png", pixels)
    truncate(images / "000003.png")
    header = ["filename", "patient_id", "site", "projection", "sex", *"ABCDEF"]
    header += ["brixia_global", "lungs_y0", "lungs_x0", "lungs_y1", "lungs_x1"]
    header += ["opacity", "extent_right", "extent_left", "effusion", "findings"]
    healthy = ["clear", 0.0, 0.0, "absent", ""]
    rows = [
        ["000000.png", "s-0", "CR", "AP", "M", 1, 0, 2, 0, 1, 3, 7, 10, 8, 30, 26]
        + ["patchy", 0.25, 0.5, "left", "bands;nodules"],
        # Lungs that reach the border of the picture.
        [
            "000001.png",
            "s-1",
            "DX",
            "PA",
            "F",
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            40,
            32,
            *healthy,
        ],
        [
            "000002.png",
            "s-2",
            "DX",
            "PA",
            "F",
            1,
            0,
            0,
            0,
            0,
            0,
            1,
            30,
            8,
            10,
            26,
            *healthy,
        ],
        [
            "000003.png",
            "s-3",
            "DX",
            "PA",
            "F",
            3,
            3,
            3,
            3,
            3,
            3,
            18,
            9,
            8,
            30,
            26,
            *healthy,
        ],
    ]
    write_table(folder / "labels.csv", [header, *rows])
    mark = {"dataset": "synthetic_cxr", "synthetic": True, "note": "Blurred noise."}
    (folder / "SYNTHETIC.json").write_text(json.dumps(mark, indent=2) + "\n")


MAKERS = {
    "aiforcovid": make_aiforcovid,
    "brixia": make_brixia,
    "cohen_brixia": make_cohen_brixia,
    "hannover": make_hannover,
    "ich_csic": make_ich_csic,
    "synthetic_cxr": make_synthetic_cxr,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DATASETS)
    folder = parser.parse_args().folder
    for name, make in MAKERS.items():
        target = folder / name / "dummy_data"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        make(target)


if __name__ == "__main__":
    main()
