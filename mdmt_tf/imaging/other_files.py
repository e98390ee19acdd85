"""Files that are no image or volume that can be read: what they are, by their start."""

from collections.abc import Mapping

from mdmt_tf.imaging import limits

_GZIP = b"\x1f\x8b"
_HEADER = 544  # bytes, of the longest header that is looked at
_NIFTI = b"\x5c\x01\0\0"
# First bytes -> another kind of file, and what to do where this is not plain.
_IMAGES = {
    b"GIF8": "a GIF",
    _NIFTI: "a NIfTI volume",
    b"\0\0\x01\x5c": "a NIfTI volume",
    b"\x1c\x02\0\0": "a NIfTI volume",
    b"\0\0\x02\x1c": "a NIfTI volume",
    b"NRRD": "an NRRD volume. Convert it to .nii.gz",
    b"ObjectType": "a MetaImage volume. Convert it to .nii.gz",
    b"NDims": "a MetaImage volume. Convert it to .nii.gz",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000",
}
# No images, or perhaps none: tables begin with "BMI", and spreadsheets are archives.
_OTHERS = {
    b"RIFF": "a RIFF file, such as WebP",
    b"BM": "a BMP",
    b"%PDF": "a PDF",
    b"PK\3\4": "a ZIP archive",
    b"<": "a text, such as HTML",
}
# Of volumes, and of pictures, in formats that are not read.
UNREAD_VOLUMES = (".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".mgh", ".hdr", ".img")
UNREAD_PICTURES = (".bmp", ".gif", ".webp", ".jp2", ".j2k", ".heic", ".avif")
# Bytes of a file that tell whether it is an image, also inside of gzip.
START = 4096


def is_of_image(data: bytes) -> bool:
    """Whether the start of a file is that of an image or volume, also inside of gzip.

    Example:
        >>> is_of_image(b"GIF89a"), is_of_image(b"%PDF-1.7"), is_of_image(b"BMI,age")
        (True, False, False)
    """
    return bool(_known(_unpacked(data), _IMAGES))


def is_nifti(data: bytes) -> bool:
    """Whether the start of a file is that of a NIfTI volume, also inside of gzip."""
    return _known(_unpacked(data), _IMAGES) == _IMAGES[_NIFTI]


def known_kind(data: bytes) -> str:
    """What kind of file it is, also inside of gzip; "" if its start does not tell.

    Example:
        >>> import gzip
        >>> known_kind(gzip.compress(b"BM....")), known_kind(bytes(128) + b"DICM")
        ('a file compressed by gzip, in it a BMP', 'a DICOM file')
    """
    kind = _known(_unpacked(data), _IMAGES | _OTHERS)
    if not data.startswith(_GZIP):
        return kind
    return f"a file compressed by gzip{kind and f', in it {kind}'}"


def _unpacked(data: bytes) -> bytes:
    # One level alone: there are files that unpack to themselves.
    is_packed = data.startswith(_GZIP)
    return limits.start_of_gzip(data, _HEADER) if is_packed else data


def _known(data: bytes, kinds: Mapping[bytes, str]) -> str:
    # First, because its preamble may be the start of a TIFF.
    if data[128:132] == b"DICM":
        return "a DICOM file"
    for start, kind in kinds.items():
        if data.startswith(start):
            return kind
    return ""


def kind_of(data: bytes) -> str:
    """What kind of file it is; none of its text, which may name a patient."""
    if kind := known_kind(data):
        return kind
    if b"\0" not in data[:512]:
        return "a text, or a file of another kind"
    return "a file of another kind"
