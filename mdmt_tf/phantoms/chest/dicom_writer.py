"""Synthetic radiographs as DICOM files, in the formats found in real archives.

Every file states in PatientName, InstitutionName, ManufacturerModelName and
ImageComments that it is synthetic. The bytes depend on picture and header only: UIDs
are hashes of the study's key, and dates come from the caller.
"""

import dataclasses
import hashlib

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    RLELossless,
)

SYNTHETIC = "SYNTHETIC PHANTOM"
_IMPLEMENTATION = "MDMT_PHANTOM_1"
_VOI_LUT_GAMMA = 1.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class DicomHeader:
    """Values of a file's header.

    key: any text that names the study; UIDs are derived from it.
    patient_id, sex ("M" or "F"), age (years), date (YYYYMMDD), manufacturer,
    institution, view ("AP" or "PA"): as in DICOM.
    cm_per_px: pixel size in cm.
    """

    key: str
    patient_id: str
    sex: str
    age: int
    date: str
    manufacturer: str
    institution: str
    view: str
    cm_per_px: float


def uid(key):
    """A DICOM UID that depends on `key` alone (the 2.25 arc, 128 bits of a hash)."""
    digest = hashlib.sha256(key.encode()).digest()[:16]
    return f"2.25.{int.from_bytes(digest, 'big')}"


def stored_values(pixels, appearance, inverted):
    """The integers of a file, and the attributes that map them to the picture.

    Args:
        pixels: float32 (rows, columns), 0 black to 1 white, not clipped.
        appearance: `detector.Appearance`, of which bits, voi and rescale are used.
        inverted: store MONOCHROME1, where 0 is white.
    Returns: unsigned array (rows, columns), and a pydicom `Dataset` of the rescale and
        VOI attributes. A reader that applies rescale, VOI and inversion, in this
        order, gets `pixels` clipped to 0..1, up to the rounding of the stored bits.
    """
    full = 2**appearance.bits - 1
    value = 1.0 - pixels if inverted else pixels
    slope, intercept = appearance.rescale
    attributes = Dataset()
    if appearance.voi == "window":
        # The display window is the middle of the range that the device records.
        low, high = np.round(0.15 * full), np.round(0.85 * full)
        stored = low + value * np.float32(high - low)
        low, high = slope * low + intercept, slope * high + intercept
        # DICOM PS3.3 C.11.2.1.2.1: LINEAR maps c - 0.5 -+ (w - 1) / 2 to the ends.
        attributes.WindowCenter = _decimal((low + high) / 2 + 0.5)
        attributes.WindowWidth = _decimal(high - low + 1)
    elif appearance.voi == "sigmoid":
        centre, width = np.round(0.5 * full), np.round(0.3 * full)
        value = np.clip(value, 0.002, 0.998)
        stored = centre + np.float32(width / 4) * np.log(value / (1.0 - value))
        attributes.WindowCenter = _decimal(slope * centre + intercept)
        attributes.WindowWidth = _decimal(slope * width)
        attributes.VOILUTFunction = "SIGMOID"
    elif appearance.voi == "lut":
        stored = full * np.clip(value, 0.0, 1.0) ** np.float32(1 / _VOI_LUT_GAMMA)
        table = np.round(65535 * (np.arange(full + 1) / full) ** _VOI_LUT_GAMMA)
        lut = Dataset()
        lut.add_new("LUTDescriptor", "US", [full + 1, 0, 16])
        lut.LUTExplanation = "NORMAL"
        lut.add_new("LUTData", "OW", table.astype("<u2").tobytes())
        attributes.VOILUTSequence = [lut]
    elif appearance.voi == "none":
        stored = full * value
    else:
        raise ValueError(
            "Expected voi to be one of none, window, sigmoid, lut. "
            f"Received: voi={appearance.voi!r}"
        )
    attributes.RescaleIntercept = _decimal(intercept)
    attributes.RescaleSlope = _decimal(slope)
    attributes.RescaleType = "US"
    kind = np.uint8 if appearance.bits <= 8 else np.uint16
    return np.clip(np.rint(stored), 0, full).astype(kind), attributes


def write_dicom(path, pixels, appearance, header, *, inverted=False, compressed=False):
    """Write one radiograph as a DICOM file.

    Args:
        path: file to write.
        pixels: float32 (rows, columns), as in `radiograph.Radiograph`.
        appearance: `detector.Appearance`.
        header: `DicomHeader`.
        inverted: MONOCHROME1 instead of MONOCHROME2.
        compressed: RLE Lossless instead of Explicit VR Little Endian.
    """
    stored, attributes = stored_values(pixels, appearance, inverted)
    digital = appearance.modality == "DX"
    meta = _file_meta(header, digital)
    data = FileDataset(str(path), attributes, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.Modality = appearance.modality
    _add_study(data, header)
    if digital:
        data.PresentationIntentType = "FOR PRESENTATION"
        data.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
        data.PixelIntensityRelationship = "LOG"
        data.PixelIntensityRelationshipSign = -1 if inverted else 1
    _add_pixels(data, stored, appearance.bits, inverted)
    if compressed:
        data.compress(
            RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False
        )
    pydicom.dcmwrite(path, data, enforce_file_format=True)


def _file_meta(header, digital):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = (
        DigitalXRayImageStorageForPresentation
        if digital
        else ComputedRadiographyImageStorage
    )
    meta.MediaStorageSOPInstanceUID = uid(f"{header.key} image")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    # pydicom's own name contains its version, which would change the bytes.
    meta.ImplementationClassUID = uid(_IMPLEMENTATION)
    meta.ImplementationVersionName = _IMPLEMENTATION
    return meta


def _add_study(data, header):
    """Add the attributes of study, patient and device."""
    data.SpecificCharacterSet = "ISO_IR 100"
    data.ImageType = ["DERIVED", "PRIMARY"]
    data.StudyInstanceUID = uid(f"{header.key} study")
    data.SeriesInstanceUID = uid(f"{header.key} series")
    data.StudyDate = data.SeriesDate = data.ContentDate = header.date
    data.StudyTime = data.ContentTime = "120000"
    data.StudyID = data.AccessionNumber = ""
    data.ReferringPhysicianName = ""
    data.Manufacturer = header.manufacturer
    data.ManufacturerModelName = SYNTHETIC
    data.InstitutionName = header.institution
    data.PatientName = SYNTHETIC.replace(" ", "^")
    data.PatientID = header.patient_id
    data.PatientBirthDate = ""
    data.PatientSex = header.sex
    data.PatientAge = f"{header.age:03d}Y"
    data.BodyPartExamined = "CHEST"
    data.ViewPosition = header.view
    data.SeriesNumber = data.InstanceNumber = 1
    data.PatientOrientation = ["L", "F"]
    data.BurnedInAnnotation = "NO"
    data.ImageComments = f"{SYNTHETIC}: computed, no patient"
    spacing = f"{10 * header.cm_per_px:.4f}"
    data.ImagerPixelSpacing = [spacing, spacing]


def _add_pixels(data, stored, bits, inverted):
    """Add the stored integers, uncompressed, and their description."""
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    data.Rows, data.Columns = stored.shape
    data.BitsAllocated = 8 * stored.itemsize
    data.BitsStored = bits
    data.HighBit = bits - 1
    data.PixelRepresentation = 0
    data.add_new(
        "PixelData", "OB" if stored.itemsize == 1 else "OW", _even(stored.tobytes())
    )


def _decimal(number):
    """A DICOM decimal string, at most 16 characters."""
    return f"{float(number):.10g}"


def _even(raw):
    """DICOM values have an even number of bytes."""
    return raw + b"\0" * (len(raw) % 2)
