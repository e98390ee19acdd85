"""Draw a contact sheet of phantoms, to see the effect of a change to the generator.

    python tools/phantom_sheet.py sheet.png
    python tools/phantom_sheet.py looks.png --looks 42
    python tools/phantom_sheet.py both.png --looks 21 --beside FOLDER
    python tools/phantom_sheet.py heads.png --heads 8

Radiographs: one row per hospital. The columns are a patient with grade 0 in all zones,
then grades 1, 2 and 3, then two random patients, the last with the outlines of its six
zones.
Looks: radiographs of synthetic_cxr, seven in a row, below as many pictures of a folder.
Heads: one row per patient, with slices from bottom to top in a window of 0 to 80 HU,
the patient's right on the left. Every second slice has outlines of the blood in the
tissue (orange) and in the ventricles (blue).
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from mdmt_tf.imaging import contact_sheet
from mdmt_tf.phantoms.chest import radiograph
from mdmt_tf.phantoms.chest.detector import HOSPITALS
from mdmt_tf.phantoms.chest.radiograph_files import rendered
from mdmt_tf.phantoms.head import head_ct
from mdmt_tf.phantoms.head.studies import ich_csic
from mdmt_tf.phantoms.plan import PhantomPlan

_CAPTION = 16
_SLICES = 9
_WINDOW = 80.0  # HU of white; black is 0
_BLOOD = {1: (0, 160, 255), 2: (255, 200, 0)}  # blue, green, red


def tile(site, column, seed, size):
    """One captioned picture, uint8 (size + 16, size, 3)."""
    rng = np.random.default_rng([seed, ord(site), column])
    grades = [column] * 6 if column < 4 else rng.integers(0, 4, 6).tolist()
    seen = radiograph.render(
        rng, grades, male=rng.random() < 0.5, appearance=HOSPITALS[site]
    )
    picture = np.rint(255 * np.clip(seen.pixels, 0, 1)).astype(np.uint8)
    scale = size / max(picture.shape)
    picture = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if column == 5:
        shape = picture.shape[1::-1]
        zones = cv2.resize(seen.zones, shape, interpolation=cv2.INTER_NEAREST)
        for zone in range(1, 7):
            contact_sheet.outline(picture, zones == zone, (0, 200, 255))
    text = f"{site} {''.join(map(str, grades))} {'AP' if seen.ap else 'PA'}"
    return _captioned(picture, text, size, size)


def looks_sheet(number, folder, seed, size):
    """Radiographs of synthetic_cxr, and pictures of a folder (None: none) above."""
    files = sorted(Path(folder).iterdir()) if folder else []
    chosen = np.random.default_rng(seed).permutation(len(files))[:number]
    pictures = [
        (files[k].name[:24], cv2.imread(str(files[k]), cv2.IMREAD_GRAYSCALE))
        for k in chosen
    ]
    plan = PhantomPlan(synthetic_cxr_patients=number, seed=seed)
    for study in plan.studies():
        seen = rendered(plan, study)
        text = f"{''.join(map(str, study.grades))} {'AP' if seen.ap else 'PA'}"
        text += f" {seen.disease.kind}"
        picture = np.rint(255 * np.clip(seen.pixels, 0, 1)).astype(np.uint8)
        pictures.append((text, picture))
    tiles = []
    for text, picture in pictures:
        if picture is None:
            continue
        scale = size / max(picture.shape)
        picture = cv2.resize(
            picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        tiles.append(_captioned(cv2.merge([picture] * 3), text, size, size))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 7)
    return [np.hstack(tiles[k : k + 7]) for k in range(0, len(tiles), 7)]


def _captioned(picture, text, height, width):
    card = np.zeros((height + _CAPTION, width, 3), np.uint8)
    card[_CAPTION : _CAPTION + picture.shape[0], : picture.shape[1]] = picture
    white = (255, 255, 255)
    cv2.putText(card, text, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, white, 1)
    return card


def head_row(study, size):
    """Slices of one patient under a caption, uint8 (size + 16, 10 size, 3)."""
    head = head_ct.render(study)
    covered = np.flatnonzero(head.regions.any(axis=(0, 1)))
    places = np.linspace(covered[0] + 5, covered[-1] - 2, _SLICES).round().astype(int)
    pictures = []
    for number, place in enumerate(places):
        hu, lesion = (
            cv2.resize(
                _upright(a[..., place], head.affine), (size, size), interpolation=how
            )
            for a, how in (
                (head.hu.astype(np.float32), cv2.INTER_LINEAR),
                (head.lesion, cv2.INTER_NEAREST),
            )
        )
        grey = np.rint(255 * np.clip(hu / _WINDOW, 0, 1)).astype(np.uint8)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        for kind, colour in _BLOOD.items() if number % 2 else ():
            contact_sheet.outline(picture, lesion == kind, colour)
        pictures.append(picture)
    text = (
        f"{study.patient_id}: {study.volume_ml:.0f} ml, {study.side} {study.place}"
        f"{', ventricles' if study.intraventricular else ''}, GCS {study.gcs}, "
        f"{study.age} years, {'poor' if study.poor_prognosis else 'good'}"
    )
    return _captioned(np.hstack(pictures), text, size, _SLICES * size)


def _upright(piece, affine):
    """A slice (columns, rows) as in radiology: right on the left, front at the top."""
    if affine[0, 0] > 0:
        piece = piece[::-1]
    edge = len(piece) // 10  # empty
    piece = piece[edge:-edge, edge:-edge]
    return np.ascontiguousarray(piece.T[::-1])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", help="PNG file to write")
    parser.add_argument("--heads", type=int, help="draw so many head CTs instead")
    parser.add_argument("--looks", type=int, help="draw so many of synthetic_cxr")
    parser.add_argument("--beside", help="folder of pictures to draw above the looks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, help="pixels a picture (260, heads 160)")
    args = parser.parse_args(argv)
    if args.heads:
        studies = ich_csic(args.seed, args.heads)
        rows = [head_row(study, args.size or 160) for study in studies]
    elif args.looks:
        rows = looks_sheet(args.looks, args.beside, args.seed, args.size or 220)
    else:
        size = args.size or 260
        rows = [
            np.hstack([tile(site, c, args.seed, size) for c in range(6)])
            for site in HOSPITALS
        ]
    if not cv2.imwrite(args.out, np.vstack(rows)):
        sys.exit(f"cannot write {args.out}")
    print(args.out)


if __name__ == "__main__":
    main()
