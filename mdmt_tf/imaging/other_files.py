"""Files that are no image or volume that can be read: what they are, by their start."""

# First bytes -> another kind of file, and what to do where this is not plain.
_KINDS = {
    b"GIF8": "a GIF",
    b"RIFF": "a RIFF file, such as WebP",
    b"BM": "a BMP",
    b"%PDF": "a PDF",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b": "a file compressed by gzip",
    b"\x5c\x01\0\0": "a NIfTI volume",
    b"NRRD": "an NRRD volume. Convert it to .nii.gz",
    b"ObjectType": "a MetaImage volume. Convert it to .nii.gz",
    b"NDims": "a MetaImage volume. Convert it to .nii.gz",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"<": "a text, such as HTML",
}
# Of volumes in formats that are not read.
UNREAD_VOLUMES = (".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".mgh", ".hdr", ".img")


def known_kind(data: bytes) -> str:
    """What kind of file it is; "" if its start does not tell."""
    for start, kind in _KINDS.items():
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
